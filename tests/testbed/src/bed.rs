//! What one test needs. In: a control plane, shared or its own. Out: a namespace, a simulator, operators for both.
//! Talks to kube-apiserver and starts processes.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};

use crate::control_plane::ControlPlane;
use crate::error::{Error, Result};
use crate::operator::{Operator, OperatorBuilder};
use crate::random;
use crate::simulator::Simulator;

/// One test's own namespace and CloudFront account on a control plane that serves the custom resource.
#[derive(Debug)]
pub struct Testbed {
    /// Where objects are.
    pub control_plane: Arc<ControlPlane>,
    /// Where connection groups are.
    pub simulator: Simulator,
    /// This test's own namespace.
    pub namespace: String,
}

impl Testbed {
    /// On the control plane that the tests of this binary share; the simulator gets the switches.
    pub async fn start<A: Into<OsString>>(switches: impl IntoIterator<Item = A>) -> Result<Self> {
        Self::on(ControlPlane::shared().await?, switches).await
    }

    /// On a control plane of the test's own, which it may then stop and restart.
    pub async fn on<A: Into<OsString>>(
        control_plane: Arc<ControlPlane>,
        switches: impl IntoIterator<Item = A>,
    ) -> Result<Self> {
        control_plane.install_crds().await?;
        let simulator = Simulator::start(control_plane.folder(), switches).await?;
        let metadata = ObjectMeta { generate_name: Some("test-".to_owned()), ..Default::default() };
        let namespace = Namespace { metadata, ..Default::default() };
        let namespaces = Api::<Namespace>::all(control_plane.client().await?);
        let namespace = namespaces.create(&PostParams::default(), &namespace).await?.metadata.name.unwrap_or_default();
        Ok(Self { control_plane, simulator, namespace })
    }

    /// An operator for this namespace and this simulator, with the namespace's name as owner id; not started yet.
    #[must_use]
    pub fn operator(&self) -> OperatorBuilder {
        let Self { control_plane, simulator, namespace } = self;
        Operator::builder(control_plane.folder(), control_plane.kubeconfig(), simulator.endpoint())
            .owner_id(namespace)
            .watch_namespace(namespace)
    }

    /// The objects of one kind in this namespace.
    pub async fn api<K>(&self) -> Result<Api<K>>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType: Default>,
    {
        Ok(Api::namespaced(self.control_plane.client().await?, &self.namespace))
    }

    /// Applies a manifest (YAML or JSON) in this namespace. The file stays beside the logs.
    pub async fn apply(&self, manifest: &str) -> Result<String> {
        let path = self.control_plane.folder().join(format!("manifest-{}.yaml", random::hex::<3>()?));
        std::fs::write(&path, manifest).map_err(Error::io("write", &path))?;
        self.kubectl(&["apply".as_ref(), "-f".as_ref(), path.as_os_str()]).await
    }

    /// Runs kubectl in this namespace and returns what it prints; its failure is an error.
    pub async fn kubectl<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<String> {
        let namespace = [OsStr::new("--namespace"), self.namespace.as_ref()];
        let args: Vec<_> = namespace.into_iter().chain(args.iter().map(AsRef::as_ref)).collect();
        self.control_plane.kubectl_ok(&args).await
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("testbed: logs of namespace {}: {}", self.namespace, self.control_plane.folder().display());
        }
    }
}
