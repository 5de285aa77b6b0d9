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

/// What callgrind counts.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) instructions: u64,
    /// Data writes.
    pub(crate) stores: u64,
}

/// Instructions and stores that an operation may take, as counted by callgrind.
///
/// # Panics
///
/// When the table has no such case, and counts are not about to be written to it.
pub(crate) fn limited(case: &str) -> LibraryBenchmarkConfig {
    if env::var_os(UNLIMITED).is_some() {
        return unlimited();
    }
    let limits = limits_of(TABLE, case);
    let limits =
        limits.unwrap_or_else(|| panic!("benches/COUNTS.md has no limits for {case}: bless first"));
    let [instructions, stores] = limits.map(|limit| (limit * OPS as f64) as u64);
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, instructions), (EventKind::Dw, stores)]);
    with(&callgrind)
}

/// For cases that are there for comparison: other people's code has no limit.
pub(crate) fn unlimited() -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    // Told nothing, the runner allows so much more than in the run before.
    callgrind.soft_limits([
        (EventKind::Ir, f64::INFINITY),
        (EventKind::Dw, f64::INFINITY),
    ]);
    with(&callgrind)
}

fn with(callgrind: &Callgrind) -> LibraryBenchmarkConfig {
    let mut callgrind = callgrind.clone();
    // Stores are counted with the caches.
    callgrind.args(["--cache-sim=yes"]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

/// The limits of a case: the third cell of its row and the fifth.
fn limits_of(table: &str, case: &str) -> Option<[f64; 2]> {
    table.lines().find_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        if cells.next()? != case {
            return None;
        }
        let mut limit = || cells.nth(1)?.parse().ok();
        Some([limit()?, limit()?])
    })
}

/// The table's text with new rows: the counts of all operations of each case, in order.
pub(crate) fn with_counts(counts: &[(String, Counts)]) -> Result<String, String> {
    let begin = TABLE.find("| case").ok_or("COUNTS.md has no table")?;
    let mut text = TABLE[..begin].to_owned();
    text.push_str("| case | instructions | limit | stores | limit |\n|---|--:|--:|--:|--:|\n");
    for (case, counts) in counts {
        let cells = |count: u64| {
            let per_operation = count as f64 / OPS as f64;
            let limit = match is_compared(case) {
                true => NO_LIMIT.to_owned(),
                false => format!("{:.1}", (per_operation * HEADROOM * 10.0).ceil() / 10.0),
            };
            format!("{per_operation:.1} | {limit}")
        };
        let (instructions, stores) = (cells(counts.instructions), cells(counts.stores));
        writeln!(text, "| {case} | {instructions} | {stores} |").map_err(|e| e.to_string())?;
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
