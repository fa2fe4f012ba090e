//! The way to a server, which a message about a failed connection names: the server, the proxy and the trusted authorities. In: a URL, a proxy, an error. Out: a
//! text that stays the same from one failed try to the next, and has no secrets. Pure.

use std::{error::Error, fmt};

use axum::http::Uri;
use hyper_util::client::proxy::matcher::Intercept;
use jiff::Timestamp;
use rustls::{CertificateError, pki_types::UnixTime};
use tokio::time::error::Elapsed;

use super::{
    cause::{causes, root_cause},
    certificates::Trusted,
};

/// Why there is no answer, for a limit that may have passed before or after there was a connection.
pub const TOO_LATE: &str = "no answer in time";

/// The way to a server.
#[derive(Clone, Debug)]
pub struct Route {
    server: String,
    proxy: Option<String>,
    trusted: Trusted,
}

/// A server gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("{route}: {cause}")]
pub struct NotReached {
    route: Route,
    cause: String,
}

impl Route {
    /// The way to the server of this URL. The URLs may hold passwords.
    #[must_use]
    pub fn to(server: &Uri, proxy: Option<&Intercept>, trusted: Trusted) -> Self {
        let proxy =
            proxy.map(|proxy| format!("{}://{}", proxy.uri().scheme_str().unwrap_or("http"), place(proxy.uri())));
        Self { server: place(server), proxy, trusted }
    }

    /// Why there is no answer.
    #[must_use]
    pub fn failed(&self, error: &(dyn Error + 'static)) -> NotReached {
        let of_tls = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>());
        let cause = match of_tls {
            Some(rustls::Error::InvalidCertificate(bad)) => self.certificate(bad),
            _ if causes(error).any(<dyn Error>::is::<Elapsed>) => TOO_LATE.to_owned(),
            _ => root_cause(error),
        };
        self.silent(cause)
    }

    /// There is no answer, for this reason.
    #[must_use]
    pub fn silent(&self, cause: impl Into<String>) -> NotReached {
        NotReached { route: self.clone(), cause: cause.into() }
    }

    /// The library shows the time of the check, too, which is another one each time.
    fn certificate(&self, bad: &CertificateError) -> String {
        let what = match bad {
            CertificateError::ExpiredContext { not_after, .. } => format!("it expired at {}", utc(*not_after)),
            CertificateError::NotValidYetContext { not_before, .. } => {
                format!("it is not valid before {}", utc(*not_before))
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => format!("{bad}; {}", self.trusted),
            other => other.to_string(),
        };
        format!("invalid peer certificate: {what}")
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, proxy, .. } = self;
        match proxy {
            Some(proxy) => write!(f, "{server} through the proxy {proxy}"),
            None => f.write_str(server),
        }
    }
}

/// Host and port, without user and password.
fn place(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn utc(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use super::*;
    use crate::network::Proxies;

    fn route(server: &str, proxy: &str) -> Route {
        let server = server.parse().unwrap();
        let proxies = Proxies::from_environment(|name| (name == "ALL_PROXY").then(|| proxy.to_owned())).unwrap();
        Route::to(&server, proxies.of(&server).as_ref(), Trusted::only("the authority of the test"))
    }

    #[test]
    fn a_failed_connection_is_told_with_the_server_and_the_proxy_and_without_passwords() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        for (server, proxy, told) in [
            ("https://cloudfront.amazonaws.com/2020-05-31", "", "cloudfront.amazonaws.com: connection refused"),
            ("https://me:s3cret@10.0.0.1:6443", "", "10.0.0.1:6443: connection refused"),
            ("https://[::1]:6443", "", "[::1]:6443: connection refused"),
            ("https://x", "me:s3cret@proxy:3128", "x through the proxy http://proxy:3128: connection refused"),
            ("https://x", "https://me:s3cret@proxy", "x through the proxy https://proxy: connection refused"),
        ] {
            let text = route(server, proxy).failed(&refused).to_string();
            assert_eq!(text, told);
            assert_eq!(root_cause(&io::Error::other(route(server, proxy).failed(&refused))), told);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_has_passed_is_told_as_one() {
        let late = tokio::time::timeout(Duration::from_secs(1), std::future::pending::<()>()).await.unwrap_err();
        // As hyper-timeout wraps it.
        let error = io::Error::new(io::ErrorKind::TimedOut, late);
        assert_eq!(route("https://x", "").failed(&error).to_string(), "x: no answer in time");
    }

    #[test]
    fn a_certificate_that_is_not_accepted_is_told_in_the_same_words_each_time() {
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let expired = |now| CertificateError::ExpiredContext { time: time(now), not_after: time(86_400) };
        let early = |now| CertificateError::NotValidYetContext { time: time(now), not_before: time(86_400) };
        for (bad, told) in [
            (expired(86_401), "it expired at 1970-01-02T00:00:00Z"),
            (expired(86_402), "it expired at 1970-01-02T00:00:00Z"),
            (early(1), "it is not valid before 1970-01-02T00:00:00Z"),
            (CertificateError::UnknownIssuer, "UnknownIssuer; only the authority of the test is trusted"),
        ] {
            // As the TLS library wraps it.
            let error = io::Error::other(io::Error::other(rustls::Error::InvalidCertificate(bad)));
            let text = route("https://x", "").failed(&error).to_string();
            assert_eq!(text, format!("x: invalid peer certificate: {told}"));
        }
    }
}
