//! Real pins on this machine. Every test has a thread of its own to pin.
#![cfg(target_os = "linux")]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use core_affinity::CoreId;
use corecast_affinity::{
    CpuId, CpuSet, PinCheck, PinError, PinStatus, PinnedThread, Pinning, ThreadConfig, ThreadError,
    allowed_cpus, check_current, pin_current,
};

/// The calling thread's mask, by another road than the one under test.
fn own_mask() -> CpuSet {
    let status = fs::read_to_string("/proc/thread-self/status").expect("a status");
    let mut lines = status.lines();
    let list = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.expect("a mask").parse().expect("a list")
}

fn first() -> CpuId {
    allowed_cpus().first().expect("a process has a CPU")
}

/// Numbers that no machine has: within a `cpu_set_t`, just past one, and far out.
fn missing() -> [CpuId; 4] {
    let present = fs::read_to_string("/sys/devices/system/cpu/possible").expect("a list");
    let possible: CpuSet = present.parse().expect("a list");
    let next = possible.last().expect("a CPU").get() + 1;
    [next, next.max(1024), 65_536, u32::MAX].map(CpuId::new)
}

#[test]
fn spawned_thread_is_pinned_before_its_closure_runs() {
    for cpu in allowed_cpus() {
        let config = ThreadConfig::new("pinned")
            .cpu(cpu)
            .pinning(Pinning::Required);
        let worker = PinnedThread::spawn(config, |status| (status.clone(), own_mask()))
            .expect("an allowed CPU");
        assert_eq!(worker.pin_status(), &PinStatus::Pinned(cpu));
        let (status, mask) = worker.join().expect("no panic");
        assert_eq!(status, PinStatus::Pinned(cpu));
        assert_eq!(mask, CpuSet::from(cpu));
    }
}

#[test]
fn required_pin_to_a_missing_cpu_is_an_error_and_the_closure_never_runs() {
    for cpu in missing() {
        let ran = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ran);
        let config = ThreadConfig::new("required")
            .cpu(cpu)
            .pinning(Pinning::Required);
        let error = PinnedThread::spawn(config, move |_| flag.store(true, Ordering::Relaxed))
            .expect_err("no such CPU");
        let ThreadError::Pin { name, source } = &error else {
            panic!("another error: {error}");
        };
        assert_eq!((name.as_str(), source.cpu()), ("required", cpu));
        let says = format!("thread `required`: CPU {cpu}: the pin was refused: ");
        assert!(error.to_string().starts_with(&says), "{error}");
        // The thread was joined: nobody is left to run or to hold the closure.
        assert_eq!(Arc::strong_count(&ran), 1);
        assert!(!ran.load(Ordering::Relaxed));
    }
}

#[test]
fn best_effort_pin_to_a_missing_cpu_is_reported_and_the_closure_runs() {
    let here = own_mask();
    for cpu in missing() {
        let config = ThreadConfig::new("best")
            .cpu(cpu)
            .pinning(Pinning::BestEffort);
        let worker = PinnedThread::spawn(config, |_| own_mask()).expect("best effort");
        let PinStatus::Unpinned { reason } = worker.pin_status() else {
            panic!("pinned to a CPU that is missing: {}", worker.pin_status());
        };
        assert!(matches!(reason, PinError::Refused { .. }), "{reason}");
        assert_eq!(reason.cpu(), cpu);
        assert_eq!(worker.check(), PinCheck::NotPinned);
        assert_eq!(worker.join().expect("no panic"), here);
    }
}

#[test]
fn thread_without_a_request_runs_where_its_parent_may() {
    let here = own_mask();
    let asked_off = ThreadConfig::new("off").cpu(first()).pinning(Pinning::Off);
    for config in [ThreadConfig::new("free"), asked_off] {
        let worker = PinnedThread::spawn(config, |_| own_mask()).expect("nothing to fail");
        assert_eq!(worker.pin_status(), &PinStatus::NotRequested);
        assert_eq!(worker.join().expect("no panic"), here);
    }
}

#[test]
fn unpinned_child_of_a_pinned_thread_gets_off_its_parents_cpu() {
    let before = own_mask();
    let pin = pin_current(first()).expect("an allowed CPU");
    let inherited = thread::spawn(own_mask).join().expect("no panic");
    assert_eq!(
        inherited,
        CpuSet::from(first()),
        "what the kernel does by itself"
    );

    let child = || {
        let worker = PinnedThread::spawn(ThreadConfig::new("child"), |_| own_mask());
        worker.expect("nothing to fail").join().expect("no panic")
    };
    assert_eq!(child(), before);
    let again = pin_current(first()).expect("an allowed CPU");
    assert_eq!(child(), before, "of a thread pinned twice, too");
    again.restore().expect("the first pin");
    assert_eq!(
        child(),
        before,
        "and of one that went back to its first pin"
    );
    let config = ThreadConfig::new("parent").cpu(first());
    let grandchild = PinnedThread::spawn(config, move |_| child()).expect("an allowed CPU");
    assert_eq!(grandchild.join().expect("no panic"), before);

    // Unpinned again, the parent hands down whatever its mask is.
    pin.restore().expect("the mask it came with");
    assert!(core_affinity::set_for_current(CoreId {
        id: first().get() as usize
    }));
    assert_eq!(child(), CpuSet::from(first()));
}

#[test]
fn current_thread_is_pinned_and_restored() {
    let before = own_mask();
    let pin = pin_current(first()).expect("an allowed CPU");
    assert_eq!(pin.status(), &PinStatus::Pinned(first()));
    assert_eq!(
        (pin.check(), own_mask()),
        (PinCheck::Held, CpuSet::from(first()))
    );
    pin.restore().expect("the mask it came with");
    assert_eq!(own_mask(), before);
}

#[test]
fn pins_within_pins_are_restored_one_by_one() {
    let before = own_mask();
    let last = allowed_cpus().last().expect("a process has a CPU");
    let outer = pin_current(first()).expect("an allowed CPU");
    let inner = pin_current(last).expect("an allowed CPU");
    assert_eq!(own_mask(), CpuSet::from(last));
    inner.restore().expect("the outer pin");
    assert_eq!(own_mask(), CpuSet::from(first()));
    outer.restore().expect("the mask it came with");
    assert_eq!(own_mask(), before);
}

#[test]
fn refused_pin_leaves_the_thread_as_it_was() {
    let before = own_mask();
    for cpu in missing() {
        let error = pin_current(cpu).expect_err("no such CPU");
        assert_eq!(error.cpu(), cpu);
        assert!(
            error.to_string().contains(&format!("CPU {cpu}:")),
            "{error}"
        );
        assert_eq!(own_mask(), before);
    }
}

#[test]
fn pinned_thread_changes_nothing_about_what_the_process_may_use() {
    let before = allowed_cpus().clone();
    let pin = pin_current(first()).expect("an allowed CPU");
    assert_eq!(allowed_cpus(), &before);
    pin.restore().expect("the mask it came with");
}

#[test]
fn mask_changed_behind_its_back_is_reported_until_the_thread_has_ended() {
    let (first, last) = (first(), allowed_cpus().last().expect("a process has a CPU"));
    if first == last {
        println!("skipped: one CPU leaves no other mask to change to");
        return;
    }
    let (order, orders) = mpsc::channel::<CpuId>();
    let (done, answers) = mpsc::channel();
    let config = ThreadConfig::new("moved")
        .cpu(first)
        .pinning(Pinning::Required);
    let worker = PinnedThread::spawn(config, move |_| {
        for cpu in orders {
            let id = cpu.get() as usize;
            let moved = core_affinity::set_for_current(CoreId { id });
            done.send((moved, check_current(first)))
                .expect("the test waits");
        }
    })
    .expect("an allowed CPU");
    assert_eq!(worker.check(), PinCheck::Held);

    order.send(last).expect("the worker waits");
    let changed = PinCheck::Changed {
        now: CpuSet::from(last),
    };
    assert_eq!(answers.recv().expect("an answer"), (true, changed.clone()));
    assert_eq!(worker.check(), changed);

    order.send(first).expect("the worker waits");
    assert_eq!(answers.recv().expect("an answer"), (true, PinCheck::Held));
    assert_eq!(worker.check(), PinCheck::Held);

    drop(order);
    while !worker.is_finished() {
        thread::yield_now();
    }
    assert_eq!(worker.check(), PinCheck::Finished);
}

#[test]
fn names_reach_the_kernel_up_to_its_limit() {
    let long = "feed-handler-number-7";
    let worker = PinnedThread::spawn(ThreadConfig::new(long), |_| {
        let comm = fs::read_to_string("/proc/thread-self/comm").expect("a name");
        (comm, thread::current().name().map(str::to_owned))
    })
    .expect("nothing to fail");
    assert_eq!(worker.name(), long);
    assert_eq!(worker.thread().name(), Some(long));
    let (comm, name) = worker.join().expect("no panic");
    assert_eq!(comm.trim_end(), &long[..15]);
    assert_eq!(name.as_deref(), Some(long));
}

#[test]
fn impossible_requests_are_errors_that_name_the_thread() {
    let error = PinnedThread::spawn(ThreadConfig::new("a\0b"), |_| ()).expect_err("a NUL");
    assert_eq!(
        error,
        ThreadError::NulInName {
            name: "a\0b".to_owned()
        }
    );
    assert_eq!(error.to_string(), r"thread name `a\0b` contains a NUL byte");

    let config = ThreadConfig::new("where").pinning(Pinning::Required);
    let error = PinnedThread::spawn(config, |_| ()).expect_err("no CPU");
    assert_eq!(
        error,
        ThreadError::NoCpu {
            name: "where".to_owned()
        }
    );
    assert!(error.to_string().contains("`where`"), "{error}");
}

#[test]
fn join_hands_over_the_result_or_the_panic() {
    let worker = PinnedThread::spawn(ThreadConfig::new("sum"), |_| 6 * 7);
    assert_eq!(
        worker.expect("nothing to fail").join().expect("no panic"),
        42
    );
    let worker = PinnedThread::spawn(ThreadConfig::new("panics"), |_| -> u8 {
        panic!("on purpose")
    });
    let payload = worker
        .expect("nothing to fail")
        .join()
        .expect_err("a panic");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
}
