//! A publisher and a receiver in processes of their own on the loopback interface: a million
//! sequenced events, one of the two killed and restarted, every missing event counted.
//!
//! The binary starts itself as either process, so it brings its own `main`: arguments that do not
//! begin with a dash are filters, as those of other tests are.

mod child;
mod event;
mod publisher;
mod receiver;
mod scenarios;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(child::PUBLISHER) => return publisher::run(),
        Some(child::RECEIVER) => return receiver::run(),
        _ => {}
    }
    let filters: Vec<_> = arguments
        .iter()
        .filter(|one| !one.starts_with('-'))
        .collect();
    let chosen = scenarios::ALL.iter().filter(|(name, _)| {
        filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
    });
    if arguments.iter().any(|one| one == "--list") {
        chosen.for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let mut failed = 0;
    for (name, scenario) in chosen {
        let begun = Instant::now();
        // The panic's message has been printed.
        let passed = catch_unwind(scenario).is_ok();
        failed += usize::from(!passed);
        let verdict = if passed { "ok" } else { "FAILED" };
        println!("test {name} ... {verdict} ({:.1?})", begun.elapsed());
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        println!("{failed} failed");
        ExitCode::FAILURE
    }
}
