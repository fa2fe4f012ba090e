//! The network as the environment describes it: proxies, trusted authorities, and how long an idle connection is kept. In: variables, and the files that they
//! name. Out: checked settings and HTTP clients, or a sentence that names the variable. Reads files; the clients talk to AWS and to a collector.

mod cause;
mod certificates;
mod http;
mod proxies;
mod route;

use std::{env, path::PathBuf, sync::Arc, time::Duration};

use aws_smithy_http_client::tls::TlsContext;

pub use self::{
    cause::{api_failure, root_cause},
    certificates::{BadCertificates, Certificates, Trusted},
    http::SmallClient,
    proxies::{BadProxy, Proxies, at},
    route::{NotReached, Route},
};

/// How long an idle connection is kept. NATs and firewalls forget idle connections without telling anyone, the strictest of them after 30 seconds; the next
/// call on such a connection would wait until it times out.
pub const IDLE: Duration = Duration::from_secs(15);

/// Replaces the trusted authorities for AWS, as it does for the AWS CLI.
const AWS_BUNDLE: &str = "AWS_CA_BUNDLE";

/// The same in the file of `AWS_CONFIG_FILE`.
const PROFILE_BUNDLE: &str = "ca_bundle of the AWS profile";

/// What the environment says, checked.
#[derive(Clone, Debug)]
pub struct Network {
    /// Which proxy a request takes.
    pub proxies: Arc<Proxies>,
    /// What was read and counts only at the start.
    pub certificates: Vec<Certificates>,
    aws: Trust,
    system: Trust,
}

/// What to trust, and how a message names it.
#[derive(Clone, Debug)]
struct Trust {
    tls: TlsContext,
    named: Trusted,
}

/// A variable that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// It names a proxy.
    #[error(transparent)]
    Proxy(#[from] BadProxy),
    /// It names certificates.
    #[error(transparent)]
    Certificates(#[from] BadCertificates),
}

impl Network {
    /// Reads the variables of this process.
    ///
    /// # Errors
    /// A sentence that names the variable, and no secret.
    pub async fn from_environment() -> Result<Self, NetworkError> {
        let proxies = Arc::new(Proxies::from_environment(|name| env::var(name).ok())?);
        let mut certificates = certificates::check_system(|name| env::var_os(name))?;
        let aws = match aws_bundle().await {
            None => Trust::system("AWS_CA_BUNDLE or SSL_CERT_FILE"),
            Some((variable, path)) => {
                let named = Trusted::file(variable, &path);
                let (tls, read) = certificates::bundle(variable, path)?;
                certificates.push(read);
                Trust { tls, named }
            }
        };
        Ok(Self { proxies, certificates, aws, system: Trust::system("SSL_CERT_FILE") })
    }

    /// The authorities of this machine.
    #[must_use]
    pub fn system_trust(&self) -> &Trusted {
        &self.system.named
    }

    /// A network with these proxies.
    #[cfg(test)]
    pub fn with(proxies: Proxies) -> Self {
        let (aws, system) = (Trust::system(AWS_BUNDLE), Trust::system("SSL_CERT_FILE"));
        Self { proxies: Arc::new(proxies), certificates: Vec::new(), aws, system }
    }
}

/// The file with the authorities for AWS, and what names it, as for the AWS CLI.
async fn aws_bundle() -> Option<(&'static str, PathBuf)> {
    match env::var_os(AWS_BUNDLE).filter(|path| !path.is_empty()) {
        Some(path) => Some((AWS_BUNDLE, path.into())),
        None => Some((PROFILE_BUNDLE, aws_profile("ca_bundle").await?.into())),
    }
}

/// What the profile in the AWS files says about this. Files that cannot be read say nothing here: they give no credentials either, which is reported then.
#[expect(clippy::default_trait_access, reason = "these types are those of a crate that is no dependency")]
pub async fn aws_profile(key: &str) -> Option<String> {
    let files = aws_config::profile::load(&Default::default(), &Default::default(), &Default::default(), None).await;
    files.ok()?.get(key).filter(|value| !value.is_empty()).map(ToOwned::to_owned)
}

impl Trust {
    fn system(variables: &str) -> Self {
        Self { tls: TlsContext::default(), named: Trusted::system(|name| env::var_os(name), variables) }
    }
}
