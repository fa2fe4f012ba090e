# One static program and the CA bundle, nothing else: no shell, no package manager, no libc.
# Built for the platform that the stage `build` runs on, linux/amd64 or linux/arm64; in its place, a folder with the same two files will do
# (image/assemble.sh).

# A release pins this by digest: docs/release.md.
ARG RUST_IMAGE=rust:1.95.0-bookworm
FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
RUN image/build.sh connection-group-operator /out

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="connection-group-operator" \
      org.opencontainers.image.description="Keeps Amazon CloudFront connection groups as their ConnectionGroup objects say" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="https://github.com/kube-operators/connection-group-operator" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/connection-group-operator /connection-group-operator
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/connection-group-operator"]
CMD ["run"]
