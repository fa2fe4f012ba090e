//! What was read at the start and has changed since. In: the configuration of the API server and the files of the network. Out: which of them is out of date, once
//! one is. Reads files, and runs the kubeconfig's exec plug-in once more.
//!
//! A client has its certificate and its authorities for life, so the process ends and is started anew. kube itself reads token files again, and all that a Pod's
//! ServiceAccount has.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    fs,
    future::pending,
    hash::{Hash, Hasher},
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use kube::{Client, Config, client::ConfigExt, config::AuthInfo};
use tokio::{task::spawn_blocking, time::sleep};

use super::{
    RunArgs,
    cluster::Cluster,
    connection::{ApiServer, is_in_pod},
};
use crate::{
    network::{BUNDLE, Network, root_cause},
    reconcile::backoff::Backoff,
};

/// How often the files are read.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long before a certificate expires the process ends; it still has to finish calls and to release the Lease.
const EXPIRY_MARGIN: Duration = Duration::from_mins(1);

/// Something that was read at the start is out of date.
#[derive(Debug, thiserror::Error)]
pub enum Outdated {
    /// The files that a variable names.
    #[error("the certificates that {0} names have changed")]
    Certificates(&'static str),
    /// It names another file, or none, or names one only now.
    #[error("{BUNDLE} has changed")]
    ProfileBundle,
    /// What the kubeconfig says about the cluster in use, or a file that it names.
    #[error("the certificates or credentials of the kubeconfig have changed")]
    Kubeconfig,
    /// It came from an exec plug-in.
    #[error("the client certificate from the exec plug-in of the kubeconfig is about to expire")]
    ClientCertificate,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Waits until something is out of date. `start`: as it was at the start.
pub async fn outdated(args: &RunArgs, start: &Cluster, network: &Network) -> Outdated {
    tokio::select! {
        outdated = changed(args, start, network) => outdated,
        () = expiring(&start.config) => Outdated::ClientCertificate,
    }
}

/// A change counts only if a process that starts now can use what is there now.
async fn changed(args: &RunArgs, start: &Cluster, network: &Network) -> Outdated {
    const KUBECONFIG: &str = "kubeconfig";
    const PROFILE: &str = "AWS profile";
    let read = fingerprint(start).ok();
    let mut profile_bundle = network.profile_bundle.clone();
    let mut unusable = Unusable::default();
    loop {
        sleep(INTERVAL).await;
        for read in &network.certificates {
            if unusable.check(read.variable, read.have_changed().map_err(BoxError::from)) {
                return Outdated::Certificates(read.variable);
            }
        }
        if let Some(bundle) = &mut profile_bundle
            && unusable.check(PROFILE, bundle.has_changed().await.map_err(BoxError::from))
        {
            return Outdated::ProfileBundle;
        }
        if !is_in_pod(&start.config)
            && unusable.check(KUBECONFIG, is_other_kubeconfig(args, start, read, network).await)
        {
            return Outdated::Kubeconfig;
        }
    }
}

/// What cannot be used at the moment, and why.
#[derive(Default)]
struct Unusable(BTreeMap<&'static str, String>);

impl Unusable {
    /// Whether `source` has changed. One that cannot be used has not; the log says so once.
    fn check(&mut self, source: &'static str, changed: Result<bool, BoxError>) -> bool {
        let error = match changed {
            Ok(changed) => {
                self.0.remove(source);
                return changed;
            }
            Err(error) => error.to_string(),
        };
        if self.0.get(source) != Some(&error) {
            tracing::warn!(
                source,
                error,
                "a file with certificates or credentials cannot be used now: the operator goes on with what it read at the start, but a process that starts now would fail, or do without that file"
            );
            self.0.insert(source, error);
        }
        false
    }
}

async fn is_other_kubeconfig(
    args: &RunArgs,
    start: &Cluster,
    read: Option<u64>,
    network: &Network,
) -> Result<bool, BoxError> {
    // Also if another context has become the current one.
    let now = Cluster::again(args, start.context.as_deref()).await?;
    // Another cluster: someone works with this kubeconfig, and the operator stays where it is.
    if now.config.cluster_url != start.config.cluster_url || Some(fingerprint(&now)?) == read {
        return Ok(false);
    }
    let network = network.clone();
    // An exec plug-in may take its time.
    spawn_blocking(move || ApiServer::reached_by(now, &network)?.client_builder().map(drop)).await??;
    Ok(true)
}

/// Changes if the user, their certificates, the authorities or the proxy change.
fn fingerprint(cluster: &Cluster) -> Result<u64, BoxError> {
    let mut hasher = DefaultHasher::new();
    let user = &cluster.config.auth_info;
    // Without what has no fixed order.
    let named =
        AuthInfo { impersonate_user_extra: None, extensions: None, auth_provider: None, exec: None, ..user.clone() };
    serde_json::to_vec(&named)?.hash(&mut hasher);
    for path in [&user.client_certificate, &user.client_key].into_iter().flatten() {
        let named = |error: io::Error| format!("{} cannot be read: {error}", Path::new(path).display());
        fs::read(path).map_err(named)?.hash(&mut hasher);
    }
    cluster.config.root_cert.hash(&mut hasher);
    cluster.proxy_url.hash(&mut hasher);
    Ok(hasher.finish())
}

/// Waits until the certificate of an exec plug-in is about to expire, if there is one.
async fn expiring(config: &Config) {
    let Some(expiry) = expiry(config).await else { return pending().await };
    let left = || SystemTime::from(expiry).duration_since(SystemTime::now()).unwrap_or_default();
    let margin = margin(left());
    // The clock may be set, and does not stop while the machine sleeps.
    while left() > margin {
        sleep(Duration::from_secs(1)).await;
    }
}

/// How long before its expiry a certificate with so much time left is given up. A plug-in with short certificates must not make the process restart all the
/// time. Nor must one that gives out the same certificate until it expires: then the process has just been started for it, and uses it to its end.
fn margin(left: Duration) -> Duration {
    if left <= EXPIRY_MARGIN { Duration::ZERO } else { EXPIRY_MARGIN.min(left / 10) }
}

/// When the certificate of the exec plug-in expires; `None` if there is no plug-in, or one that gives out tokens.
async fn expiry(config: &Config) -> Option<Timestamp> {
    config.auth_info.exec.as_ref()?;
    let mut failures = 0;
    loop {
        let config = config.clone();
        // The plug-in may take its time.
        match spawn_blocking(move || expiry_now(&config)).await {
            Ok(Ok(Expiry::At(expiry))) => return Some(expiry),
            Ok(Ok(Expiry::Token)) => return None,
            // One that failed the last time, or does not say when the certificate expires.
            Ok(Ok(Expiry::Unknown)) | Err(_) => {}
            Ok(Err(error)) => tracing::warn!(
                error = root_cause(&error),
                "the exec plug-in of the kubeconfig failed; the operator runs it again to know when its client certificate expires"
            ),
        }
        sleep(Backoff::Quick.delay(failures, "expiry")).await;
        failures = failures.saturating_add(1);
    }
}

enum Expiry {
    At(Timestamp),
    Token,
    Unknown,
}

/// Runs the plug-in. Only a client of kube's own tells when its certificate expires.
fn expiry_now(config: &Config) -> Result<Expiry, kube::Error> {
    // With a certificate, requests have no header.
    if config.auth_layer()?.is_some() {
        return Ok(Expiry::Token);
    }
    let client = Client::try_from(config.clone())?;
    Ok(client.valid_until().map_or(Expiry::Unknown, Expiry::At))
}

#[cfg(test)]
mod tests {
    use kube::config::ExecConfig;
    use serde_json::json;
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn a_certificate_within_the_margin_at_the_start_is_used_to_its_end() {
        let seconds = Duration::from_secs;
        for (left, expected) in [(86_400, 60), (300, 30), (61, 6), (60, 0), (6, 0), (0, 0)] {
            assert_eq!(margin(seconds(left)).as_secs(), expected, "{left}");
        }
    }

    #[tokio::test]
    async fn an_exec_plug_in_that_fails_once_is_run_again() {
        let folder = std::env::temp_dir().join(format!("plug-in-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let own = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
        let expiry = Timestamp::now() + Duration::from_secs(2);
        let credential = json!({
            "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
            "status": {
                "clientCertificateData": own.cert.pem(), "clientKeyData": own.signing_key.serialize_pem(),
                "expirationTimestamp": expiry.to_string(),
            },
        });
        fs::write(folder.join("credential"), credential.to_string()).unwrap();
        let script = "cd \"$0\"; if mkdir failed 2>/dev/null; then exit 1; fi; cat credential";
        let exec = json!({
            "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "interactiveMode": "Never",
            "args": ["-c", script, folder.to_string_lossy()],
        });
        let mut config = Config::new("https://127.0.0.1:1".parse().unwrap());
        config.auth_info.exec = Some(serde_json::from_value::<ExecConfig>(exec).unwrap());
        timeout(Duration::from_secs(30), expiring(&config)).await.unwrap();
        assert!(folder.join("failed").exists() && Timestamp::now() >= expiry);
        fs::remove_dir_all(&folder).unwrap();
    }
}
