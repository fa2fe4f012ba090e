//! Why the objects of a scope cannot be read, and the log line of each change of that. In: why they cannot be read now, if so. Out: a log line, if the last
//! one says something else. Does no I/O but logging.

use std::{fmt, time::Duration};

/// Why the API server refuses reads of the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadRefusal {
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404. This never means a missing namespace: for that, the API server answers with an empty list.
    NotServed,
}

/// Why the objects cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blind {
    /// The API server refuses.
    Refused(ReadRefusal),
    /// The API server has been silent for this long.
    Silent(Duration),
    /// The wanted list is not complete yet.
    NotListed,
}

impl fmt::Display for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(ReadRefusal::Unauthorized) => f.write_str("the API server does not accept the operator's credentials"),
            Self::Refused(ReadRefusal::Forbidden) => {
                f.write_str("the API server does not let this operator list and watch ConnectionGroup objects")
            }
            Self::Refused(ReadRefusal::NotServed) => f.write_str(
                "the API server does not serve ConnectionGroup objects of this version: install the CustomResourceDefinition",
            ),
            Self::Silent(age) => write!(f, "the API server has not answered for {} s", age.as_secs()),
            Self::NotListed => f.write_str("they have not been listed yet"),
        }
    }
}

/// Failure that is logged once, however long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Refused(ReadRefusal),
    Silent,
}

/// What the log says of a scope: the failure that was logged last, unless its end was logged, too.
#[derive(Debug, Default)]
pub struct Told(Option<Failure>);

impl Told {
    /// Logs why the objects of this namespace, or of all, cannot be read, or that they can be, unless the log says so already.
    pub fn tell(&mut self, namespace: Option<&str>, blind: Option<Blind>) {
        let failure = match blind {
            // A list in progress is not logged, and does not end a failure that was logged before.
            Some(Blind::NotListed) => return,
            Some(Blind::Refused(refusal)) => Some(Failure::Refused(refusal)),
            Some(Blind::Silent(_)) => Some(Failure::Silent),
            None => None,
        };
        if failure == self.0 {
            return;
        }
        self.0 = failure;
        let scope = namespace.unwrap_or("*");
        match (blind, namespace) {
            (None, _) => tracing::info!(scope, "ConnectionGroup objects can be read now"),
            (Some(blind @ Blind::Refused(ReadRefusal::Forbidden)), Some(_)) => tracing::warn!(
                scope,
                "{blind}: nothing is changed at CloudFront for objects of this namespace until it does. If the namespace is being deleted, its \
                 RoleBinding may have gone first: docs/uninstall.md has the command that lets the deletion go on"
            ),
            (Some(blind), _) => {
                tracing::warn!(scope, "{blind}: nothing is changed at CloudFront for these objects until it does");
            }
        }
    }
}
