use crate::pair::{PATIENCE, Sink, Source, decode, session};
use corecast::zenoh::protocol::Wait;
use corecast::zenoh::{Position, Publisher, Receiver, Record, peer};
use corecast::{Engine, FaultKind};
use std::sync::{Arc, Mutex};

#[test]
fn a_restarted_publisher_is_recognised_and_no_gap() {
    let sink = Sink::new("restarted");
    let mut first = Source::new("restarted", |options| options);
    first.send(0..10);
    drop(first);
    let mut second = Source::new("restarted", |options| options);
    second.send(100..105);
    assert_eq!(sink.take(15).last(), Some(&104));
    let counts = sink.wait(|counts| counts.received == 15);
    assert_eq!((counts.restarts, counts.gaps, counts.publishers), (1, 0, 1));
    assert!(sink.engine.faults().is_empty());
}

#[test]
fn a_publisher_that_goes_on_counting_shows_what_the_one_before_had_lost() {
    let sink = Sink::new("successor");
    let mut first = Source::new("successor", |options| options);
    first.send(0..10);
    drop(first);
    // It had emitted three more, and nobody has seen them.
    let mut second = Source::new("successor", |options| options.resume_from(13));
    assert_eq!(second.publisher().next_sequence(), 13);
    second.send(13..15);
    assert_eq!(sink.take(12)[10..], [13, 14]);
    let counts = sink.wait(|counts| counts.received == 12);
    assert_eq!((counts.restarts, counts.gaps, counts.missing), (1, 1, 3));
    assert_eq!(sink.fault().sequence, Some(10));
}

#[test]
fn events_that_a_successor_sends_again_are_not_emitted_again() {
    let sink = Sink::new("again");
    let mut first = Source::new("again", |options| options);
    first.send(0..10);
    drop(first);
    let mut second = Source::new("again", |options| options.resume_from(7));
    second.send(7..12);
    assert!(sink.take(12).into_iter().eq(0..12));
    let counts = sink.wait(|counts| counts.received == 12);
    assert_eq!((counts.repeated, counts.missing), (3, 0));
}

#[test]
fn a_receiver_that_has_kept_its_position_learns_what_it_has_missed() {
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let first = Sink::with(
        "kept",
        |options| options,
        move |record: Record<'_>| {
            *keep.lock().unwrap() = Some(record.position());
            decode(record)
        },
    );
    let mut source = Source::new("kept", |options| options);
    source.send(0..10);
    first.take(10);
    drop(first);
    source.send(10..30);
    let position: Position = kept.lock().unwrap().unwrap();
    assert_eq!(position.next, 10);
    assert_eq!(position.incarnation, source.publisher().incarnation());
    let resume = |options: corecast::zenoh::ReceiverBuilder| options.resume("kept", position);
    let second = Sink::with("kept", resume, decode);
    source.send(30..35);
    assert_eq!(second.take(5), [30, 31, 32, 33, 34]);
    let counts = second.wait(|counts| counts.received == 5);
    assert_eq!((counts.gaps, counts.missing, counts.restarts), (1, 20, 0));
    assert_eq!(second.fault().kind, FaultKind::Gap);
    // One without begins with what comes.
    let third = Sink::with("kept", |options| options, decode);
    source.send([35]);
    assert_eq!(third.take(1), [35]);
    assert_eq!(third.wait(|counts| counts.received == 1).missing, 0);
}

#[test]
fn a_receiver_ends_with_its_engine() {
    let sink = Sink::new("ending");
    let mut source = Source::new("ending", |options| options);
    source.send(0..3);
    sink.take(3);
    assert!(sink.receiver.as_ref().unwrap().is_running());
    sink.engine.shutdown(PATIENCE);
    source.send(3..6);
    let receiver = sink.receiver.as_ref().unwrap();
    crate::pair::wait_for(|| (!receiver.is_running()).then_some(()));
    let counts = sink.metrics();
    assert_eq!((counts.received, counts.rejected), (3, 1));
    // Nobody waits for an inbox that is not emptied any more.
    source.send(6..200);
    assert_eq!(source.publisher().metrics().published, 200);
    drop(sink.signal);
}

#[test]
fn a_publisher_outlives_its_engine_and_sends_what_it_had() {
    let sink = Sink::new("outlived");
    let engine = Engine::builder().build().unwrap();
    let signal = engine.signal::<u64>("outlived").build().unwrap();
    let publisher = Publisher::builder(session(), "outlived")
        .publish(&signal, crate::pair::encode)
        .unwrap();
    let mut emitter = signal.emitter().unwrap();
    emitter.emit_batch(0..100).unwrap();
    let report = engine.shutdown(PATIENCE);
    assert_eq!((report.delivered, report.abandoned), (100, 0));
    assert!(sink.take(100).into_iter().eq(0..100));
    assert_eq!(publisher.close(PATIENCE).published, 100);
    assert_eq!(sink.wait(|counts| counts.publishers == 0).received, 100);
}

#[test]
fn a_closed_publisher_is_called_no_more() {
    let sink = Sink::new("closed");
    let mut source = Source::new("closed", |options| options);
    source.emit(0..5);
    let counts = source.publisher.take().unwrap().close(PATIENCE);
    assert_eq!((counts.published, counts.queued), (5, 0));
    assert!(source.signal.is_empty());
    source.emit(5..10);
    let counts = sink.wait(|counts| counts.publishers == 0 && counts.received == 5);
    assert_eq!(counts.missing, 0);
}

#[test]
fn a_publisher_dropped_by_a_listener_of_its_own_worker_ends() {
    let sink = Sink::new("inside");
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("inside").build().unwrap();
    let publisher = Publisher::builder(session(), "inside")
        .publish(&signal, crate::pair::encode)
        .unwrap();
    let mut publisher = Some(publisher);
    signal.subscribe(move |_| drop(publisher.take())).detach();
    let mut emitter = signal.emitter().unwrap();
    for number in 0..3 {
        emitter.emit(number).unwrap();
        engine.run_until_idle().unwrap();
    }
    assert_eq!(sink.take(1), [0]);
    let counts = sink.wait(|counts| counts.publishers == 0 && counts.frames > 1);
    assert_eq!((counts.received, counts.missing), (1, 0));
}

#[test]
fn a_closed_receiver_gives_its_emitter_and_its_closure_back() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("given back").build().unwrap();
    let held = Arc::new(());
    let holds = Arc::clone(&held);
    let receiver = Receiver::builder(session(), "given-back")
        .feed(signal.emitter().unwrap(), move |record: Record<'_>| {
            let _ = &holds;
            decode(record)
        })
        .unwrap();
    assert_eq!(Arc::strong_count(&held), 2);
    let counts = receiver.close(PATIENCE);
    assert_eq!(counts.frames, 0);
    assert_eq!(Arc::strong_count(&held), 1);
    engine.run_until_idle().unwrap();
    assert!(signal.metrics().lanes.is_empty());
}

#[test]
fn events_for_a_session_that_is_closed_are_dropped_counted_and_a_fault() {
    let session = peer(&[], &[]).unwrap();
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("homeless").build().unwrap();
    let publisher = Publisher::builder(&session, "homeless")
        .publish(&signal, crate::pair::encode)
        .unwrap();
    session.close().wait().unwrap();
    let mut emitter = signal.emitter().unwrap();
    emitter.emit_batch(0..5).unwrap();
    engine.run_until_idle().unwrap();
    let counts = publisher.close(PATIENCE);
    assert_eq!((counts.events, counts.published, counts.dropped), (5, 0, 5));
    let fault = engine.faults().pop().unwrap();
    assert_eq!((fault.kind, fault.sequence), (FaultKind::Error, Some(0)));
    assert!(fault.event.as_deref().unwrap().contains("\"homeless\""));
}
