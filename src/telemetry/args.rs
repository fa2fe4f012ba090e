//! Flags of the log lines.

use clap::{Args, ValueEnum};
use strum::IntoStaticStr;

/// The heading of these flags in `--help`.
pub const FLAGS_OF_TELEMETRY: &str = "Logs and traces";

/// Flags of the log lines.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = FLAGS_OF_TELEMETRY)]
pub struct LogArgs {
    /// Format of the log lines on standard output
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_LOG_FORMAT", default_value = "json")]
    pub log_format: LogFormat,

    /// Lowest severity to log
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_LOG_LEVEL", default_value = "info")]
    pub log_level: LogLevel,
}

/// Format of log lines.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl LogFormat {
    /// The name as on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Severity of log lines.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The name as on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
