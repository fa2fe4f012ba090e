//! A real Kubernetes control plane: etcd and kube-apiserver. In: the built tools. Out: a `ControlPlane` that hands out clients.
//! Starts processes; talks to kube-apiserver.
//!
//! RBAC is enforced, ServiceAccount tokens are real, and nothing else runs: no kubelet, so no Pods, and no controller-manager, unless a test starts
//! the controller that finalizes deleted namespaces.

mod audit;
mod credentials;

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::{Mutex, OnceCell};
use tools::{Tool, Tools};

pub use self::audit::Audited;
use crate::error::{Error, Result};
use crate::process::{Launch, Process, Signal};
use crate::run_folder::RunFolder;
use crate::{port, wait};

/// It is ready after 3 s on an idle machine; this is for one that compiles at the same time.
const START_DEADLINE: Duration = Duration::from_mins(3);
/// etcd's socket, relative to the working folder of both programs: the length of a socket's path is limited.
const ETCD: &str = "unix://etcd.sock:0";

/// etcd and kube-apiserver; both end when the last handle is dropped, or with this process.
#[derive(Debug)]
pub struct ControlPlane {
    // Fields are dropped in this order.
    api_server: Mutex<Process>,
    _etcd: Process,
    tools: Tools,
    launch: Launch,
    server: String,
    kubeconfig: PathBuf,
    crds: OnceCell<()>,
    folder: RunFolder,
}

impl ControlPlane {
    /// The one that all tests of this binary share. No test stops or restarts it.
    pub async fn shared() -> Result<Arc<Self>> {
        static SHARED: OnceCell<Arc<ControlPlane>> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await.cloned()
    }

    /// A fresh and empty one, ready to answer. Builds the tools first if they are not built.
    pub async fn start() -> Result<Arc<Self>> {
        let tools = tools::ensure(&tools::CONTROL_PLANE)?;
        let folder = RunFolder::create()?;
        let path = folder.path();
        let token = credentials::write(path)?;
        let audit = audit::prepare(path)?;
        let etcd = Process::start(&etcd(&tools, &folder))?;
        for _ in 0..port::ATTEMPTS {
            let port = port::free()?;
            let launch = api_server(&tools, path, port).args(audit.clone());
            let server = format!("https://127.0.0.1:{port}");
            let kubeconfig = credentials::kubeconfig(path, "admin", "default", &server, token.as_str())?;
            let mut process = Process::start(&launch)?;
            match ready(&mut process, &kubeconfig).await {
                Ok(()) => {
                    let api_server = Mutex::new(process);
                    let crds = OnceCell::new();
                    return Ok(Arc::new(Self {
                        api_server,
                        _etcd: etcd,
                        tools,
                        launch,
                        server,
                        kubeconfig,
                        crds,
                        folder,
                    }));
                }
                Err(_) if !process.is_running() && port::was_taken(process.log()) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Start { name: launch_name().to_owned(), reason: "every free port was taken at once".to_owned() })
    }

    /// A client with all permissions. It belongs to the tokio runtime of the caller, so each test creates its own.
    pub async fn client(&self) -> Result<kube::Client> {
        client(&self.kubeconfig).await
    }

    /// The admin's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A kubeconfig for a ServiceAccount, with a token that lasts an hour.
    pub async fn kubeconfig_of(&self, namespace: &str, service_account: &str) -> Result<PathBuf> {
        let token = self.kubectl_ok(&["create", "token", service_account, "--namespace", namespace]).await?;
        let name = format!("{namespace}-{service_account}");
        credentials::kubeconfig(self.folder.path(), &name, namespace, &self.server, token.trim())
    }

    /// The address of kube-apiserver, for a proxy in front of it.
    pub fn address(&self) -> Result<SocketAddr> {
        let authority = self.server.trim_start_matches("https://");
        authority
            .parse()
            .map_err(|error| Error::Start { name: "proxy".to_owned(), reason: format!("{authority}: {error}") })
    }

    /// The same kubeconfig for a server at another address, such as a proxy's: `https://127.0.0.1:PORT`.
    pub fn kubeconfig_via(&self, kubeconfig: &Path, server: &str) -> Result<PathBuf> {
        let text = std::fs::read_to_string(kubeconfig).map_err(Error::io("read", kubeconfig))?;
        let name = format!("via-{}.kubeconfig", server.rsplit(':').next().unwrap_or_default());
        let path = self.folder.path().join(name);
        std::fs::write(&path, text.replace(&self.server, server)).map_err(Error::io("write", &path))?;
        Ok(path)
    }

    /// The requests of a ServiceAccount to the API server so far.
    pub fn audited(&self, namespace: &str, service_account: &str) -> Result<Vec<Audited>> {
        audit::of(self.folder.path(), namespace, service_account)
    }

    /// The binaries in use, kubectl among them.
    #[must_use]
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// The folder of the logs, including those of everything else that belongs to the run.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs kubectl as the admin, and returns its output and exit status. Relative paths start at the root of the repository.
    pub async fn kubectl<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<Output> {
        self.run(&self.tools.path(Tool::Kubectl), args).await
    }

    /// Runs kubectl as the admin and returns what it prints; its failure is an error.
    pub async fn kubectl_ok<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<String> {
        printed("kubectl", args, &self.kubectl(args).await?)
    }

    /// Runs Helm as the admin and returns what it prints; its failure is an error.
    pub async fn helm_ok<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<String> {
        let tools = tools::ensure(&[Tool::Helm])?;
        printed("helm", args, &self.run(&tools.path(Tool::Helm), args).await?)
    }

    async fn run<A: AsRef<OsStr>>(&self, program: &Path, args: &[A]) -> Result<Output> {
        tokio::process::Command::new(program)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .current_dir(repository())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(Error::io("run", program))
    }

    /// Installs the CRD of the repository, once, and waits until it is served.
    pub async fn install_crds(&self) -> Result<()> {
        self.crds
            .get_or_try_init(async || {
                let crds = repository().join("crds/connectiongroups.yaml");
                let crds = crds.to_string_lossy();
                self.kubectl_ok(&["apply", "--server-side", "-f", &crds]).await?;
                self.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=30s", "-f", &crds]).await?;
                Ok(())
            })
            .await
            .copied()
    }

    /// Starts the controller that empties deleted namespaces; it ends when the handle is dropped.
    pub fn start_namespace_controller(&self) -> Result<Process> {
        let folder = self.folder.path();
        let program = tools::ensure(&[Tool::KubeControllerManager])?.path(Tool::KubeControllerManager);
        let launch = Launch::new("kube-controller-manager", program, folder)
            .args(["--controllers=namespace-controller", "--leader-elect=false", "--secure-port=0"])
            .args([format!("--kubeconfig={}", self.kubeconfig.display())])
            // It would read the settings of aggregated authentication from the API server, which are not set here.
            .args(["--authentication-skip-lookup"]);
        Process::start(&launch)
    }

    /// Stops kube-apiserver; etcd keeps its data. Only on a control plane of your own, like everything below.
    pub async fn stop_api_server(&self) {
        self.api_server.lock().await.stop();
    }

    /// Starts kube-apiserver again, on the same port, and waits until it is ready.
    pub async fn restart_api_server(&self) -> Result<()> {
        let mut process = self.api_server.lock().await;
        process.stop();
        *process = Process::start(&self.launch)?;
        ready(&mut process, &self.kubeconfig).await
    }

    /// Freezes kube-apiserver: connections are accepted and never answered.
    pub async fn pause_api_server(&self) -> Result<()> {
        self.api_server.lock().await.signal(Signal::SIGSTOP)
    }

    /// Resumes it.
    pub async fn resume_api_server(&self) -> Result<()> {
        self.api_server.lock().await.signal(Signal::SIGCONT)
    }
}

/// The root of the repository this crate was built from.
#[must_use]
pub fn repository() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

fn printed<A: AsRef<OsStr>>(program: &str, args: &[A], output: &Output) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words: Vec<_> = args.iter().map(|arg| arg.as_ref().to_string_lossy()).collect();
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Command { command: format!("{program} {}", words.join(" ")), stderr })
}

fn launch_name() -> &'static str {
    "kube-apiserver"
}

fn etcd(tools: &Tools, folder: &RunFolder) -> Launch {
    let data = folder.scratch().join("etcd");
    Launch::new("etcd", tools.path(Tool::Etcd), folder.path())
        // Data that is never read again needs no fsync.
        .args(["--unsafe-no-fsync", "--logger=zap", "--log-level=warn"])
        // Old versions are not compacted within a test, and hundreds of one-megabyte objects have many.
        .args(["--quota-backend-bytes=8589934592"])
        .args([format!("--data-dir={}", data.display())])
        .args([format!("--listen-client-urls={ETCD}"), format!("--advertise-client-urls={ETCD}")])
        .args(["--listen-peer-urls=unix://peer.sock:0"])
}

fn api_server(tools: &Tools, folder: &Path, port: u16) -> Launch {
    Launch::new(launch_name(), tools.path(Tool::KubeApiserver), folder)
        .args([format!("--etcd-servers={ETCD}"), format!("--secure-port={port}")])
        .args(["--bind-address=127.0.0.1", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24"])
        .args(["--cert-dir=scratch", "--tls-cert-file=tls.crt", "--tls-private-key-file=tls.key"])
        .args(["--client-ca-file=ca.crt"])
        .args(["--authorization-mode=RBAC", "--token-auth-file=tokens.csv"])
        .args(["--service-account-issuer=https://kubernetes.default.svc"])
        .args(["--service-account-signing-key-file=sa.key", "--service-account-key-file=sa.pub"])
        // It would block Pods until a controller, which does not run here, has created their ServiceAccount.
        .args(["--disable-admission-plugins=ServiceAccount"])
}

/// A client with the rights of a kubeconfig. It belongs to the tokio runtime of the caller.
pub async fn client(kubeconfig: &Path) -> Result<kube::Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    // The host's proxy is not for the loopback interface.
    config.proxy_url = None;
    Ok(kube::Client::try_from(config)?)
}

async fn ready(process: &mut Process, kubeconfig: &Path) -> Result<()> {
    let client = client(kubeconfig).await?;
    wait::until_ready(process, START_DEADLINE, async || {
        let request = http::Request::get("/readyz").body(Vec::new()).map_err(|error| error.to_string())?;
        client.request_text(request).await.map(drop).map_err(|error| error.to_string())
    })
    .await
}
