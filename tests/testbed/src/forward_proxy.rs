//! A forward proxy as companies have them: it asks for a password, and may inspect TLS with an authority of its own. In: what it demands, and where
//! connections really go. Out: its address, and what it was asked for. Talks to both sides.
//!
//! Of its own, because the crates for inspection bring a second crypto library or a certificate store, and every other proxy has to be installed as root.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::error::{Error, Result};

/// A certificate authority that nobody trusts unasked.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// A new one.
    pub fn new() -> Result<Self> {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let pem = authority.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(authority, key), pem })
    }

    /// Its certificate.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A server that says that it is `host`.
    fn server(&self, host: &str) -> Result<TlsAcceptor> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([host.to_owned()])?.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key))
            .map_err(|error| Error::Start { name: "forward proxy".to_owned(), reason: error.to_string() })?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// What a proxy does with connections.
#[derive(Default)]
struct Rules {
    /// The value of `Proxy-Authorization` that it demands.
    authorization: Option<String>,
    /// Who signs the certificates that it shows instead of the server's.
    inspects: Option<Authority>,
    /// Where every connection goes, whatever host it is for.
    target: Option<SocketAddr>,
}

/// A running proxy; dropping it ends it.
pub struct ForwardProxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    listening: JoinHandle<()>,
}

impl ForwardProxy {
    /// A proxy that demands this value of `Proxy-Authorization`, and connects to the host that is asked for.
    pub async fn demanding(authorization: &str) -> Result<Self> {
        Self::start(Rules { authorization: Some(authorization.to_owned()), ..Rules::default() }).await
    }

    /// A proxy that shows certificates of this authority, and passes what is inside TLS on to `target`.
    pub async fn inspecting(authority: Authority, target: SocketAddr) -> Result<Self> {
        Self::start(Rules { inspects: Some(authority), target: Some(target), ..Rules::default() }).await
    }

    async fn start(rules: Rules) -> Result<Self> {
        let failed =
            |error: std::io::Error| Error::Start { name: "forward proxy".to_owned(), reason: error.to_string() };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (rules, asked) = (Arc::new(rules), Arc::<Mutex<Vec<String>>>::default());
        let record = Arc::clone(&asked);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (rules, record) = (Arc::clone(&rules), Arc::clone(&record));
                tokio::spawn(async move { serve(client, &rules, &record).await });
            }
        });
        Ok(Self { address, asked, listening })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first line of each connection, as `CONNECT example.com:443 200`: request, target, and how it was answered.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ForwardProxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// One connection. What goes wrong ends it, which is what its client has to cope with.
async fn serve(mut client: TcpStream, rules: &Rules, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let authority = target.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let given = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("proxy-authorization").then(|| value.trim())
    });
    let allowed = rules.authorization.is_none() || rules.authorization.as_deref() == given;
    let status = if allowed { "200" } else { "407" };
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{method} {authority} {status}"));
    if !allowed {
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\n\
            Content-Length: 0\r\nConnection: close\r\n\r\n";
        return client.write_all(refusal).await;
    }
    let mut server = match rules.target {
        Some(target) => TcpStream::connect(target).await?,
        None => TcpStream::connect(authority).await?,
    };
    if method != "CONNECT" {
        server.write_all(&head).await?;
        return copy_bidirectional(&mut client, &mut server).await.map(drop);
    }
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    let Some(inspector) = &rules.inspects else {
        return copy_bidirectional(&mut client, &mut server).await.map(drop);
    };
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let acceptor = inspector.server(host).map_err(std::io::Error::other)?;
    let mut client = acceptor.accept(client).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
