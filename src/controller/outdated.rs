//! What was read at the start and has changed since. In: the configuration of the API server and the files of the network. Out: which of them is out of date, once
//! one is. Reads files, and runs the kubeconfig's exec plug-in once more.
//!
//! A client has its certificate and its authorities for life, so the process ends and is started anew. kube itself reads token files again, and all that a Pod's
//! ServiceAccount has.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    future::pending,
    hash::{Hash, Hasher},
    time::{Duration, SystemTime},
};

use kube::{Client, Config, config::AuthInfo};
use tokio::{task::spawn_blocking, time::sleep};

use super::{RunArgs, cluster::Cluster, connection::is_in_pod};
use crate::network::Network;

/// How often the files are read.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long before a certificate expires the process ends; it still has to finish calls and to release the Lease.
const EXPIRY_MARGIN: Duration = Duration::from_mins(1);

/// Something that was read at the start is out of date.
#[derive(Debug, thiserror::Error)]
pub enum Outdated {
    /// The file that a variable names.
    #[error("the certificates that {0} names have changed")]
    Certificates(&'static str),
    /// What the kubeconfig says about the cluster in use, or a file that it names.
    #[error("the certificates or credentials of the kubeconfig have changed")]
    Kubeconfig,
    /// It came from an exec plug-in.
    #[error("the client certificate from the exec plug-in of the kubeconfig is about to expire")]
    ClientCertificate,
}

/// Waits until something is out of date.
pub async fn outdated(args: &RunArgs, config: &Config, network: &Network) -> Outdated {
    tokio::select! {
        outdated = changed(args, config, network) => outdated,
        () = expiring(config) => Outdated::ClientCertificate,
    }
}

async fn changed(args: &RunArgs, config: &Config, network: &Network) -> Outdated {
    let files = network.files.iter().map(|(variable, path)| (*variable, path, fs::read(path).ok()));
    let files = files.collect::<Vec<_>>();
    let read = fingerprint(config);
    loop {
        sleep(INTERVAL).await;
        for (variable, path, content) in &files {
            // While it is being replaced, a file may be missing.
            if fs::read(path).is_ok_and(|now| content.as_ref() != Some(&now)) {
                return Outdated::Certificates(variable);
            }
        }
        if is_in_pod(config) {
            continue;
        }
        let Ok(Cluster { config: now, .. }) = Cluster::of(args).await else { continue };
        // Another cluster: someone works with this kubeconfig, and the operator stays where it is.
        if now.cluster_url == config.cluster_url && fingerprint(&now) != read {
            return Outdated::Kubeconfig;
        }
    }
}

/// Changes if the user, their certificates or the authorities change.
fn fingerprint(config: &Config) -> u64 {
    let mut hasher = DefaultHasher::new();
    let user = &config.auth_info;
    // Without what has no fixed order.
    let named =
        AuthInfo { impersonate_user_extra: None, extensions: None, auth_provider: None, exec: None, ..user.clone() };
    serde_json::to_vec(&named).unwrap_or_default().hash(&mut hasher);
    for path in [&user.client_certificate, &user.client_key].into_iter().flatten() {
        fs::read(path).ok().hash(&mut hasher);
    }
    config.root_cert.hash(&mut hasher);
    hasher.finish()
}

/// Waits until the certificate of an exec plug-in is about to expire, if there is one. Only a client of kube's own tells when that is.
async fn expiring(config: &Config) {
    if config.auth_info.exec.is_none() {
        return pending().await;
    }
    let config = config.clone();
    // The plug-in may take its time.
    let expiry = spawn_blocking(move || Client::try_from(config).ok().and_then(|client| *client.valid_until()));
    let Ok(Some(expiry)) = expiry.await else { return pending().await };
    let left = || SystemTime::from(expiry).duration_since(SystemTime::now()).unwrap_or_default();
    // A plug-in with short certificates must not make the process restart all the time.
    let margin = EXPIRY_MARGIN.min(left() / 10);
    // The clock may be set, and does not stop while the machine sleeps.
    while left() > margin {
        sleep(Duration::from_secs(1)).await;
    }
}
