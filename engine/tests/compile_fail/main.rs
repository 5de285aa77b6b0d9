//! Misuse that does not compile, each case beside a twin that does, and runs.
//!
//! The cases are checked all at once, the twins are modules here. The messages are those of Rust
//! 1.95 and of the engine without features, which add types that messages list; with another compiler
//! or a feature they are not asked for. After a change of what the messages quote,
//! `TRYBUILD=overwrite cargo test --test compile_fail` writes them anew: read the difference.

mod async_listener_borrows_ok;
mod async_rc_event_ok;
mod async_rc_listener_ok;
mod batch_escapes_listener_ok;
mod batch_shared_with_another_thread_ok;
mod broadcast_emit_batch_without_clone_ok;
mod broadcast_emit_without_clone_ok;
mod context_cloned_ok;
mod emitter_cloned_ok;
mod emitter_emits_through_a_shared_reference_ok;
mod emitter_emits_while_it_emits_ok;
mod emitter_shared_by_threads_ok;
mod emitter_used_after_close_ok;
mod event_reference_escapes_batch_ok;
mod event_reference_escapes_listener_ok;
mod fault_handler_with_rc_ok;
mod route_of_ones_own_ok;
mod shared_broadcast_emit_without_clone_ok;
mod slot_reference_escapes_fill_ok;
mod subscribe_on_a_round_robin_signal_ok;
mod subscribe_on_a_sharded_signal_ok;
mod subscribe_sharded_on_a_broadcast_ok;
mod subscription_dropped_by_mistake_ok;
mod subscription_used_after_unsubscribe_ok;
mod sync_cell_listener_ok;
mod sync_emitter_cloned_ok;
mod sync_emitter_shared_by_threads_ok;
mod sync_listener_borrows_ok;
mod sync_listener_changes_its_state_ok;
mod sync_rc_event_leaves_its_thread_ok;
mod sync_rc_listener_ok;
mod worker_start_with_cell_ok;

use std::path::Path;
use std::process::Command;

/// The compiler whose messages lie beside the cases.
const COMPILER: &str = "rustc 1.95.";

/// Whether the engine has a feature.
const FEATURES: bool = cfg!(any(
    feature = "limits",
    feature = "metrics",
    feature = "prometheus",
    feature = "serde",
    feature = "tracing",
    feature = "zenoh"
));

/// Each case and the twin that compiles.
const TWINS: &[(&str, fn())] = &[
    ("async_listener_borrows", async_listener_borrows_ok::main),
    ("async_rc_event", async_rc_event_ok::main),
    ("async_rc_listener", async_rc_listener_ok::main),
    ("batch_escapes_listener", batch_escapes_listener_ok::main),
    (
        "batch_shared_with_another_thread",
        batch_shared_with_another_thread_ok::main,
    ),
    (
        "broadcast_emit_batch_without_clone",
        broadcast_emit_batch_without_clone_ok::main,
    ),
    (
        "broadcast_emit_without_clone",
        broadcast_emit_without_clone_ok::main,
    ),
    ("context_cloned", context_cloned_ok::main),
    ("emitter_cloned", emitter_cloned_ok::main),
    (
        "emitter_emits_through_a_shared_reference",
        emitter_emits_through_a_shared_reference_ok::main,
    ),
    (
        "emitter_emits_while_it_emits",
        emitter_emits_while_it_emits_ok::main,
    ),
    (
        "emitter_shared_by_threads",
        emitter_shared_by_threads_ok::main,
    ),
    (
        "emitter_used_after_close",
        emitter_used_after_close_ok::main,
    ),
    (
        "event_reference_escapes_batch",
        event_reference_escapes_batch_ok::main,
    ),
    (
        "event_reference_escapes_listener",
        event_reference_escapes_listener_ok::main,
    ),
    ("fault_handler_with_rc", fault_handler_with_rc_ok::main),
    ("route_of_ones_own", route_of_ones_own_ok::main),
    (
        "shared_broadcast_emit_without_clone",
        shared_broadcast_emit_without_clone_ok::main,
    ),
    (
        "slot_reference_escapes_fill",
        slot_reference_escapes_fill_ok::main,
    ),
    (
        "subscribe_on_a_round_robin_signal",
        subscribe_on_a_round_robin_signal_ok::main,
    ),
    (
        "subscribe_on_a_sharded_signal",
        subscribe_on_a_sharded_signal_ok::main,
    ),
    (
        "subscribe_sharded_on_a_broadcast",
        subscribe_sharded_on_a_broadcast_ok::main,
    ),
    (
        "subscription_dropped_by_mistake",
        subscription_dropped_by_mistake_ok::main,
    ),
    (
        "subscription_used_after_unsubscribe",
        subscription_used_after_unsubscribe_ok::main,
    ),
    ("sync_cell_listener", sync_cell_listener_ok::main),
    ("sync_emitter_cloned", sync_emitter_cloned_ok::main),
    (
        "sync_emitter_shared_by_threads",
        sync_emitter_shared_by_threads_ok::main,
    ),
    ("sync_listener_borrows", sync_listener_borrows_ok::main),
    (
        "sync_listener_changes_its_state",
        sync_listener_changes_its_state_ok::main,
    ),
    (
        "sync_rc_event_leaves_its_thread",
        sync_rc_event_leaves_its_thread_ok::main,
    ),
    ("sync_rc_listener", sync_rc_listener_ok::main),
    ("worker_start_with_cell", worker_start_with_cell_ok::main),
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
    if FEATURES {
        eprintln!("skipped: the messages are of the engine without features");
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
