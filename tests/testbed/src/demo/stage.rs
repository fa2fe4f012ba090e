//! What the audience sees: titles, command lines with their real output, and the simulator's request log. Prints; runs kubectl.

use cloudfront_simulator::admin::LoggedCall;
use testbed::{Error, Result};

use super::cluster::Cluster;

/// A step begins.
pub(super) fn title(text: &str) {
    println!("\n== {text}");
}

/// The narration.
pub(super) fn say(text: &str) {
    println!("   {text}");
}

/// A command line, as if typed.
pub(super) fn command(line: &str) {
    println!("\n$ {line}");
}

/// Shows a kubectl command and what it prints.
pub(super) async fn kubectl(cluster: &Cluster, args: &[&str]) -> Result<()> {
    let words: Vec<_> = args.iter().map(|word| quoted(word)).collect();
    command(&format!("kubectl {}", words.join(" ")));
    let output = cluster.kubectl(args).await?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    print!("{}{stderr}", String::from_utf8_lossy(&output.stdout));
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Command { command: format!("kubectl {}", words.join(" ")), stderr: stderr.into_owned() })
}

/// The calls that changed something, as CloudFront saw them.
pub(super) fn writes(calls: &[LoggedCall]) -> Vec<&LoggedCall> {
    calls.iter().filter(|call| call.operation.is_some_and(|operation| !operation.is_read())).collect()
}

/// Shows calls of CloudFront's API.
pub(super) fn request_log(calls: &[&LoggedCall]) {
    println!("\n   CloudFront (simulated) was asked to:");
    for call in calls {
        let operation = call.operation.map(|operation| operation.to_string()).unwrap_or_default();
        let group = call.group_name.as_ref().or(call.target.as_ref()).map_or("-", String::as_str);
        let if_match = call.if_match.as_ref().map(|etag| format!(" If-Match: {etag}")).unwrap_or_default();
        let status = call.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        println!("     {operation} {group}{if_match} -> {status}");
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}
