//! A day of a real market, where the sample is at hand.

use std::io::{self, Write};
use std::path::PathBuf;

use corecast_lab::market::{Action, Book, DbnSource, MessageCounts, TickFeed, TradeStats};

use crate::files::TempFile;
use crate::reference::{ReferenceBook, assert_same};

/// The sample's path, relative to the folder that holds the project.
const SAMPLE: &str = "../../shared/data/esh4-glbx-mdp3-20231225.mbo.dbn.zst";

/// Where the sample is; says so if it is not there.
pub(crate) fn path() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(SAMPLE);
    if path.exists() {
        return Some(path);
    }
    // Not `eprintln!`, which the test harness would swallow.
    let _unread = writeln!(
        io::stderr(),
        "SKIPPED: no sample of a real market at {SAMPLE}"
    );
    None
}

#[test]
fn a_real_day_gives_the_figures_that_others_worked_out() {
    let Some(path) = path() else { return };
    let mut source = DbnSource::open(&path).expect("the sample is a good file");
    let mut ticks = Vec::new();
    source
        .fill(&mut ticks, usize::MAX)
        .expect("the sample is a good file");
    let (mut book, mut reference) = (Book::new(), ReferenceBook::default());
    let (mut trades, mut messages) = (TradeStats::default(), MessageCounts::default());
    for tick in &ticks {
        book.apply(tick);
        reference.apply(tick);
        trades.observe(tick);
        messages.observe(tick);
    }
    assert_eq!(ticks.len(), 68_792);
    let actions: Vec<_> = messages.seen().collect();
    let expected = [
        (Action::Add, 29_216),
        (Action::Cancel, 17_999),
        (Action::Modify, 12_233),
        (Action::Trade, 2_973),
        (Action::Fill, 6_371),
    ];
    assert_eq!(actions, expected);
    assert_eq!(trades.volume(), 9_892);
    assert_eq!(book.open_orders(), 11_217);
    let best = |level: Option<_>| {
        level.map(|level: corecast_lab::market::Level| (level.price, level.size))
    };
    assert_eq!(best(book.best_bid()), Some((4_810_000_000_000, 22)));
    assert_eq!(best(book.best_ask()), Some((4_810_250_000_000, 28)));
    assert_same(&book, &reference);
}

#[test]
fn a_real_file_cut_anywhere_is_an_error() {
    let Some(path) = path() else { return };
    let bytes = std::fs::read(&path).expect("the sample can be read");
    for part in 1..16 {
        let cut = TempFile::new("cut.dbn.zst", &bytes[..bytes.len() * part / 16]);
        let error = DbnSource::open(cut.path())
            .and_then(|mut source| source.fill(&mut Vec::new(), usize::MAX))
            .expect_err("cut");
        assert!(error.is_truncated(), "{part}/16: {error}");
    }
}
