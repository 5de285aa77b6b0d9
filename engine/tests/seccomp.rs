//! What happens when the kernel refuses `membarrier`: from the start, or after it had granted it.
//!
//! A filter cannot be taken off again, so each test runs itself in a process of its own.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![expect(unsafe_code, reason = "a seccomp filter is installed through libc")]

use corecast::{Engine, Fences, Overflow, SyncSignal, WaitError, WaitStrategy};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(120);
/// Says which test a child is to run.
const CHILD: &str = "CORECAST_SECCOMP_TEST";

/// Whether this process is the child that runs test `name`. The parent starts it, and fails unless
/// it ends well.
#[track_caller]
fn is_child(name: &str) -> bool {
    if std::env::var(CHILD).is_ok_and(|child| child == name) {
        return true;
    }
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program)
        .args(["--exact", name, "--nocapture", "--test-threads", "1"])
        .env(CHILD, name)
        .output()
        .expect("a child process");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{:?}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

fn membarrier() -> Result<(), std::io::Error> {
    const PRIVATE_EXPEDITED: libc::c_long = 1 << 3;
    // SAFETY: the call takes integers and touches no memory of this process.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, PRIVATE_EXPEDITED, 0, 0) };
    if result == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// Makes the kernel refuse `membarrier` to every thread of this process, those that run included.
fn refuse_membarrier() {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const REFUSE: u32 = 0x0005_0000 | libc::EPERM as u32;
    const SET_MODE_FILTER: libc::c_long = 1;
    const EVERY_THREAD: libc::c_long = 1;
    let step = |code, jt, k| libc::sock_filter { code, jt, jf: 0, k };
    // The number of the call is the first word of what a filter sees.
    let mut steps = [
        step(LOAD_WORD, 0, 0),
        step(JUMP_IF_EQUAL, 1, libc::SYS_membarrier as u32),
        step(RETURN, 0, ALLOW),
        step(RETURN, 0, REFUSE),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: the call takes integers.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: `program` and its steps live until the call returns, which copies them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            SET_MODE_FILTER,
            EVERY_THREAD,
            &raw const program,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    assert!(membarrier().is_err(), "the filter does not work");
}

/// Takes the fence away, which must have been there; whether it was.
fn take_membarrier_away() -> bool {
    let granted = corecast_ring::Fences::default().resolve().is_asymmetric();
    if !granted {
        eprintln!("this kernel has no membarrier to take away");
        return false;
    }
    refuse_membarrier();
    true
}

/// Captured state whose end shows, also to a call that comes after it.
struct State {
    drops: Arc<AtomicUsize>,
    alive: AtomicBool,
}

impl State {
    fn new(drops: &Arc<AtomicUsize>) -> Self {
        Self {
            drops: Arc::clone(drops),
            alive: AtomicBool::new(true),
        }
    }

    fn check(&self) {
        assert!(self.alive.load(Ordering::SeqCst), "called after its end");
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::SeqCst);
        self.drops.fetch_add(1, Ordering::SeqCst);
    }
}

fn drops() -> Arc<AtomicUsize> {
    Arc::new(AtomicUsize::new(0))
}

fn holding(signal: &SyncSignal<u64>, drops: &Arc<AtomicUsize>) -> corecast::Subscription {
    let state = State::new(drops);
    signal.subscribe(move |_| state.check())
}

#[test]
fn taken_away_later_sync_removals_still_remove_and_waits_are_unsupported() {
    if !is_child("taken_away_later_sync_removals_still_remove_and_waits_are_unsupported") {
        return;
    }
    let (signal, drops) = (SyncSignal::<u64>::new(), drops());
    let mut emitter = signal.emitter();
    let [first, second, third] = [(); 3].map(|()| holding(&signal, &drops));
    assert_eq!(emitter.emit(&0).delivered, 3);
    if !take_membarrier_away() {
        return;
    }
    assert_eq!(
        first.unsubscribe_and_wait(LONG),
        Err(WaitError::Unsupported)
    );
    assert_eq!((signal.len(), emitter.emit(&0).delivered), (2, 2));
    assert!(second.unsubscribe());
    assert_eq!((signal.len(), signal.emit(&0).delivered), (1, 1));
    drop(third);
    assert_eq!((signal.len(), emitter.emit(&0).delivered), (0, 0));
    assert_eq!(signal.quiesce(LONG), Err(WaitError::Unsupported));
    assert_eq!(signal.quiesce(Duration::MAX), Err(WaitError::Unsupported));
    // In doubt, nothing is dropped; but the signal goes on.
    assert_eq!(drops.load(Ordering::SeqCst), 0);
    let late = holding(&signal, &drops);
    assert_eq!(
        (emitter.emit(&0).delivered, signal.emit(&0).delivered),
        (1, 1)
    );
    signal.clear();
    assert!(!late.unsubscribe() && signal.is_empty());
    assert!(signal.metrics().retired_arrays > 0);
    // Whoever drops the signal's last handle knows that nobody walks.
    drop((signal, emitter));
    assert_eq!(drops.load(Ordering::SeqCst), 4);
}

#[test]
fn taken_away_later_nothing_is_dropped_under_a_walk() {
    if !is_child("taken_away_later_nothing_is_dropped_under_a_walk") {
        return;
    }
    for owned in [true, false] {
        let (signal, drops) = (SyncSignal::<u64>::new(), drops());
        let (entered, leave) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let (state, inside, outside) = (State::new(&drops), entered.clone(), leave.clone());
        let held = signal.subscribe(move |_| {
            inside.wait();
            outside.wait();
            state.check();
        });
        let (mut emitter, clone) = (signal.emitter(), signal.clone());
        let walk = thread::spawn(move || {
            if owned {
                emitter.emit(&0)
            } else {
                clone.emit(&0)
            }
        });
        entered.wait();
        if owned && !take_membarrier_away() {
            return;
        }
        assert_eq!(held.unsubscribe_and_wait(LONG), Err(WaitError::Unsupported));
        assert!(signal.is_empty());
        assert_eq!(signal.emit(&0).delivered, 0);
        assert_eq!(drops.load(Ordering::SeqCst), 0);
        leave.wait();
        assert_eq!(walk.join().expect("no panic").delivered, 1);
        assert!(signal.faults().is_empty(), "{:?}", signal.faults().pop());
        drop(signal);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn taken_away_under_emitters_without_pause_no_call_meets_a_dropped_state() {
    if !is_child("taken_away_under_emitters_without_pause_no_call_meets_a_dropped_state") {
        return;
    }
    let (signal, drops) = (SyncSignal::<u64>::new(), drops());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for n in 0..3 {
            let (mut emitter, clone, stop) = (signal.emitter(), signal.clone(), &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let delivery = if n == 0 {
                        clone.emit(&0)
                    } else {
                        emitter.emit(&0)
                    };
                    assert_eq!(delivery.failed, 0);
                }
            });
        }
        for n in 0..300 {
            if n == 100 {
                take_membarrier_away();
            }
            drop(holding(&signal, &drops));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(signal.is_empty());
    assert!(signal.faults().is_empty(), "{:?}", signal.faults().pop());
    drop(signal);
    assert_eq!(drops.load(Ordering::SeqCst), 300);
}

#[test]
fn taken_away_later_async_removals_still_remove_and_the_engine_goes_on() {
    if !is_child("taken_away_later_async_removals_still_remove_and_the_engine_goes_on") {
        return;
    }
    let engine = Engine::builder()
        .wait(WaitStrategy::park())
        .build()
        .expect("an engine");
    let signal = engine
        .signal::<u64>("ticks")
        .capacity(64)
        .overflow(Overflow::Wait)
        .build()
        .expect("a signal");
    let (drops, sum) = (drops(), Arc::new(AtomicU64::new(0)));
    let added = Arc::clone(&sum);
    let stays = signal.subscribe(move |n| {
        added.fetch_add(*n, Ordering::Relaxed);
    });
    let leaves: Vec<_> = (0..2)
        .map(|_| {
            let state = State::new(&drops);
            signal.subscribe(move |_: &u64| state.check())
        })
        .collect();
    let mut emitter = signal.emitter().expect("an emitter");
    emitter.emit(1).expect("open");
    emitter.flush(LONG).expect("flushed");
    if !take_membarrier_away() {
        return;
    }
    for subscription in leaves {
        let result = subscription.unsubscribe_and_wait(LONG);
        assert_eq!(result, Err(WaitError::Unsupported));
    }
    assert_eq!((signal.len(), drops.load(Ordering::SeqCst)), (1, 0));
    // More than the lane holds, so that both sides come to wait, and to sleep.
    for n in 2..=1000 {
        emitter.emit(n).expect("open");
    }
    emitter.flush(LONG).expect("flushed");
    assert_eq!(sum.load(Ordering::Relaxed), 500_500);
    signal.emit(500).expect("open");
    drop(stays);
    assert!(signal.is_empty());
    let report = engine.shutdown(LONG);
    assert_eq!((report.accepted, report.abandoned), (report.delivered, 0));
    assert!(
        report.stuck.is_empty() && report.dead.is_empty(),
        "{report:?}"
    );
    assert!(engine.faults().is_empty(), "{:?}", engine.faults().pop());
    drop((signal, emitter, engine));
    assert_eq!(drops.load(Ordering::SeqCst), 2);
}

/// Waits that are `Ok`, walks that are waited for, and drops that come in time.
fn sync_signals_work(fences: Fences) {
    let signal = SyncSignal::<u64>::builder()
        .fences(fences)
        .build()
        .expect("a signal");
    let (drops, stop) = (drops(), AtomicBool::new(false));
    thread::scope(|scope| {
        for n in 0..3 {
            let (mut emitter, clone, stop) = (signal.emitter(), signal.clone(), &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let delivery = if n == 0 {
                        clone.emit(&0)
                    } else {
                        emitter.emit(&0)
                    };
                    assert_eq!(delivery.failed, 0);
                }
            });
        }
        for n in 1..=100 {
            let subscription = holding(&signal, &drops);
            assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
            assert_eq!(drops.load(Ordering::SeqCst), n);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(signal.quiesce(LONG), Ok(()));
    assert_eq!(signal.metrics().retired_arrays, 0);
    assert!(signal.faults().is_empty(), "{:?}", signal.faults().pop());
}

#[test]
fn refused_from_the_start_sync_signals_use_full_fences_and_everything_works() {
    if !is_child("refused_from_the_start_sync_signals_use_full_fences_and_everything_works") {
        return;
    }
    refuse_membarrier();
    assert!(!corecast_ring::Fences::Asymmetric.resolve().is_asymmetric());
    sync_signals_work(Fences::Asymmetric);
}

#[test]
fn asked_for_full_fences_a_refusal_later_changes_nothing() {
    if !is_child("asked_for_full_fences_a_refusal_later_changes_nothing") {
        return;
    }
    let (signal, drops) = (
        SyncSignal::<u64>::builder()
            .fences(Fences::Full)
            .build()
            .expect("a signal"),
        drops(),
    );
    let mut emitter = signal.emitter();
    let subscription = holding(&signal, &drops);
    emitter.emit(&0);
    refuse_membarrier();
    assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    sync_signals_work(Fences::Full);
}

#[test]
fn refused_from_the_start_the_engine_uses_full_fences_and_everything_works() {
    if !is_child("refused_from_the_start_the_engine_uses_full_fences_and_everything_works") {
        return;
    }
    refuse_membarrier();
    let engine = Engine::builder()
        .wait(WaitStrategy::park())
        .build()
        .expect("an engine");
    let signal = engine
        .signal::<u64>("ticks")
        .capacity(16)
        .build()
        .expect("a signal");
    let (drops, sum) = (drops(), Arc::new(AtomicU64::new(0)));
    let added = Arc::clone(&sum);
    let _stays = signal.subscribe(move |n| {
        added.fetch_add(*n, Ordering::Relaxed);
    });
    let mut emitter = signal.emitter().expect("an emitter");
    for n in 1..=20 {
        let state = State::new(&drops);
        let subscription = signal.subscribe(move |_: &u64| state.check());
        for event in 0..100 {
            emitter.emit(event).expect("open");
        }
        assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
        assert_eq!(drops.load(Ordering::SeqCst), n);
        // Flushed and idle, the worker goes to sleep; the next event wakes it.
        emitter.flush(LONG).expect("flushed");
    }
    assert_eq!(sum.load(Ordering::Relaxed), 20 * 4950);
    let report = engine.shutdown(LONG);
    assert_eq!((report.accepted, report.abandoned), (report.delivered, 0));
    assert!(engine.faults().is_empty(), "{:?}", engine.faults().pop());
}
