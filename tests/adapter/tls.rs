//! A connection that is not what it claims to be: nothing is sent over it.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use connection_group_operator::cloudfront::{ErrorClass, Operation};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use crate::{
    adapter,
    calls::{account, ask},
};

/// Listens for HTTPS, and handles each connection with the given function.
fn listen(mut meet: impl FnMut(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(&mut meet));
    url
}

async fn assert_unreachable(url: &str, says: &str) {
    let (_, known) = account();
    let sdk = adapter(url);
    for operation in Operation::ALL.iter().copied() {
        let error = ask(&sdk, operation, &known).await.expect_err(operation.as_str());
        assert_eq!(error.class, ErrorClass::Unreachable, "{error}");
        assert!(error.message.contains(says), "{error}");
    }
}

#[tokio::test]
async fn an_untrusted_certificate_is_reported_and_gets_no_request() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key);
    let config = Arc::new(config.unwrap());
    let (connections, heard) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (count, hear) = (Arc::clone(&connections), Arc::clone(&heard));
    let url = listen(move |stream| {
        count.fetch_add(1, SeqCst);
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        hear.fetch_add(stream.read(&mut [0; 1]).unwrap_or_default(), SeqCst);
    });
    assert_unreachable(&url, "certificate").await;
    assert_eq!((connections.load(SeqCst), heard.load(SeqCst)), (Operation::ALL.len(), 0));
}

#[tokio::test]
async fn a_plain_text_answer_where_tls_is_expected_is_not_accepted() {
    let url = listen(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    assert_unreachable(&url, "").await;
}
