use crate::pair::{PATIENCE, Sink, Source, decode, encode, session};
use corecast::FaultKind;
use corecast::zenoh::protocol::Wait;
use corecast::zenoh::{PublisherBuilder, ReceiverBuilder};

/// As it is.
fn plain(options: PublisherBuilder) -> PublisherBuilder {
    options
}

#[test]
fn an_event_that_cannot_be_decoded_is_counted_and_a_fault_and_the_others_go_on() {
    let sink = Sink::with(
        "undecoded",
        ReceiverBuilder::from_start,
        |record| match decode(record)? {
            3 => Err("three is not liked".into()),
            4 => panic!("four is hated"),
            other => Ok::<_, corecast::BoxError>(other),
        },
    );
    let mut source = Source::new("undecoded", plain);
    source.send(0..6);
    assert_eq!(sink.take(4), [0, 1, 2, 5]);
    let counts = sink.wait(|counts| counts.received == 4);
    assert_eq!((counts.undecoded, counts.missing), (2, 0));
    let refused = sink.fault();
    assert_eq!(refused.kind, FaultKind::Error);
    assert_eq!(refused.message, "three is not liked");
    assert_eq!(refused.sequence, Some(3));
    assert_eq!(refused.signal.as_deref(), Some("sink"));
    let panicked = sink.fault();
    assert_eq!(panicked.kind, FaultKind::Panic);
    assert_eq!(panicked.message, "four is hated");
    assert_eq!(panicked.sequence, Some(4));
    assert!(
        panicked
            .event
            .as_deref()
            .unwrap()
            .contains("8 bytes under key \"undecoded\"")
    );
}

#[test]
fn an_event_that_cannot_be_encoded_is_counted_on_both_sides_and_the_others_go_on() {
    let sink = Sink::new("unencoded");
    let options = |options: PublisherBuilder| options.event_bytes(8);
    let mut source = Source::with("unencoded", options, |number, bytes| {
        encode(number, bytes);
        match number {
            1 => bytes.push(0),
            3 => panic!("three is hated"),
            _ => {}
        }
    });
    // One run of the worker's: the events around the others are in it.
    source.emitter.emit_batch(0..6).unwrap();
    source.engine.run_until_idle().unwrap();
    assert_eq!(sink.take(4), [0, 2, 4, 5]);
    let counts = sink.wait(|counts| counts.received == 4);
    assert_eq!((counts.missing, counts.gaps), (2, 2));
    let long = source.engine.faults().pop().unwrap();
    assert_eq!((long.kind, long.sequence), (FaultKind::Error, Some(1)));
    assert!(long.message.contains("\"unencoded\" has more than 8 bytes"));
    let panicked = source.engine.faults().pop().unwrap();
    assert_eq!(
        (panicked.kind, panicked.sequence),
        (FaultKind::Panic, Some(3))
    );
    assert_eq!(panicked.signal.as_deref(), Some("source"));
    let counts = source.publisher.take().unwrap().close(PATIENCE);
    assert_eq!((counts.events, counts.published), (6, 4));
    assert_eq!((counts.failed, counts.dropped, counts.queued), (2, 0, 0));
}

#[test]
fn a_gap_is_a_fault_that_says_where_and_repeated_ones_are_folded() {
    let sink = Sink::new("gaps");
    let mut source = Source::with("gaps", plain, |number, bytes| {
        assert!(number % 10 < 8, "eight and nine are not encoded");
        encode(number, bytes);
    });
    source.send(0..35);
    assert_eq!(sink.take(29).last(), Some(&34));
    let counts = sink.wait(|counts| counts.received == 29);
    assert_eq!((counts.gaps, counts.missing), (3, 6));
    let fault = sink.fault();
    assert_eq!((fault.kind, fault.sequence), (FaultKind::Gap, Some(8)));
    assert_eq!(fault.count, 3);
    assert!(fault.message.contains("\"gaps\""));
    let incarnation = source.publisher().incarnation().to_string();
    let place = fault.event.as_deref().unwrap();
    assert!(place.starts_with("2 from sequence 8 on"), "{place}");
    assert!(place.contains(&incarnation), "{place}");
    assert!(sink.engine.faults().is_empty());
}

#[test]
fn what_is_no_frame_is_counted_and_a_fault_and_nothing_is_emitted() {
    let sink = Sink::with("strangers", |options| options.inbox_bytes(1000), decode);
    session().put("strangers", "hello").wait().unwrap();
    session().put("strangers", vec![b'x'; 60]).wait().unwrap();
    session().put("strangers", vec![b'x'; 2000]).wait().unwrap();
    let counts = sink.wait(|counts| counts.malformed == 3);
    assert_eq!((counts.frames, counts.received), (3, 0));
    let mut messages: Vec<_> = (0..3).map(|_| sink.fault().message.clone()).collect();
    messages.sort();
    assert_eq!(
        messages,
        [
            "5 bytes are fewer than a frame's head",
            "a frame of 2000 bytes, and the inbox takes 1000",
            "not a frame, or of a version unknown here",
        ]
    );
    // And it goes on.
    let mut source = Source::new("strangers", plain);
    source.send([7]);
    assert_eq!(sink.take(1), [7]);
}
