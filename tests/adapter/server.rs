//! A CloudFront whose answers are corrupted byte by byte. In: an operation, and what happens to its answer. Out: where
//! it listens. The other operations are answered correctly, by the simulator's account; a call has an effect
//! only if the test asks for that, too.

use std::io;
use std::sync::{Arc, Mutex};

use cloudfront_simulator::wire::{self, Answer, HttpRequest};
use cloudfront_simulator::{Account, Timestamp};
use connection_group_operator::cloudfront::Operation;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// From a correct answer to the bytes that are sent in its place.
pub type Spoil = Arc<dyn Fn(&Answer) -> Vec<u8> + Send + Sync>;

/// Whether calls change the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effects {
    None,
    Kept,
}

pub struct Server {
    pub url: String,
    spoiled: Arc<Mutex<Option<(Operation, Spoil)>>>,
    state: Arc<Mutex<State>>,
}

/// The state behind the answers.
#[derive(Clone)]
struct State {
    account: Account,
    now: Timestamp,
    calls: Vec<String>,
}

impl Server {
    pub async fn start(account: Account, now: Timestamp) -> Self {
        Self::with(account, now, Effects::None).await
    }

    pub async fn with(account: Account, now: Timestamp, effects: Effects) -> Self {
        let state = Arc::new(Mutex::new(State { account, now, calls: Vec::new() }));
        let shared = Arc::clone(&state);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let spoiled = Arc::<Mutex<Option<(Operation, Spoil)>>>::default();
        let current = Arc::clone(&spoiled);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let spoiled = current.lock().unwrap().clone();
                // One at a time: a call that is abandoned makes room for the next.
                let _ = answer(stream, &shared, effects, spoiled).await;
            }
        });
        Self { url, spoiled, state }
    }

    /// From now on every operation is answered correctly.
    pub fn heal(&self) {
        *self.spoiled.lock().unwrap() = None;
    }

    /// The account itself.
    pub fn account<T>(&self, act: impl FnOnce(&mut Account, Timestamp) -> T) -> T {
        let mut state = self.state.lock().unwrap();
        let now = state.now;
        act(&mut state.account, now)
    }

    pub fn set_now(&self, now: Timestamp) {
        self.state.lock().unwrap().now = now;
    }

    /// The operations that were called since this was last asked.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }

    /// From now on this operation is answered like this, and all others correctly.
    pub fn spoil(&self, operation: Operation, spoil: &Spoil) {
        *self.spoiled.lock().unwrap() = Some((operation, Arc::clone(spoil)));
    }
}

/// Answers one request, and closes the connection.
async fn answer(
    stream: TcpStream,
    state: &Mutex<State>,
    effects: Effects,
    spoiled: Option<(Operation, Spoil)>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let header = |name: &str| {
        let mut headers = head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await?;
    let (method, target) = head.split_once(' ').unwrap();
    let target = target.split(' ').next().unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = HttpRequest { method, path, query, if_match: header("if-match"), body: &body };
    let request = wire::decode(&request).expect("the adapter sends what CloudFront understands");
    let good = {
        let mut state = state.lock().unwrap();
        state.calls.push(request.operation().as_str().to_owned());
        let (now, mut untouched) = (state.now, state.account.clone());
        let account = if effects == Effects::Kept { &mut state.account } else { &mut untouched };
        wire::encode(&account.call(now, &request), "r-1")
    };
    let bytes = match spoiled {
        Some((operation, spoil)) if operation.as_str() == request.operation().as_str() => spoil(&good),
        _ => whole(&good),
    };
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}

/// The answer as it is.
pub fn whole(answer: &Answer) -> Vec<u8> {
    http(answer.status, &answer.headers, &answer.body)
}

/// An answer of this status, with these headers and this body.
pub fn http(status: u16, headers: &[(String, String)], body: &str) -> Vec<u8> {
    // Where a status means that there is no body, a length would be wrong.
    let length = if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    sent(status, headers, &length, body)
}

/// The same with a length of its own; with none, the body ends where the connection does.
pub fn sent(status: u16, headers: &[(String, String)], length: &str, body: &str) -> Vec<u8> {
    let headers = headers.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect::<String>();
    format!("HTTP/1.1 {status} Status\r\nConnection: close\r\n{headers}{length}\r\n{body}").into_bytes()
}
