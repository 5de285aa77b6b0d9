use crate::pair::{decode, encode, session};
use corecast::zenoh::{OpenError, Publisher, PublisherBuilder, Receiver, peer};
use corecast::{Engine, SubscribeError};
use std::time::Duration;

fn refusal(key: &str, options: impl FnOnce(PublisherBuilder) -> PublisherBuilder) -> OpenError {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("refused").build().unwrap();
    let refused = options(Publisher::builder(session(), key)).publish(&signal, encode);
    assert!(signal.is_empty(), "nothing is left behind");
    refused.unwrap_err()
}

#[test]
fn bad_options_are_named() {
    let as_is = |options| options;
    assert!(matches!(refusal("a//b", as_is), OpenError::Key { key, .. } if key == "a//b"));
    assert!(matches!(refusal("", as_is), OpenError::Key { .. }));
    assert!(matches!(refusal("a/*", as_is), OpenError::Wildcard { key } if key == "a/*"));
    let refused = refusal("a", |options| options.queue(3));
    assert!(matches!(refused, OpenError::Queue(_)));
    assert!(refused.to_string().contains('4'), "{refused} suggests 4");
    for (refused, text) in [
        (refusal("a", |options| options.queue(0)), "queue"),
        (
            refusal("a", |options| options.event_bytes(0)),
            "event_bytes 0",
        ),
        (
            refusal("a", |options| options.event_bytes(usize::MAX)),
            "event_bytes 18446744073709551615",
        ),
        (
            refusal("a", |options| options.frame_bytes(0)),
            "frame_bytes 0",
        ),
        (
            refusal("a", |options| options.heartbeat(Duration::ZERO)),
            "heartbeat 0",
        ),
        (
            refusal("a", |options| options.resume_from(u64::MAX)),
            "resume_from 18446744073709551615",
        ),
    ] {
        assert!(refused.to_string().contains(text), "{refused}: {text}");
    }
}

#[test]
fn a_worker_that_is_not_there_is_named() {
    let small = Engine::builder().manual().build().unwrap();
    let large = Engine::builder()
        .workers_per_core(4)
        .manual()
        .build()
        .unwrap();
    let stranger = large.workers()[3].id;
    let signal = small.signal::<u64>("small").build().unwrap();
    let refused = Publisher::builder(session(), "worker")
        .on_worker(stranger)
        .publish(&signal, encode)
        .unwrap_err();
    assert!(matches!(
        refused,
        OpenError::Subscribe(SubscribeError::UnknownWorker(worker)) if worker == stranger
    ));
}

#[test]
fn a_signal_of_an_engine_that_is_shut_down_is_refused() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("closed").build().unwrap();
    engine.shutdown(Duration::ZERO);
    let refused = Publisher::builder(session(), "shut")
        .publish(&signal, encode)
        .unwrap_err();
    assert!(matches!(
        refused,
        OpenError::Subscribe(SubscribeError::Closed)
    ));
}

#[test]
fn a_receivers_bad_options_are_named() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("refused").build().unwrap();
    let refused = Receiver::builder(session(), "a")
        .inbox_bytes(0)
        .feed(signal.emitter().unwrap(), decode)
        .unwrap_err();
    assert!(refused.to_string().contains("inbox_bytes 0"));
    let refused = Receiver::builder(session(), "/a")
        .feed(signal.emitter().unwrap(), decode)
        .unwrap_err();
    assert!(matches!(refused, OpenError::Key { key, .. } if key == "/a"));
}

#[test]
fn an_endpoint_that_is_none_is_named() {
    let refused = peer(&["nonsense"], &[]).unwrap_err();
    assert!(matches!(&refused, OpenError::Session { endpoints, .. } if endpoints == &["nonsense"]));
    assert!(refused.to_string().contains("nonsense"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp/{}", taken.local_addr().unwrap());
    let refused = peer(&[&endpoint], &[]).unwrap_err();
    assert!(refused.to_string().contains(&endpoint));
}
