use crate::pair::{PATIENCE, Sink, Source, decode, session};
use corecast::zenoh::{Publisher, PublisherBuilder, Receiver, ReceiverBuilder, Record};
use corecast::{Engine, Overflow};
use std::sync::mpsc::channel;
use std::time::Duration;

/// A `decode` that takes no event before it is let.
fn gated() -> (
    std::sync::mpsc::Sender<()>,
    impl FnMut(Record<'_>) -> Result<u64, corecast::BoxError> + Send,
) {
    let (let_go, gate) = channel::<()>();
    let mut open = false;
    let decode = move |record: Record<'_>| {
        if !open {
            gate.recv_timeout(PATIENCE)?;
            open = true;
        }
        Ok(decode(record)?)
    };
    (let_go, decode)
}

#[test]
fn a_network_that_takes_nothing_holds_up_no_worker_and_what_is_dropped_is_a_gap() {
    let (let_go, decode) = gated();
    // Room for one frame, so that the third one waits in the publisher's thread.
    let options = |options: ReceiverBuilder| options.from_start().inbox_bytes(100);
    let sink = Sink::with("full", options, decode);
    let mut source = Source::new("full", |options| {
        options
            .queue(16)
            .frame_bytes(1)
            .heartbeat(Duration::from_millis(20))
    });
    // The worker is this thread: it comes back from each event, whatever the network does.
    source.emit(0..1000);
    let counts = source.publisher().metrics();
    assert_eq!(counts.events, 1000);
    assert!(
        counts.published <= 3,
        "the network took {}",
        counts.published
    );
    assert!(
        counts.dropped >= 1000 - 16 - 4,
        "the queue holds 16, not {}",
        1000 - counts.dropped
    );
    let_go.send(()).unwrap();
    source.publisher().flush(PATIENCE).unwrap();
    // The last events were dropped, and nothing follows them but the publisher's word.
    let seen = sink.wait(|counts| counts.received + counts.missing == 1000);
    let counts = source.publisher().metrics();
    assert_eq!((counts.queued, counts.failed), (0, 0));
    assert_eq!(seen.received, counts.published);
    assert_eq!(seen.missing, counts.dropped);
    assert!(seen.inbox_high_water <= 100);
    // And everything flows again.
    source.send(1000..1010);
    sink.wait(|counts| counts.received + counts.missing == 1010);
    assert_eq!(sink.metrics().missing, seen.missing);
}

#[test]
fn events_that_wait_are_gathered_into_frames() {
    let (let_go, decode) = gated();
    let sink = Sink::with(
        "gathered",
        |options| options.from_start().inbox_bytes(100),
        decode,
    );
    let mut source = Source::new("gathered", |options| options.queue(1024));
    source.emit(0..1000);
    let_go.send(()).unwrap();
    source.publisher().flush(PATIENCE).unwrap();
    // Those that did not fit into an inbox of 100 bytes are malformed there; the frames count.
    let counts = source.publisher().metrics();
    assert_eq!((counts.published, counts.dropped), (1000, 0));
    assert!(counts.frames < 20, "{} frames", counts.frames);
    drop(sink);
}

#[test]
fn closing_gives_up_what_the_network_does_not_take_in_time() {
    let (let_go, decode) = gated();
    let sink = Sink::with(
        "slow",
        |options| options.from_start().inbox_bytes(100),
        decode,
    );
    let mut source = Source::new("slow", |options| options.queue(16).frame_bytes(1));
    source.emit(0..10);
    let counts = source.publisher.take().unwrap().close(Duration::ZERO);
    assert_eq!(counts.events, 10);
    assert_eq!(counts.published + counts.queued, 10);
    assert!(counts.queued >= 7, "{counts:?}");
    let_go.send(()).unwrap();
    drop(sink);
}

#[test]
fn a_receiver_whose_listener_stands_still_can_be_closed() {
    let engine = Engine::builder().build().unwrap();
    let signal = engine.signal::<u64>("stuck").capacity(2).build().unwrap();
    let (let_go, gate) = channel::<()>();
    signal
        .subscribe(move |_| {
            // Let go at the end of the test, when the sender is dropped.
            let _ = gate.recv();
        })
        .detach();
    let receiver = Receiver::builder(session(), "stuck")
        .from_start()
        .feed(signal.emitter().unwrap(), decode)
        .unwrap();
    let mut source = Source::new("stuck", |options| options);
    source.send(0..20);
    // The thread waits for room in the lane, and does so for ever.
    let counts = receiver.close(Duration::from_millis(1));
    assert!(counts.received <= 3, "{counts:?}");
    drop(let_go);
}

#[test]
fn an_overflow_policy_other_than_wait_is_the_signals_own() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine
        .signal::<u64>("rejecting")
        .capacity(4)
        .overflow(Overflow::Reject)
        .build()
        .unwrap();
    signal.subscribe(|_| {}).detach();
    let receiver = Receiver::builder(session(), "rejecting")
        .from_start()
        .feed(signal.emitter().unwrap(), decode)
        .unwrap();
    let mut source = Source::new("rejecting", |options| options);
    source.send(0..10);
    let counts = receiver.close(PATIENCE);
    assert_eq!((counts.received, counts.rejected), (4, 6));
    assert_eq!(signal.metrics().rejected, 6);
    assert_eq!(engine.run_until_idle().unwrap(), 4);
}

#[test]
fn a_word_now_and_then_shows_how_far_the_publisher_has_come() {
    let often = |options: PublisherBuilder| options.heartbeat(Duration::from_millis(5));
    let mut source = Source::new("words", often);
    source.send(0..5);
    // Nobody was there; what comes next are words without events.
    let sink = Sink::new("words");
    let counts = sink.wait(|counts| counts.missing == 5 && counts.publishers == 1);
    assert_eq!((counts.gaps, counts.received), (1, 0));
    sink.wait(|counts| counts.frames > 3);
    assert_eq!(sink.metrics().gaps, 1);
    source.publisher.take().unwrap().close(PATIENCE);
    sink.wait(|counts| counts.publishers == 0);
}

#[test]
fn a_publisher_knows_whether_somebody_receives() {
    let source = Source::new("somebody", |options| options);
    assert!(!source.publisher().has_receiver());
    assert!(!source.publisher().wait_for_receiver(Duration::ZERO));
    let sink = Sink::new("some$*");
    assert!(source.publisher().wait_for_receiver(PATIENCE));
    drop(sink);
}

#[test]
fn every_receiver_gets_every_event() {
    let sinks = [Sink::new("many/a"), Sink::new("many/*"), Sink::new("**/a")];
    let engine = Engine::builder().build().unwrap();
    let signal = engine.signal::<u64>("many").build().unwrap();
    let publisher = Publisher::builder(session(), "many/a")
        .publish(&signal, crate::pair::encode)
        .unwrap();
    let mut emitter = signal.emitter().unwrap();
    emitter.emit_batch(0..1000).unwrap();
    for sink in &sinks {
        assert!(sink.take(1000).into_iter().eq(0..1000));
    }
    let counts = publisher.close(PATIENCE);
    assert_eq!((counts.published, counts.dropped), (1000, 0));
}
