//! Why something failed. In: an error. Out: text. Pure.

use std::{error::Error, io};

use kube::client::AuthError;

use super::route::NotReached;

/// The innermost cause of an error, which says plainly what the others only wrap; without secrets.
#[must_use]
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    let complete = causes(error).find_map(|cause| {
        let not_reached = cause.downcast_ref::<NotReached>().map(ToString::to_string);
        not_reached.or_else(|| plug_in(cause.downcast_ref()?))
    });
    complete.or_else(|| causes(error).last().map(ToString::to_string)).unwrap_or_default()
}

/// An error and its causes. An I/O error names the cause of what it wraps, and not that itself.
pub(super) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        match error.downcast_ref::<io::Error>().map(io::Error::get_ref) {
            Some(wrapped) => wrapped.map(|wrapped| wrapped as _),
            None => (*error).source(),
        }
    })
}

/// What an exec plug-in did wrong. kube shows its output, which holds credentials, and its command with all variables.
fn plug_in(error: &AuthError) -> Option<String> {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            let stderr = String::from_utf8_lossy(&out.stderr);
            Some(format!("the exec plug-in of the kubeconfig failed with {}: {}", out.status, stderr.trim()))
        }
        AuthError::AuthExecParse(_) => {
            Some("the exec plug-in of the kubeconfig wrote something else than an ExecCredential".to_owned())
        }
        _ => None,
    }
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
    fn what_an_exec_plug_in_wrote_is_not_told_except_on_standard_error() {
        let script = "echo canary; echo expired login >&2; exit 3";
        let out = std::process::Command::new("sh").args(["-c", script]).output().unwrap();
        let failed = AuthError::AuthExecRun { cmd: "TOKEN=canary sh".to_owned(), out: Box::new(out) };
        let text = api_failure(&kube::Error::Auth(failed));
        assert!(text.contains("exit status: 3: expired login") && !text.contains("canary"), "{text}");
        let unread = serde_saphyr::from_str::<u32>("canary").unwrap_err();
        let text = api_failure(&kube::Error::Service(Box::new(AuthError::AuthExecParse(Box::new(unread)))));
        assert!(text.contains("exec plug-in") && !text.contains("canary"), "{text}");
    }

    #[test]
    fn of_nested_errors_the_innermost_is_told() {
        #[derive(Debug, thiserror::Error)]
        #[error("service error")]
        struct Outer(#[source] std::io::Error);
        assert_eq!(root_cause(&Outer(std::io::Error::other("connection refused"))), "connection refused");
    }
}
