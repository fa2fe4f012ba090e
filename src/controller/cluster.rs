//! Which API server the operator talks to, and as whom. In: arguments, the kubeconfig, the Pod's ServiceAccount. Out: a [`Cluster`], or a [`RunError`].
//! Reads files and variables only.

use axum::http::{HeaderValue, header::USER_AGENT};
use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use super::{RunArgs, RunError};

/// The configuration of all clients.
pub struct Cluster {
    /// Where the API server is, who the operator is there, and what it calls itself.
    pub config: Config,
    /// The context of the kubeconfig; `None` in a Pod that uses its ServiceAccount.
    pub context: Option<String>,
}

/// As client-go writes it. For a write without a field manager, the API server takes the part before the slash: no kube client of this process names one, and
/// kube's recorder of events cannot.
const NAME_AND_VERSION: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

impl Cluster {
    /// The one that the arguments name; otherwise that of `KUBECONFIG` or `~/.kube/config`, otherwise the one in which this Pod runs.
    pub async fn of(args: &RunArgs) -> Result<Self, RunError> {
        let mut cluster = match (from_kubeconfig(args).await, &args.kubeconfig, &args.context) {
            (Ok(cluster), ..) => cluster,
            (Err(error), Some(_), _) => return Err(RunError::Kubeconfig(error.into())),
            (Err(error), None, Some(context)) => {
                return Err(RunError::Context { context: context.clone(), error: error.into() });
            }
            (Err(error), None, None) => match Config::incluster() {
                Ok(config) => Self { config, context: None },
                Err(in_cluster) => {
                    return Err(RunError::NoCluster { kubeconfig: error.into(), in_cluster: in_cluster.into() });
                }
            },
        };
        cluster.config.headers.push((USER_AGENT, HeaderValue::from_static(NAME_AND_VERSION)));
        Ok(cluster)
    }
}

async fn from_kubeconfig(args: &RunArgs) -> Result<Cluster, KubeconfigError> {
    let kubeconfig = args.kubeconfig.as_ref().map_or_else(Kubeconfig::read, Kubeconfig::read_from)?;
    let context = args.context.clone().or_else(|| kubeconfig.current_context.clone());
    let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
    Ok(Cluster { config: Config::from_custom_kubeconfig(kubeconfig, &options).await?, context })
}
