//! The table. In: figures. Out: lines on standard output, each as soon as it is known.

use std::time::Duration;

/// The header line.
pub fn head() {
    println!("{:<58} {:>17}   {:<20} aimed at", "what", "measured", "ACK v1.7.1");
    println!("{}", "-".repeat(118));
}

/// One figure beside the one to beat.
pub fn row(what: &str, measured: impl Into<String>, incumbent: &str, aim: &str) {
    println!("{what:<58} {:>17}   {incumbent:<20} {aim}", measured.into());
}

/// What must be known to read the figures.
pub fn foot() {
    println!(
        "\n\
        received: the simulator stamps calls in whole milliseconds, on arrival and before it works on them. Half a millisecond is added, so\n  \
        that p50 is unbiased; a single figure is right within 0.5 ms. The clock starts right before the client sends its request.\n\
        p99 of 50 or fewer is the slowest of them. One object is created before, as the first one of its kind costs a fresh API server 2 s.\n\
        all Ready: seen by listing the objects every 100 ms. Propagation is 2 s in all rows, and CloudFront answers at once unless stated.\n\
        unlimited rate: --aws-rate 1000 --aws-burst 1000. All other flags have their defaults."
    );
}

/// Half of the samples, and almost all of them, took at most this long.
pub fn p50_p99(samples: &[Duration]) -> String {
    let mut sorted = samples.to_vec();
    sorted.sort();
    // Nearest rank: the smallest sample that this percentage of all samples does not exceed.
    let percentile = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1));
    let [p50, p99] = [50, 99].map(|percent| percentile(percent).copied().unwrap_or_default().as_secs_f64() * 1000.0);
    format!("{p50:.1} / {p99:.1} ms")
}

/// Seconds, for what takes that long.
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// As memory and files are measured by those who pay for them.
pub fn megabytes(bytes: u64) -> String {
    // Whole kilobytes fit into a u32 up to 4 TB.
    let kilobytes = u32::try_from(bytes / 1000).unwrap_or(u32::MAX);
    format!("{:.1} MB", f64::from(kilobytes) / 1000.0)
}
