//! The figures as tables: for a program (CSV) and for a person (Markdown).

use std::fmt::{self, Write};

use crate::measure::CpuPair;
use crate::measure::machine::Machine;

use super::Measured;
use super::memory::Holding;

/// Every figure on a line of its own.
pub(super) fn csv(measured: &[Measured], memory: &[Holding]) -> String {
    let mut text = String::from("picture,curve,at,unit,q1,median,q3\n");
    for (chart, curves) in measured {
        for curve in curves {
            for point in &curve.points {
                let cost = point.cost;
                text.push_str(&format!(
                    "{},\"{}\",{},{},{:.3},{:.3},{:.3}\n",
                    chart.file, curve.name, point.at, chart.unit, cost.q1, cost.median, cost.q3
                ));
            }
        }
    }
    for Holding { what, bytes } in memory {
        text.push_str(&format!(
            "memory,\"{what}\",1,bytes,{bytes:.0},{bytes:.0},{bytes:.0}\n"
        ));
    }
    text
}

/// The tables.
pub(super) fn page(
    machine: &Machine,
    cpus: CpuPair,
    measured: &[Measured],
    memory: &[Holding],
) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _infallible = write_page(&mut page, machine, cpus, measured, memory);
    page
}

fn write_page(
    page: &mut String,
    machine: &Machine,
    cpus: CpuPair,
    measured: &[Measured],
    memory: &[Holding],
) -> fmt::Result {
    writeln!(
        page,
        "# Growth, in figures\n\nWritten by `corecast compare --growth`; see [GROWTH.md](../GROWTH.md).\n"
    )?;
    for line in machine.to_string().lines() {
        writeln!(page, "- {line}")?;
    }
    writeln!(
        page,
        "- emitting on CPU {}, working on CPU {}",
        cpus.emitter, cpus.worker
    )?;
    if cfg!(debug_assertions) {
        writeln!(
            page,
            "- a build with debug assertions: these figures show shapes, not costs"
        )?;
    }
    for (chart, curves) in measured {
        writeln!(page, "\n## {}\n", chart.title)?;
        write!(page, "| {} |", chart.x_label)?;
        for curve in curves {
            write!(page, " {}, {} (quartiles) |", curve.name, chart.unit)?;
        }
        write!(page, "\n|--:|")?;
        for _ in curves {
            write!(page, "--:|")?;
        }
        writeln!(page)?;
        let places = curves.first().map_or(0, |curve| curve.points.len());
        for place in 0..places {
            write!(page, "| {} |", curves[0].points[place].at)?;
            for curve in curves {
                let cost = curve.points[place].cost;
                write!(
                    page,
                    " {:.1} ({:.1} to {:.1}) |",
                    cost.median, cost.q1, cost.q3
                )?;
            }
            writeln!(page)?;
        }
    }
    writeln!(page, "\n## Memory\n\n| of each | bytes |\n|---|--:|")?;
    for Holding { what, bytes } in memory {
        writeln!(page, "| {what} | {bytes:.0} |")?;
    }
    Ok(())
}
