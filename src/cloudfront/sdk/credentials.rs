//! Credentials for AWS from the standard chain of sources, which follow the files of credentials while the process runs. In: region and network. Out: what
//! signs a call, and log lines when that changes. Reads files, and talks to the sources.
//!
//! The SDK reads a file once, and passes a source that has no credentials over. Here, a file that is empty for a moment must not make the operator another
//! identity: once credentials came from the files, nothing else gives any until the process is started anew.

use std::{
    env, fmt,
    time::{Duration, SystemTime},
};

use aws_config::{
    BehaviorVersion, ConfigLoader, Region, default_provider, environment::EnvironmentVariableCredentialsProvider,
    profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use tokio::sync::Mutex;

use super::no_credentials::NoCredentials;
use crate::network::{AwsFiles, Network, aws_files, root_cause};

/// How long credentials are used before the files are compared again.
const FRESH: Duration = Duration::from_secs(30);

/// How long before they expire credentials are replaced: the SDK asks for others that much earlier.
const MARGIN: Duration = Duration::from_secs(10);

/// Where credentials come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Variables with keys.
    Environment,
    /// A profile.
    Files,
    /// What the SDK asks after these two.
    Role,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            Self::Files => "the files with AWS credentials",
            Self::Role => "the role of the Pod or of the machine",
        })
    }
}

/// The standard chain of sources of credentials.
#[derive(Debug)]
pub struct Chain {
    /// Where STS is asked.
    pub region: Region,
    /// How the sources are reached.
    pub network: Network,
}

impl Chain {
    /// The SDK's configuration, with its standard chain.
    pub fn loader(&self) -> ConfigLoader {
        let client = self.network.aws_client();
        aws_config::defaults(BehaviorVersion::latest()).region(self.region.clone()).http_client(client)
    }

    /// The first source that has credentials. After the files had some, only the files count; after the role had some, only what comes before it.
    async fn find(&self, last: Option<Source>, files: AwsFiles) -> Result<Current, CredentialsError> {
        let aws = self.loader().load().await;
        let mut config = ProviderConfig::default()
            .with_region(Some(self.region.clone()))
            .with_http_client(self.network.aws_client())
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_use_fips(aws.use_fips())
            .with_use_dual_stack(aws.use_dual_stack());
        // This reads the files: their sections may name an endpoint of STS.
        let retry = default_provider::retry_config::default_provider().configure(&config).retry_config().await;
        config = config.with_retry_config(retry);
        if let Some(timeout) = aws.timeout_config() {
            config = config.with_timeout_config(timeout.clone());
        }
        let environment = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
        let profile =
            SharedCredentialsProvider::new(ProfileFileCredentialsProvider::builder().configure(&config).build());
        let sources = [
            (Source::Environment, Some(environment)),
            (Source::Files, Some(profile)),
            // The SDK's chain begins with the two above, which are known to have none.
            (Source::Role, aws.credentials_provider()),
        ];
        let mut nothing = NoCredentials::new();
        for (source, provider) in sources {
            let counts = match last {
                Some(Source::Files) => source == Source::Files,
                Some(Source::Role) => source != Source::Role,
                Some(Source::Environment) | None => true,
            };
            let Some(provider) = provider.filter(|_| counts) else { continue };
            match provider.provide_credentials().await {
                Ok(found) => return Ok(Current { files, source, provider, found }),
                Err(error) => nothing.add(source, error, |name| env::var(name).ok()).await?,
            }
        }
        Err(CredentialsError::not_loaded(nothing))
    }
}

/// What signs calls now.
#[derive(Debug)]
struct Current {
    /// The files when `provider` was made.
    files: AwsFiles,
    source: Source,
    provider: SharedCredentialsProvider,
    found: Credentials,
}

impl Current {
    /// Its credentials, to be asked for again soon, so that the files are compared.
    async fn credentials(&mut self) -> provider::Result {
        let now = SystemTime::now();
        let soon = now + FRESH;
        if self.found.expiry().is_some_and(|expiry| expiry < now + MARGIN) {
            self.found = self.provider.provide_credentials().await?;
        }
        let mut found = self.found.clone();
        *found.expiry_mut() = Some(found.expiry().map_or(soon, |expiry| expiry.min(soon)));
        Ok(found)
    }
}

/// Whose credentials are used now; not a secret.
#[derive(Debug)]
pub struct Identity {
    /// The account, if who gave out the credentials tells it. Variables and files with keys may name any account.
    pub account: Option<String>,
    access_key_id: String,
    source: Source,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the access key {} from {}", self.access_key_id, self.source)
    }
}

impl Chain {
    /// Whose credentials a process that starts now would use.
    pub async fn identity(&self) -> Result<Identity, CredentialsError> {
        let Current { source, found, .. } = self.find(None, aws_files()).await?;
        let account = match source {
            Source::Environment | Source::Files => None,
            Source::Role => found.account_id().map(|id| id.as_str().to_owned()),
        };
        Ok(Identity { account, access_key_id: found.access_key_id().to_owned(), source })
    }
}

/// The chain, anew whenever a file of credentials has changed, as a mounted Secret does while the process runs.
#[derive(Debug)]
pub struct Rotating {
    chain: Chain,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Current>,
    /// Files that could not be used, and have been logged.
    refused: Option<AwsFiles>,
}

impl Rotating {
    /// Credentials from this chain.
    pub fn of(chain: Chain) -> Self {
        Self { chain, state: Mutex::default() }
    }

    async fn credentials(&self) -> provider::Result {
        let State { current, refused } = &mut *self.state.lock().await;
        let files = aws_files();
        let last = current.as_ref().map(|current| current.source);
        match current {
            Some(current) if current.files == files => {}
            _ => match (self.chain.find(last, files).await, last) {
                (Ok(found), _) => {
                    log(last, found.source);
                    (*current, *refused) = (Some(found), None);
                }
                (Err(error), None) => return Err(error),
                // They had none before either.
                (Err(CredentialsError::CredentialsNotLoaded(_)), Some(Source::Role)) => {
                    if let Some(current) = current {
                        current.files = files;
                    }
                }
                (Err(error), Some(source)) => {
                    if *refused != Some(files) {
                        tracing::warn!(
                            error = root_cause(&error),
                            "the files with AWS credentials have changed and cannot be used: the operator goes on with the credentials that it has, from \
                             {source}, and reads the files again. To use another source of credentials, start the operator anew"
                        );
                        *refused = Some(files);
                    }
                }
            },
        }
        match current {
            Some(current) => current.credentials().await,
            None => Err(CredentialsError::not_loaded(NoCredentials::new())),
        }
    }
}

/// Tells where the credentials come from, whenever that has changed or the files have.
fn log(last: Option<Source>, now: Source) {
    match last {
        None => tracing::info!("the AWS credentials come from {now}"),
        Some(last) if last != now => tracing::warn!(
            "the files with AWS credentials have changed: the AWS credentials come from {now} now, no longer from {last}"
        ),
        Some(_) => tracing::info!("the files with AWS credentials have changed; the AWS credentials come from {now}"),
    }
}

impl ProvideCredentials for Rotating {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
