//! What the two processes go through.

use crate::child::{PATIENCE, PUBLISHER, Peer, RECEIVER, listen};
use crate::receiver::read_checkpoint;
use std::time::{Duration, Instant};

/// Events of each scenario.
const EVENTS: u64 = 1_000_000;

type Scenario = (&'static str, fn());

pub(crate) const ALL: &[Scenario] = &[
    (
        "a_million_events_cross_in_order_and_none_is_missing",
        a_million_events_cross_in_order_and_none_is_missing,
    ),
    (
        "a_receiver_that_stands_still_holds_up_no_worker_and_counts_what_was_dropped",
        a_receiver_that_stands_still_holds_up_no_worker_and_counts_what_was_dropped,
    ),
    (
        "a_killed_and_restarted_publisher_leaves_no_event_uncounted",
        a_killed_and_restarted_publisher_leaves_no_event_uncounted,
    ),
    (
        "a_killed_and_restarted_receiver_leaves_no_event_uncounted",
        a_killed_and_restarted_receiver_leaves_no_event_uncounted,
    ),
];

/// What a receiving process has counted.
struct Counted {
    /// Numbers that its listener saw passed over.
    holes: u64,
    /// By the receiver, and every one of these seen by the listener.
    received: u64,
    missing: u64,
    /// Every one of these a fault.
    gaps: u64,
    restarts: u64,
    /// Came of the earlier publisher when its successor had come already.
    late: u64,
}

fn counted(receiver: &mut Peer) -> Counted {
    let [
        seen,
        holes,
        received,
        missing,
        gaps,
        gap_faults,
        restarts,
        late,
    ] = receiver.numbers("counts");
    println!(
        "  receiver: {received} received, {missing} missing in {gaps} gaps, {late} late, {restarts} restarts"
    );
    assert_eq!(seen, received, "each event received reached the listener");
    assert_eq!(gap_faults, gaps, "each gap is a fault");
    Counted {
        holes,
        received,
        missing,
        gaps,
        restarts,
        late,
    }
}

/// Events that the listener was called with, dropped, and not sent for another reason.
fn published(publisher: &mut Peer) -> (u64, u64) {
    let [events, published, dropped, failed, queued] = publisher.numbers("counts");
    println!("  publisher: {events} events, {published} published, {dropped} dropped");
    assert_eq!((failed, queued), (0, 0));
    assert_eq!(events, published + dropped);
    (events, dropped)
}

/// Looks again and again, until `look` sees something.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn a_million_events_cross_in_order_and_none_is_missing() {
    let mut receiver = Peer::start(RECEIVER);
    let endpoint = listen(&mut receiver, "open crossing - -");
    let mut publisher = Peer::start(PUBLISHER);
    let open = format!("open - {endpoint} crossing 65536 -");
    assert_eq!(publisher.ask(&open), ["opened"]);
    assert_eq!(publisher.ask("await"), ["true"]);
    // No more than the queue takes, until the other side has it: nothing has to be dropped.
    let step = 50_000;
    for from in (0..EVENTS).step_by(step) {
        let to = from + step as u64;
        publisher.ask(&format!("emit {from} {to}"));
        assert_eq!(receiver.ask(&format!("until {to}")), ["true"]);
    }
    assert_eq!(publisher.ask("flush"), ["flushed"]);
    assert_eq!(published(&mut publisher), (EVENTS, 0));
    let counted = counted(&mut receiver);
    assert_eq!((counted.received, counted.missing), (EVENTS, 0));
    assert_eq!((counted.gaps, counted.restarts, counted.late), (0, 0, 0));
    publisher.end();
    receiver.end();
}

fn a_receiver_that_stands_still_holds_up_no_worker_and_counts_what_was_dropped() {
    let mut receiver = Peer::start(RECEIVER);
    let endpoint = listen(&mut receiver, "open still - -");
    let mut publisher = Peer::start(PUBLISHER);
    let open = format!("open - {endpoint} still 4096 -");
    assert_eq!(publisher.ask(&open), ["opened"]);
    assert_eq!(publisher.ask("await"), ["true"]);
    let half = EVENTS / 2;
    publisher.ask(&format!("emit 0 {half}"));
    receiver.freeze();
    // The answer comes when the worker has finished them all, and nobody takes anything from the
    // network meanwhile: what does not fit into buffers on the way is dropped.
    publisher.ask(&format!("emit {half} {EVENTS}"));
    receiver.unfreeze();
    assert_eq!(publisher.ask("flush"), ["flushed"]);
    // Whatever was lost last, the publisher's next word shows it.
    assert_eq!(receiver.ask(&format!("until {EVENTS}")), ["true"]);
    let (events, dropped) = published(&mut publisher);
    assert_eq!(events, EVENTS);
    let counted = counted(&mut receiver);
    assert_eq!(counted.received + counted.missing, EVENTS);
    assert!(dropped > 0 && counted.missing >= dropped);
    assert_eq!((counted.restarts, counted.late), (0, 0));
    publisher.end();
    receiver.end();
}

fn a_killed_and_restarted_publisher_leaves_no_event_uncounted() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("journal");
    let taken = || {
        let bytes = std::fs::read(&journal).ok()?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let mut receiver = Peer::start(RECEIVER);
    let endpoint = listen(&mut receiver, "open source - -");
    let open = format!("open - {endpoint} source 4096");

    let mut publisher = Peer::start(PUBLISHER);
    assert_eq!(publisher.ask(&format!("{open} 0")), ["opened"]);
    assert_eq!(publisher.ask("await"), ["true"]);
    publisher.tell(&format!("emit 0 {EVENTS} {}", journal.display()));
    let taken_by = |count: u64| {
        wait_for("the publisher emits", || {
            taken().filter(|taken| *taken >= count)
        });
    };
    taken_by(EVENTS * 3 / 10);
    // From here on nothing arrives; what the publisher sends is lost with it, buffers apart.
    receiver.freeze();
    taken_by(EVENTS * 6 / 10);
    publisher.kill();
    receiver.unfreeze();

    // Its successor goes on with the first event that was not taken from the source.
    let resume = taken().unwrap();
    assert!(resume < EVENTS, "it was killed while it emitted");
    let mut publisher = Peer::start(PUBLISHER);
    assert_eq!(publisher.ask(&format!("{open} {resume}")), ["opened"]);
    assert_eq!(publisher.ask("await"), ["true"]);
    publisher.ask(&format!("emit {resume} {EVENTS}"));
    assert_eq!(publisher.ask("flush"), ["flushed"]);
    assert_eq!(receiver.ask(&format!("until {EVENTS}")), ["true"]);
    println!("  killed after {resume} events");
    let (events, _) = published(&mut publisher);
    assert_eq!(resume + events, EVENTS);
    let counted = counted(&mut receiver);
    assert_eq!(counted.received + counted.missing, EVENTS);
    assert!(counted.missing > 0 && counted.holes <= counted.missing);
    assert_eq!(counted.restarts, 1);
    publisher.end();
    receiver.end();
}

fn a_killed_and_restarted_receiver_leaves_no_event_uncounted() {
    let directory = tempfile::tempdir().unwrap();
    let checkpoint = directory.path().join("checkpoint").display().to_string();
    let mut publisher = Peer::start(PUBLISHER);
    let endpoint = listen(&mut publisher, "open sink 65536 -");

    let stop_at = 300_000;
    let mut receiver = Peer::start(RECEIVER);
    let open = format!("open - {endpoint} sink {checkpoint}");
    assert_eq!(receiver.ask(&format!("{open} {stop_at}")), ["opened"]);
    assert_eq!(publisher.ask("await"), ["true"]);
    // In steps, so that the first receiver gets as far as it is to get.
    let mut emitted = 0;
    let seen = || read_checkpoint(&checkpoint).map_or(0, |(_, events)| events);
    while seen() < stop_at {
        let to = emitted + 10_000;
        publisher.ask(&format!("emit {emitted} {to}"));
        emitted = to;
        wait_for("the receiver is fed", || {
            let (position, events) = read_checkpoint(&checkpoint)?;
            (position.next == to || events == stop_at).then_some(())
        });
    }
    // Its listener does not return any more; the emitter goes on all the same.
    let killed_at = 600_000;
    publisher.ask(&format!("emit {emitted} {killed_at}"));
    receiver.kill();

    let (position, seen_first) = read_checkpoint(&checkpoint).unwrap();
    assert_eq!(seen_first, stop_at);
    let mut receiver = Peer::start(RECEIVER);
    assert_eq!(receiver.ask(&format!("{open} -")), ["opened"]);
    // The publisher's next word tells it what it has missed while it was away.
    let missed = killed_at - position.next;
    assert_eq!(receiver.ask(&format!("until {missed}")), ["true"]);
    publisher.ask(&format!("emit {killed_at} {EVENTS}"));
    assert_eq!(publisher.ask("flush"), ["flushed"]);
    let left = EVENTS - position.next;
    assert_eq!(receiver.ask(&format!("until {left}")), ["true"]);
    println!(
        "  the first receiver: {seen_first} of {} events",
        position.next
    );
    assert_eq!(published(&mut publisher).0, EVENTS);
    let counted = counted(&mut receiver);
    let missed_first = position.next - seen_first;
    assert_eq!(
        seen_first + missed_first + counted.received + counted.missing,
        EVENTS
    );
    assert!(counted.missing >= missed && counted.received > 0);
    // The same publisher as before.
    assert_eq!((counted.restarts, counted.late), (0, 0));
    publisher.end();
    receiver.end();
}
