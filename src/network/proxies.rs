//! Proxies: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or small letters. In: a lookup of variables. Out: the proxy for a URL, or a
//! sentence that names the variable. Pure. The URL of a proxy may hold a password, which nothing here shows.

use axum::http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

/// Variables that name a proxy.
const VARIABLES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Which proxy a request takes.
#[derive(Debug)]
pub struct Proxies {
    matcher: Matcher,
    /// `NO_PROXY` names every host.
    pub off: bool,
}

/// A proxy that cannot be used. Without its URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[error(
    "{source_name} is not the URL of a proxy that this operator can use: it must look like http://proxy:3128 or \
     http://user:password@proxy:3128, with http or https, and with special characters of the password as %XX"
)]
pub struct BadProxy {
    source_name: String,
}

impl Proxies {
    /// The proxies that these variables name.
    ///
    /// # Errors
    /// The variable whose value is not the URL of an HTTP proxy.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BadProxy> {
        for name in VARIABLES {
            if let Some(url) = variable(name).filter(|url| !url.is_empty()) {
                check(name, &url)?;
            }
        }
        let first = |names: [&str; 2]| names.into_iter().find_map(&variable).unwrap_or_default();
        let no = first(["NO_PROXY", "no_proxy"]);
        // The matcher compares `*` with names only, not with addresses.
        if no.split(',').any(|part| part.trim() == "*") {
            return Ok(Self { matcher: Matcher::builder().build(), off: true });
        }
        let matcher = Matcher::builder()
            .https(first(["HTTPS_PROXY", "https_proxy"]))
            .http(first(["HTTP_PROXY", "http_proxy"]))
            .all(first(["ALL_PROXY", "all_proxy"]))
            .no(no);
        Ok(Self { matcher: matcher.build(), off: false })
    }

    /// The proxy for requests to `target`, if they take one.
    #[must_use]
    pub fn of(&self, target: &Uri) -> Option<Intercept> {
        self.matcher.intercept(target)
    }
}

/// The proxy at `url`, for every target. `source_name` says where the URL comes from.
///
/// # Errors
/// It is not the URL of an HTTP proxy.
pub fn at(source_name: &str, url: &str, target: &Uri) -> Result<Option<Intercept>, BadProxy> {
    check(source_name, url)?;
    Ok(Matcher::builder().all(url).build().intercept(target))
}

fn check(source_name: &str, url: &str) -> Result<(), BadProxy> {
    let is_http = |uri: &Uri| matches!(uri.scheme_str(), None | Some("http" | "https"));
    match url.parse::<Uri>() {
        Ok(uri) if is_http(&uri) && uri.host().is_some_and(|host| !host.is_empty()) => Ok(()),
        _ => Err(BadProxy { source_name: source_name.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(variables: &[(&str, &str)], target: &str) -> Option<String> {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let proxies = Proxies::from_environment(variable).unwrap();
        proxies.of(&target.parse().unwrap()).map(|proxy| proxy.uri().to_string())
    }

    #[test]
    fn https_goes_through_its_proxy_unless_no_proxy_names_the_host() {
        let variables =
            [("HTTPS_PROXY", "http://u:p@proxy:3128"), ("NO_PROXY", "10.0.0.0/8, .svc,,internal.example,[::1],")];
        let through = Some("http://proxy:3128/".to_owned());
        for (target, expected) in [
            ("https://cloudfront.amazonaws.com", &through),
            ("https://10.1.2.3:6443", &None),
            ("https://kubernetes.default.svc", &None),
            ("https://api.internal.example:6443", &None),
            ("https://11.0.0.1:6443", &through),
            ("http://collector:4318", &None),
        ] {
            assert_eq!(proxy(&variables, target), *expected, "{target}");
        }
        assert_eq!(proxy(&[("https_proxy", "proxy:3128")], "https://x"), through, "small letters, and no scheme");
        assert_eq!(proxy(&[("ALL_PROXY", "http://proxy:3128")], "http://x"), through);
    }

    #[test]
    fn an_asterisk_in_no_proxy_names_every_host_and_every_address() {
        for no in ["*", "example.com, * ,"] {
            for target in ["https://cloudfront.amazonaws.com", "http://169.254.170.23/v1", "http://[fd00:ec2::23]/v1"] {
                let variables = [("ALL_PROXY", "http://proxy:3128"), ("NO_PROXY", no)];
                assert_eq!(proxy(&variables, target), None, "{no}: {target}");
            }
        }
    }

    #[test]
    fn what_is_no_http_proxy_is_refused_by_the_name_of_its_variable_and_without_its_password() {
        for bad in ["socks5://u:s3cret@proxy:1080", "http://", "http://u:s3cr et@proxy", "ftp://u:s3cret@x", "/s3cret"]
        {
            for name in VARIABLES {
                let refused = Proxies::from_environment(|asked| (asked == name).then(|| bad.to_owned())).err();
                let text = refused.unwrap_or_else(|| panic!("{bad}")).to_string();
                assert!(text.starts_with(name) && !text.contains("s3cr"), "{text}");
            }
        }
    }

    #[test]
    fn no_output_shows_the_password_of_a_proxy() {
        let target = Uri::from_static("https://x");
        let proxy = at("proxy-url", "http://user:s3cret@proxy:3128", &target).unwrap().unwrap();
        let shown = format!("{proxy:?} {}", proxy.uri());
        assert!(!shown.contains("s3cret") && !shown.contains("Basic"), "{shown}");
        assert_eq!(proxy.basic_auth().unwrap(), "Basic dXNlcjpzM2NyZXQ=");
        assert!(!format!("{:?}", proxy.basic_auth()).contains("dXNl"));
    }
}
