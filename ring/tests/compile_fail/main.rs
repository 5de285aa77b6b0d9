//! Misuse that does not compile, each case beside a twin that does, and runs.
//!
//! The cases are checked all at once, the twins are modules here. The messages are those of Rust
//! 1.95; other compilers word them differently and are not asked. After a change of what the messages
//! quote, `TRYBUILD=overwrite cargo test --test compile_fail` writes them anew: read the difference.

mod claim_outlives_its_ring_ok;
mod credit_outlives_its_ring_ok;
mod event_outlives_its_slot_ok;
mod producer_cloned_ok;
mod producer_shared_by_threads_ok;
mod rc_values_leave_their_thread_ok;
mod shared_claim_outlives_its_ring_ok;
mod slot_reference_escapes_drain_ok;
mod slot_reference_escapes_fill_ok;
mod slot_reference_escapes_shared_fill_ok;
mod two_claims_of_one_writer_ok;

use std::path::Path;
use std::process::Command;

/// The compiler whose messages lie beside the cases.
const COMPILER: &str = "rustc 1.95.";

/// Each case and the twin that compiles.
const TWINS: &[(&str, fn())] = &[
    ("claim_outlives_its_ring", claim_outlives_its_ring_ok::main),
    (
        "credit_outlives_its_ring",
        credit_outlives_its_ring_ok::main,
    ),
    ("event_outlives_its_slot", event_outlives_its_slot_ok::main),
    ("producer_cloned", producer_cloned_ok::main),
    (
        "producer_shared_by_threads",
        producer_shared_by_threads_ok::main,
    ),
    (
        "rc_values_leave_their_thread",
        rc_values_leave_their_thread_ok::main,
    ),
    (
        "shared_claim_outlives_its_ring",
        shared_claim_outlives_its_ring_ok::main,
    ),
    (
        "slot_reference_escapes_drain",
        slot_reference_escapes_drain_ok::main,
    ),
    (
        "slot_reference_escapes_fill",
        slot_reference_escapes_fill_ok::main,
    ),
    (
        "slot_reference_escapes_shared_fill",
        slot_reference_escapes_shared_fill_ok::main,
    ),
    (
        "two_claims_of_one_writer",
        two_claims_of_one_writer_ok::main,
    ),
];

#[test]
fn misuse_does_not_compile() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output();
    let version = version.expect("a compiler that tells its version").stdout;
    if !version.starts_with(COMPILER.as_bytes()) {
        eprintln!("skipped: the messages are of {COMPILER}");
        return;
    }
    let cases = trybuild::TestCases::new();
    for (name, _) in TWINS {
        cases.compile_fail(format!("tests/compile_fail/{name}.rs"));
    }
}

#[test]
fn the_twin_of_each_case_compiles_and_runs() {
    for (name, twin) in TWINS {
        println!("{name}");
        twin();
    }
}

#[test]
fn every_case_has_a_twin_and_every_message_a_case() {
    let mut cases = 0;
    for entry in Path::new("tests/compile_fail")
        .read_dir()
        .expect("the cases")
    {
        let path = entry.expect("a case").path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let name = name.expect("a plain name");
        if name == "main" || name.ends_with("_ok") {
            continue;
        }
        let has_twin = TWINS.iter().any(|(twin, _)| *twin == name);
        assert!(has_twin, "{} is of no case", path.display());
        cases += usize::from(path.extension().is_some_and(|end| end == "rs"));
    }
    assert_eq!(cases, TWINS.len());
}
