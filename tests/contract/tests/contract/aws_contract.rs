//! The program `aws-contract`, with the simulator in place of AWS: it refuses, it cleans up whatever happens, and its report is true.

mod clean_up;
mod program;
mod refusal;
mod report;
