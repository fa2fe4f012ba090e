//! Unreadable answers, at every operation that the operator calls: none is taken for a valid answer, none for a shorter list, and none leads to
//! another host.

use std::{io::ErrorKind, net::TcpListener, sync::Arc};

use cloudfront_simulator::wire::Answer;
use connection_group_operator::cloudfront::{ErrorClass, Operation};

use crate::{
    adapter,
    calls::{NOW, account, ask},
    server::{Server, Spoil, http, sent, whole},
};

/// What a valid answer to an operation contains.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// A group, and its version in a header.
    Group,
    /// Another document.
    Document,
    /// Only a status.
    Nothing,
}

fn due(operation: Operation) -> Due {
    match operation {
        Operation::CreateConnectionGroup | Operation::GetConnectionGroup | Operation::UpdateConnectionGroup => {
            Due::Group
        }
        Operation::ListConnectionGroups
        | Operation::ListTagsForResource
        | Operation::ListDistributionTenants
        | Operation::GetAnycastIpList => Due::Document,
        Operation::DeleteConnectionGroup | Operation::TagResource | Operation::UntagResource => Due::Nothing,
    }
}

/// The class that the adapter gives an answer where a group, another document or nothing is expected; `None` means that it is valid.
type Taken = [Option<ErrorClass>; 3];

const GOOD: Taken = [None; 3];
const UNREADABLE: Taken = [Some(ErrorClass::Unexpected); 3];
const UNREADABLE_DOCUMENT: Taken = [Some(ErrorClass::Unexpected), Some(ErrorClass::Unexpected), None];
const UNREADABLE_GROUP: Taken = [Some(ErrorClass::Unexpected), None, None];
const UNAVAILABLE: Taken = [Some(ErrorClass::ServiceUnavailable); 3];

const PAGE: &str = "<html><head><title>Log in</title></head><body><h1>Log in</h1></body></html>";
const FAULT: &str =
    "<ErrorResponse><Error><Code>Teapot</Code><Message>short and stout</Message></Error></ErrorResponse>";

fn table(elsewhere: &str) -> Vec<(&'static str, Spoil, Taken)> {
    fn row(
        what: &'static str,
        spoil: impl Fn(&Answer) -> Vec<u8> + Send + Sync + 'static,
        taken: Taken,
    ) -> (&'static str, Spoil, Taken) {
        (what, Arc::new(spoil), taken)
    }
    let says = |status, body: &'static str| move |answer: &Answer| http(status, &answer.headers, body);
    let to = |status| {
        let location = [("Location".to_owned(), format!("{elsewhere}/2020-05-31/connection-groups"))];
        move |_: &Answer| http(status, &location, "")
    };
    vec![
        row("as CloudFront sends it", whole, GOOD),
        row("no body", |answer| http(answer.status, &answer.headers, ""), UNREADABLE_DOCUMENT),
        row("a blank body", says(200, "  \n"), UNREADABLE_DOCUMENT),
        row("text", says(200, "no XML"), UNREADABLE),
        row("an element closed by another name", misnamed, UNREADABLE_DOCUMENT),
        row("another root", says(200, "<DistributionList></DistributionList>"), UNREADABLE),
        row("an error that says that it is none", says(200, FAULT), UNREADABLE),
        row("cut off after a quarter", cut(1, 4), UNREADABLE_DOCUMENT),
        row("cut off after a half", cut(1, 2), UNREADABLE_DOCUMENT),
        row("cut off after three quarters", cut(3, 4), UNREADABLE_DOCUMENT),
        row("cut off in its last tag", in_the_last_tag, UNREADABLE_DOCUMENT),
        row("cut off, and the end of the connection says that it is whole", open_ended, UNREADABLE_DOCUMENT),
        row("cut off, and the connection dropped", dropped, UNREADABLE_DOCUMENT),
        row("a page at 200", says(200, PAGE), UNREADABLE),
        row("a page at 403", says(403, PAGE), UNREADABLE),
        row("a page at 404", says(404, PAGE), UNREADABLE),
        row("a page at 502", says(502, PAGE), UNAVAILABLE),
        row("a page at 503", says(503, PAGE), UNAVAILABLE),
        row("no ETag", |answer| http(answer.status, &[], &answer.body), UNREADABLE_GROUP),
        row("301 to another host", to(301), UNREADABLE),
        row("302 to another host", to(302), UNREADABLE),
        row("307 to another host", to(307), UNREADABLE),
    ]
}

fn misnamed(answer: &Answer) -> Vec<u8> {
    http(answer.status, &answer.headers, &answer.body.replacen("</", "</x", 1))
}

/// This much of the body, with the correct length.
fn cut(part: usize, of: usize) -> impl Fn(&Answer) -> Vec<u8> {
    move |answer| http(answer.status, &answer.headers, &answer.body[..answer.body.len() * part / of])
}

fn in_the_last_tag(answer: &Answer) -> Vec<u8> {
    let end = answer.body.len().saturating_sub(1);
    http(answer.status, &answer.headers, &answer.body[..end])
}

/// The body ends where the connection does, as with HTTP/1.0 and some proxies.
fn open_ended(answer: &Answer) -> Vec<u8> {
    sent(answer.status, &answer.headers, "", &answer.body[..answer.body.len() / 2])
}

/// The length is greater than what is sent.
fn dropped(answer: &Answer) -> Vec<u8> {
    let mut bytes = whole(answer);
    bytes.truncate(bytes.len() - answer.body.len() / 2);
    bytes
}

#[tokio::test]
async fn an_unreadable_answer_is_not_taken_for_a_valid_one_at_any_operation() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let (account, known) = account();
    let server = Server::start(account, NOW).await;
    let sdk = adapter(&server.url);
    let mut wrong = Vec::new();
    for (what, spoil, taken) in table(&format!("http://{}", elsewhere.local_addr().unwrap())) {
        for operation in Operation::ALL.iter().copied() {
            server.spoil(operation, &spoil);
            let answer = ask(&sdk, operation, &known).await;
            if answer.as_ref().err().map(|error| error.class) != taken[due(operation) as usize] {
                wrong.push(format!("{operation}, {what}: {answer:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let followed = elsewhere.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(followed, Err(ErrorKind::WouldBlock), "the other host got no connection");
}
