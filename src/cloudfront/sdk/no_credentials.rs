//! Why there are no credentials, in one sentence. In: the sources that were asked, their errors, variables. Out: an error. Pure.
//!
//! The SDK lists its providers in words for its developers, and longer than a message may be.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;

use super::credentials::Source;
use crate::network::{aws_profile, root_cause};

/// No source that was asked has credentials.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct NoCredentials {
    asked: Vec<String>,
}

/// A profile that this operator cannot use.
#[derive(Debug, thiserror::Error)]
#[error(
    "the profile {profile} of the AWS files has {key}, which this operator cannot use: `aws configure export-credentials --format env` prints \
     variables that it can use"
)]
struct Unsupported {
    profile: String,
    key: &'static str,
}

impl NoCredentials {
    /// Nothing was asked yet.
    pub const fn new() -> Self {
        Self { asked: Vec::new() }
    }

    /// Adds a source that gave none. Another error is returned: then the source is set up, and does not work.
    pub async fn add(
        &mut self,
        source: Source,
        error: CredentialsError,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<(), CredentialsError> {
        let value = |name| variable(name).filter(|value| !value.is_empty());
        let profile = value("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        match (source, error) {
            (Source::Environment, CredentialsError::CredentialsNotLoaded(_)) => {
                self.told("AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY");
            }
            (Source::Files, error @ CredentialsError::CredentialsNotLoaded(_)) => self.told(match error.source() {
                None => format!("the profile {profile} of the AWS files"),
                Some(why) => format!("the AWS files ({why})"),
            }),
            (Source::Files, error @ CredentialsError::InvalidConfiguration(_)) => {
                return Err(match unsupported().await {
                    Some(key) => CredentialsError::invalid_configuration(Unsupported { profile, key }),
                    None => error,
                });
            }
            (Source::Role, CredentialsError::CredentialsNotLoaded(_)) => self.told_roles(METADATA),
            // The others are not set up, so the metadata service has failed.
            (Source::Role, error) if ROLES.iter().all(|name| value(name).is_none()) => {
                self.told_roles(format!("{METADATA} ({})", root_cause(&error).trim_end_matches('.')));
            }
            (Source::Environment | Source::Files | Source::Role, error) => return Err(error),
        }
        Ok(())
    }

    fn told_roles(&mut self, metadata: impl Into<String>) {
        self.told("a web identity (AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN)");
        self.told("a container (AWS_CONTAINER_CREDENTIALS_FULL_URI)");
        self.told(metadata);
    }

    fn told(&mut self, source: impl Into<String>) {
        self.asked.push(source.into());
    }

    fn sentence(&self) -> String {
        match self.asked.split_last() {
            None => "no source was asked".to_owned(),
            Some((only, [])) => format!("none in {only}"),
            Some((last, others)) => format!("none in {}, or {last}", others.join(", ")),
        }
    }
}

/// Variables that set up a role: a web identity, or what gives credentials to a container.
const ROLES: [&str; 3] =
    ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];

const METADATA: &str = "the instance metadata service";

/// What the profile has that only the AWS CLI can use.
async fn unsupported() -> Option<&'static str> {
    for key in ["sso_session", "sso_start_url", "credential_process", "login_session"] {
        if aws_profile(key).await.is_some() {
            return Some(key);
        }
    }
    None
}
