//! What the operator calls itself at AWS; `CloudTrail` shows it as `userAgent`.

use axum::{Router, http::HeaderMap};
use connection_group_operator::cloudfront::Operation;
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    adapter,
    calls::{account, ask},
};

#[tokio::test]
async fn each_call_names_the_operator_and_its_version() {
    let (heard, mut agents) = mpsc::unbounded_channel();
    let server = Router::new().fallback(move |headers: HeaderMap| async move {
        let agent = headers.get("user-agent").map(|agent| agent.to_str().unwrap().to_owned());
        heard.send(agent.unwrap_or_default()).unwrap();
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, server).await });
    let (_, known) = account();
    let own_name = concat!("connection-group-operator/", env!("CARGO_PKG_VERSION"));
    for operation in Operation::ALL.iter().copied() {
        // The empty answer is none of the API; only the request counts.
        drop(ask(&adapter(&url), operation, &known).await);
        let agent = agents.recv().await.unwrap();
        assert!(agent.contains(own_name), "{operation}: {agent}");
    }
}
