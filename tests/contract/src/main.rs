//! `make aws-contract`: checks the contract on AWS, after a confirmation, and reports what AWS does where its documentation is silent. In: an
//! account, a confirmation. Out: findings on standard output, and an account as it was before. Talks to AWS, or for a rehearsal to the simulator.

use std::{io::BufRead, process::ExitCode, time::Duration};

use aws_config::SdkConfig;
use clap::Parser;
use connection_group_operator::cloudfront::{GroupName, sdk::Sdk};
use contract::{
    clean_up::{PREFIX, Patience, clean_up, names},
    cloud::{Cloud, Guarded, adapter, endpoint},
    guard::{Ended, Gate, guarded},
    suite::{Finding, life},
    switches::{self, Answer, Raw, Row},
    target::{Broken, MARK},
};
use tokio::signal::unix::{SignalKind, signal};

/// Checks on AWS what the operator relies on, with one connection group that is deleted again.
///
/// Nothing is created without an explicit yes, which is the number of the account: typed when asked, or in the variable YES.
#[derive(Parser)]
#[command(name = "aws-contract", version, args_override_self = true)]
struct Cli {
    /// The account number that you would otherwise be asked to type
    #[arg(long, env = "YES")]
    yes: Option<String>,
    /// Only remove what an earlier run of this name has left
    #[arg(long, env = "CLEAN_UP", value_name = "NAME", value_parser = run_name)]
    clean_up: Option<GroupName>,
    /// An Anycast IP list that the group may use temporarily; without one, detaching is not checked
    #[arg(long, env = "ANYCAST_IP_LIST", value_name = "ID")]
    anycast_ip_list: Option<String>,
    /// A rehearsal: a simulator on this machine, http://127.0.0.1:PORT, in place of AWS; its account number is "simulator"
    #[arg(long, value_name = "URL", value_parser = local_url)]
    simulator: Option<String>,
    /// Calls per second
    #[arg(long, default_value_t = 2.0)]
    rate: f64,
    /// Time between two reads of something that takes time
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    poll: Duration,
    /// Maximum wait for something that takes time
    #[arg(long, default_value = "20m", value_parser = humantime::parse_duration)]
    deadline: Duration,
    /// How long a request to create a group may still take effect
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    settle: Duration,
}

fn run_name(text: &str) -> Result<GroupName, String> {
    let digits =
        text.strip_prefix(PREFIX).filter(|rest| rest.len() == DIGITS && rest.bytes().all(|b| b.is_ascii_hexdigit()));
    digits
        .map(|_| GroupName::new(text))
        .ok_or_else(|| format!("not a name that a run gives: {PREFIX} and {DIGITS} digits"))
}

fn local_url(text: &str) -> Result<String, String> {
    let port = text.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.trim_end_matches('/').parse::<u16>().ok());
    port.map(|_| text.to_owned()).ok_or_else(|| "a simulator is at http://127.0.0.1:PORT".to_owned())
}

const DIGITS: usize = 12;
/// Exit codes: 0 all holds, 1 something does not, 2 refused and nothing done.
const BROKEN: u8 = 1;
const REFUSED: u8 = 2;
const LEFT: u8 = 3;
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let aws = endpoint(cli.simulator.as_deref()).await;
    let run = match &cli.clean_up {
        Some(run) => run.clone(),
        None => match agreed(&cli, &aws).await {
            Ok(run) => run,
            Err(refusal) => {
                eprintln!("Refused: {refusal}. Nothing was created.");
                return ExitCode::from(REFUSED);
            }
        },
    };
    let port = adapter(&aws, cli.rate);
    let gate = Gate::default();
    let ended = match cli.clean_up {
        Some(_) => None,
        None => Some(guarded(&gate, work(&cli, &aws, port.clone(), &run, &gate), interruption()).await),
    };
    // An interruption from here on waits: the clean-up must be complete.
    let _ignored = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
    println!(
        "\nCleaning up: deleting {run}, which CloudFront may take minutes to allow. Interrupting does not stop this."
    );
    let may_come_late = ended.is_none() || gate.may_have_group();
    let patience = Patience { poll: cli.poll, settle: cli.settle, deadline: cli.deadline };
    if let Err(left) = Box::pin(clean_up(&port, &run, may_come_late, patience)).await {
        eprintln!("NOT CLEAN: {left}. Try again: make aws-contract CLEAN_UP={run}");
        return ExitCode::from(LEFT);
    }
    println!("Clean: no group {run} is left.");
    match ended {
        None | Some(Ended::With(true)) => ExitCode::SUCCESS,
        Some(Ended::With(false) | Ended::Panicked) => ExitCode::from(BROKEN),
        Some(Ended::Interrupted) => ExitCode::from(INTERRUPTED),
    }
}

/// Prints what will happen and asks for confirmation. Out: the name of the run.
async fn agreed(cli: &Cli, aws: &SdkConfig) -> Result<GroupName, String> {
    let account = match cli.simulator {
        Some(_) => "simulator".to_owned(),
        None if std::env::var_os("CI").is_some_and(|value| !value.is_empty()) => {
            return Err("this is CI (the variable CI is set), and AWS is never asked from there".to_owned());
        }
        None => account(aws).await?,
    };
    let run = GroupName::new(format!("{PREFIX}{:012x}", fastrand::u64(..1 << (4 * DIGITS))));
    let [name, unusual] = names(&run);
    println!(
        "Account {account}. This will\n\
         - create one CloudFront connection group named {name}, and after its deletion once more ({unusual}, if CloudFront takes\n  \
           such a name), each with the tag {MARK}={run}; never two at a time, and nothing serves traffic through it;\n\
         - change, tag, disable and delete it, which takes up to an hour, mostly waiting for deployments;\n\
         - read the list of groups{};\n\
         - delete it also when interrupted (Ctrl-C). If this program is killed: make aws-contract CLEAN_UP={run}",
        cli.anycast_ip_list
            .as_ref()
            .map(|list| format!(", and attach the Anycast IP list {list} to it for a while"))
            .unwrap_or_default(),
    );
    let typed = match cli.yes.clone() {
        Some(yes) => yes,
        None => ask()?,
    };
    match typed.trim() {
        "" => Err(format!("it takes an explicit yes: type {account}, or set YES={account}")),
        yes if yes == account => Ok(run),
        other => Err(format!("\"{other}\" is not this account, which is {account}")),
    }
}

fn ask() -> Result<String, String> {
    println!("Type the number of the account to go on:");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
    Ok(line)
}

async fn account(aws: &SdkConfig) -> Result<String, String> {
    let caller = aws_sdk_sts::Client::new(aws).get_caller_identity().send().await;
    let caller = caller.map_err(|error| {
        format!("AWS does not say whose credentials these are: {}", aws_sdk_sts::error::DisplayErrorContext(&error))
    })?;
    caller.account().map(ToOwned::to_owned).ok_or_else(|| "AWS does not say which account this is".to_owned())
}

async fn interruption() {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = signals else { return };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    println!("\nInterrupted: finishing the call under way.");
}

/// Whether every sentence holds.
async fn work(cli: &Cli, aws: &SdkConfig, port: Sdk, run: &GroupName, gate: &Gate) -> bool {
    let mut cloud =
        Cloud { port: Guarded::new(port, gate.clone()), name: run.clone(), poll: cli.poll, deadline: cli.deadline };
    println!("\nWhat the operator relies on:");
    let findings = life::live(&cloud, print_finding).await;
    let broken = findings.iter().filter(|finding| finding.verdict.is_err()).count();
    println!("{} of {} sentences hold.", findings.len() - broken, findings.len());
    if gate.may_have_group() {
        println!("\nWithout a clean end of the first group there is no second one, so nothing more is asked.");
        return false;
    }
    println!("\nWhat it does where AWS is silent (this takes the longest):");
    let raw = Raw::new(aws, gate.clone());
    match switches::ask(&mut cloud, &raw, cli.anycast_ip_list.as_deref()).await {
        Ok(rows) => rows.iter().for_each(print_row),
        Err(Broken(reason)) => {
            println!("  nothing could be asked: {reason}");
            return false;
        }
    }
    broken == 0
}

fn print_finding(finding: &Finding) {
    match &finding.verdict {
        Ok(()) => println!("  holds   {}", finding.sentence),
        Err(broken) => println!("  BROKEN  {}: {broken}", finding.sentence),
    }
}

fn print_row(row: &Row) {
    let flag = row.switch.replace('_', "-");
    let answer = match &row.answer {
        Answer::Seen(value) if *value == row.assumed => format!("{value} (as the simulator assumes)"),
        Answer::Seen(value) => format!("{value} (the simulator assumes {})", row.assumed),
        Answer::Unclear(what) => format!("unclear: {what}"),
        Answer::NotTried(why) => format!("not tried: {why}"),
    };
    println!("  {flag:24}{answer}");
}
