//! Why something failed. In: an error. Out: text. Pure.

use std::error::Error;

/// The innermost cause of an error, which says plainly what the others only wrap.
#[must_use]
pub fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// Why a request to the API server failed.
#[must_use]
pub fn api_failure(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => root_cause(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nested_errors_the_innermost_is_told() {
        #[derive(Debug, thiserror::Error)]
        #[error("service error")]
        struct Outer(#[source] std::io::Error);
        assert_eq!(root_cause(&Outer(std::io::Error::other("connection refused"))), "connection refused");
    }
}
