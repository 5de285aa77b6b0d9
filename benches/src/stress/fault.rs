//! Faults: those put in, and those that came out.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use corecast::{Fault, FaultKind, FaultQueue};

/// What every injected panic says.
const TEXT: &str = "injected";

/// Panics as a listener might, without the hook that would print it a million times.
pub fn inject() -> ! {
    resume_unwind(Box::new(TEXT))
}

/// Runs what an injected panic may come out of: `None` if one did.
///
/// # Errors
///
/// What a panic says that nobody injected.
pub fn guard<R>(run: impl FnOnce() -> R) -> Result<Option<R>, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => Ok(Some(result)),
        Err(payload) if payload.downcast_ref::<&str>() == Some(&TEXT) => Ok(None),
        Err(payload) => Err(message(&*payload)),
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}

/// Where a fault is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injected {
    /// A listener panics.
    Panic,
    /// A listener returns an error.
    Error,
    /// A removed listener's captured state panics when it is dropped.
    ListenerDrop,
    /// An event panics when it is dropped on a worker.
    EventDrop,
    /// A listener has had too many faults in a row.
    Quarantined,
    /// The fault handler panics.
    Handler,
    /// A clone, a fill closure or an iterator panics: that goes to whoever emits, and is no fault.
    Clone,
}

const KINDS: usize = 7;
/// Those that the engine is to report.
const REPORTED: [(Injected, FaultKind); 6] = [
    (Injected::Panic, FaultKind::Panic),
    (Injected::Error, FaultKind::Error),
    (Injected::ListenerDrop, FaultKind::ListenerDrop),
    (Injected::EventDrop, FaultKind::EventDrop),
    (Injected::Quarantined, FaultKind::Quarantined),
    (Injected::Handler, FaultKind::Handler),
];

/// Counts of faults.
#[derive(Debug, Default)]
pub struct Faults {
    injected: [AtomicU64; KINDS],
    seen: [AtomicU64; KINDS],
    lost: AtomicU64,
    /// Faults of kinds that nobody injects.
    strange: AtomicU64,
}

impl Faults {
    /// One is about to be put in.
    pub fn injected(&self, what: Injected) {
        self.injected[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many were put in.
    #[must_use]
    pub fn of(&self, what: Injected) -> u64 {
        self.injected[what as usize].load(Ordering::Relaxed)
    }

    /// One came out.
    pub fn see(&self, fault: &Fault) {
        let known = REPORTED.iter().find(|(_, kind)| *kind == fault.kind);
        let counter = known.map_or(&self.strange, |(what, _)| &self.seen[*what as usize]);
        counter.fetch_add(fault.count, Ordering::Relaxed);
    }

    /// Reads what is in a queue now.
    pub fn drain(&self, queue: &FaultQueue) {
        while let Some(fault) = queue.pop() {
            self.see(&fault);
        }
        self.lost.store(queue.lost(), Ordering::Relaxed);
    }

    /// All that were put in.
    #[must_use]
    pub fn total_injected(&self) -> u64 {
        sum(&self.injected)
    }

    /// Those that the queue had no room for.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// All that came out, or were counted as lost, or came to an emitter.
    #[must_use]
    pub fn total_seen(&self) -> u64 {
        sum(&self.seen) + self.lost() + self.of(Injected::Clone)
    }

    /// What is wrong with the sums, if anything is. A queue that is gone has taken with it what
    /// was not read yet: then (`!complete`) none may come out that was not put in, and no more.
    #[must_use]
    pub fn difference(&self, complete: bool) -> Option<String> {
        let strange = self.strange.load(Ordering::Relaxed);
        if strange > 0 {
            return Some(format!("{strange} faults of kinds that nobody injected"));
        }
        for (what, kind) in REPORTED {
            let (injected, seen) = (
                self.of(what),
                self.seen[what as usize].load(Ordering::Relaxed),
            );
            if seen > injected || (complete && self.lost() == 0 && seen < injected) {
                return Some(format!(
                    "{injected} of kind \"{kind}\" injected, {seen} reported"
                ));
            }
        }
        let (injected, seen) = (self.total_injected(), self.total_seen());
        (complete && injected != seen)
            .then(|| format!("{injected} faults injected, {seen} reported or counted as lost"))
    }
}

fn sum(counters: &[AtomicU64]) -> u64 {
    let counts = counters.iter().map(|count| count.load(Ordering::Relaxed));
    counts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_injected_panic_is_told_from_another() {
        assert_eq!(guard(|| 5), Ok(Some(5)));
        assert_eq!(guard(|| inject()), Ok(None::<()>));
        let other = guard(|| resume_unwind(Box::new("another".to_owned())));
        assert_eq!(other, Err::<Option<()>, _>("another".to_owned()));
    }

    #[test]
    fn a_fault_that_nobody_reports_is_missed() {
        let faults = Faults::default();
        assert_eq!(faults.difference(true), None);
        faults.injected(Injected::Error);
        let difference = faults.difference(true);
        assert!(difference.is_some_and(|text| text.contains("1 of kind \"error\"")));
        assert_eq!(faults.difference(false), None);
    }
}
