//! The region that calls are signed for, at an endpoint that is not AWS's own: a proxy before CloudFront passes the signature on.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use testbed::{Result, wait_until};
use tokio::net::TcpListener;

use crate::steps::{self, PATIENCE};

#[tokio::test]
async fn at_another_endpoint_calls_are_signed_for_the_region_of_cloudfront_in_the_partition() -> Result<()> {
    for (region, signed) in [("eu-west-1", "/us-east-1/cloudfront/"), ("cn-north-1", "/cn-northwest-1/cloudfront/")] {
        let bed = steps::bed().await?;
        let seen = Arc::<Mutex<String>>::default();
        let record = Arc::clone(&seen);
        let refuse = async move |headers: HeaderMap| {
            let authorization = headers["authorization"].to_str().unwrap_or_default();
            authorization.clone_into(&mut record.lock().expect("no test panics here"));
            StatusCode::SERVICE_UNAVAILABLE
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(refuse)).await });
        let _operator = steps::operator(&bed, &endpoint).args(["--aws-region", region]).start().await?;
        wait_until(PATIENCE, "a signed call", async || {
            let seen = seen.lock().expect("no test panics there").clone();
            if seen.contains(signed) { Ok(()) } else { Err(seen) }
        })
        .await?;
    }
    Ok(())
}
