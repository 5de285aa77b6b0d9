//! The peers do the rows' work: all of it, and once.

use std::time::Duration;

use corecast_lab::compare::event::Event;
use corecast_lab::compare::link::{Drain, Link, Polled};
use corecast_lab::compare::measure_all;
use corecast_lab::compare::peers::rtrb::Rtrb;
use corecast_lab::compare::peers::{self, disruptor, sides};
use corecast_lab::compare::pipe::{Feed, Pipe, PipeSide, Shape, Waiting};
use corecast_lab::compare::report::{Measured, Verdict};
use corecast_lab::compare::table::Lab;
use corecast_lab::measure::rounds::ContestErrorKind;
use corecast_lab::measure::{
    Contest, ContestError, CpuPair, Figure, LapError, Schedule, Side, Timings, drift,
};

/// Rounds that are too short to say anything about speed.
fn schedule() -> Schedule {
    Schedule {
        rounds: 2,
        lap: Duration::from_micros(200),
    }
}

/// Every shape below works on one CPU too: there, all threads yield.
fn shape() -> Shape {
    Shape {
        capacity: 64,
        ..Shape::single(CpuPair::choose())
    }
}

fn run<const WORDS: usize>(
    shape: Shape,
    sides: &mut [Box<dyn Side>],
) -> Result<Timings, ContestError> {
    let expected = move |ops| shape.expected::<WORDS>(ops);
    let sides = sides
        .iter_mut()
        .map(|side| &mut **side as &mut dyn Side)
        .collect();
    let grain = shape.grain();
    Contest {
        sides,
        expected: &expected,
        grain,
        figure: Figure::PerOperation,
    }
    .run(schedule())
}

#[test]
fn every_queue_delivers_every_event_once() {
    let shape = shape();
    let mut sides = sides::queues::<7>(shape);
    sides.push(sides::disruptor::<7>(shape));
    sides.push(sides::disruptor_lazy::<7>(shape));
    let timings = run::<7>(shape, &mut sides).expect("right sums");
    assert_eq!(timings.sides.len(), 6);
    assert!(timings.sides.iter().all(|side| side.rounds.len() == 2));
}

#[test]
fn batches_that_do_not_divide_the_ring_are_delivered_too() {
    let shape = Shape {
        batch: 24,
        ..shape()
    };
    let mut sides = [
        sides::disruptor::<1>(shape),
        sides::rtrb::<1>(Rtrb::InPlace, shape),
    ];
    run::<1>(shape, &mut sides).expect("right sums");
}

#[test]
fn both_consumers_of_a_multicast_see_every_event() {
    let shape = Shape {
        consumers: 2,
        ..shape()
    };
    let mut sides = [
        sides::disruptor::<32>(shape),
        sides::rtrb_to_each::<32>(shape),
    ];
    run::<32>(shape, &mut sides).expect("right sums");
}

#[test]
fn three_producers_lose_nothing_to_one_another() {
    let shape = Shape {
        producers: 3,
        ..shape()
    };
    let mut sides = [sides::disruptor::<7>(shape), sides::crossbeam::<7>(shape)];
    run::<7>(shape, &mut sides).expect("right sums");
}

#[test]
fn a_single_producer_queue_refuses_several() {
    let shape = Shape {
        producers: 2,
        ..shape()
    };
    let error = run::<7>(shape, &mut [sides::rtrb::<7>(Rtrb::ByValue, shape)])
        .expect_err("one producer only");
    assert_eq!(error.side, "rtrb");
    assert!(error.to_string().contains("2 producers"), "{error}");
}

#[test]
fn a_ring_size_that_a_peer_would_panic_at_is_an_error() {
    let shape = Shape {
        capacity: 100,
        ..shape()
    };
    let error =
        run::<7>(shape, &mut [sides::disruptor::<7>(shape)]).expect_err("not a power of two");
    assert!(error.to_string().contains("100 slots"), "{error}");
}

/// rtrb with a defect: it loses, or hands out twice, the event of one seed.
struct Defective {
    seed: u64,
    times: usize,
}

struct DefectiveDrain {
    inner: <Rtrb as Link<7>>::Receiver,
    seed: u64,
    times: usize,
}

impl Link<7> for Defective {
    type Sender = <Rtrb as Link<7>>::Sender;
    type Receiver = DefectiveDrain;

    fn name(&self) -> &str {
        "defective"
    }

    fn connect(
        &self,
        capacity: usize,
        producers: usize,
        waiting: Waiting,
    ) -> Result<(Vec<Self::Sender>, Self::Receiver), LapError> {
        let (senders, inner) = Rtrb::ByValue.connect(capacity, producers, waiting)?;
        Ok((
            senders,
            DefectiveDrain {
                inner,
                seed: self.seed,
                times: self.times,
            },
        ))
    }
}

impl Drain<7> for DefectiveDrain {
    fn drain(&mut self, mut take: impl FnMut(&Event<7>)) -> usize {
        let (seed, times) = (self.seed, self.times);
        self.inner.drain(|event| {
            let times = if event.seed() == seed { times } else { 1 };
            (0..times).for_each(|_| take(event));
        })
    }
}

/// What a contest of [`Defective`] fails with; the seed is that of a counted event.
fn defect(times: usize) -> ContestErrorKind {
    let shape = shape();
    let defective = Polled::eagerly(Defective { seed: 128, times });
    let mut sides: [Box<dyn Side>; 1] = [Box::new(PipeSide::<_, 7>::new(defective, shape))];
    let error = run::<7>(shape, &mut sides).expect_err("a defect");
    assert_eq!(error.side, "defective");
    error.kind
}

#[test]
fn a_lost_event_is_found() {
    let kind = defect(0);
    let ContestErrorKind::Lap(LapError::Lost { arrived, sent }) = kind else {
        panic!("{kind:?}");
    };
    assert_eq!(arrived + 1, sent);
}

#[test]
fn a_doubled_event_is_found() {
    let kind = defect(2);
    assert!(
        matches!(kind, ContestErrorKind::Checksum { .. }),
        "{kind:?}"
    );
}

#[test]
fn a_pipe_that_was_opened_and_not_used_leaves_nothing_running() {
    fn open_and_stop<P: Pipe<7>>(pipe: &P) -> u64 {
        use corecast_lab::compare::pipe::Plan;
        use corecast_lab::compare::sink::Sink;

        let (sink, tally) = Sink::new(4, 4);
        let opened = pipe
            .open(Plan {
                worker: CpuPair::choose().worker,
                capacity: 64,
                waiting: Waiting::Yield,
                producers: 1,
                sinks: vec![sink],
            })
            .expect("opened");
        for mut feed in opened.feeds {
            feed.send_batch(0..3);
        }
        // Returns only when the consumer has ended and dropped its sink.
        (opened.stop)().expect("stopped");
        tally.arrived()
    }
    assert_eq!(open_and_stop(&Polled::eagerly(Rtrb::InPlace)), 3);
    assert_eq!(open_and_stop(&disruptor::Single::Busy), 3);
}

#[test]
fn every_row_of_the_peers_runs_and_is_right() {
    let rows = peers::rows();
    let lab = Lab {
        cpus: CpuPair::choose(),
        schedule: schedule(),
    };
    let report = measure_all(&rows, lab, |_, _| {}).expect("right sums");
    assert_eq!(report.rows.len(), rows.len());
    for row in &report.rows {
        match &row.measured {
            Measured::Duel(duel) => assert!(duel.ratio.median > 0.0, "{}", row.name),
            Measured::Skipped => assert!(!report.two_cpus, "{}", row.name),
            Measured::Gauge { .. } => panic!("{} is a duel", row.name),
            Measured::Failed { error } => panic!("{}: {error}", row.name),
        }
        assert!(matches!(row.verdict, Verdict::Reported | Verdict::Skipped));
    }
    assert_eq!(report.drift.is_some(), report.two_cpus);
}

#[test]
fn names_of_rows_are_unique() {
    let mut names: Vec<String> = corecast_lab::compare::rows()
        .iter()
        .map(|row| row.name().to_owned())
        .collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn a_raw_round_trip_hands_over_every_number_once() {
    let cpus = CpuPair::choose();
    for lines in [drift::Lines::One, drift::Lines::Two] {
        let trips = drift::raw_round_trips(cpus, lines, 10, 90);
        if cpus.is_two() {
            // The numbers 1 to 2 × 100.
            assert_eq!(trips.expect("two CPUs").received, 200 * 201 / 2);
        } else {
            assert!(matches!(trips, Err(LapError::Unsupported(_))));
        }
    }
}
