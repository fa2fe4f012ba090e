//! The network as the environment describes it: proxies, trusted authorities, and how long an idle connection is kept. In: variables, and the files that they
//! name. Out: checked settings and HTTP clients, or a sentence that names the variable. Reads files; the clients talk to AWS and to a collector.

mod cause;
mod certificates;
mod http;
mod profile;
mod proxies;
mod route;

use std::{env, path::PathBuf, sync::Arc, time::Duration};

use aws_smithy_http_client::tls::TlsContext;

pub use self::{
    cause::{api_failure, root_cause},
    certificates::{BadCertificates, Certificates, Trusted},
    http::SmallClient,
    profile::{AwsFiles, BUNDLE, ProfileBundle, aws_files, aws_profile},
    proxies::{BadProxy, Proxies, at},
    route::{NotReached, Route},
};

/// How long an idle connection is kept. NATs and firewalls forget idle connections without telling anyone, the strictest of them after 30 seconds; the next
/// call on such a connection would wait until it times out.
pub const IDLE: Duration = Duration::from_secs(15);

/// Replaces the trusted authorities for AWS, as it does for the AWS CLI.
const AWS_BUNDLE: &str = "AWS_CA_BUNDLE";

/// What the environment says, checked.
#[derive(Clone, Debug)]
pub struct Network {
    /// Which proxy a request takes.
    pub proxies: Arc<Proxies>,
    /// What was read and counts only at the start.
    pub certificates: Vec<Certificates>,
    /// What also counts only at the start; `None` if a variable is set that goes before it.
    pub profile_bundle: Option<ProfileBundle>,
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
        let variable = env::var_os(AWS_BUNDLE).filter(|path| !path.is_empty());
        let profile_bundle = if variable.is_none() { Some(ProfileBundle::read().await) } else { None };
        let of_profile = || Some((BUNDLE, profile_bundle.as_ref()?.at_start()?));
        let aws = match variable.map(|path| (AWS_BUNDLE, PathBuf::from(path))).or_else(of_profile) {
            None => Trust::system("AWS_CA_BUNDLE or SSL_CERT_FILE"),
            Some((variable, path)) => {
                let named = Trusted::file(variable, &path);
                let (tls, read) = certificates::bundle(variable, path)?;
                certificates.push(read);
                Trust { tls, named }
            }
        };
        Ok(Self { proxies, certificates, profile_bundle, aws, system: Trust::system("SSL_CERT_FILE") })
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
        Self { proxies: Arc::new(proxies), certificates: Vec::new(), profile_bundle: None, aws, system }
    }
}

impl Trust {
    fn system(variables: &str) -> Self {
        Self { tls: TlsContext::default(), named: Trusted::system(|name| env::var_os(name), variables) }
    }
}
