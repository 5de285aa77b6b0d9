//! Writing what is counted to `COUNTS.md`.

use std::env;
use std::error::Error;
use std::fs;
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;

use crate::limits::{Counts, UNLIMITED, with_counts};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/COUNTS.md");

/// Counts every case, unlimited, and writes the table.
pub(crate) fn run() -> ExitCode {
    match counted().and_then(|counts| Ok(fs::write(TABLE, with_counts(&counts)?)?)) {
        Ok(()) => {
            println!("counts: written to {TABLE}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("counts: nothing was written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs this program as cargo would, and reads what it counts, case by case.
fn counted() -> Result<Vec<(String, Counts)>, Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    command
        .args(["--bench", "--output-format=json"])
        .env(UNLIMITED, "1");
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("counting ended with {}", output.status).into());
    }
    let lines = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    let counts: Vec<_> = lines.map(|line| case(&line?)).collect::<Result<_, _>>()?;
    if counts.is_empty() {
        Err("no case was counted".into())
    } else {
        Ok(counts)
    }
}

/// A case, and what all of its operations took.
fn case(summary: &Value) -> Result<(String, Counts), Box<dyn Error>> {
    let text = |key: &str| {
        summary[key]
            .as_str()
            .ok_or(format!("a summary without {key}"))
    };
    let (function, id) = (text("function_name")?, text("id")?);
    let group = text("module_path")?
        .split("::")
        .nth(2)
        .ok_or("a summary without a group")?;
    let subject = function
        .strip_prefix(group)
        .map(|rest| rest.trim_start_matches('_'));
    let subject = subject.ok_or_else(|| format!("{function} is not named after {group}"))?;
    let parameter = id
        .rsplit_once('_')
        .ok_or_else(|| format!("{function} has no parameter"))?;
    let name = format!("{group}/{subject}/{}={}", parameter.0, parameter.1);
    let count = |event: &str| {
        count(summary, event).ok_or_else(|| format!("{name} has no count of {event}"))
    };
    let (instructions, stores) = (count("Ir")?, count("Dw")?);
    let counts = Counts {
        instructions,
        stores,
    };
    Ok((name, counts))
}

/// A count of a summary; a bench is run once, so the last part of the profile is the whole.
fn count(summary: &Value, event: &str) -> Option<u64> {
    let callgrind = summary["profiles"].as_array()?.first()?;
    let metrics = &callgrind["summaries"]["total"]["summary"]["Callgrind"][event]["metrics"];
    let new = metrics.get("Left").or_else(|| metrics["Both"].get(0))?;
    new["Int"].as_u64()
}
