//! Without an explicit confirmation for this account nothing is done.

use axum::{Router, http::header::CONTENT_TYPE, routing::post};
use serde_json::json;
use tokio::{net::TcpListener, process::Command};

use super::program::{Place, program, run};

const REFUSED: Option<i32> = Some(2);

async fn refuses(place: &Place, command: Command, typed: &str, reason: &str) {
    let ended = run(command, typed).await;
    assert_eq!(ended.code, REFUSED, "{ended:?}");
    assert!(ended.output.contains(reason) && ended.output.contains("Nothing was created."), "{ended:?}");
    assert_eq!(place.calls().await, 0);
}

#[tokio::test]
async fn without_a_confirmation_it_prints_what_it_would_do_and_does_nothing() {
    let place = Place::switched(json!({})).await;
    let ended = run(place.rehearsal(), "").await;
    assert_eq!(ended.code, REFUSED, "{ended:?}");
    for part in [
        "create one CloudFront connection group named contract-test-",
        "CLEAN_UP=contract-test-",
        "it takes an explicit yes",
    ] {
        assert!(ended.output.contains(part), "{part}: {}", ended.output);
    }
    assert_eq!(place.calls().await, 0);
}

#[tokio::test]
async fn only_the_account_number_is_a_confirmation() {
    let place = Place::switched(json!({})).await;
    for typed in ["yes\n", "y\n", "\n", "123456789012\n"] {
        let reason = if typed == "\n" { "it takes an explicit yes" } else { "is not this account" };
        refuses(&place, place.rehearsal(), typed, reason).await;
    }
}

#[tokio::test]
async fn a_rehearsal_runs_on_this_machine_only() {
    for url in
        ["https://cloudfront.amazonaws.com", "http://cloudfront.amazonaws.com", "http://127.0.0.1:80@example.com/"]
    {
        let mut command = program();
        command.args(["--simulator", url]).env("YES", "simulator");
        let ended = run(command, "").await;
        assert_eq!(ended.code, REFUSED, "{ended:?}");
    }
}

/// The part of AWS that this program uses: an identity, and the simulator as CloudFront.
fn at_aws(place: &Place, identity: &str) -> Command {
    let mut command = program();
    command.args(["--rate", "10000", "--poll", "20ms", "--settle", "300ms", "--deadline", "10s"]);
    command.env("AWS_ACCESS_KEY_ID", "AKIATESTBED").env("AWS_SECRET_ACCESS_KEY", "testbed");
    command.env("AWS_ENDPOINT_URL_CLOUDFRONT", place.simulator.endpoint()).env("AWS_ENDPOINT_URL_STS", identity);
    command
}

/// Answers everyone that this is account 123456789012.
async fn identity() -> String {
    let answer = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
        <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let app = Router::new().route("/", post(async move || ([(CONTENT_TYPE, "text/xml")], answer)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    url
}

#[tokio::test]
async fn at_aws_only_the_number_of_this_account_is_a_confirmation_and_in_ci_nothing_is() {
    let place = Place::switched(json!({})).await;
    let identity = identity().await;
    for no in ["simulator", "210987654321", "yes"] {
        let mut command = at_aws(&place, &identity);
        command.env("YES", no);
        refuses(&place, command, "", "is not this account, which is 123456789012").await;
    }
    let mut in_ci = at_aws(&place, &identity);
    in_ci.env("CI", "true").env("YES", "123456789012");
    refuses(&place, in_ci, "123456789012\n", "this is CI").await;

    let ended = run(at_aws(&place, &identity), "123456789012\n").await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    place.assert_clean("after a typed yes").await;
}

#[tokio::test]
async fn if_the_account_is_unknown_it_refuses() {
    let place = Place::switched(json!({})).await;
    let nobody = at_aws(&place, "http://127.0.0.1:1");
    refuses(&place, nobody, "", "AWS does not say whose credentials these are").await;
}
