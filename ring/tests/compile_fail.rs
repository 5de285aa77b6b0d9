//! Misuse that does not compile, each case beside a twin that does.
//!
//! The messages are those of Rust 1.95; other compilers word them differently and are not asked.

use std::path::Path;
use std::process::Command;

/// The compiler whose messages lie beside the cases.
const COMPILER: &str = "rustc 1.95.";

/// Fewer means that some were lost.
const LEAST: usize = 11;

#[test]
fn misuse_does_not_compile_and_its_twin_does() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output();
    let version = version.expect("a compiler that tells its version").stdout;
    if !version.starts_with(COMPILER.as_bytes()) {
        eprintln!("skipped: the messages are of {COMPILER}");
        return;
    }
    let cases = trybuild::TestCases::new();
    let mut count = 0;
    for entry in Path::new("tests/compile_fail")
        .read_dir()
        .expect("the cases")
    {
        let path = entry.expect("a case").path();
        let name = path.to_str().expect("a plain name");
        let Some(name) = name.strip_suffix(".rs") else {
            continue;
        };
        if name.ends_with("_ok") {
            cases.pass(&path);
            continue;
        }
        let twin = format!("{name}_ok.rs");
        assert!(Path::new(&twin).exists(), "{name} has no twin");
        cases.compile_fail(&path);
        count += 1;
    }
    assert!(count >= LEAST, "{count} cases");
}
