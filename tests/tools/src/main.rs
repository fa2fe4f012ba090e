//! The command line: `tools [control-plane]`. Builds what is not built yet. Out: the folder of the binaries on stdout, progress on stderr, and the exit code.

use std::process::ExitCode;

use tools::{ALL, CONTROL_PLANE, ensure};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let wanted = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => &ALL[..],
        ["control-plane"] => &CONTROL_PLANE[..],
        _ => {
            eprintln!(
                "usage: tools [control-plane]\n\nWithout an argument, it also builds what only tests need: kube-controller-manager and helm."
            );
            return ExitCode::from(2);
        }
    };
    match ensure(wanted) {
        Ok(tools) => {
            println!("{}", tools.folder().display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("tools: {error}");
            ExitCode::FAILURE
        }
    }
}
