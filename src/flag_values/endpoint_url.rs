//! A URL from the command line or the environment. Pure. User, password and query may hold secrets: whoever prints it sees neither. Every text can be read
//! as one, because clap quotes what it cannot read; whether it is the URL of a server is asked later.

use std::{convert::Infallible, fmt, str::FromStr};

use axum::http::Uri;

/// Where to send something.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// Whether it is the URL of an HTTP server.
    #[must_use]
    pub fn is_http(&self) -> bool {
        let has_host = |uri: &Uri| uri.host().is_some_and(|host| !host.is_empty());
        let is_http = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
        self.0.parse::<Uri>().is_ok_and(|uri| is_http(&uri) && has_host(&uri))
    }

    /// The URL as it was given, secrets and all.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for EndpointUrl {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for EndpointUrl {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for EndpointUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_scheme = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let split = self.0.split_once("://").filter(|(scheme, _)| is_scheme(scheme));
        let (scheme, separator, rest) = split.map_or(("", "", self.0.as_str()), |(scheme, rest)| (scheme, "://", rest));
        let (user, rest) = match rest.rsplit_once('@') {
            // A password that is not written as %XX, or a query with an @: secrets may stand on both sides.
            Some((user, _)) if user.contains(['?', '#']) => return write!(f, "{scheme}{separator}***"),
            Some((_, rest)) => ("***@", rest),
            None => ("", rest),
        };
        let (rest, query) = rest.find(['?', '#']).map_or((rest, ""), |at| (&rest[..at], "?***"));
        write!(f, "{scheme}{separator}{user}{rest}{query}")
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_password_and_query_are_not_shown() {
        for (given, shown) in [
            ("https://collector:4318/otlp", "https://collector:4318/otlp"),
            ("https://me:secret@collector/otlp", "https://***@collector/otlp"),
            ("https://collector/otlp?token=secret", "https://collector/otlp?***"),
            ("https://collector/otlp#secret", "https://collector/otlp?***"),
            ("me:secr@t@collector", "***@collector"),
            ("me:secret@collector:4318", "***@collector:4318"),
            ("ftp://me:s3#cret@x", "ftp://***"),
            ("https://me:s3?cret@x/?token=secret", "https://***"),
            ("https://collector/otlp?token=sec@ret", "https://***"),
            ("me:s3@cret://x@collector/", "***@collector/"),
        ] {
            let url = EndpointUrl::from(given);
            assert_eq!((url.to_string().as_str(), format!("{url:?}").as_str()), (shown, shown));
            assert_eq!(url.as_str(), given);
        }
    }

    #[test]
    fn an_http_endpoint_has_a_scheme_and_a_host() {
        for bad in ["", "collector", "collector:4318", "http://", "ftp://collector", "http:///v1/traces", "a b"] {
            assert!(!EndpointUrl::from(bad).is_http(), "{bad}");
        }
        for good in ["http://collector:4318", "https://collector.example/otlp", "http://[::1]:4318"] {
            assert!(EndpointUrl::from(good).is_http(), "{good}");
        }
    }
}
