//! A random life of a signal, five thousand steps long, compared step by step with a plain list.

mod plain;

use crate::support::{Drops, LONG};
use corecast::{
    Context, EmitError, Listener, SubscribeError, Subscription, SyncEmitter, SyncSignal,
};
use plain::{End, Model};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

const STEPS: usize = 5000;
/// More are not kept at once, so that walks stay short.
const MOST: usize = 24;
const KEYS: u8 = 12;

/// What a listener does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Nothing,
    Errs,
    Panics,
    /// Removes the holder of this key, itself perhaps.
    Removes(u8),
}

#[derive(Debug, Clone)]
struct Wanted {
    key: Option<u8>,
    priority: i32,
    once: bool,
    does: Does,
}

#[derive(Debug, Clone)]
enum Step {
    Add(Wanted),
    AddMany(Vec<Wanted>),
    RemoveKey(u8),
    /// How to give one of the subscriptions up.
    GiveUp(usize, Leave),
    Clear,
    Emit {
        owned: bool,
    },
    TryEmit {
        owned: bool,
        cancelled: bool,
    },
    Quiesce,
    Look,
}

#[derive(Debug, Clone, Copy)]
enum Leave {
    Drop,
    Unsubscribe,
    Wait,
    Detach,
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let does = prop_oneof![
        12 => Just(Does::Nothing),
        2 => Just(Does::Errs),
        1 => Just(Does::Panics),
        2 => (0..KEYS).prop_map(Does::Removes),
    ];
    (
        proptest::option::of(0..KEYS),
        -2..3,
        prop::bool::weighted(0.2),
        does,
    )
        .prop_map(|(key, priority, once, does)| Wanted {
            key,
            priority,
            once,
            does,
        })
}

fn step() -> impl Strategy<Value = Step> {
    let leave = prop_oneof![
        Just(Leave::Drop),
        Just(Leave::Unsubscribe),
        Just(Leave::Wait),
        Just(Leave::Detach),
    ];
    prop_oneof![
        8 => wanted().prop_map(Step::Add),
        1 => vec(wanted(), 0..5).prop_map(Step::AddMany),
        3 => (0..KEYS).prop_map(Step::RemoveKey),
        6 => (any::<usize>(), leave).prop_map(|(n, leave)| Step::GiveUp(n, leave)),
        1 => prop::bool::weighted(0.1).prop_map(|now| if now { Step::Clear } else { Step::Look }),
        8 => any::<bool>().prop_map(|owned| Step::Emit { owned }),
        6 => (any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(owned, cancelled)| Step::TryEmit { owned, cancelled }),
        1 => Just(Step::Quiesce),
        2 => Just(Step::Look),
    ]
}

struct Life {
    signal: SyncSignal<u64>,
    emitter: SyncEmitter<u64>,
    model: Model,
    called: Arc<Mutex<Vec<u32>>>,
    drops: Drops,
    subscriptions: Vec<(u32, Subscription)>,
    added: usize,
}

impl Life {
    fn new() -> Self {
        let signal = SyncSignal::new();
        Self {
            emitter: signal.emitter(),
            signal,
            model: Model::default(),
            called: Arc::default(),
            drops: Drops::default(),
            subscriptions: Vec::new(),
            added: 0,
        }
    }

    fn listener(&self, number: u32, wanted: &Wanted) -> Listener<u64> {
        let (called, state, signal) =
            (self.called.clone(), self.drops.state(), self.signal.clone());
        let does = wanted.does;
        let listener = Listener::fallible(move |_: &u64| {
            state.touch();
            called.lock().unwrap().push(number);
            match does {
                Does::Nothing => Ok(()),
                Does::Errs => Err("errs"),
                Does::Panics => std::panic::resume_unwind(Box::new("panics")),
                Does::Removes(key) => {
                    signal.unsubscribe(&key.to_string());
                    Ok(())
                }
            }
        });
        let listener = listener.priority(wanted.priority);
        let listener = if wanted.once {
            listener.once()
        } else {
            listener
        };
        match wanted.key {
            Some(key) => listener.key(key.to_string()),
            None => listener,
        }
    }

    fn add(&mut self, many: Vec<Wanted>, one_call: bool) {
        let many: Vec<_> = many
            .into_iter()
            .take(MOST.saturating_sub(self.signal.len()))
            .collect();
        let first = self.model.next;
        self.added += many.len();
        let numbered = (first..)
            .zip(&many)
            .map(|(n, wanted)| self.listener(n, wanted));
        let added = if one_call {
            self.signal.add_many(numbered)
        } else {
            numbered.map(|listener| self.signal.add(listener)).collect()
        };
        // Even a refused change takes the spent ones out.
        if !many.is_empty() {
            self.model.sweep();
        }
        match added {
            Ok(added) => {
                assert!(self.model.can_add(&many), "{many:?}");
                self.subscriptions.extend((first..).zip(added));
                many.into_iter().for_each(|wanted| self.model.add(wanted));
            }
            Err(error) => {
                assert!(!self.model.can_add(&many), "{many:?}: {error}");
                assert!(matches!(error, SubscribeError::DuplicateKey(_)), "{error}");
            }
        }
    }

    fn give_up(&mut self, pick: usize, leave: Leave) {
        if self.subscriptions.is_empty() {
            return;
        }
        let (number, subscription) = self
            .subscriptions
            .swap_remove(pick % self.subscriptions.len());
        let is_live = self.model.live().any(|one| one.number == number);
        assert_eq!(subscription.is_active(), is_live);
        match leave {
            Leave::Detach => subscription.detach(),
            Leave::Drop => {
                drop(subscription);
                self.model.remove(number);
            }
            Leave::Unsubscribe => {
                assert_eq!(subscription.unsubscribe(), self.model.remove(number));
            }
            Leave::Wait => {
                assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
                self.model.remove(number);
            }
        }
    }

    fn emit(&mut self, owned: bool) {
        let delivery = if owned {
            self.emitter.emit(&0)
        } else {
            self.signal.emit(&0)
        };
        let mut expected = Vec::new();
        let end = self.model.walk(false, false, &mut expected);
        let (delivered, failed) = (delivery.delivered, delivery.failed);
        assert_eq!(end, End::Done { delivered, failed });
        assert_eq!(core::mem::take(&mut *self.called.lock().unwrap()), expected);
    }

    fn try_emit(&mut self, owned: bool, cancelled: bool) {
        let context = Context::none();
        if cancelled {
            context.cancel_token().cancel();
        }
        let result = if owned {
            self.emitter.try_emit(&0, &context)
        } else {
            self.signal.try_emit(&0, &context)
        };
        let mut expected = Vec::new();
        let end = self.model.walk(true, cancelled, &mut expected);
        let got = match result {
            Ok(delivery) => End::Done {
                delivered: delivery.delivered,
                failed: delivery.failed,
            },
            Err(EmitError::Cancelled { delivered: 0 }) => End::Cancelled,
            Err(EmitError::Listener {
                index, delivered, ..
            }) => End::Stopped {
                index,
                delivered,
                panicked: false,
            },
            Err(EmitError::Panicked {
                index, delivered, ..
            }) => End::Stopped {
                index,
                delivered,
                panicked: true,
            },
            Err(error) => panic!("{error}"),
        };
        assert_eq!(got, end);
        assert_eq!(core::mem::take(&mut *self.called.lock().unwrap()), expected);
    }

    fn look(&self) {
        let keys: Vec<_> = self.model.live().filter_map(|one| one.wanted.key).collect();
        let shown: Vec<u8> = self
            .signal
            .keys()
            .iter()
            .map(|key| key.parse().unwrap())
            .collect();
        assert_eq!(shown, keys);
        for key in 0..KEYS {
            assert_eq!(
                self.signal.contains_key(&key.to_string()),
                keys.contains(&key)
            );
        }
        assert_eq!(self.signal.len(), self.model.live().count());
        assert_eq!(self.signal.is_empty(), self.model.live().next().is_none());
        assert_eq!(self.signal.metrics().listeners, self.signal.len());
        while self.signal.faults().pop().is_some() {}
    }

    /// Every listener that was ever made is either in the array or has been dropped.
    fn quiesce(&mut self) {
        assert_eq!(self.signal.quiesce(LONG), Ok(()));
        self.model.sweep();
        assert_eq!(self.drops.count(), self.added - self.model.listeners.len());
        assert_eq!(self.signal.metrics().retired_arrays, 0);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Add(wanted) => self.add(vec![wanted], false),
            Step::AddMany(many) => self.add(many, true),
            Step::RemoveKey(key) => {
                let holder = self.model.key_holder(key);
                let number = holder.map(|place| self.model.listeners[place].number);
                let removed = number.is_some_and(|number| self.model.remove(number));
                assert_eq!(self.signal.unsubscribe(&key.to_string()), removed);
            }
            Step::GiveUp(pick, leave) => self.give_up(pick, leave),
            Step::Clear => {
                self.signal.clear();
                self.model.listeners.clear();
                self.model.spent.clear();
            }
            Step::Emit { owned } => self.emit(owned),
            Step::TryEmit { owned, cancelled } => self.try_emit(owned, cancelled),
            Step::Quiesce => self.quiesce(),
            Step::Look => self.look(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, max_shrink_iters: 2000, ..Default::default() })]

    #[test]
    fn five_thousand_random_steps_agree_with_a_plain_list(steps in vec(step(), STEPS)) {
        let mut life = Life::new();
        for step in steps {
            life.step(step);
        }
        life.look();
        life.signal.clear();
        life.model.listeners.clear();
        life.model.spent.clear();
        life.quiesce();
        prop_assert_eq!(life.drops.count(), life.added);
    }
}
