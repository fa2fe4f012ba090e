//! The connection of the adapter: endpoint, region and credentials. In: the operator's settings and the network. Out: an adapter. Talks to nobody: the
//! adapter does, with its first call.

use std::{sync::Arc, time::Duration};

use aws_config::Region;
use aws_sdk_cloudfront::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

use super::{
    Meter, Sdk,
    credentials::{Chain, Identity, Rotating},
};
use crate::{cloudfront::queue::CallQueue, leadership::fence::Fence, network::Network};

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
    /// Whose credentials a process that starts now would use, if it has any. Asks the sources, apart from the adapter.
    pub async fn identity(&self, network: &Network) -> Option<Identity> {
        self.chain(network).identity().await.ok()
    }

    fn chain(&self, network: &Network) -> Chain {
        Chain { region: Region::new(self.region.clone()), network: network.clone() }
    }

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
        let chain = endpoint.chain(network);
        let mut loader = chain.loader().credentials_provider(Rotating::of(chain));
        if let Some(url) = &endpoint.url {
            loader = loader.endpoint_url(url);
        }
        let aws = loader.load().await.into_builder().region(endpoint.signing_region().await).build();
        Self::configured(&aws, endpoint.call_timeout, queue, meter, fence)
    }
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
