//! The order book of one instrument, kept by order id.

mod levels;
mod orders;

pub use levels::Level;
pub use orders::Order;

use levels::{Best, Levels};
use orders::Orders;

use super::{Action, Side, Tick};

/// An order book by order id, with its price levels kept up to date.
///
/// `A` adds an order, `C` reduces one by its size and removes it at 0, `M` gives one another price
/// and size and adds it if the book has no such order, `R` removes all. Trades and fills leave the
/// book alone: what they do to resting orders comes as `C` and `M`. An `A` for an order that is
/// there already replaces it; a `C` for one that is not does nothing; an order without a side or
/// a size rests nowhere, so it is not added, and an `M` to size 0 removes.
///
/// # Complexity
///
/// An order is found in constant expected time, its level in the logarithm of its distance from
/// the best price; a new level moves at most 128 others. Nothing is allocated unless the book
/// holds more orders, or needs more blocks of 128 levels, than ever before.
///
/// # Examples
///
/// ```
/// use corecast_lab::market::{Book, market_ticks};
///
/// let mut book = Book::new();
/// for tick in market_ticks(10_000, 7) {
///     book.apply(&tick);
/// }
/// let (bid, ask) = (book.best_bid().unwrap(), book.best_ask().unwrap());
/// assert!(bid.price < ask.price);
/// ```
#[derive(Debug, Clone)]
pub struct Book {
    orders: Orders,
    bids: Levels,
    asks: Levels,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self {
            orders: Orders::new(),
            bids: Levels::new(Best::Highest),
            asks: Levels::new(Best::Lowest),
        }
    }

    /// Does to the book what `tick` says, whatever its instrument.
    pub fn apply(&mut self, tick: &Tick) {
        match tick.action {
            Action::Add => {
                self.take(tick.order_id);
                self.add(tick);
            }
            Action::Cancel => self.reduce(tick.order_id, tick.size),
            Action::Modify => self.modify(tick),
            Action::Clear => self.clear(),
            Action::Trade | Action::Fill | Action::None | Action::Unknown => {}
        }
    }

    /// Removes every order.
    pub fn clear(&mut self) {
        self.orders.clear();
        self.bids.clear();
        self.asks.clear();
    }

    /// The highest level that somebody bids.
    #[must_use]
    pub fn best_bid(&self) -> Option<Level> {
        self.bids.best()
    }

    /// The lowest level that somebody asks.
    #[must_use]
    pub fn best_ask(&self) -> Option<Level> {
        self.asks.best()
    }

    /// How many orders rest on the book.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.orders.len()
    }

    /// The order with this id, if it rests on the book.
    #[must_use]
    pub fn order(&self, id: u64) -> Option<Order> {
        self.orders.get(id).copied()
    }

    /// How many price levels a side has; [`Side::None`] has none.
    #[must_use]
    pub fn depth(&self, side: Side) -> usize {
        match side {
            Side::Bid => self.bids.len(),
            Side::Ask => self.asks.len(),
            Side::None => 0,
        }
    }

    /// The bid levels, the best one first.
    pub fn bids(&self) -> impl Iterator<Item = Level> + '_ {
        self.bids.iter()
    }

    /// The ask levels, the best one first.
    pub fn asks(&self) -> impl Iterator<Item = Level> + '_ {
        self.asks.iter()
    }

    fn add(&mut self, tick: &Tick) {
        let &Tick {
            order_id: id,
            price,
            size,
            side,
            ..
        } = tick;
        if size == 0 {
            return;
        }
        if let Some(levels) = self.levels_mut(side) {
            levels.add(price, size);
            self.orders.insert(Order {
                id,
                price,
                size,
                side,
            });
        }
    }

    fn modify(&mut self, tick: &Tick) {
        let &Tick { price, size, .. } = tick;
        let Some(order) = self.orders.get_mut(tick.order_id) else {
            return self.add(tick);
        };
        if size == 0 {
            self.take(tick.order_id);
            return;
        }
        let was = std::mem::replace(
            order,
            Order {
                price,
                size,
                ..*order
            },
        );
        let Some(levels) = self.levels_mut(was.side) else {
            return;
        };
        if was.price == price {
            levels.resize(price, was.size, size);
        } else {
            levels.remove(was.price, was.size);
            levels.add(price, size);
        }
    }

    fn reduce(&mut self, id: u64, by: u32) {
        let Some(order) = self.orders.get_mut(id) else {
            return;
        };
        if by >= order.size {
            self.take(id);
            return;
        }
        let was = std::mem::replace(
            order,
            Order {
                size: order.size - by,
                ..*order
            },
        );
        if let Some(levels) = self.levels_mut(was.side) {
            levels.resize(was.price, was.size, was.size - by);
        }
    }

    /// Removes an order, if it is there, from the table and from its level.
    fn take(&mut self, id: u64) {
        let Some(order) = self.orders.remove(id) else {
            return;
        };
        if let Some(levels) = self.levels_mut(order.side) {
            levels.remove(order.price, order.size);
        }
    }

    fn levels_mut(&mut self, side: Side) -> Option<&mut Levels> {
        match side {
            Side::Bid => Some(&mut self.bids),
            Side::Ask => Some(&mut self.asks),
            Side::None => None,
        }
    }
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}
