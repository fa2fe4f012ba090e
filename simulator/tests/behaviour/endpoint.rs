//! A server in this process, and the plainest of clients: one request per connection, bytes in and bytes out.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloudfront_simulator::Switches;
use cloudfront_simulator::server::{Simulator, serve};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-west-1/cloudfront/aws4_request, SignedHeaders=host, Signature=00\r\n";
const DEADLINE: Duration = Duration::from_secs(10);

/// A running server. It ends when this is dropped.
pub struct Endpoint {
    address: SocketAddr,
    _runtime: Runtime,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

pub fn endpoint() -> Endpoint {
    endpoint_where(|_| ())
}

/// A server in which `change` has been made to the default switches.
pub fn endpoint_where(change: impl FnOnce(&mut Switches)) -> Endpoint {
    let mut switches = Switches::DEFAULT;
    change(&mut switches);
    start(switches, Duration::ZERO)
}

/// A server that holds back each answer.
pub fn endpoint_after(latency: Duration) -> Endpoint {
    start(Switches::DEFAULT, latency)
}

fn start(switches: Switches, latency: Duration) -> Endpoint {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let simulator = Arc::new(Simulator::new(switches, latency));
    runtime.spawn(serve(listener, simulator, std::future::pending()));
    Endpoint { address, _runtime: runtime }
}

impl Endpoint {
    /// A signed call of the API; `None` if the connection was closed without an answer.
    pub fn try_call(&self, method: &str, path: &str, headers: &str, body: &str) -> Option<Reply> {
        self.exchange(method, path, &format!("{SIGNED}{headers}"), body)
    }

    /// A signed call of the API.
    pub fn call(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        self.try_call(method, path, headers, body).unwrap()
    }

    /// A call without a signature.
    pub fn unsigned(&self, method: &str, path: &str, body: &str) -> Reply {
        self.exchange(method, path, "", body).unwrap()
    }

    /// The admin path; panics if it refuses.
    pub fn admin<T: DeserializeOwned>(&self, method: &str, path: &str, body: &Value) -> T {
        let reply = self.try_admin(method, path, body);
        assert!((200..300).contains(&reply.status), "{method} {path}: {reply:?}");
        let text = if reply.body.is_empty() { "null" } else { &reply.body };
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {}", reply.body))
    }

    pub fn try_admin(&self, method: &str, path: &str, body: &Value) -> Reply {
        let json = "Content-Type: application/json\r\n";
        self.exchange(method, &format!("/_admin/{path}"), json, &body.to_string()).unwrap()
    }

    /// Sends a call and does not wait for the answer.
    pub fn send(&self, method: &str, path: &str, body: &str) -> TcpStream {
        self.write(method, path, SIGNED, body)
    }

    fn exchange(&self, method: &str, path: &str, headers: &str, body: &str) -> Option<Reply> {
        read(self.write(method, path, headers, body))
    }

    fn write(&self, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        stream
    }
}

/// Reads an answer to its end; `None` if there is none.
pub fn read(mut stream: TcpStream) -> Option<Reply> {
    let mut text = String::new();
    // A connection that is reset is one that was closed without an answer.
    stream.read_to_string(&mut text).unwrap_or_default();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let (status, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = status.split(' ').nth(1)?.parse().ok()?;
    Some(Reply { status, headers: format!("{}\r\n", headers.to_lowercase()), body: body.to_owned() })
}

impl Reply {
    /// The value of a header, given in lower case. (The test's values are compared in lower case too.)
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The text of the first element of that name.
    pub fn element(&self, name: &str) -> &str {
        let start = self.body.find(&format!("<{name}>")).map(|at| at + name.len() + 2);
        let rest = &self.body[start.unwrap_or_else(|| panic!("no {name} in {}", self.body))..];
        rest.split('<').next().unwrap()
    }

    /// Asserts that it is this error, in the envelope of the service.
    pub fn is_error(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.element("Code")), (status, code), "{}", self.body);
        assert_eq!(self.element("Type"), if status < 500 { "Sender" } else { "Receiver" });
        assert_eq!(self.header("content-type"), Some("text/xml"));
        assert_eq!(self.header("x-amzn-requestid"), Some(self.element("RequestId")));
        assert!(!self.element("Message").is_empty());
    }
}

/// Waits until `condition` holds.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "{what} did not happen in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}
