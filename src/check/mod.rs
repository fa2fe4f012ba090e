//! What an installation needs, checked once and without a change to anything: `connection-group-operator check`, which `helm test` runs. Talks to the API
//! server, to CloudFront and to a collector of traces.
//!
//! In: the flags of `run`. Out: one line for each check, and whether all of them passed.

mod aws;
mod collector;
mod held;
mod kubernetes;
mod rights;

use std::fmt;

use crate::{controller::RunArgs, network::Network};

/// What one check found.
#[derive(Debug)]
pub struct Finding {
    /// What was checked.
    subject: String,
    /// What was found, or what is wrong.
    result: Result<String, Problem>,
}

/// Why a check failed.
#[derive(Debug)]
struct Problem {
    cause: String,
    advice: String,
}

impl Finding {
    fn ok(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { subject: subject.into(), result: Ok(found.into()) }
    }

    fn failed(subject: impl Into<String>, cause: impl Into<String>, advice: impl Into<String>) -> Self {
        let problem = Problem { cause: cause.into(), advice: advice.into() };
        Self { subject: subject.into(), result: Err(problem) }
    }
}

/// How many there are, in words that fit the number.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, result } = self;
        match result {
            Ok(found) => write!(f, "ok      {subject}: {found}"),
            Err(Problem { cause, advice }) => {
                write!(f, "FAILED  {subject}: {}. {advice}.", cause.trim_end_matches('.'))
            }
        }
    }
}

/// Runs all checks and prints each finding as soon as it is known. Returns whether all checks passed.
pub async fn run(args: &RunArgs, network: &Network) -> bool {
    let mut passed = true;
    let mut report = |findings: Vec<Finding>| {
        for finding in findings {
            passed &= finding.result.is_ok();
            println!("{finding}");
        }
    };
    report(kubernetes::check(args, network).await);
    report(vec![aws::check(args, network).await]);
    report(Vec::from_iter(collector::check(args, network).await));
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_that_says_what_is_wrong_and_what_to_do() {
        let line = Finding::ok("identity", "known").to_string();
        assert_eq!(line, "ok      identity: known");
        let line = Finding::failed("identity", "There is no namespace.", "Create it").to_string();
        assert_eq!(line, "FAILED  identity: There is no namespace. Create it.");
    }
}
