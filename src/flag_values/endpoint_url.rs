//! A URL from the command line or the environment. Pure. User, password and query may hold secrets: whoever prints it sees neither.

use std::{convert::Infallible, fmt, str::FromStr};

use axum::http::Uri;

/// Where to send something.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// Reads the URL of an HTTP server.
    ///
    /// # Errors
    /// What it must look like.
    pub fn http(text: &str) -> Result<Self, String> {
        let has_host = |uri: &Uri| uri.host().is_some_and(|host| !host.is_empty());
        match text.parse::<Uri>() {
            Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) && has_host(&uri) => Ok(text.into()),
            _ => Err("must be a URL with a host that starts with http:// or https://".to_owned()),
        }
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
        let query_at = self.0.find(['?', '#']).unwrap_or(self.0.len());
        let (url, query) = self.0.split_at(query_at);
        let query = if query.is_empty() { "" } else { "?***" };
        let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
        let separator = if scheme.is_empty() { "" } else { "://" };
        let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("***@", rest));
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
        ] {
            let url = EndpointUrl::from(given);
            assert_eq!((url.to_string().as_str(), format!("{url:?}").as_str()), (shown, shown));
            assert_eq!(url.as_str(), given);
        }
    }

    #[test]
    fn an_http_endpoint_has_a_scheme_and_a_host() {
        for bad in ["", "collector", "collector:4318", "http://", "ftp://collector", "http:///v1/traces", "a b"] {
            assert!(EndpointUrl::http(bad).is_err(), "{bad}");
        }
        for good in ["http://collector:4318", "https://collector.example/otlp", "http://[::1]:4318"] {
            assert_eq!(EndpointUrl::http(good).unwrap().as_str(), good);
        }
    }
}
