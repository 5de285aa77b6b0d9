//! Options of a synchronous signal.

use crate::support::{delivery, via_each};
use corecast::{BuildError, FaultPolicy, Fences, SyncSignal, SyncSignalBuilder};

fn builder() -> SyncSignalBuilder<u64> {
    SyncSignal::builder()
}

#[test]
fn a_quarantine_after_0_faults_is_refused() {
    let policy = FaultPolicy::Quarantine { after: 0 };
    let error = builder().fault_policy(policy).build().unwrap_err();
    assert_eq!(error, BuildError::QuarantineAfterZero);
    assert!(error.to_string().contains("after: 0"), "{error}");
}

#[test]
fn a_reentrancy_limit_of_0_is_refused() {
    let error = builder().reentrancy_limit(0).build().unwrap_err();
    assert_eq!(error, BuildError::ReentrancyLimitZero);
    assert!(error.to_string().contains("limit 0"), "{error}");
}

#[test]
fn every_other_option_is_accepted_and_the_signal_works() {
    via_each(|via| {
        for builder in [
            builder(),
            builder().name("n").name(String::from("owned")),
            builder().name(""),
            builder().fault_policy(FaultPolicy::Quarantine { after: u32::MAX }),
            builder().fault_policy(FaultPolicy::Propagate),
            builder().fault_policy(FaultPolicy::Isolate),
            builder().reentrancy_limit(1),
            builder().reentrancy_limit(u32::MAX),
            builder().fences(Fences::Full),
            builder().fences(Fences::Asymmetric),
        ] {
            let signal = builder.build().unwrap();
            let _subscription = signal.subscribe(|_| {});
            assert_eq!(via.handle(&signal).emit(&0), delivery(1, 0));
        }
    });
}

#[test]
fn a_capacity_is_a_hint_and_neither_limits_nor_reserves() {
    let bytes = builder().build().unwrap().metrics().bytes;
    for hint in [0, 1, 1000, usize::MAX] {
        let signal = builder().capacity(hint).build().unwrap();
        assert_eq!(signal.metrics().bytes, bytes);
        let subscriptions: Vec<_> = (0..10).map(|_| signal.subscribe(|_| {})).collect();
        assert_eq!(
            (signal.emit(&0), subscriptions.len()),
            (delivery(10, 0), 10)
        );
    }
}

#[test]
fn the_default_is_a_new_signal_and_a_clone_the_same_one() {
    let signal = SyncSignal::<u64>::default();
    let clone = signal.clone();
    let _subscription = signal.subscribe(|_| {});
    assert_eq!((clone.len(), clone.emit(&0)), (1, delivery(1, 0)));
    assert!(SyncSignal::<u64>::default().is_empty());
}

#[test]
fn debug_shows_the_name_and_the_listeners() {
    let signal = builder().name("ticks").build().unwrap();
    let _subscription = signal.subscribe(|_| {});
    let text = format!("{signal:?}");
    assert!(
        text.contains("ticks") && text.contains("listeners: 1"),
        "{text}"
    );
    let text = format!("{:?}", signal.emitter());
    assert!(
        text.contains("SyncEmitter") && text.contains("listeners: 1"),
        "{text}"
    );
    assert!(format!("{:?}", builder().name("b")).contains("\"b\""));
}
