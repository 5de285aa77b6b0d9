//! The report as a page that needs nothing but itself.

use std::fmt::{self, Write};

use crate::picture::{PictureError, inline};
use crate::replay::text::Count;

use super::measured::Measured;
use super::page::cpus;
use super::pictures;
use super::report::Report;

const STYLE: &str = "\
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #f4f5f7; margin: 0 }
main { max-width: 1080px; margin: 0 auto; padding: 24px }
h1 { font-size: 26px; margin: 8px 0 4px } h2 { font-size: 19px; margin: 0 0 10px }
section { background: #fff; border: 1px solid #dcdfe4; border-radius: 8px; padding: 18px 22px; margin: 18px 0; overflow-x: auto }
section.advice { border-left: 6px solid #0072b2 }
section.refused { border-left: 6px solid #d55e00 }
svg { display: block; max-width: 100%; height: auto }
pre { background: #f4f5f7; border-radius: 6px; padding: 12px 16px; overflow-x: auto; font: 14px/1.45 ui-monospace, monospace }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums }
th, td { padding: 4px 8px; text-align: right; white-space: nowrap; border-bottom: 1px solid #e6e8eb }
th:first-child, td:first-child { text-align: left }
tr.best { background: #e5f1f8; font-weight: 600 } tr.behind { color: #a33c00 }
.small { color: #555; font-size: 14px } dt { font-weight: 600 } dd { margin: 0 0 6px }
";

/// The page.
///
/// # Errors
///
/// [`PictureError`].
pub(super) fn page(report: &Report) -> Result<String, PictureError> {
    let pictures = [
        pictures::throughput(report)?,
        pictures::latency(report)?,
        pictures::cpu(report)?,
    ];
    let mut page = String::new();
    // Writing to a string does not fail.
    let _infallible = write_page(&mut page, report, &pictures);
    Ok(page)
}

fn write_page(page: &mut String, report: &Report, pictures: &[String]) -> fmt::Result {
    writeln!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>corecast tune</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>"
    )?;
    writeln!(page, "<h1>Tuning for a load</h1>")?;
    writeln!(page, "<p>{}.</p>", Escaped(&report.load.to_string()))?;
    write_advice(page, report)?;
    for picture in pictures {
        writeln!(page, "<section>\n{}</section>", inline(picture))?;
    }
    write_table(page, report)?;
    write_method(page, report)?;
    writeln!(page, "</main>\n</body>\n</html>")
}

fn write_advice(page: &mut String, report: &Report) -> fmt::Result {
    if let Some(refused) = &report.refused {
        let refused = Escaped(refused);
        return writeln!(
            page,
            "<section class=\"refused\">\n<h2>Nothing to recommend</h2>\n<p>{refused}.</p>\n</section>"
        );
    }
    let (Some(best), Some(advice)) = (report.best(), &report.recommendation) else {
        return Ok(());
    };
    writeln!(
        page,
        "<section class=\"advice\">\n<h2>Recommended: {}</h2>\n<p>{}</p>",
        Escaped(&best.configuration.to_string()),
        Escaped(&advice.reason)
    )?;
    if let Some(code) = &report.builder_code {
        writeln!(page, "<pre><code>{}</code></pre>", Escaped(code))?;
    }
    if let Some(verdict) = &report.verdict {
        writeln!(
            page,
            "<p>Measured again, {}.</p>",
            Escaped(&verdict.to_string())
        )?;
    }
    if report.interrupted {
        writeln!(
            page,
            "<p>The sweep was interrupted: {} of {} configurations were measured.</p>",
            report.configurations.len(),
            report.planned
        )?;
    }
    writeln!(page, "</section>")
}

fn write_table(page: &mut String, report: &Report) -> fmt::Result {
    writeln!(
        page,
        "<section>\n<h2>All configurations, the best by {} first</h2>\n<table>\n<thead><tr>",
        report.judged_by()
    )?;
    for head in [
        "wait",
        "per core",
        "capacity",
        "batch",
        "events/s",
        "p50",
        "p99",
        "p99.9",
        "max",
        "CPU",
        "workers",
        "fell behind",
    ] {
        write!(page, "<th>{head}</th>")?;
    }
    writeln!(page, "</tr></thead>\n<tbody>")?;
    let best = report.recommendation.as_ref().map(|advice| advice.index);
    for index in report.order() {
        write_row(page, &report.configurations[index], Some(index) == best)?;
    }
    writeln!(
        page,
        "</tbody>\n</table>\n<p class=\"small\">events/s: flat out, through all listeners, at the \
         slowest worker. Latency: {}, to the end of a worker&#39;s last listener. CPU: CPUs kept \
         busy by the whole process, and by its workers alone. Medians over {} laps; max over \
         all. Fell behind: the events per second of one that did not keep up with the rate.</p>\n</section>",
        report.latency_counts_from(),
        report.laps
    )
}

fn write_row(page: &mut String, measured: &Measured, is_best: bool) -> fmt::Result {
    let configuration = measured.configuration;
    let class = match (is_best, measured.keeps_up()) {
        (true, _) => " class=\"best\"",
        (false, true) => "",
        (false, false) => " class=\"behind\"",
    };
    write!(page, "<tr{class}><td>{}", configuration.wait)?;
    if measured.waited != configuration.wait.name() {
        write!(page, " (waits by {})", measured.waited)?;
    }
    write!(
        page,
        "</td><td>{}</td><td>{}</td><td>{}</td><td>{}",
        configuration.workers_per_core,
        configuration.capacity,
        configuration.batch,
        Count(measured.events_per_second as u64)
    )?;
    write!(page, "</td>")?;
    for cell in measured.latency_ns.cells() {
        write!(page, "<td>{cell}</td>")?;
    }
    match measured.cpu {
        Some(cpu) => write!(
            page,
            "<td>{:.2}</td><td>{:.2}</td>",
            cpu.process, cpu.workers
        )?,
        None => write!(page, "<td>-</td><td>-</td>")?,
    }
    let behind = measured.paced.filter(|paced| !paced.sustained);
    match behind {
        Some(paced) => {
            let rate = Count(paced.events_per_second as u64);
            writeln!(page, "<td>{rate}</td></tr>")
        }
        None => writeln!(page, "<td></td></tr>"),
    }
}

fn write_method(page: &mut String, report: &Report) -> fmt::Result {
    writeln!(page, "<section>\n<h2>How it was measured</h2>\n<dl>")?;
    let machine = report.machine.to_string();
    let workers = format!("on {} ({})", cpus(report.worker_cpus), report.cores);
    let laps = format!(
        "{} s for each of {} configurations, in {} laps taken in turn; every lap counts its events and \
         their sum at every listener",
        report.seconds, report.planned, report.laps
    );
    let work = format!(
        "a chain of multiplications, {:.2} ns each when it was calibrated",
        report.work_step_ns
    );
    for (term, text) in [
        ("Machine", machine.as_str()),
        ("Workers", &workers),
        ("Laps", &laps),
        ("Listeners", &work),
    ] {
        let text = Escaped(text);
        writeln!(page, "<dt>{term}</dt><dd class=\"small\">{text}</dd>")?;
    }
    writeln!(page, "</dl>\n</section>")
}

/// Text as HTML shows it.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let text = Escaped("<b> & \"c\"").to_string();
        assert_eq!(text, "&lt;b&gt; &amp; &quot;c&quot;");
    }
}
