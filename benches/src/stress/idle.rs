//! Sleeping: what it costs, and whether everybody is woken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use corecast::{Engine, Fences, WaitStrategy, WorkerState};

use super::books::Books;
use super::dice::Dice;
use super::process::{cpu_time, sleeps};
use super::round::{LONG, Outcome, Played, Round, crowded, engine};

/// How long an engine is left idle, by itself and beside others.
const IDLE_ALONE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_millis(500);
const SHORTEST_IDLE: Duration = Duration::from_millis(100);
/// What an idle engine may use: a thousandth of a core, and one reading of what it used.
const IDLE_SHARE: u32 = 1000;
const READING: Duration = Duration::from_millis(1);

/// Waits until every worker sleeps.
fn settle(engine: &Engine) {
    let workers = engine.workers().len();
    while engine.metrics().parked_workers() < workers {
        thread::yield_now();
    }
}

fn parks(engine: &Engine) -> u64 {
    engine
        .metrics()
        .workers
        .iter()
        .map(|worker| worker.parks)
        .sum()
}

/// Leaves an engine with signals, listeners and emitters alone: it must neither use CPU time nor
/// wake up.
///
/// # Errors
///
/// An engine could not be built.
pub(super) fn park(round: &Round<'_>) -> Played {
    let books = Books::new(1);
    let engine = crowded(2, 4).wait(WaitStrategy::park()).build()?;
    let signal = engine.signal::<u64>("idle").build()?;
    for info in engine.workers() {
        let listener = corecast::WorkerListener::new(|_: &u64| {}).on_worker(info.id);
        signal.add(listener)?.detach();
    }
    let mut emitters = [signal.emitter()?, signal.emitter()?];
    for emitter in &mut emitters {
        for number in 0..1000 {
            emitter.emit(number)?;
        }
        emitter.flush(LONG)?;
    }
    settle(&engine);
    let longest = if round.alone { IDLE_ALONE } else { IDLE };
    let left = round
        .until
        .map(|until| until.saturating_duration_since(Instant::now()));
    let span = left.unwrap_or(longest).clamp(SHORTEST_IDLE, longest);
    let (woken, before) = (parks(&engine), cpu_time());
    let start = Instant::now();
    thread::sleep(span);
    let (after, span) = (cpu_time(), start.elapsed());
    books.equal("sleeps while idle", woken, parks(&engine));
    let mut outcome = Outcome::default();
    if let (Some(before), Some(after)) = (before, after) {
        let used = after.saturating_sub(before);
        if used > span / IDLE_SHARE + READING {
            books.wrong(format_args!(
                "an idle engine used {used:?} of CPU time in {span:?}"
            ));
        }
        outcome.note("cpu ns", used.as_nanos() as u64);
        outcome.note("idle ns", span.as_nanos() as u64);
    }
    let metrics = signal.metrics();
    let report = engine.shutdown(LONG);
    books.equal("lane-events", report.accepted, report.delivered);
    outcome.add(Outcome {
        events: metrics.emitted,
        lane_events: report.accepted,
        ..Outcome::of(&books)
    });
    Ok(outcome)
}

/// Lets a worker fall asleep and wakes it, over and over; and lets it wake the emitter, which waits
/// for room or for a flush. A wake-up that is lost is a hang. Half with asymmetric fences, half with
/// full ones.
///
/// # Errors
///
/// An engine could not be built.
pub(super) fn wake(round: &Round<'_>) -> Played {
    let mut dice = round.dice.clone();
    let mut outcome = Outcome::default();
    let now = Instant::now();
    let middle = round
        .until
        .map(|until| now + until.saturating_duration_since(now) / 2);
    for (fences, until) in [(Fences::default(), middle), (Fences::Full, round.until)] {
        let half = Round {
            dice: dice.fork(),
            events: round.events.div_ceil(2),
            until,
            ..*round
        };
        outcome.add(soak(&half, fences)?);
    }
    Ok(outcome)
}

/// Cycles between two looks at how often the worker has slept.
const CYCLES: u64 = 64;
/// Slots of the lane, so that a burst finds it full.
const SLOTS: usize = 4;

fn soak(round: &Round<'_>, fences: Fences) -> Played {
    let books = Books::new(1);
    let mut dice = round.dice.clone();
    let engine = engine(1)
        .wait(WaitStrategy::park())
        .fences(fences)
        .build()?;
    let signal = engine.signal::<u64>("wake").capacity(SLOTS).build()?;
    let heard = Arc::new(AtomicU64::new(0));
    let listener = {
        let (heard, books) = (Arc::clone(&heard), Arc::clone(&books));
        move |number: &u64| {
            let next = heard.load(Ordering::Relaxed);
            if *number != next {
                books.wrong(format_args!("event {number} came when {next} was next"));
            }
            // Release: the emitter sees whatever came before.
            heard.store(number + 1, Ordering::Release);
        }
    };
    signal.subscribe(listener).detach();
    let mut out = signal.emitter()?;
    let slept = sleeps();
    let (mut number, mut cycles) = (0, 0_u64);
    loop {
        for _ in 0..CYCLES {
            cycles += 1;
            for _ in 0..burst(&mut dice) {
                out.emit(number)?;
                number += 1;
            }
            if dice.once_in(2) {
                out.flush(LONG)?;
            }
            // Nothing else is emitted meanwhile: a worker that sleeps on will sleep for ever.
            until(|| heard.load(Ordering::Acquire) == number);
            if dice.once_in(2) {
                until(|| engine.metrics().workers[0].state == WorkerState::Parked);
            } else {
                // Somewhere on its way to sleep.
                let most = 1 << dice.below(15);
                (0..dice.below(most)).for_each(|_| std::hint::spin_loop());
            }
        }
        if parks(&engine) >= round.events || round.is_over() {
            break;
        }
    }
    let slept = slept
        .zip(sleeps())
        .map_or(0, |(before, after)| after - before);
    let parks = parks(&engine);
    let report = engine.shutdown(LONG);
    books.equal("lane-events accepted", number, report.accepted);
    books.equal("lane-events delivered", number, report.delivered);
    let mut outcome = Outcome {
        // What counts here is how often the worker slept and was woken.
        events: parks,
        lane_events: report.accepted,
        calls: number,
        ..Outcome::of(&books)
    };
    outcome.note("emitter sleeps", slept);
    outcome.note("cycles", cycles);
    Ok(outcome)
}

/// Events of a cycle: mostly one, now and then more than there are slots.
fn burst(dice: &mut Dice) -> u64 {
    match dice.below(8) {
        0 => 1 + dice.below(3 * SLOTS as u64),
        _ => 1,
    }
}

fn until(done: impl Fn() -> bool) {
    let mut looks = 0_u32;
    while !done() {
        looks += 1;
        if looks.is_multiple_of(64) {
            thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}
