//! The books of every instrument in a feed.

use std::collections::HashMap;

use super::{Book, Tick};

/// An instrument: its number is unique within its publisher only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instrument {
    /// Who publishes it.
    pub publisher: u16,
    /// Its number there.
    pub number: u32,
}

/// A book for each instrument that a feed speaks of, so that none is mixed with another.
///
/// # Complexity
///
/// As [`Book`], plus a look-up where the instrument is not that of the tick before.
#[derive(Debug, Clone, Default)]
pub struct Books {
    entries: Vec<Entry>,
    places: HashMap<Instrument, usize>,
    /// The entry that the last tick was for.
    last: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    instrument: Instrument,
    ticks: u64,
    book: Book,
}

impl Books {
    /// No books yet; each is made by its instrument's first tick.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Does to the book of `tick`'s instrument what it says.
    pub fn apply(&mut self, tick: &Tick) {
        let instrument = Instrument {
            publisher: tick.publisher,
            number: tick.instrument,
        };
        if self
            .entries
            .get(self.last)
            .is_none_or(|entry| entry.instrument != instrument)
        {
            self.last = self.place_of(instrument);
        }
        let entry = &mut self.entries[self.last];
        entry.ticks += 1;
        entry.book.apply(tick);
    }

    /// How many instruments there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there has been no tick.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The orders that rest on all books.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.entries
            .iter()
            .map(|entry| entry.book.open_orders())
            .sum()
    }

    /// The book of an instrument, if there has been a tick for it.
    #[must_use]
    pub fn get(&self, instrument: Instrument) -> Option<&Book> {
        self.places
            .get(&instrument)
            .map(|&place| &self.entries[place].book)
    }

    /// The instrument with the most ticks, and its book; of several the one that came first.
    #[must_use]
    pub fn busiest(&self) -> Option<(Instrument, &Book)> {
        self.entries
            .iter()
            .rev()
            .max_by_key(|entry| entry.ticks)
            .map(|entry| (entry.instrument, &entry.book))
    }

    fn place_of(&mut self, instrument: Instrument) -> usize {
        *self.places.entry(instrument).or_insert_with(|| {
            self.entries.push(Entry {
                instrument,
                ticks: 0,
                book: Book::new(),
            });
            self.entries.len() - 1
        })
    }
}
