use crate::pair::{PATIENCE, Sink, Source};

#[cfg(feature = "prometheus")]
#[test]
fn a_page_shows_what_was_sent_and_what_came() {
    let sink = Sink::new("shown");
    let mut source = Source::new("shown", |options| options);
    source.send(0..3);
    sink.take(3);
    let received = sink.wait(|counts| counts.received == 3);
    let published = source.publisher.take().unwrap().close(PATIENCE);
    let mut page = corecast::prometheus::Exposition::new();
    page.publisher("ticks", &published);
    page.receiver("ticks", &received);
    let page = page.to_string();
    for line in [
        "# TYPE corecast_publisher_published_total counter",
        "corecast_publisher_events_total{publisher=\"ticks\"} 3",
        "corecast_publisher_published_total{publisher=\"ticks\"} 3",
        "corecast_publisher_dropped_total{publisher=\"ticks\"} 0",
        "# TYPE corecast_publisher_queued gauge",
        "corecast_receiver_received_total{receiver=\"ticks\"} 3",
        "corecast_receiver_missing_total{receiver=\"ticks\"} 0",
        "corecast_receiver_publishers{receiver=\"ticks\"} 1",
    ] {
        assert!(page.lines().any(|shown| shown == line), "{line}\n{page}");
    }
}

#[cfg(feature = "serde")]
#[test]
fn snapshots_serialise_field_by_field() {
    let sink = Sink::new("serialised");
    let mut source = Source::new("serialised", |options| options);
    source.send(0..3);
    sink.take(3);
    let received = sink.wait(|counts| counts.received == 3);
    let published = source.publisher.take().unwrap().close(PATIENCE);
    let json = serde_json::to_value(published).unwrap();
    assert_eq!(json["events"], 3);
    assert_eq!(json["published"], 3);
    let json = serde_json::to_value(received).unwrap();
    assert_eq!(
        (&json["received"], &json["missing"]),
        (&3.into(), &0.into())
    );
    assert_eq!(json["publishers"], 1);
}
