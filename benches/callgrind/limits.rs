//! The limits: the table of `COUNTS.md`, read when a bench is configured.

use std::env;
use std::fmt::Write;

use iai_callgrind::{Callgrind, EventKind, LibraryBenchmarkConfig};

/// How many times every bench does what it counts, so that what it does once besides vanishes.
pub(crate) const OPS: u64 = 128;

/// When set, nothing is limited: the counts are about to become the limits.
pub(crate) const UNLIMITED: &str = "CORECAST_COUNTS_UNLIMITED";

/// A limit is this much above the count: compilers and C libraries differ a little.
const HEADROOM: f64 = 1.04;

/// Rows of cases that are there for comparison have this for a limit.
const NO_LIMIT: &str = "–";

const TABLE: &str = include_str!("../COUNTS.md");

/// Instructions that an operation may take, as counted by callgrind.
///
/// # Panics
///
/// When the table has no such case, and counts are not about to be written to it.
pub(crate) fn limited(case: &str) -> LibraryBenchmarkConfig {
    if env::var_os(UNLIMITED).is_some() {
        return unlimited();
    }
    let limit = limit_of(TABLE, case);
    let limit =
        limit.unwrap_or_else(|| panic!("benches/COUNTS.md has no limit for {case}: bless first"));
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, (limit * OPS as f64) as u64)]);
    with(&callgrind)
}

/// For cases that are there for comparison: other people's code has no limit.
pub(crate) fn unlimited() -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    // Told nothing, the runner allows so much more than in the run before.
    callgrind.soft_limits([(EventKind::Ir, f64::INFINITY)]);
    with(&callgrind)
}

fn with(callgrind: &Callgrind) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind.clone());
    config
}

fn limit_of(table: &str, case: &str) -> Option<f64> {
    table.lines().find_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        (cells.next()? == case).then(|| cells.nth(1)?.parse().ok())?
    })
}

/// The table's text with new rows: the counts of all operations of each case, in order.
pub(crate) fn with_counts(counts: &[(String, u64)]) -> Result<String, String> {
    let begin = TABLE.find("| case").ok_or("COUNTS.md has no table")?;
    let mut text = TABLE[..begin].to_owned();
    text.push_str("| case | instructions | limit |\n|---|--:|--:|\n");
    for (case, count) in counts {
        let per_operation = *count as f64 / OPS as f64;
        let limit = match is_compared(case) {
            true => NO_LIMIT.to_owned(),
            false => format!("{:.1}", (per_operation * HEADROOM * 10.0).ceil() / 10.0),
        };
        writeln!(text, "| {case} | {per_operation:.1} | {limit} |").map_err(|e| e.to_string())?;
    }
    Ok(text)
}

/// Whether the case is there for comparison.
fn is_compared(case: &str) -> bool {
    let subject = case.split('/').nth(1).unwrap_or_default();
    ["bare", "epoch", "rtrb", "locked"]
        .iter()
        .any(|peer| subject.starts_with(peer))
}
