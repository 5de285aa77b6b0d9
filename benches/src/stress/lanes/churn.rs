//! Listeners that come and go while events flow.

use std::sync::Arc;
use std::thread;

use corecast::{FaultPolicy, SubscribeError, Subscription, WorkerId};

use super::route::{Taking, Track, Wish};
use super::run::Stage;
use crate::stress::dice::Dice;
use crate::stress::event::Event;
use crate::stress::fault::Injected;
use crate::stress::member::Member;
use crate::stress::order::{Presence, judge_late};
use crate::stress::round::LONG;
use crate::stress::stream::{begun, done};

/// Listeners of one thread that stay to the end, at most.
const STAYERS: usize = 4;
/// Events that a listener stays for, at most.
const STAY: u64 = 3000;

/// A listener that was subscribed while events flowed.
pub(super) struct Late {
    member: Arc<Member>,
    presence: Presence,
    /// It left, and what its removal said.
    removed: Option<bool>,
    once: bool,
    /// Keeps it subscribed.
    stays: Option<Subscription>,
}

/// Subscribes and removes until nobody emits; what could not be judged yet.
pub(super) fn churn<E: Event, R: Track<E>>(
    stage: &Stage<'_, E, R>,
    index: usize,
    mut dice: Dice,
) -> Vec<Late> {
    let mut pending = Vec::new();
    let (mut stayers, mut serial) = (0, 0_u64);
    while !stage.is_quiet() {
        serial += 1;
        stage.cancel_one();
        let Some(mut late) = arrive(stage, &mut dice, format!("{index}-{serial}")) else {
            break;
        };
        if stayers < STAYERS && dice.once_in(8) {
            stayers += 1;
        } else {
            let until = stage.total_begun() + dice.below(STAY);
            while stage.total_begun() < until && !stage.is_quiet() {
                stage.cancel_one();
                thread::yield_now();
            }
            leave(stage, &mut dice, &mut late, &format!("{index}-{serial}"));
        }
        pending.push(late);
        pending.retain(|late| {
            !(late.removed.is_some() && late.member.is_gone() && {
                judge(stage, late, None);
                true
            })
        });
    }
    pending
}

fn arrive<E: Event, R: Track<E>>(
    stage: &Stage<'_, E, R>,
    dice: &mut Dice,
    key: String,
) -> Option<Late> {
    let once = R::EVERYWHERE && dice.once_in(8);
    let wish = Wish {
        taking: dice.pick(&[Taking::Each, Taking::Each, Taking::Fallible, Taking::Batch]),
        worker: dice
            .once_in(2)
            .then(|| WorkerId::new(dice.below(stage.workers as u64) as u32)),
        priority: dice.below(11) as i32 - 5,
        once,
        key: Some(key),
    };
    let after = match stage.setup.policy {
        FaultPolicy::Quarantine { after } => after,
        _ => 0,
    };
    let member = Member::new(&stage.books, stage.numbering);
    let member = Arc::new(member.once(once).quarantine(after));
    let before = done(&stage.streams);
    let subscribed = R::subscribe(stage.signal, &wish, || {
        member.part(stage.streams.len(), stage.setup.rates, dice.fork())
    });
    let after = begun(&stage.streams);
    match subscribed {
        Ok(subscription)
            if subscription.is_active()
                || !stage.books.is_over()
                || member.is_exhausted()
                || once =>
        {
            Some(Late {
                member,
                presence: Presence {
                    before,
                    after,
                    gone: None,
                },
                removed: None,
                once,
                stays: Some(subscription),
            })
        }
        Ok(_) => None,
        Err(SubscribeError::Closed) if stage.books.is_over() => None,
        Err(error) => {
            stage.books.wrong(format_args!("not subscribed: {error}"));
            None
        }
    }
}

fn leave<E: Event, R: Track<E>>(
    stage: &Stage<'_, E, R>,
    dice: &mut Dice,
    late: &mut Late,
    key: &str,
) {
    let Some(subscription) = late.stays.take() else {
        return;
    };
    // Where it matters who removed it, in a way that tells.
    let tells = matches!(stage.setup.policy, FaultPolicy::Quarantine { .. });
    let removed = match dice.below(if tells { 2 } else { 4 }) {
        0 => subscription.unsubscribe(),
        1 if R::EVERYWHERE => stage.signal.unsubscribe(key),
        1 => subscription.unsubscribe(),
        2 => {
            drop(subscription);
            true
        }
        _ => {
            match subscription.unsubscribe_and_wait(LONG) {
                Ok(()) if !late.member.is_gone() => stage.books.wrong(format_args!(
                    "what a listener had captured was still there after unsubscribe_and_wait"
                )),
                Ok(()) => {}
                Err(error) => stage
                    .books
                    .wrong(format_args!("unsubscribe_and_wait: {error}")),
            }
            true
        }
    };
    late.member.removed();
    late.presence.gone = Some(begun(&stage.streams));
    late.removed = Some(removed);
}

/// Judges a listener that is gone; `ends` as [`judge_late`] has it.
fn judge<E: Event, R: Track<E>>(stage: &Stage<'_, E, R>, late: &Late, ends: Option<&[u64]>) {
    let orders = late.member.orders();
    let exhausted = late.member.is_exhausted();
    let ends = ends.filter(|_| late.removed.is_none() && !late.once && !exhausted);
    if let Err(what) = judge_late(&orders, stage.numbering, &late.presence, ends) {
        stage.books.wrong(format_args!("a late listener {what}"));
    }
    // One for a single call is gone before it fails.
    if exhausted && !late.once && late.removed != Some(true) {
        stage.books.faults.injected(Injected::Quarantined);
    }
}

/// Judges those that are left when everything is over.
pub(super) fn judge_rest<E: Event, R: Track<E>>(
    stage: &Stage<'_, E, R>,
    late: &[Late],
    ends: Option<&[u64]>,
) {
    for late in late {
        if late.member.is_gone() {
            judge(stage, late, ends);
        } else {
            stage.books.wrong(format_args!(
                "what a listener had captured was never dropped"
            ));
        }
    }
}

impl Late {
    /// Whether what it had captured has been dropped.
    pub(super) fn is_gone(&self) -> bool {
        self.member.is_gone()
    }

    /// Lets it go, when everything is over.
    pub(super) fn let_go(&mut self) {
        drop(self.stays.take());
    }
}
