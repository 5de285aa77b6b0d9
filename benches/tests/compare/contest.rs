//! Rounds: their order, what they verify, and what a run makes of them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use corecast_lab::compare::duel::{Duel, Gauge};
use corecast_lab::compare::measure_all;
use corecast_lab::compare::report::{Measured, Verdict};
use corecast_lab::compare::table::{Bar, Lab, Row};
use corecast_lab::measure::rounds::ContestErrorKind;
use corecast_lab::measure::{Contest, CpuPair, Figure, Lap, LapError, Schedule, Side, Timings};

/// A side whose laps last what the test says, so that nothing here depends on the clock.
struct Scripted {
    name: &'static str,
    /// Nanoseconds per operation of each of its code layouts.
    layouts: Vec<u64>,
    layout: usize,
    /// Whether the current layout has not had a lap yet.
    fresh: bool,
    /// Nanoseconds per operation of the first lap of this layout, each time it has been selected anew.
    at_first: Option<(usize, u64)>,
    /// What it adds to the right sum.
    wrong_by: u64,
    laps: Rc<RefCell<Vec<&'static str>>>,
}

impl Scripted {
    fn new(name: &'static str, nanoseconds: u64) -> Self {
        let laps = Rc::default();
        Self {
            name,
            layouts: vec![nanoseconds],
            layout: 0,
            fresh: true,
            at_first: None,
            wrong_by: 0,
            laps,
        }
    }
}

impl Side for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    fn layouts(&self) -> usize {
        self.layouts.len()
    }

    fn select_layout(&mut self, layout: usize) {
        self.fresh |= self.layout != layout;
        self.layout = layout;
    }

    fn lap(&mut self, ops: u64) -> Result<Lap, LapError> {
        self.laps.borrow_mut().push(self.name);
        let fresh = std::mem::take(&mut self.fresh);
        let nanoseconds = match self.at_first {
            Some((layout, nanoseconds)) if fresh && layout == self.layout => nanoseconds,
            _ => self.layouts[self.layout],
        };
        let elapsed = Duration::from_nanos(nanoseconds * ops);
        Ok(Lap {
            elapsed,
            checksum: sum(ops) + self.wrong_by,
            latency: None,
        })
    }
}

fn sum(ops: u64) -> u64 {
    ops * 3
}

const ROUNDS: usize = 5;

fn schedule() -> Schedule {
    Schedule {
        rounds: ROUNDS,
        lap: Duration::from_millis(2),
    }
}

fn contest<'a>(sides: Vec<&'a mut dyn Side>) -> Contest<'a> {
    Contest {
        sides,
        expected: &sum,
        grain: 48,
        figure: Figure::PerOperation,
    }
}

fn run(one: &mut Scripted, other: &mut Scripted) -> Timings {
    contest(vec![one, other])
        .run(schedule())
        .expect("right sums")
}

#[test]
fn sides_take_turns_and_the_warm_up_round_is_not_counted() {
    let (mut ours, mut peer) = (Scripted::new("ours", 10), Scripted::new("peer", 20));
    peer.laps = Rc::clone(&ours.laps);
    let timings = run(&mut ours, &mut peer);
    assert_eq!(timings.sides[0].rounds, [10.0; ROUNDS]);
    assert_eq!(timings.sides[1].rounds, [20.0; ROUNDS]);
    let laps = ours.laps.borrow();
    let turns: Vec<_> = ["ours", "peer"].repeat(ROUNDS + 1);
    assert!(laps.ends_with(&turns), "{laps:?}");
    assert!(laps.len() > turns.len(), "calibration laps come first");
}

#[test]
fn a_lap_is_long_enough_to_time_and_of_whole_batches() {
    let (mut ours, mut peer) = (Scripted::new("ours", 7), Scripted::new("peer", 30));
    let timings = run(&mut ours, &mut peer);
    let fastest = Duration::from_nanos(7 * timings.ops);
    assert!(fastest >= schedule().lap * 4 / 5, "{fastest:?}");
    assert!(fastest <= schedule().lap * 2, "{fastest:?}");
    assert_eq!(timings.ops % 48, 0);
    assert_eq!(timings.checksum, sum(timings.ops));
}

#[test]
fn each_side_keeps_its_fastest_code_layout() {
    let (mut ours, mut peer) = (Scripted::new("ours", 10), Scripted::new("peer", 20));
    ours.layouts = vec![12, 9, 11];
    peer.layouts = vec![20, 25];
    let timings = run(&mut ours, &mut peer);
    assert_eq!(timings.sides[0].rounds, [9.0; ROUNDS]);
    assert_eq!(timings.sides[1].rounds, [20.0; ROUNDS]);
}

#[test]
fn a_layout_that_is_fast_for_one_lap_is_not_taken_for_the_fastest() {
    let (mut ours, mut peer) = (Scripted::new("ours", 10), Scripted::new("peer", 20));
    ours.layouts = vec![12, 9, 11];
    ours.at_first = Some((2, 5));
    let timings = run(&mut ours, &mut peer);
    assert_eq!(timings.sides[0].rounds, [9.0; ROUNDS]);
}

#[test]
fn a_wrong_sum_fails_and_names_the_side() {
    let (mut ours, mut peer) = (Scripted::new("ours", 10), Scripted::new("peer", 20));
    peer.wrong_by = 1;
    let error = contest(vec![&mut ours, &mut peer])
        .run(schedule())
        .expect_err("a wrong sum");
    assert_eq!(error.side, "peer");
    let ContestErrorKind::Checksum {
        ops,
        expected,
        arrived,
    } = error.kind
    else {
        panic!("{error}");
    };
    assert_eq!((expected, arrived), (sum(ops), sum(ops) + 1));
}

#[test]
fn a_percentile_of_a_side_that_times_nothing_singly_is_an_error() {
    let mut ours = Scripted::new("ours", 10);
    let mut contest = contest(vec![&mut ours]);
    contest.figure = Figure::Percentile(50.0);
    let error = contest.run(schedule()).expect_err("no percentile");
    assert!(matches!(error.kind, ContestErrorKind::NoLatency), "{error}");
}

/// One CPU for everything: rows of scripted sides need no more.
fn lab() -> Lab {
    let worker = CpuPair::choose().worker;
    Lab {
        cpus: CpuPair {
            emitter: worker,
            worker,
        },
        schedule: schedule(),
    }
}

fn duel_row(name: &str, bar: Bar) -> Row {
    Row::duel(name, "two peers", bar, |_| {
        let peers: [Box<dyn Side>; 2] = [
            Box::new(Scripted::new("slow", 40)),
            Box::new(Scripted::new("fast", 20)),
        ];
        let ours = Box::new(Scripted::new("ours", 30));
        Ok(Duel::new(ours, peers.into(), sum))
    })
}

#[test]
fn a_row_is_held_against_its_best_peer_and_its_bar() {
    let rows = [
        duel_row("duel/under", Bar::Ratio { bar: 1.5, aim: 1.2 }),
        duel_row("duel/over", Bar::ratio(1.49)),
        duel_row("duel/reported", Bar::Reported),
        Row::gauge("gauge/over", "nothing", Bar::AtMost { bar: 0.0 }, |_| {
            Ok(Gauge {
                value: 1.0,
                unit: "allocations per event",
            })
        }),
    ];
    let report = measure_all(&rows, lab(), |_, _| {}).expect("right sums");
    let verdicts: Vec<Verdict> = report.rows.iter().map(|row| row.verdict).collect();
    use Verdict::{Over, Pass, Reported};
    assert_eq!(verdicts, [Pass, Over, Reported, Over]);
    assert_eq!(report.over, ["duel/over", "gauge/over"]);
    let Measured::Duel(duel) = &report.rows[0].measured else {
        panic!("a duel")
    };
    assert_eq!(
        (duel.peer.name.as_str(), duel.others[0].name.as_str()),
        ("fast", "slow")
    );
    assert_eq!(duel.ratio.median, 1.5);
    let text = report.to_string();
    assert!(
        text.contains("over the bar: duel/over, gauge/over"),
        "{text}"
    );
}

#[test]
fn a_failing_row_is_named_with_its_side() {
    let row = Row::duel("duel/wrong", "a peer", Bar::Reported, |_| {
        let mut peer = Scripted::new("peer", 20);
        peer.wrong_by = 5;
        Ok(Duel::new(
            Box::new(Scripted::new("ours", 10)),
            vec![Box::new(peer)],
            sum,
        ))
    });
    let rows = [row, duel_row("duel/right", Bar::Reported)];
    let report = measure_all(&rows, lab(), |_, _| {}).expect("the others are measured");
    assert_eq!(report.failed, ["duel/wrong"]);
    let verdicts: Vec<Verdict> = report.rows.iter().map(|row| row.verdict).collect();
    assert_eq!(verdicts, [Verdict::Failed, Verdict::Reported]);
    let Measured::Failed { error } = &report.rows[0].measured else {
        panic!("a failure")
    };
    assert!(error.contains("peer: wrong sum"), "{error}");
    assert!(report.to_string().contains("failed: duel/wrong"));
}

#[test]
fn rows_that_need_two_cpus_are_skipped_on_one() {
    let rows = [duel_row("duel/two", Bar::ratio(0.1)).on_two_cpus()];
    let report = measure_all(&rows, lab(), |_, _| {}).expect("nothing to fail");
    assert_eq!(report.rows[0].verdict, Verdict::Skipped);
    assert!(!report.two_cpus && report.drift.is_none() && report.over.is_empty());
}
