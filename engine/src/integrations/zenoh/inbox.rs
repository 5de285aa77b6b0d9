//! What has come and is not decoded yet: bounded in bytes; the network waits for room.

use corecast_ring::sync::{Condvar, Mutex, lock, wait_on};
use std::collections::VecDeque;

/// A frame as it came.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) key: String,
    pub(super) bytes: Vec<u8>,
}

/// Between the session's threads, which put, and the receiver's, which takes.
#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    arrived: Condvar,
    room: Condvar,
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    parcels: VecDeque<Parcel>,
    bytes: usize,
    high_water: usize,
    phase: Phase,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    #[default]
    Open,
    /// Nothing more comes in; what is there is still taken.
    Closed,
    /// Nothing is taken any more either.
    Abandoned,
}

impl Inbox {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            state: Mutex::new(State::default()),
            arrived: Condvar::new(),
            room: Condvar::new(),
            limit,
        }
    }

    /// Bytes at once.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Puts a parcel of at most `limit` bytes in, waiting for room; a closed inbox drops it.
    pub(super) fn put(&self, parcel: Parcel) {
        let len = parcel.bytes.len();
        let mut state = lock(&self.state);
        while state.phase == Phase::Open && state.bytes + len > self.limit {
            (state, _) = wait_on(&self.room, state, None);
        }
        if state.phase != Phase::Open {
            return;
        }
        state.bytes += len;
        state.high_water = state.high_water.max(state.bytes);
        state.parcels.push_back(parcel);
        drop(state);
        self.arrived.notify_one();
    }

    /// Takes the oldest parcel, waiting for one; `None` when no more will be taken.
    pub(super) fn take(&self) -> Option<Parcel> {
        let mut state = lock(&self.state);
        loop {
            if state.phase == Phase::Abandoned {
                return None;
            }
            if let Some(parcel) = state.parcels.pop_front() {
                state.bytes -= parcel.bytes.len();
                drop(state);
                // Several may fit now.
                self.room.notify_all();
                return Some(parcel);
            }
            if state.phase == Phase::Closed {
                return None;
            }
            (state, _) = wait_on(&self.arrived, state, None);
        }
    }

    /// Nothing more comes in; those who wait for room go.
    pub(super) fn close(&self) {
        self.advance(Phase::Closed);
    }

    /// What is there is not taken any more.
    pub(super) fn abandon(&self) {
        self.advance(Phase::Abandoned);
    }

    fn advance(&self, phase: Phase) {
        let mut state = lock(&self.state);
        state.phase = state.phase.max(phase);
        drop(state);
        self.arrived.notify_all();
        self.room.notify_all();
    }

    /// Bytes now, and the most there have been.
    pub(super) fn depth(&self) -> (usize, usize) {
        let state = lock(&self.state);
        (state.bytes, state.high_water)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    fn parcel(len: usize) -> Parcel {
        Parcel {
            key: "k".to_owned(),
            bytes: vec![0; len],
        }
    }

    #[test]
    fn whoever_finds_no_room_waits_for_it_and_the_order_is_kept() {
        let inbox = Inbox::new(10);
        let full = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                inbox.put(parcel(6));
                inbox.put(parcel(4));
                full.wait();
                for len in 1..=10 {
                    inbox.put(parcel(len));
                }
                inbox.close();
            });
            full.wait();
            assert_eq!(inbox.depth(), (10, 10));
            let taken: Vec<_> = std::iter::from_fn(|| inbox.take())
                .map(|parcel| parcel.bytes.len())
                .collect();
            assert_eq!(taken, [6, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        });
        assert_eq!(inbox.depth(), (0, 10));
    }

    #[test]
    fn a_closed_inbox_gives_what_it_has_and_takes_nothing() {
        let inbox = Inbox::new(10);
        inbox.put(parcel(3));
        inbox.close();
        inbox.put(parcel(1));
        assert_eq!(inbox.take().map(|parcel| parcel.bytes.len()), Some(3));
        assert!(inbox.take().is_none());
    }

    #[test]
    fn an_abandoned_inbox_gives_nothing_and_lets_those_go_who_wait() {
        let inbox = Inbox::new(1);
        inbox.put(parcel(1));
        std::thread::scope(|scope| {
            scope.spawn(|| inbox.put(parcel(1)));
            inbox.abandon();
        });
        assert!(inbox.take().is_none());
    }
}
