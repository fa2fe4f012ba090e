//! The production adapter, connected to the account in this process. In: the HTTP requests that the adapter sends. Out: the HTTP answers that the
//! simulator would give. No network.

use std::{fmt, sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use cloudfront_simulator::wire::{self, Answer};
use connection_group_operator::cloudfront::{
    Operation,
    queue::CallQueue,
    sdk::{Call, Meter, Sdk},
};
use connection_group_operator::leadership::fence::Fence;

use crate::{
    account::{Cloud, Reply},
    fault::{LeftOut, Refusal},
};

/// The adapter as the operator configures it, except for the connection and the rate.
pub fn connected(cloud: Cloud) -> Sdk {
    let connector = SharedHttpConnector::new(Connector(cloud));
    let credentials = Credentials::new("simulator", "simulator", None, None, "simulator");
    let aws = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url("http://in-process")
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    let fence = Fence::default();
    fence.open();
    Sdk::configured(&aws, CALL_TIMEOUT, CallQueue::new(UNLIMITED, u32::MAX), Arc::new(Silent), fence)
}

/// Calls take no time.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// Calls per second: however often it is halved, no call waits.
const UNLIMITED: f64 = 1e12;

/// These calls are not counted.
struct Silent;

impl Meter for Silent {
    fn call_ended(&self, _: &Call<'_>) {}

    fn unknown_element(&self, _: &str) {}

    fn element_lost(&self, _: &str) {}
}

struct Connector(Cloud);

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(self.answer(&request))
    }
}

impl Connector {
    fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let uri = request.uri().strip_prefix("http://in-process").expect("the adapter calls the configured endpoint");
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let decoded = wire::decode(&wire::HttpRequest {
            method: request.method(),
            path,
            query,
            if_match: request.headers().get("if-match"),
            body: request.body().bytes().expect("no request is a stream"),
        });
        let decoded = decoded.expect("the adapter sends what CloudFront understands");
        let called = |operation: &Operation| operation.as_str() == decoded.operation().as_str();
        let operation = Operation::ALL.iter().copied().find(called).expect("the adapter calls what the port knows");
        let answer = match self.0.call(operation, &decoded) {
            Reply::Refused(Refusal::Code(status, code, message)) => {
                wire::error_answer(status, code, message, REQUEST_ID)
            }
            Reply::Refused(Refusal::Page) => page(),
            Reply::Refused(Refusal::NoConnection) => return Err(ConnectorError::io("no connection".into())),
            Reply::Refused(Refusal::Silence) | Reply::Lost => {
                return Err(ConnectorError::timeout("no answer".into()));
            }
            Reply::Answered { outcome, left_out, without_list } => {
                let mut answer = wire::encode(&outcome, REQUEST_ID);
                for name in left_out.iter().flat_map(|member| elements(*member, operation)) {
                    remove(&mut answer, name);
                }
                if without_list {
                    remove(&mut answer, "ConnectionGroups");
                    remove(&mut answer, "DistributionTenantList");
                }
                answer
            }
        };
        Ok(http(answer))
    }
}

pub const REQUEST_ID: &str = "r-1";

/// For example, from a proxy that asks for a password.
fn page() -> Answer {
    let content_type = Some("text/html".to_owned());
    let body = "<html><body>Log in</body></html>".to_owned();
    Answer { status: 200, error: None, content_type, headers: Vec::new(), body }
}

/// The elements that are omitted from the answers to an operation.
const fn elements(member: LeftOut, operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::CreateConnectionGroup | Operation::GetConnectionGroup | Operation::UpdateConnectionGroup => {
            match member {
                LeftOut::Status => &["Status"],
                LeftOut::Enabled => &["Enabled"],
                LeftOut::Ipv6Enabled => &["Ipv6Enabled"],
                LeftOut::AnycastIpListId => &["AnycastIpListId"],
                LeftOut::RoutingEndpoint => &["RoutingEndpoint"],
                LeftOut::Times => &["CreatedTime", "LastModifiedTime"],
                LeftOut::RowStatus | LeftOut::RowEnabled => &[],
            }
        }
        Operation::ListConnectionGroups => match member {
            LeftOut::RowStatus => &["Status"],
            LeftOut::RowEnabled => &["Enabled"],
            LeftOut::Status
            | LeftOut::Enabled
            | LeftOut::Ipv6Enabled
            | LeftOut::AnycastIpListId
            | LeftOut::RoutingEndpoint
            | LeftOut::Times => &[],
        },
        Operation::DeleteConnectionGroup
        | Operation::TagResource
        | Operation::UntagResource
        | Operation::ListTagsForResource
        | Operation::ListDistributionTenants
        | Operation::GetAnycastIpList => &[],
    }
}

/// Takes an element out of an answer, wherever it is.
fn remove(answer: &mut Answer, name: &str) {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    while let Some((before, rest)) = answer.body.split_once(&open) {
        let (_, after) = rest.split_once(&close).expect("the simulator closes what it opens");
        answer.body = [before, after].concat();
    }
}

fn http(answer: Answer) -> HttpResponse {
    let status = StatusCode::try_from(answer.status).expect("a status of HTTP");
    let mut response = HttpResponse::new(status, answer.body.into());
    let content_type = answer.content_type.map(|value| ("content-type".to_owned(), value));
    for (name, value) in content_type.into_iter().chain(answer.headers) {
        response.headers_mut().insert(name, value);
    }
    response
}
