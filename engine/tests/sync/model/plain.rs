//! The plain reference: a list of listeners in call order.

use super::{Does, Wanted};

/// One of its listeners.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    pub(super) number: u32,
    pub(super) wanted: Wanted,
}

/// How a reference walk ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Done {
        delivered: usize,
        failed: usize,
    },
    Stopped {
        index: usize,
        delivered: usize,
        panicked: bool,
    },
    Cancelled,
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) listeners: Vec<Plain>,
    /// Those that were called and are still in the array that is walked: they take up an index.
    pub(super) spent: Vec<u32>,
    pub(super) next: u32,
}

impl Model {
    pub(super) fn key_holder(&self, key: u8) -> Option<usize> {
        self.live()
            .position(|one| one.wanted.key == Some(key))
            .map(|n| {
                let number = self.live().nth(n).unwrap().number;
                self.listeners
                    .iter()
                    .position(|one| one.number == number)
                    .unwrap()
            })
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Plain> {
        self.listeners
            .iter()
            .filter(|one| !self.spent.contains(&one.number))
    }

    /// Takes the spent ones out, as every change does.
    pub(super) fn sweep(&mut self) {
        let spent = core::mem::take(&mut self.spent);
        self.listeners.retain(|one| !spent.contains(&one.number));
    }

    pub(super) fn can_add(&self, many: &[Wanted]) -> bool {
        let mut keys: Vec<_> = many.iter().filter_map(|one| one.key).collect();
        keys.sort_unstable();
        let unique = keys.windows(2).all(|pair| pair[0] != pair[1]);
        unique && keys.iter().all(|key| self.key_holder(*key).is_none())
    }

    pub(super) fn add(&mut self, wanted: Wanted) {
        let number = self.next;
        self.next += 1;
        let before = |one: &Plain| one.wanted.priority >= wanted.priority;
        let place = self.listeners.iter().take_while(|one| before(one)).count();
        self.listeners.insert(place, Plain { number, wanted });
    }

    pub(super) fn remove(&mut self, number: u32) -> bool {
        let live = !self.spent.contains(&number);
        let before = self.listeners.len();
        self.listeners.retain(|one| one.number != number);
        let was_there = before != self.listeners.len();
        if was_there {
            self.sweep();
        }
        was_there && live
    }

    /// Walks the snapshot of this moment and notes who is called.
    pub(super) fn walk(&mut self, stops: bool, cancelled: bool, called: &mut Vec<u32>) -> End {
        let snapshot = self.listeners.clone();
        if cancelled && self.live().next().is_some() {
            return End::Cancelled;
        }
        let (mut delivered, mut failed) = (0, 0);
        for (index, one) in snapshot.iter().enumerate() {
            let is_there = self.live().any(|live| live.number == one.number);
            if !is_there {
                continue;
            }
            called.push(one.number);
            if one.wanted.once {
                self.spent.push(one.number);
            }
            match one.wanted.does {
                Does::Nothing => delivered += 1,
                Does::Removes(key) => {
                    if let Some(place) = self.key_holder(key) {
                        let number = self.listeners[place].number;
                        self.remove(number);
                    }
                    delivered += 1;
                }
                Does::Errs | Does::Panics if stops => {
                    let panicked = one.wanted.does == Does::Panics;
                    return End::Stopped {
                        index,
                        delivered,
                        panicked,
                    };
                }
                Does::Errs | Does::Panics => failed += 1,
            }
        }
        End::Done { delivered, failed }
    }
}
