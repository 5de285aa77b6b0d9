//! Who drops what a removed listener captured, and when.

use crate::support::{
    Calls, Drops, Gate, LONG, State, Via, comes_back, delivery, held_walk, on_each, via_each,
};
use corecast::{FaultKind, Listener, Subscription, SyncSignal, WaitError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

fn holding(signal: &SyncSignal<u64>, state: State) -> Subscription {
    signal.subscribe(move |_| state.touch())
}

#[test]
fn with_no_walk_under_way_the_remover_drops_it_before_the_removal_returns() {
    on_each::<u64>(|signal, handle| {
        let drops = Drops::default();
        let ways: [&dyn Fn(Subscription); 4] = [
            &|one| drop(one),
            &|one| assert!(one.unsubscribe()),
            &|_one| assert!(signal.unsubscribe("k")),
            &|_one| signal.clear(),
        ];
        for (n, remove) in ways.into_iter().enumerate() {
            let state = drops.state();
            let listener = Listener::new(move |_: &u64| state.touch()).key("k");
            let subscription = signal.add(listener).unwrap();
            handle.emit(&0);
            remove(subscription);
            assert_eq!(drops.count(), n + 1);
        }
        assert!(
            drops
                .threads()
                .iter()
                .all(|id| *id == thread::current().id())
        );
    });
}

#[test]
fn emitters_of_other_threads_that_have_emitted_and_rest_do_not_delay_it() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let drops = Drops::default();
        let subscription = holding(&signal, drops.state());
        let (gate, resting) = (Gate::default(), Gate::default());
        let mut handle = via.handle(&signal);
        let (rests, closes) = (resting.clone(), gate.clone());
        let other = thread::spawn(move || {
            handle.emit(&0);
            rests.open();
            closes.pass();
            handle.emit(&0)
        });
        resting.pass();
        drop(subscription);
        assert_eq!(drops.threads(), [thread::current().id()]);
        gate.open();
        assert_eq!(other.join().unwrap(), delivery(0, 0));
    });
}

#[test]
fn a_walk_that_was_using_it_drops_it_in_its_own_thread_just_after() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let (drops, gate) = (Drops::default(), Gate::default());
        let (state, held) = (drops.state(), gate.clone());
        let subscription = signal.subscribe(move |_| {
            state.touch();
            held.pass();
        });
        let walk = held_walk(&signal, via, &gate, 0);
        assert!(subscription.unsubscribe());
        assert_eq!(drops.count(), 0, "a walk is inside");
        assert_eq!(signal.metrics().listeners, 0);
        gate.open();
        let (_, thread) = walk.join().unwrap();
        assert_eq!(drops.threads(), [thread]);
        assert_eq!(signal.metrics().retired_arrays, 0);
    });
}

#[test]
fn a_listener_that_removes_itself_is_dropped_by_its_own_walk_just_after() {
    on_each::<u64>(|signal, handle| {
        let drops = Drops::default();
        let itself = Arc::new(Mutex::new(None::<Subscription>));
        let (state, own, still) = (drops.state(), itself.clone(), drops.clone());
        *itself.lock().unwrap() = Some(signal.subscribe(move |_| {
            state.touch();
            drop(own.lock().unwrap().take());
            assert_eq!(still.count(), 0, "it is still running");
        }));
        assert_eq!(handle.emit(&0), delivery(1, 0));
        assert_eq!(drops.threads(), [thread::current().id()]);
    });
}

#[test]
fn an_emitter_that_came_after_the_removal_never_drops_it() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let (drops, gate) = (Drops::default(), Gate::default());
        let (state, held) = (drops.state(), gate.clone());
        let subscription = signal.subscribe(move |_| {
            state.touch();
            held.pass();
        });
        let walk = held_walk(&signal, via, &gate, 0);
        drop(subscription);
        let mut unrelated = via.handle(&signal);
        for _ in 0..1000 {
            assert_eq!(unrelated.emit(&0), delivery(0, 0));
        }
        assert_eq!(drops.count(), 0);
        gate.open();
        let (_, thread) = walk.join().unwrap();
        for _ in 0..1000 {
            unrelated.emit(&0);
        }
        assert_eq!(drops.threads(), [thread]);
    });
}

#[test]
fn an_owned_walk_that_began_after_the_removal_is_not_made_to_reclaim() {
    let signal = SyncSignal::<u64>::new();
    let (drops, first, second) = (Drops::default(), Gate::default(), Gate::default());
    let (state, held) = (drops.state(), first.clone());
    let subscription = signal.subscribe(move |_| {
        state.touch();
        held.pass();
    });
    let using = held_walk(&signal, Via::Owned, &first, 0);
    assert!(subscription.unsubscribe());
    let _second = signal.subscribe(second.listener());
    let unrelated = held_walk(&signal, Via::Owned, &second, 0);
    // Somebody looks while both are walking; only the one in the way has to do with it.
    assert_eq!(signal.quiesce(Duration::ZERO), Err(WaitError::Timeout));
    second.open();
    unrelated.join().unwrap();
    assert_eq!(drops.count(), 0);
    first.open();
    let (_, thread) = using.join().unwrap();
    assert_eq!(drops.threads(), [thread]);
}

#[test]
fn a_panic_in_that_drop_is_a_fault_and_no_unwind_into_the_remover() {
    on_each::<u64>(|signal, handle| {
        let drops = Drops::default();
        let state = drops.state_that_panics();
        let listener = Listener::new(move |_: &u64| state.touch()).name("fragile");
        let subscription = signal.add(listener).unwrap();
        handle.emit(&0);
        let id = subscription.id();
        assert!(subscription.unsubscribe());
        assert_eq!(drops.count(), 1);
        let fault = signal.faults().pop().expect("a fault");
        assert_eq!(fault.kind, FaultKind::ListenerDrop);
        assert_eq!(
            (fault.listener, fault.listener_name.as_deref()),
            (Some(id), Some("fragile"))
        );
        assert_eq!(fault.message, "this state panics when dropped");
        assert!(
            fault
                .place
                .is_some_and(|place| place.file().ends_with("reclaim.rs"))
        );
        assert_eq!(handle.emit(&0), delivery(0, 0));
    });
}

#[test]
fn a_panic_in_that_drop_is_no_unwind_into_the_walk_that_was_in_the_way() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let (drops, gate) = (Drops::default(), Gate::default());
        let (fragile, other) = (drops.state_that_panics(), drops.state());
        let held = gate.clone();
        let first = signal.subscribe(move |_| {
            fragile.touch();
            held.pass();
        });
        let second = holding(&signal, other);
        let walk = held_walk(&signal, via, &gate, 0);
        drop((first, second));
        gate.open();
        let (delivered, thread) = walk.join().expect("no unwind");
        assert_eq!(delivered, delivery(1, 0));
        assert_eq!(drops.threads(), [thread, thread]);
        assert_eq!(
            signal.faults().pop().expect("a fault").kind,
            FaultKind::ListenerDrop
        );
    });
}

#[test]
fn that_drop_may_subscribe_remove_and_emit() {
    struct Busy(SyncSignal<u64>);
    impl Drop for Busy {
        fn drop(&mut self) {
            let subscription = self
                .0
                .add(Listener::new(|_| {}).key("from a drop"))
                .unwrap();
            self.0.emit(&0);
            assert!(subscription.unsubscribe());
            self.0.clear();
            assert_eq!(self.0.quiesce(LONG), Err(WaitError::WouldDeadlock));
        }
    }
    let faults = comes_back(|| {
        let (signal, other) = (SyncSignal::<u64>::new(), SyncSignal::<u64>::new());
        let busy = Busy(signal.clone());
        let subscription = signal.subscribe(move |_| {
            let _whole = &busy;
        });
        signal.emit(&0);
        drop(subscription);
        // The same where the signal of the listener is the one that ends.
        let busy = Busy(signal.clone());
        other
            .subscribe(move |_| {
                let _whole = &busy;
            })
            .detach();
        drop(other);
        assert!(signal.is_empty());
        signal.faults().pop()
    });
    assert!(faults.is_none(), "{faults:?}");
}

#[test]
fn that_drop_is_told_when_it_would_wait_for_its_own_signal_s_end() {
    struct Waits(
        Arc<Mutex<Option<Subscription>>>,
        Arc<Mutex<Vec<Result<(), WaitError>>>>,
    );
    impl Drop for Waits {
        fn drop(&mut self) {
            let subscription = self.0.lock().unwrap().take().expect("a subscription");
            let result = subscription.unsubscribe_and_wait(Duration::MAX);
            self.1.lock().unwrap().push(result);
        }
    }
    let results = comes_back(|| {
        let results = Arc::new(Mutex::new(Vec::new()));
        let signal = SyncSignal::<u64>::new();
        let other = Arc::new(Mutex::new(Some(signal.subscribe(|_| {}))));
        let waits = Waits(other, results.clone());
        signal
            .subscribe(move |_| {
                let _whole = &waits;
            })
            .detach();
        drop(signal);
        results.lock().unwrap().clone()
    });
    assert_eq!(results, [Err(WaitError::WouldDeadlock)]);
}

#[test]
fn a_subscriber_s_retired_array_does_not_wait_for_that_subscriber() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let mut handle = via.handle(&signal);
        let (subscribed, done) = (Gate::default(), Gate::default());
        let (tells, stays, inside) = (subscribed.clone(), done.clone(), signal.clone());
        // A thread that subscribes, and then has nothing to do with the signal any more.
        let other = thread::spawn(move || {
            let _subscription = inside.subscribe(|_| {});
            tells.open();
            stays.pass();
        });
        subscribed.pass();
        handle.emit(&0);
        assert_eq!(signal.quiesce(Duration::from_secs(20)), Ok(()));
        assert_eq!(signal.metrics().retired_arrays, 0);
        done.open();
        other.join().unwrap();
    });
}

#[test]
fn after_a_stalled_walk_everything_it_kept_is_dropped() {
    via_each(|via| {
        let (signal, gate, drops) = (SyncSignal::<u64>::new(), Gate::default(), Drops::default());
        let _gate = signal.subscribe(gate.listener());
        let walk = held_walk(&signal, via, &gate, 0);
        for _ in 0..100 {
            drop(holding(&signal, drops.state()));
        }
        let stalled = signal.metrics();
        assert!(stalled.retired_arrays >= 100, "{stalled:?}");
        assert_eq!(drops.count(), 0);
        gate.open();
        let (_, thread) = walk.join().unwrap();
        assert_eq!(drops.threads(), vec![thread; 100]);
        let after = signal.metrics();
        assert_eq!(after.retired_arrays, 0);
        assert!(after.bytes < stalled.bytes);
    });
}

#[test]
fn a_listener_outlives_a_walk_that_began_when_it_was_alone() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let (gate, drops, calls) = (Gate::default(), Drops::default(), Calls::default());
        let (state, held) = (drops.state(), gate.clone());
        let first = signal.subscribe(move |_| {
            held.pass();
            state.touch();
        });
        let walk = held_walk(&signal, via, &gate, 0);
        // One of two, alone again, one of two again, and gone.
        drop(signal.subscribe(calls.counter()));
        assert_eq!(signal.quiesce(Duration::ZERO), Err(WaitError::Timeout));
        let last = signal.subscribe(calls.counter());
        drop(first);
        assert_eq!((signal.len(), drops.count()), (1, 0));
        assert_eq!(signal.quiesce(Duration::ZERO), Err(WaitError::Timeout));
        // Now another is alone.
        assert_eq!(via.handle(&signal).emit(&0), delivery(1, 0));
        gate.open();
        walk.join().unwrap();
        assert_eq!(signal.quiesce(LONG), Ok(()));
        assert_eq!((drops.count(), calls.get()), (1, 1));
        drop(last);
        assert_eq!(via.handle(&signal).emit(&0), delivery(0, 0));
    });
}
