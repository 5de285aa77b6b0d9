//! A book that is obviously right, and slow.

use corecast_lab::market::{Action, Book, Side, Tick};
use std::collections::BTreeMap;

/// Orders by id, and nothing else: every question goes through them all.
#[derive(Debug, Default)]
pub(crate) struct ReferenceBook {
    orders: BTreeMap<u64, (Side, i64, u32)>,
}

impl ReferenceBook {
    pub(crate) fn apply(&mut self, tick: &Tick) {
        let id = tick.order_id;
        match tick.action {
            Action::Add => self.put(id, tick.side, tick.price, tick.size),
            Action::Modify => {
                let side = self.orders.get(&id).map_or(tick.side, |(side, ..)| *side);
                self.put(id, side, tick.price, tick.size);
            }
            Action::Cancel => {
                if let Some((side, price, size)) = self.orders.get(&id).copied() {
                    self.put(id, side, price, size.saturating_sub(tick.size));
                }
            }
            Action::Clear => self.orders.clear(),
            Action::Trade | Action::Fill | Action::None | Action::Unknown => {}
        }
    }

    fn put(&mut self, id: u64, side: Side, price: i64, size: u32) {
        self.orders.remove(&id);
        if size > 0 && side != Side::None {
            self.orders.insert(id, (side, price, size));
        }
    }

    pub(crate) fn open_orders(&self) -> usize {
        self.orders.len()
    }

    /// Price, size and number of orders of each level, the best one first.
    pub(crate) fn levels(&self, side: Side) -> Vec<(i64, u64, u32)> {
        let mut levels = BTreeMap::new();
        for (_, price, size) in self.orders.values().filter(|(of, ..)| *of == side) {
            let (sizes, orders) = levels.entry(*price).or_insert((0, 0));
            *sizes += u64::from(*size);
            *orders += 1;
        }
        let ascending = levels
            .into_iter()
            .map(|(price, (size, orders))| (price, size, orders));
        match side {
            Side::Bid => ascending.rev().collect(),
            _ => ascending.collect(),
        }
    }
}

/// Every level of a book, the best one first.
pub(crate) fn levels(book: &Book, side: Side) -> Vec<(i64, u64, u32)> {
    let levels: Vec<_> = match side {
        Side::Bid => book.bids().collect(),
        _ => book.asks().collect(),
    };
    levels
        .into_iter()
        .map(|level| (level.price, level.size, level.orders))
        .collect()
}

/// Asserts that two books hold the same orders and levels.
pub(crate) fn assert_same(book: &Book, reference: &ReferenceBook) {
    assert_eq!(book.open_orders(), reference.open_orders());
    for side in [Side::Bid, Side::Ask] {
        let expected = reference.levels(side);
        assert_eq!(levels(book, side), expected);
        assert_eq!(book.depth(side), expected.len());
    }
    for (id, expected) in &reference.orders {
        let order = book
            .order(*id)
            .map(|order| (order.side, order.price, order.size));
        assert_eq!(order, Some(*expected), "order {id}");
    }
}
