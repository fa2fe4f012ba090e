//! The program `aws-contract`, with the simulator in the place of AWS: it refuses, it cleans up whatever happens, and what it reports is so.

mod clean_up;
mod program;
mod refusal;
mod report;
