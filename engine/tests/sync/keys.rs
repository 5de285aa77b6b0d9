//! Keys: unique among all kinds of listener, free again when their listener is gone.

use crate::support::{Calls, Drops, Log, delivery, on_each};
use corecast::{BoxError, Context, Listener, SubscribeError, Subscription, SyncSignal};
use std::sync::{Arc, Barrier};
use std::thread;

/// A listener of each kind, that counts its calls.
fn of_each_kind(calls: &Calls) -> [Listener<u64>; 5] {
    let [a, b, c, d, e] = [(); 5].map(|()| calls.clone());
    [
        Listener::new(move |_: &u64| a.add()),
        Listener::fallible(move |_: &u64| {
            b.add();
            Ok::<_, BoxError>(())
        }),
        Listener::with_context(move |_: &u64, _: &Context| {
            c.add();
            Ok::<_, BoxError>(())
        }),
        Listener::new(move |_: &u64| d.add()).once(),
        Listener::new(move |_: &u64| e.add())
            .priority(9)
            .name("named"),
    ]
}

fn keys(signal: &SyncSignal<u64>) -> Vec<String> {
    signal.keys().iter().map(|key| key.to_string()).collect()
}

#[test]
fn a_taken_key_is_refused_whatever_the_kinds_of_the_two_listeners() {
    let kinds = of_each_kind(&Calls::default()).len();
    for (first, second) in (0..kinds).flat_map(|a| (0..kinds).map(move |b| (a, b))) {
        on_each::<u64>(|signal, handle| {
            let (kept, refused) = (Calls::default(), Calls::default());
            let pick = |calls, n| of_each_kind(calls).into_iter().nth(n).unwrap().key("k");
            let subscription = signal.add(pick(&kept, first)).expect("a free key");
            let error = signal.add(pick(&refused, second)).unwrap_err();
            assert_eq!(error, SubscribeError::DuplicateKey("k".into()));
            assert!(error.to_string().contains("\"k\""), "{error}");
            assert_eq!((signal.len(), keys(signal)), (1, vec!["k".to_owned()]));
            assert!(subscription.is_active());
            assert_eq!(handle.emit(&0), delivery(1, 0));
            assert_eq!((kept.get(), refused.get()), (1, 0));
        });
    }
}

#[test]
fn an_empty_key_is_refused_and_nothing_changes() {
    for listener in of_each_kind(&Calls::default()) {
        let signal = SyncSignal::<u64>::new();
        let error = signal.add(listener.key("")).unwrap_err();
        assert_eq!(error, SubscribeError::EmptyKey);
        assert!(error.to_string().contains("empty"), "{error}");
        assert!(signal.is_empty() && signal.keys().is_empty());
    }
}

#[test]
fn a_refused_listener_is_dropped_by_whoever_added_it() {
    let signal = SyncSignal::<u64>::new();
    let _kept = signal.add(Listener::new(|_| {}).key("k")).unwrap();
    let drops = Drops::default();
    let state = drops.state();
    signal
        .add(Listener::new(move |_| state.touch()).key("k"))
        .unwrap_err();
    assert_eq!(drops.threads(), [thread::current().id()]);
}

#[test]
fn add_many_with_one_bad_key_adds_none() {
    let signal = SyncSignal::<u64>::new();
    let kept = signal.add(Listener::new(|_| {}).key("kept")).unwrap();
    let keyed = |key: &str| Listener::<u64>::new(|_| {}).key(key);
    for (bad, error) in [
        ("", SubscribeError::EmptyKey),
        ("kept", SubscribeError::DuplicateKey("kept".into())),
        ("twice", SubscribeError::DuplicateKey("twice".into())),
    ] {
        for place in 0..3 {
            let drops = Drops::default();
            let mut many = vec![keyed("a"), keyed("twice")];
            let state = drops.state();
            many.insert(place, Listener::new(move |_: &u64| state.touch()).key(bad));
            assert_eq!(signal.add_many(many).unwrap_err(), error);
            assert_eq!((signal.len(), keys(&signal)), (1, vec!["kept".to_owned()]));
            assert_eq!(drops.count(), 1);
        }
    }
    // None of the keys has been taken.
    let added = signal.add_many([keyed("a"), keyed("twice")]).unwrap();
    assert_eq!((added.len(), signal.len()), (2, 3));
    assert!(kept.is_active());
}

#[test]
fn add_many_of_none_changes_nothing() {
    let signal = SyncSignal::<u64>::new();
    assert!(signal.add_many([]).unwrap().is_empty());
    assert!(signal.is_empty());
    assert_eq!(signal.metrics().retired_arrays, 0);
}

#[test]
fn add_many_swaps_the_array_once() {
    on_each::<u64>(|signal, handle| {
        // A walk under way keeps every array that is replaced meanwhile.
        let inside = signal.clone();
        let _adds = signal.subscribe(move |_| {
            inside.quiesce(std::time::Duration::ZERO).unwrap_err();
            let before = inside.metrics().retired_arrays;
            let many = (0..10_000).map(|_| Listener::<u64>::new(|_| {}));
            let added = inside.add_many(many).unwrap();
            assert_eq!(inside.metrics().retired_arrays, before + 1);
            assert_eq!((added.len(), inside.len()), (10_000, 10_001));
            // One by one they would leave as many arrays behind.
            added.into_iter().for_each(Subscription::detach);
        });
        assert_eq!(handle.emit(&0), delivery(1, 0));
        assert_eq!(signal.len(), 10_001);
    });
}

#[test]
fn keys_come_in_call_order() {
    let signal = SyncSignal::<u64>::new();
    let add = |key: &str, priority| signal.add(Listener::new(|_| {}).key(key).priority(priority));
    let _subscriptions = [
        add("c", 0).unwrap(),
        add("a", 10).unwrap(),
        signal.subscribe(|_| {}),
        add("d", 0).unwrap(),
        add("b", 10).unwrap(),
        add("e", -1).unwrap(),
    ];
    assert_eq!(keys(&signal), ["a", "b", "c", "d", "e"]);
    assert!(signal.unsubscribe("b"));
    assert_eq!(keys(&signal), ["a", "c", "d", "e"]);
}

#[test]
fn contains_key_knows_the_keys_and_no_others() {
    let signal = SyncSignal::<u64>::new();
    let kept = signal.add(Listener::new(|_| {}).key("a")).unwrap();
    assert!(signal.contains_key("a"));
    assert!(!signal.contains_key("A") && !signal.contains_key("") && !signal.contains_key("aa"));
    drop(kept);
    assert!(!signal.contains_key("a"));
}

#[test]
fn a_key_is_free_once_its_listener_is_removed_in_whatever_way() {
    on_each::<u64>(|signal, handle| {
        let log = Log::default();
        let add = |n| {
            signal
                .add(Listener::new(log.entry(n)).key("k"))
                .expect("a free key")
        };
        let ways: [&dyn Fn(corecast::Subscription); 4] = [
            &|subscription| drop(subscription),
            &|subscription| assert!(subscription.unsubscribe()),
            &|subscription| {
                assert!(signal.unsubscribe("k"));
                assert!(!subscription.is_active());
            },
            &|_subscription| signal.clear(),
        ];
        for (n, remove) in (0..).zip(ways) {
            let subscription = add(n);
            handle.emit(&0);
            remove(subscription);
            assert!(!signal.contains_key("k") && signal.keys().is_empty());
            assert_eq!(handle.emit(&0), delivery(0, 0));
        }
        assert_eq!(log.take(), [0, 1, 2, 3]);
    });
}

#[test]
fn unsubscribing_by_key_says_whether_there_was_one() {
    let signal = SyncSignal::<u64>::new();
    let subscription = signal.add(Listener::new(|_| {}).key("k")).unwrap();
    assert!(!signal.unsubscribe("other") && !signal.unsubscribe(""));
    assert!(signal.unsubscribe("k"));
    assert!(!signal.unsubscribe("k"));
    assert!(!subscription.unsubscribe());
}

#[test]
fn a_late_drop_of_a_subscription_leaves_the_next_holder_of_its_key_alone() {
    on_each::<u64>(|signal, handle| {
        let first = signal.add(Listener::new(|_| {}).key("k")).unwrap();
        assert!(signal.unsubscribe("k"));
        let second = signal.add(Listener::new(|_| {}).key("k")).unwrap();
        drop(first);
        assert!(second.is_active() && signal.contains_key("k"));
        assert_eq!(handle.emit(&0), delivery(1, 0));
    });
}

#[test]
fn clear_removes_every_kind_of_listener_and_frees_every_key() {
    on_each::<u64>(|signal, handle| {
        let calls = Calls::default();
        let keyed = || {
            (0..)
                .zip(of_each_kind(&calls))
                .map(|(n, l): (u32, _)| l.key(n.to_string()))
        };
        let subscriptions = signal.add_many(keyed()).unwrap();
        signal.clear();
        assert!(signal.is_empty() && signal.keys().is_empty());
        assert!(subscriptions.iter().all(|one| !one.is_active()));
        assert_eq!(handle.emit(&0), delivery(0, 0));
        let again = signal.add_many(keyed()).expect("free keys");
        drop(subscriptions);
        assert_eq!(signal.len(), again.len());
        assert_eq!(handle.emit(&0), delivery(5, 0));
        assert_eq!(calls.get(), 5);
    });
}

#[test]
fn a_spent_key_can_be_asked_for_after_its_listener_is_gone() {
    on_each::<u64>(|signal, handle| {
        for n in 0..50 {
            let key = format!("key number {n}, long enough to be looked at");
            let once = Listener::new(|_: &u64| {}).key(key.as_str()).once();
            let spent = signal.add(once).unwrap();
            handle.emit(&0);
            // Takes the spent one out and frees it; the allocator gives its place away again.
            let _other = signal.subscribe(|_| {});
            let _filler: Vec<_> = (0..8).map(|_| Box::new([0x55_u8; 136])).collect();
            assert!(!signal.contains_key(&key) && !signal.unsubscribe(&key));
            let again = signal
                .add(Listener::new(|_| {}).key(key.as_str()))
                .expect("free");
            assert!(signal.contains_key(&key));
            drop(spent);
            assert!(again.unsubscribe());
        }
    });
}

#[test]
fn of_many_threads_that_add_one_key_exactly_one_succeeds() {
    for _ in 0..20 {
        let signal = SyncSignal::<u64>::new();
        let barrier = Barrier::new(16);
        let added: Vec<_> = thread::scope(|scope| {
            let add = || {
                barrier.wait();
                signal.add(Listener::new(|_| {}).key("k"))
            };
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(add)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let refused = SubscribeError::DuplicateKey(Arc::from("k"));
        let successes = added.iter().filter(|result| result.is_ok()).count();
        assert_eq!(successes, 1);
        assert!(
            added
                .iter()
                .flat_map(|result| result.as_ref().err())
                .all(|e| *e == refused)
        );
        assert_eq!((signal.len(), signal.emit(&0)), (1, delivery(1, 0)));
    }
}

#[test]
fn of_many_threads_that_remove_one_key_exactly_one_succeeds() {
    for _ in 0..20 {
        let signal = SyncSignal::<u64>::new();
        signal.add(Listener::new(|_| {}).key("k")).unwrap().detach();
        let barrier = Barrier::new(16);
        let removed = thread::scope(|scope| {
            let remove = || {
                barrier.wait();
                signal.unsubscribe("k")
            };
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(remove)).collect();
            threads
                .into_iter()
                .map(|t| t.join().unwrap())
                .filter(|r| *r)
                .count()
        });
        assert_eq!((removed, signal.len()), (1, 0));
    }
}
