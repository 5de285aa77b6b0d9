//! The events: numbered, sealed, and on the books from when they are made to when they are dropped.

use std::sync::Arc;
use std::thread;

use super::books::Books;
use super::dice::mix;
use super::fault::{Injected, inject};

/// Who emitted an event, and as which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The emitter.
    pub stream: u32,
    /// Which of its events, from 0.
    pub number: u64,
    /// What the other two make: an event that was torn or never written does not bear it.
    pub seal: u64,
}

impl Stamp {
    /// The stamp of event `number` of `stream`.
    #[must_use]
    #[inline]
    pub const fn new(stream: u32, number: u64) -> Self {
        Self {
            stream,
            number,
            seal: mix(number ^ mix(stream as u64)),
        }
    }

    /// Whether the three belong together.
    #[must_use]
    #[inline]
    pub const fn is_intact(self) -> bool {
        self.seal == Self::new(self.stream, self.number).seal
    }
}

/// What goes wrong with an event on its way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Brittle {
    /// Cloning it panics.
    pub clone: bool,
    /// Dropping it on a worker panics.
    pub drop: bool,
}

/// An event of a stress run.
pub trait Event: Clone + Send + 'static {
    /// An event. Types without a `Drop` of their own are never brittle and on no books.
    fn new(stamp: Stamp, brittle: Brittle, books: &Arc<Books>) -> Self;
    /// Its stamp.
    fn stamp(&self) -> Stamp;
    /// Makes another event of this one, in place.
    fn refill(&mut self, stamp: Stamp, brittle: Brittle);
    /// Whether all of it is what its stamp says.
    fn is_whole(&self) -> bool {
        self.stamp().is_intact()
    }
}

/// As small as can be; nothing to drop.
#[derive(Debug, Clone)]
pub struct Plain(Stamp);

impl Event for Plain {
    fn new(stamp: Stamp, _: Brittle, _: &Arc<Books>) -> Self {
        Self(stamp)
    }

    fn stamp(&self) -> Stamp {
        self.0
    }

    fn refill(&mut self, stamp: Stamp, _: Brittle) {
        self.0 = stamp;
    }
}

/// Four cache lines, so that a slot that is read too early shows.
#[derive(Debug, Clone)]
pub struct Wide {
    stamp: Stamp,
    body: [u64; 28],
}

impl Wide {
    fn body(stamp: Stamp) -> [u64; 28] {
        std::array::from_fn(|index| stamp.seal ^ index as u64)
    }
}

impl Event for Wide {
    fn new(stamp: Stamp, _: Brittle, _: &Arc<Books>) -> Self {
        let body = Self::body(stamp);
        Self { stamp, body }
    }

    fn stamp(&self) -> Stamp {
        self.stamp
    }

    fn refill(&mut self, stamp: Stamp, _: Brittle) {
        self.stamp = stamp;
        self.body = Self::body(stamp);
    }

    fn is_whole(&self) -> bool {
        self.stamp.is_intact() && self.body == Self::body(self.stamp)
    }
}

/// Every copy is on the books, which know when one is dropped twice or never.
#[derive(Debug)]
pub struct Tracked {
    stamp: Stamp,
    brittle: Brittle,
    /// What the books know it by, whatever it is refilled with.
    entry: Stamp,
    books: Arc<Books>,
}

impl Event for Tracked {
    fn new(stamp: Stamp, brittle: Brittle, books: &Arc<Books>) -> Self {
        books.events.made(stamp);
        Self {
            stamp,
            brittle,
            entry: stamp,
            books: Arc::clone(books),
        }
    }

    fn stamp(&self) -> Stamp {
        self.stamp
    }

    fn refill(&mut self, stamp: Stamp, brittle: Brittle) {
        self.stamp = stamp;
        self.brittle = brittle;
    }
}

impl Clone for Tracked {
    fn clone(&self) -> Self {
        if self.brittle.clone {
            self.books.faults.injected(Injected::Clone);
            inject();
        }
        Self::new(self.stamp, self.brittle, &self.books)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.books.events.dropped(self.entry);
        if self.brittle.drop && super::books::worker().is_some() && !thread::panicking() {
            self.books.faults.injected(Injected::EventDrop);
            inject();
        }
    }
}

/// Owns heap memory, and is on the books too.
#[derive(Debug, Clone)]
pub struct Owned {
    tracked: Tracked,
    numbers: Vec<u64>,
    text: String,
}

impl Owned {
    /// The bytes that `text` holds.
    fn letters(stamp: Stamp) -> impl Iterator<Item = char> {
        let letter = |nibble: u64| char::from(b'a' + (nibble & 15) as u8);
        (0..1 + (stamp.seal & 15)).map(move |index| letter(stamp.seal >> (4 * index)))
    }

    fn numbers(stamp: Stamp) -> impl Iterator<Item = u64> {
        let count = 1 + stamp.number % 7;
        (0..count).map(move |index| stamp.seal.wrapping_add(index))
    }
}

impl Event for Owned {
    fn new(stamp: Stamp, brittle: Brittle, books: &Arc<Books>) -> Self {
        Self {
            tracked: Tracked::new(stamp, brittle, books),
            numbers: Self::numbers(stamp).collect(),
            text: Self::letters(stamp).collect(),
        }
    }

    fn stamp(&self) -> Stamp {
        self.tracked.stamp
    }

    fn refill(&mut self, stamp: Stamp, brittle: Brittle) {
        self.tracked.refill(stamp, brittle);
        self.numbers.clear();
        self.numbers.extend(Self::numbers(stamp));
        self.text.clear();
        self.text.extend(Self::letters(stamp));
    }

    fn is_whole(&self) -> bool {
        let stamp = self.stamp();
        stamp.is_intact()
            && self.numbers.iter().copied().eq(Self::numbers(stamp))
            && self.text.chars().eq(Self::letters(stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stays_whole<E: Event>() {
        let books = Books::new(1);
        let mut event = E::new(Stamp::new(0, 3), Brittle::default(), &books);
        assert!(event.is_whole());
        let copy = event.clone();
        event.refill(Stamp::new(0, 4), Brittle::default());
        assert!(event.is_whole() && copy.is_whole());
        assert_eq!((event.stamp().number, copy.stamp().number), (4, 3));
        drop((event, copy));
        assert_eq!(books.events.difference(), None);
    }

    #[test]
    fn every_kind_of_event_is_whole_when_made_copied_and_refilled() {
        stays_whole::<Plain>();
        stays_whole::<Wide>();
        stays_whole::<Tracked>();
        stays_whole::<Owned>();
    }

    #[test]
    fn a_torn_event_is_not_whole() {
        let books = Books::new(1);
        let mut event = Wide::new(Stamp::new(0, 3), Brittle::default(), &books);
        event.body[27] += 1;
        assert!(!event.is_whole());
        let mut event = Owned::new(Stamp::new(0, 3), Brittle::default(), &books);
        event.numbers.push(0);
        assert!(!event.is_whole());
        let stamp = Stamp {
            number: 4,
            ..Stamp::new(0, 3)
        };
        assert!(!stamp.is_intact());
    }

    #[test]
    fn a_leaked_copy_shows_in_the_books() {
        let books = Books::new(1);
        let event = Tracked::new(Stamp::new(0, 3), Brittle::default(), &books);
        std::mem::forget(event.clone());
        drop(event);
        assert!(books.events.difference().is_some());
    }
}
