# syntax=docker/dockerfile:1
# One static binary and the CA bundle, nothing else: no shell, no package manager, no libc.
# For x86-64. The stage `build` may be replaced by a folder that holds the same two files.

FROM rust:1.95-bookworm AS build
# Time stamps of the files in the image, in seconds since 1970; builders that know it need no more for a reproducible image.
ARG SOURCE_DATE_EPOCH=0
# A static binary needs a target that is named, so that build scripts and macros are not linked statically as well.
ENV RUSTFLAGS="-C target-feature=+crt-static"
WORKDIR /src
COPY . .
RUN cargo build --release --locked --target x86_64-unknown-linux-gnu -p connection-group-operator

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="connection-group-operator" \
      org.opencontainers.image.description="Kubernetes operator that keeps Amazon CloudFront connection groups as their ConnectionGroup objects say" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/x86_64-unknown-linux-gnu/release/connection-group-operator /connection-group-operator
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/connection-group-operator"]
CMD ["run"]
