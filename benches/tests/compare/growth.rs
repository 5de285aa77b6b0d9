//! How costs grow, in small: every picture and table is written, and every sum was right.

use std::collections::BTreeSet;
use std::fs;

use corecast_lab::compare::growth::{self, Extent};
use corecast_lab::measure::CpuPair;
use tempfile::TempDir;

const SMALL: Extent = Extent {
    most: 16,
    rounds: 1,
    lap_ms: 1,
};

#[test]
fn every_picture_has_its_file_and_its_figures() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut titles = Vec::new();
    growth::write(folder.path(), SMALL, CpuPair::choose(), |title| {
        titles.push(title.to_owned());
    })
    .expect("every sum is right");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("written");
    let csv = read("figures.csv");
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("picture,curve,at,unit,q1,median,q3"));
    let pictures: BTreeSet<&str> = lines.filter_map(|line| line.split(',').next()).collect();
    let expected = [
        "add-many",
        "emitters",
        "idle-lanes",
        "listeners",
        "memory",
        "signals",
        "size",
        "subscribe",
        "workers",
    ];
    assert_eq!(pictures, expected.into());
    for picture in pictures.iter().filter(|picture| **picture != "memory") {
        let svg = read(&format!("{picture}.svg"));
        assert!(
            svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"),
            "{picture}"
        );
        // The curve itself: several points went into it.
        assert!(svg.contains("<polyline"), "{picture}");
    }
    let page = read("FIGURES.md");
    for title in &titles[..titles.len() - 1] {
        assert!(page.contains(&format!("## {title}\n")), "{title}");
    }
}
