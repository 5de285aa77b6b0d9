//! The checking listener: what it captures, and what it does with an event.
//!
//! A listener is a *member*; on each worker that it is on it has a *part*, owned by that worker. A
//! part that is dropped leaves what it has seen with its member, so that the books are complete when
//! the last captured state is gone, and not before.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use corecast::Batch;

use super::books::worker;
use super::dice::Dice;
use super::event::Event;
use super::fault::{Injected, inject};
use super::member::Member;
use super::order::Order;
use super::progress::Progress;

/// How often a listener fails: once in so many calls, 0 for never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// It panics.
    pub panic: u64,
    /// It returns an error (where it can; else it panics).
    pub error: u64,
    /// It takes its time.
    pub slow: u64,
    /// Its captured state panics when dropped.
    pub drop: u64,
}

/// What a listener captures on one worker.
pub struct Part {
    member: Arc<Member>,
    order: Order,
    rates: Rates,
    dice: Dice,
    /// The worker that calls it.
    at: Option<usize>,
    lead: Option<Arc<Progress>>,
    follow: Option<Arc<Progress>>,
    /// Faults in a row.
    row: u32,
    calls: u64,
    well: u64,
    after_removal: u64,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}

/// What a call comes to.
enum Mood {
    Well,
    Error,
    Panic,
}

impl Part {
    /// A part of `member` that nobody has called yet.
    pub(super) fn new(member: Arc<Member>, streams: usize, rates: Rates, dice: Dice) -> Self {
        Self {
            order: Order::new(streams, member.numbering),
            member,
            rates,
            dice,
            at: None,
            lead: None,
            follow: None,
            row: 0,
            calls: 0,
            well: 0,
            after_removal: 0,
        }
    }

    /// Its progress shows here.
    #[must_use]
    pub fn leading(mut self, progress: &Arc<Progress>) -> Self {
        self.lead = Some(Arc::clone(progress));
        self
    }

    /// It is called after the one whose progress shows here.
    #[must_use]
    pub fn following(mut self, progress: &Arc<Progress>) -> Self {
        self.follow = Some(Arc::clone(progress));
        self
    }

    /// Takes an event, and may return an error.
    ///
    /// # Errors
    ///
    /// An injected one.
    pub fn take<E: Event>(&mut self, event: &E) -> Result<(), &'static str> {
        self.begin();
        self.look(event);
        match self.mood() {
            Mood::Well => {
                self.well += 1;
                Ok(())
            }
            Mood::Error => {
                self.fail(Injected::Error);
                Err("injected")
            }
            Mood::Panic => {
                self.fail(Injected::Panic);
                inject()
            }
        }
    }

    /// Takes an event; what would be an error is a panic.
    pub fn take_or_panic<E: Event>(&mut self, event: &E) {
        self.begin();
        self.look(event);
        self.end_with_panic(1);
    }

    /// Takes a run of events.
    pub fn take_batch<E: Event>(&mut self, batch: &Batch<'_, E>) {
        self.begin();
        for (index, event) in batch.iter().enumerate() {
            if batch.sequence(index) != batch.sequence(0) + index as u64 {
                self.wrong(format_args!(
                    "a batch's sequences do not follow one another"
                ));
            }
            self.look(event);
        }
        if batch.is_empty() {
            self.wrong(format_args!("a batch without an event"));
        }
        self.end_with_panic(batch.len() as u64);
    }

    fn end_with_panic(&mut self, events: u64) {
        if let Mood::Well = self.mood() {
            self.well += events;
        } else {
            self.fail(Injected::Panic);
            inject()
        }
    }

    fn begin(&mut self) {
        self.calls += 1;
        if self.member.removed.load(Ordering::Acquire) {
            // One call may have been about to begin when the removal returned.
            self.after_removal += 1;
            if self.after_removal > 1 {
                self.wrong(format_args!("a listener was called after its removal"));
            }
        }
        if self.member.once && self.calls > 1 {
            self.wrong(format_args!("a listener for one call was called again"));
        }
        if self.member.quarantine > 0 && self.row >= self.member.quarantine {
            self.wrong(format_args!("a listener was called after its quarantine"));
        }
        match (self.at, worker()) {
            (None, here) => self.at = here,
            (at, here) if at == here => {}
            (at, here) => self.wrong(format_args!(
                "a listener of worker {at:?} was called on {here:?}"
            )),
        }
    }

    fn look<E: Event>(&mut self, event: &E) {
        let stamp = event.stamp();
        if let Err(wrong) = self.order.see(stamp) {
            self.wrong(format_args!("{wrong}"));
        }
        if !event.is_whole() {
            self.wrong(format_args!(
                "event {} of emitter {} is not whole",
                stamp.number, stamp.stream
            ));
        }
        if self
            .follow
            .as_ref()
            .is_some_and(|first| !first.has_seen(stamp))
        {
            self.wrong(format_args!(
                "event {} of emitter {} came to a listener before one of higher priority",
                stamp.number, stamp.stream
            ));
        }
        if let Some(lead) = &self.lead {
            lead.note(stamp);
        }
    }

    fn mood(&mut self) -> Mood {
        let Rates {
            panic, error, slow, ..
        } = self.rates;
        if self.dice.once_in(slow) {
            take_time(self.dice.below(64));
        }
        let (panic, error) = (self.dice.once_in(panic), self.dice.once_in(error));
        let spared = self.member.steadfast && self.row + 1 == self.member.quarantine;
        if panic && !spared {
            Mood::Panic
        } else if error && !spared {
            Mood::Error
        } else {
            self.row = 0;
            Mood::Well
        }
    }

    fn fail(&mut self, what: Injected) {
        self.row += 1;
        let faults = &self.member.books.faults;
        faults.injected(what);
        if self.member.quarantine > 0 && self.row == self.member.quarantine {
            // Release: whoever removes it after knows why it may be gone.
            self.member.exhausted.store(true, Ordering::Release);
        }
    }

    #[cold]
    fn wrong(&self, what: fmt::Arguments<'_>) {
        self.member.books.wrong(what);
    }
}

/// Keeps the worker for a while: now and then for longer than its emitters spin.
fn take_time(measure: u64) {
    if measure == 0 {
        thread::yield_now();
    }
    for _ in 0..measure * 16 {
        std::hint::spin_loop();
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let books = &self.member.books;
        books.calls.fetch_add(self.well, Ordering::Relaxed);
        if self.at.is_some() && worker() != self.at && !books.is_over() {
            books.wrong(format_args!(
                "what a listener of worker {:?} had captured was dropped on {:?}",
                self.at,
                worker()
            ));
        }
        let unseen = Order::new(0, self.order.numbering());
        let order = std::mem::replace(&mut self.order, unseen);
        self.member.seen().push(order);
        // One that was never called may be refused, and then it is dropped by whoever subscribed it.
        if self.at.is_some() && self.dice.once_in(self.rates.drop) && !thread::panicking() {
            books.faults.injected(Injected::ListenerDrop);
            inject();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::books::Books;
    use crate::stress::event::{Brittle, Plain, Stamp};
    use crate::stress::order::Numbering;

    /// What is found when a listener gets these events; `prepare` makes it what it is.
    fn findings(numbers: &[u64], prepare: impl FnOnce(Member) -> Member) -> Vec<String> {
        let books = Books::new(1);
        let member = Arc::new(prepare(Member::new(&books, Numbering::EACH)));
        let mut part = member.part(1, Rates::default(), Dice::new(1));
        for &number in numbers {
            let event = Plain::new(Stamp::new(0, number), Brittle::default(), &books);
            assert_eq!(part.take(&event), Ok(()));
        }
        drop(part);
        assert!(member.is_gone());
        assert_eq!(member.orders()[0].count(), numbers.len() as u64);
        books.findings.words()
    }

    fn found(findings: &[String], what: &str) -> bool {
        findings.len() == 1 && findings[0].contains(what)
    }

    #[test]
    fn a_listener_finds_duplicates_gaps_and_reorderings() {
        assert!(findings(&[0, 1, 2], |member| member).is_empty());
        assert!(found(&findings(&[0, 1, 1], |member| member), "came again"));
        assert!(found(&findings(&[0, 2], |member| member), "too early"));
        assert_eq!(findings(&[0, 2, 1], |member| member).len(), 2);
    }

    #[test]
    fn one_call_may_be_under_way_when_a_removal_returns_and_no_second_one() {
        let removed = |member: Member| {
            member.removed();
            member
        };
        assert!(findings(&[0], removed).is_empty());
        assert!(found(&findings(&[0, 1], removed), "after its removal"));
    }

    #[test]
    fn a_second_call_of_a_listener_for_one_is_found() {
        assert!(findings(&[0], |member| member.once(true)).is_empty());
        assert!(found(
            &findings(&[0, 1], |member| member.once(true)),
            "for one call"
        ));
    }

    #[test]
    fn a_call_after_a_quarantine_is_found() {
        let books = Books::new(1);
        let member = Arc::new(Member::new(&books, Numbering::EACH).quarantine(2));
        let rates = Rates {
            error: 1,
            ..Rates::default()
        };
        let mut part = member.part(1, rates, Dice::new(1));
        for number in 0..3 {
            assert_eq!(books.findings.count(), 0);
            let event = Plain::new(Stamp::new(0, number), Brittle::default(), &books);
            assert_eq!(part.take(&event), Err("injected"));
        }
        assert!(member.is_exhausted());
        assert!(found(&books.findings.words(), "after its quarantine"));
    }

    #[test]
    fn a_listener_that_is_overtaken_finds_it() {
        let books = Books::new(1);
        let member = Arc::new(Member::new(&books, Numbering::EACH));
        let first = Progress::new(1);
        let part = || member.part(1, Rates::default(), Dice::new(1));
        let (mut leader, mut follower) = (part().leading(&first), part().following(&first));
        let event = |number| Plain::new(Stamp::new(0, number), Brittle::default(), &books);
        assert_eq!(
            (leader.take(&event(0)), follower.take(&event(0))),
            (Ok(()), Ok(()))
        );
        assert_eq!(books.findings.count(), 0);
        assert_eq!(follower.take(&event(1)), Ok(()));
        assert!(found(&books.findings.words(), "higher priority"));
    }
}
