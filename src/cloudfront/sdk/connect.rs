//! The connection of the adapter: endpoint, region and credentials. In: the operator's settings and the network. Out: an adapter. Talks to the sources of
//! credentials, not before the first call.

use std::{
    env, fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_sdk_cloudfront::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use tokio::sync::Mutex;

use super::{Meter, Sdk};
use crate::{cloudfront::queue::CallQueue, leadership::fence::Fence, network::Network};

/// How long credentials are used that do not say when they expire, before the files are compared again.
const FRESH: Duration = Duration::from_secs(30);

/// Where CloudFront is and how long a call may take.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// A region of the partition: us-east-1 for the public one.
    pub region: String,
    /// An endpoint other than AWS's own.
    pub url: Option<String>,
    /// Maximum time from sending a call to receiving its answer.
    pub call_timeout: Duration,
}

impl Endpoint {
    /// The region to sign CloudFront's calls for: CloudFront is one service for all regions of a partition. A region that the SDK does not know is taken
    /// as it is.
    async fn signing_region(&self) -> Region {
        let params = Params::builder().region(self.region.as_str()).build();
        let known = match params {
            Ok(params) => DefaultResolver::new().resolve_endpoint(&params).await.ok(),
            Err(_) => None,
        };
        let stated =
            known.as_ref().and_then(|endpoint| endpoint.auth_schemes().first()?.get("signingRegion")?.as_string());
        Region::new(stated.unwrap_or(&self.region).to_owned())
    }
}

impl Sdk {
    /// Connects with credentials from the standard AWS chain, which is not used before the first call. Nothing is sent while `fence` is closed.
    pub async fn connect(
        endpoint: &Endpoint,
        network: &Network,
        queue: CallQueue,
        meter: Arc<dyn Meter>,
        fence: Fence,
    ) -> Self {
        let chain = Chain { region: Region::new(endpoint.region.clone()), network: network.clone() };
        let mut loader = chain.loader().credentials_provider(Rotating { chain, current: Mutex::default() });
        if let Some(url) = &endpoint.url {
            loader = loader.endpoint_url(url);
        }
        let aws = loader.load().await.into_builder().region(endpoint.signing_region().await).build();
        Self::configured(&aws, endpoint.call_timeout, queue, meter, fence)
    }
}

/// The standard chain of sources of credentials.
#[derive(Debug)]
struct Chain {
    /// Where STS is asked.
    region: Region,
    network: Network,
}

impl Chain {
    fn loader(&self) -> ConfigLoader {
        let client = self.network.aws_client();
        aws_config::defaults(BehaviorVersion::latest()).region(self.region.clone()).http_client(client)
    }

    async fn provider(&self) -> Result<SharedCredentialsProvider, CredentialsError> {
        let aws: SdkConfig = self.loader().load().await;
        aws.credentials_provider().ok_or_else(|| CredentialsError::not_loaded("no source of credentials"))
    }
}

/// The chain, anew whenever a file of credentials has changed: the SDK reads such a file once. A mounted Secret changes while the process runs.
#[derive(Debug)]
struct Rotating {
    chain: Chain,
    current: Mutex<Option<(Files, SharedCredentialsProvider)>>,
}

/// What the files of credentials hold; `None` for a file that is not there.
type Files = [Option<Vec<u8>>; 2];

impl Rotating {
    async fn credentials(&self) -> provider::Result {
        let provider = {
            let mut current = self.current.lock().await;
            let files = files();
            match &*current {
                Some((seen, provider)) if *seen == files => provider.clone(),
                _ => current.insert((files, self.chain.provider().await?)).1.clone(),
            }
        };
        let found = provider.provide_credentials().await?;
        Ok(if found.expiry().is_none() { until(&found, SystemTime::now() + FRESH) } else { found })
    }
}

/// The same credentials, to be asked for again at that time.
fn until(found: &Credentials, expiry: SystemTime) -> Credentials {
    let mut found = found.clone();
    *found.expiry_mut() = Some(expiry);
    found
}

impl ProvideCredentials for Rotating {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

fn files() -> Files {
    let home = env::var_os("HOME").map(PathBuf::from);
    [("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"), ("AWS_CONFIG_FILE", ".aws/config")].map(
        |(variable, usual)| {
            let named = env::var_os(variable).map(PathBuf::from);
            fs::read(named.or_else(|| Some(home.as_ref()?.join(usual)))?).ok()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_are_signed_for_the_region_of_cloudfront_in_the_partition() {
        for (given, signed) in [
            ("us-east-1", "us-east-1"),
            ("eu-west-1", "us-east-1"),
            ("ap-southeast-7", "us-east-1"),
            ("cn-north-1", "cn-northwest-1"),
            ("cn-northwest-1", "cn-northwest-1"),
            ("us-gov-west-1", "us-gov-west-1"),
            ("us-iso-east-1", "us-iso-east-1"),
        ] {
            let endpoint = Endpoint { region: given.to_owned(), url: None, call_timeout: Duration::ZERO };
            assert_eq!(endpoint.signing_region().await.as_ref(), signed, "{given}");
        }
    }
}
