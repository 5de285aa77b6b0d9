//! Whether the books of a round balance.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use corecast::{Overflow, ShutdownReport, SignalMetrics, WorkerMetrics};

use super::Ending;
use super::churn::{Late, judge_rest};
use super::emit::Ledger;
use super::route::Track;
use super::run::{Stage, delivered, lane_events};
use crate::stress::event::Event;
use crate::stress::fault::Injected;
use crate::stress::member::Member;
use crate::stress::order::Run;
use crate::stress::round::Outcome;

/// What a round leaves behind.
pub(super) struct Evidence<'a> {
    pub(super) report: Option<&'a ShutdownReport>,
    pub(super) metrics: &'a SignalMetrics,
    pub(super) workers: Option<&'a [WorkerMetrics]>,
    pub(super) ledgers: &'a [Ledger],
    /// The listeners that were there all the time: those of each worker, or of all.
    pub(super) members: &'a [Arc<Member>],
    pub(super) late: &'a [Late],
}

/// Compares what everybody counted.
pub(super) fn verify<E: Event, R: Track<E>>(
    stage: &Stage<'_, E, R>,
    evidence: &Evidence<'_>,
) -> Outcome {
    let books = &stage.books;
    let Evidence {
        report,
        metrics,
        workers,
        ledgers,
        ..
    } = *evidence;
    let nobody_stuck = report.is_some_and(|report| report.stuck.is_empty());
    let in_time = matches!(stage.setup.ending, Ending::Complete | Ending::Early);
    let whole = in_time && nobody_stuck;
    if in_time && !nobody_stuck {
        books.wrong(format_args!("a worker was reported as stuck: {report:?}"));
    }

    // emitted = accepted + rejected + dropped, each as the emitters counted it.
    let sum = |of: fn(&Ledger) -> u64| ledgers.iter().map(of).sum::<u64>();
    let unknown =
        stage.setup.overflow == Overflow::DropNewest && ledgers.iter().any(|l| l.sum.is_none());
    let (accepted, rejected, dropped) =
        (sum(|l| l.accepted), sum(|l| l.rejected), sum(|l| l.dropped));
    books.equal("rejected", rejected, metrics.rejected);
    if unknown {
        // Which of the two an event was is not to be known from outside.
        books.equal(
            "accepted or dropped",
            accepted + dropped,
            metrics.accepted + metrics.dropped,
        );
    } else {
        books.equal("accepted", accepted, metrics.accepted);
        books.equal("dropped", dropped, metrics.dropped);
    }
    books.equal(
        "emitted",
        metrics.accepted + metrics.rejected + metrics.dropped,
        metrics.emitted,
    );

    // accepted = delivered + abandoned, in lane-events.
    let lanes = lane_events::<E, R>(metrics, stage.workers);
    if let Some(report) = report {
        books.equal("lane-events accepted", lanes, report.accepted);
        books.equal(
            "lane-events accepted and accounted for",
            report.accepted,
            report.delivered + report.abandoned,
        );
        if whole {
            books.equal("lane-events abandoned", 0, report.abandoned);
        }
        if let Some(workers) = workers.filter(|_| nobody_stuck) {
            books.equal(
                "lane-events of all workers",
                report.delivered,
                delivered(workers),
            );
        }
        if !report.dead.is_empty() {
            books.wrong(format_args!("workers died: {:?}", report.dead));
        }
    }

    // Calls and faults, as the listeners counted them; a worker left behind is in the middle of it.
    if nobody_stuck {
        let faults = &books.faults;
        let panics = faults.of(Injected::Panic);
        books.equal(
            "calls that went well",
            books.calls.load(Ordering::Relaxed),
            metrics.delivered,
        );
        books.equal("calls that panicked", panics, metrics.panicked);
        books.equal(
            "calls that failed",
            panics + faults.of(Injected::Error),
            metrics.failed,
        );
    }
    if evidence.metrics.listeners != 0 {
        books.wrong(format_args!("{} listeners are left", metrics.listeners));
    }

    steady(stage, evidence, whole, unknown);
    let ends: Vec<_> = ledgers.iter().map(|ledger| ledger.numbers).collect();
    judge_rest(stage, evidence.late, whole.then_some(&ends[..]));
    let mut outcome = Outcome {
        events: metrics.emitted,
        lane_events: lanes,
        ..Outcome::default()
    };
    if let Some(report) = report {
        outcome.note("abandoned", report.abandoned);
    }
    outcome.note("rejected", metrics.rejected);
    outcome.note("dropped", metrics.dropped);
    outcome
}

/// The listeners that stayed have seen each accepted event once: all of them, if all was delivered.
fn steady<E: Event, R: Track<E>>(
    stage: &Stage<'_, E, R>,
    evidence: &Evidence<'_>,
    whole: bool,
    unknown: bool,
) {
    let books = &stage.books;
    let stride = stage.numbering.stride as usize;
    for member in evidence.members {
        let orders = member.orders();
        if orders.len() != if R::EVERYWHERE { 1 } else { stage.workers } {
            books.wrong(format_args!("a steady listener was not dropped everywhere"));
        }
        let total: u64 = orders.iter().map(|order| order.count()).sum();
        if whole {
            books.equal(
                "received by a steady listener",
                evidence.metrics.accepted,
                total,
            );
        } else if total > evidence.metrics.accepted {
            books.wrong(format_args!(
                "a steady listener received {total} events, more than were accepted"
            ));
        }
        for (stream, ledger) in evidence.ledgers.iter().enumerate() {
            let of_stream = stream * stride..(stream + 1) * stride;
            let runs = || {
                orders
                    .iter()
                    .flat_map(|order| &order.runs()[of_stream.clone()])
            };
            if !stage.numbering.gaps {
                for (rest, number) in of_stream.clone().zip(0_u64..) {
                    let came = |run: &&Run| run.count > 0;
                    let parts = orders.iter().map(|order| &order.runs()[rest]).filter(came);
                    let firsts: Vec<_> = parts.map(|run| run.first).collect();
                    if firsts.len() > 1 || firsts.iter().any(|&first| first != number) {
                        books.wrong(format_args!(
                            "events of emitter {stream} with rest {number} began at {firsts:?}"
                        ));
                    }
                }
            }
            if whole && !unknown {
                let (count, sum) = runs().fold((0, 0_u64), |(count, sum), run| {
                    (count + run.count, sum.wrapping_add(run.sum))
                });
                books.equal("events of an emitter", ledger.accepted, count);
                if let Some(expected) = ledger.sum {
                    books.equal("checksum of an emitter's events", expected, sum);
                }
            }
        }
    }
    // A broadcast is all or none, whichever events were dropped.
    if R::EVERYWHERE && whole {
        let sums = |member: &Arc<Member>| {
            let orders = member.orders();
            let runs = orders.iter().flat_map(|order| order.runs());
            runs.fold(0_u64, |sum, run| sum.wrapping_add(run.sum))
        };
        let mut all = evidence.members.iter().map(sums);
        let first = all.next().unwrap_or_default();
        for other in all {
            books.equal("checksum of another worker's events", first, other);
        }
    }
}
