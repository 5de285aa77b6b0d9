//! What things hold, by the sizes that were asked of the allocator. Alone in its process: whoever makes
//! something also frees what others have retired through the epoch.

use std::fs;

use corecast_lab::compare::growth::{self, Extent};
use corecast_lab::measure::CpuPair;
use corecast_lab::measure::alloc::CountingAllocator;
use tempfile::TempDir;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn memory_is_at_least_what_was_asked_for() {
    let folder = TempDir::new().expect("a temporary folder");
    let none = Extent {
        most: 0,
        rounds: 1,
        lap_ms: 1,
    };
    growth::write(folder.path(), none, CpuPair::choose(), |_| {}).expect("nothing but memory");
    let csv = fs::read_to_string(folder.path().join("figures.csv")).expect("written");
    let bytes = |what: &str| -> f64 {
        let line = csv.lines().find(|line| line.contains(what));
        let last = line.and_then(|line| line.rsplit(',').next());
        last.and_then(|bytes| bytes.parse().ok()).expect(what)
    };
    // A slot is a cache line: 56 bytes and a stamp.
    let (short, long) = (bytes("a lane of 64 events"), bytes("a lane of 1024 events"));
    assert!(
        short >= 64.0 * 64.0 && long >= 1024.0 * 64.0,
        "{short} {long}"
    );
    assert_eq!(long - short, 960.0 * 64.0);
    assert!(bytes("its listener, which captures 8 bytes") >= 8.0 + 16.0);
}
