//! Which API server the operator talks to, and as whom. In: arguments, the kubeconfig, the Pod's ServiceAccount. Out: a [`Cluster`], or a [`RunError`].
//! Reads files and variables only.

use std::env;

use axum::http::{HeaderValue, header::USER_AGENT};
use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use super::{RunArgs, RunError};

/// The configuration of all clients.
#[derive(Clone)]
pub struct Cluster {
    /// Where the API server is, who the operator is there, and what it calls itself.
    pub config: Config,
    /// The context of the kubeconfig; `None` in a Pod that uses its ServiceAccount.
    pub context: Option<String>,
    /// The kubeconfig's own proxy, without that of the environment.
    pub proxy_url: Option<String>,
}

/// As client-go writes it. For a write without a field manager, the API server takes the part before the slash: no kube client of this process names one, and
/// kube's recorder of events cannot.
const NAME_AND_VERSION: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Names a kubeconfig, or several.
const KUBECONFIG: &str = "KUBECONFIG";

impl Cluster {
    /// The one of the kubeconfig that the arguments or `KUBECONFIG` name; otherwise that of `~/.kube/config`, otherwise the one in which this Pod runs.
    pub async fn of(args: &RunArgs) -> Result<Self, RunError> {
        let error = match Self::again(args, args.context.as_deref()).await {
            Ok(cluster) => return Ok(cluster),
            Err(error) => error,
        };
        if let Some(name) = named(args) {
            return Err(RunError::Kubeconfig { name, error: error.into() });
        }
        if let Some(context) = args.context.clone() {
            return Err(RunError::Context { context, error: error.into() });
        }
        match Config::incluster() {
            Ok(config) => Ok(Self { context: None, proxy_url: None, config: named_agent(config) }),
            Err(in_cluster) => Err(RunError::NoCluster { kubeconfig: error.into(), in_cluster: in_cluster.into() }),
        }
    }

    /// What the kubeconfig says about this context, or about its current one.
    pub async fn again(args: &RunArgs, context: Option<&str>) -> Result<Self, BadKubeconfig> {
        let kubeconfig = args.kubeconfig.as_ref().map_or_else(Kubeconfig::read, Kubeconfig::read_from)?;
        let context = context.map(str::to_owned).or_else(|| kubeconfig.current_context.clone());
        let proxy_url = context.as_ref().and_then(|context| proxy_url(&kubeconfig, context));
        let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        // kube puts the proxy of the environment there, too, and either may hold a password.
        config.proxy_url = None;
        Ok(Self { config: named_agent(config), context, proxy_url })
    }
}

/// What names the kubeconfig, if anything does: then there must be one.
fn named(args: &RunArgs) -> Option<&'static str> {
    let variable = env::var_os(KUBECONFIG).unwrap_or_default();
    let is_set = env::split_paths(&variable).any(|path| !path.as_os_str().is_empty());
    if args.kubeconfig.is_some() { Some("--kubeconfig") } else { is_set.then_some(KUBECONFIG) }
}

fn named_agent(mut config: Config) -> Config {
    config.headers.push((USER_AGENT, HeaderValue::from_static(NAME_AND_VERSION)));
    config
}

fn proxy_url(kubeconfig: &Kubeconfig, context: &str) -> Option<String> {
    let context = kubeconfig.contexts.iter().find(|it| it.name == context)?.context.as_ref()?;
    let cluster = kubeconfig.clusters.iter().find(|it| it.name == context.cluster)?.cluster.as_ref()?;
    cluster.proxy_url.clone().filter(|url| !url.is_empty())
}

/// A kubeconfig that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadKubeconfig {
    /// Where it is no kubeconfig. The text around that place may hold secrets.
    #[error("failed to parse kubeconfig YAML at line {line}, column {column}")]
    Yaml {
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
    },
    /// Everything else.
    #[error(transparent)]
    Other(KubeconfigError),
}

impl From<KubeconfigError> for BadKubeconfig {
    fn from(error: KubeconfigError) -> Self {
        match error {
            KubeconfigError::Parse(error) => {
                let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
                Self::Yaml { line, column }
            }
            other => Self::Other(other),
        }
    }
}
