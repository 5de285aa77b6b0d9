//! What happens next in the built-in market.

use super::dice::Dice;
use super::resting::{Resting, RestingOrder, STEPS, Slot};
use crate::market::{Action, Side, Tick};

/// The price in the middle of the steps, and the width of one: 4800.00 and 0.25.
const MIDDLE_PRICE: i64 = 4_800_000_000_000;
const STEP_PRICE: i64 = 250_000_000;
const MIDDLE: u32 = STEPS / 2;

/// The market opens at midnight UTC on 2024-01-02.
const OPENING_NS: u64 = 1_704_153_600_000_000_000;

/// The orders that rest when as many come as go, and how few make the market open with adds alone.
const RESTING_ORDERS: u32 = 10_000;
const OPENING_ORDERS: u32 = 500;

/// The resting orders that one aggressor may fill.
const FILLS: u32 = 24;

/// How far a mood may shift the odds between buyers and sellers: by a quarter, either way.
const MOOD: u32 = STEPS / 4;

/// Once in so many moments the venue clears its book.
const CLEAR_ONCE_IN: u32 = 1 << 19;

/// The built-in market: who rests, what time it is, and what has yet to be told.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    dice: Dice,
    resting: Resting,
    /// The price of the last trade.
    last: u32,
    now_ns: u64,
    sequence: u32,
    next_id: u64,
    /// Whether aggressors tend to buy or to sell: from 0, buying, to twice [`MOOD`].
    mood: u32,
    /// The moments that are left of a rush, in which they follow each other closely.
    rush: u32,
    /// What happened in a moment, in the order in which it is told.
    told: Vec<Tick>,
}

impl Flow {
    /// A market whose first word is that its book is clear.
    pub(super) fn new(seed: u64) -> Self {
        let mut flow = Self {
            dice: Dice::new(seed),
            resting: Resting::new(),
            last: MIDDLE,
            now_ns: OPENING_NS,
            sequence: 1,
            next_id: 6_400_000_000_001,
            mood: MOOD,
            rush: 0,
            told: Vec::with_capacity(4 * FILLS as usize),
        };
        flow.clear();
        flow.end_message();
        flow
    }

    /// What happened in the moment last lived through: at least one tick.
    pub(super) fn told(&self) -> &[Tick] {
        &self.told
    }

    /// Lives through one moment: one message of a participant, and what follows from it.
    pub(super) fn advance(&mut self) {
        self.told.clear();
        self.sequence = self.sequence.wrapping_add(1);
        self.now_ns += self.pause_ns();
        let resting = self.resting.len();
        if resting < OPENING_ORDERS {
            self.add();
        } else if self.dice.once_in(CLEAR_ONCE_IN) {
            self.clear();
        } else {
            // Below the usual number more orders come than go, above it fewer.
            let adds = if resting < RESTING_ORDERS { 52 } else { 36 };
            match self.dice.below(100) {
                roll if roll < adds => self.add(),
                roll if roll < 78 => self.cancel(),
                roll if roll < 94 => self.modify(),
                _ => self.trade(),
            }
        }
        self.end_message();
    }

    /// Marks what was told last as the end of its message.
    fn end_message(&mut self) {
        if let Some(last) = self.told.last_mut() {
            last.flags |= dbn::flags::LAST;
        }
    }

    /// The time since the moment before: microseconds, in a rush a fraction of one.
    fn pause_ns(&mut self) -> u64 {
        if self.rush > 0 {
            self.rush -= 1;
            return u64::from(200 + self.dice.below(800));
        }
        if self.dice.once_in(256) {
            self.rush = 64 + self.dice.below(512);
        }
        let calm = 12 + self.dice.heavy(3);
        u64::from(1_000 + self.dice.below(1 << calm.min(20)))
    }

    fn add(&mut self) {
        let side = self.any_side();
        let step = self.choose_step(side);
        let size = 1 + self.dice.heavy(5);
        let id = self.new_id();
        self.resting.add(id, side, step, size);
        self.tell(Action::Add, id, side, step, size);
    }

    fn cancel(&mut self) {
        let slot = self.choose_order();
        let order = self.resting.get(slot);
        let mut by = order.size;
        if self.dice.once_in(8) {
            by -= self.dice.below(order.size);
        }
        self.take(slot, order, by);
        self.tell(Action::Cancel, order.id, order.side, order.step, by);
    }

    fn modify(&mut self) {
        let slot = self.choose_order();
        let RestingOrder {
            id,
            side,
            mut step,
            mut size,
            ..
        } = self.resting.get(slot);
        if self.dice.once_in(2) {
            size = 1 + self.dice.heavy(5);
            self.resting.resize(slot, size);
        } else {
            step = self.choose_step(side);
        }
        self.resting.requeue(slot, step);
        self.tell(Action::Modify, id, side, step, size);
    }

    /// An aggressor takes what rests at the best prices: trades, fills, and what they leave.
    fn trade(&mut self) {
        if self.dice.once_in(64) {
            self.mood = self.dice.below(2 * MOOD);
        }
        // The further the price has strayed, the more often somebody trades it back.
        let buys = self.dice.below(STEPS) + MOOD >= self.last + self.mood;
        let (aggressor, hit) = if buys {
            (Side::Bid, Side::Ask)
        } else {
            (Side::Ask, Side::Bid)
        };
        let id = self.new_id();
        let mut wanted = 1 + self.dice.heavy(8);
        let mut fills = [(Action::None, 0, 0, 0); FILLS as usize];
        let mut filled = 0;
        let mut trade = None;
        while wanted > 0 && filled < fills.len() {
            let Some(slot) = self.resting.first(hit) else {
                break;
            };
            let order = self.resting.get(slot);
            let size = order.size.min(wanted);
            // One trade for each price, and the fills at that price after it.
            let trade_at = match trade {
                Some((at, step)) if step == order.step => at,
                _ => self.told.len(),
            };
            if trade_at == self.told.len() {
                self.tell(Action::Trade, id, aggressor, order.step, 0);
            }
            trade = Some((trade_at, order.step));
            self.last = order.step;
            self.told[trade_at].size += size;
            self.tell(Action::Fill, order.id, hit, order.step, size);
            self.take(slot, order, size);
            fills[filled] = if size == order.size {
                (Action::Cancel, order.id, order.step, size)
            } else {
                (Action::Modify, order.id, order.step, order.size - size)
            };
            wanted -= size;
            filled += 1;
        }
        for (action, id, step, size) in fills.into_iter().take(filled) {
            self.sequence = self.sequence.wrapping_add(1);
            self.tell(action, id, hit, step, size);
        }
        if filled == 0 {
            self.add();
        }
    }

    /// The venue clears its book.
    fn clear(&mut self) {
        self.resting.clear();
        self.tell(Action::Clear, 0, Side::None, MIDDLE, 0);
        if let Some(cleared) = self.told.last_mut() {
            cleared.price = Tick::NO_PRICE;
        }
    }

    fn any_side(&mut self) -> Side {
        if self.dice.once_in(2) {
            Side::Bid
        } else {
            Side::Ask
        }
    }

    /// A price for an order of `side`: near the best one, and never across the other side's.
    fn choose_step(&mut self, side: Side) -> u32 {
        let behind = if self.dice.once_in(16) {
            self.dice.below(512)
        } else {
            self.dice.heavy(6)
        };
        let ahead = u32::from(self.dice.once_in(8)) * (1 + self.dice.below(2));
        let best = self.resting.best(side);
        let other = self.resting.best(side.opposite());
        if side == Side::Bid {
            let limit = other.unwrap_or(self.last).clamp(2, STEPS - 2) - 1;
            (best.unwrap_or(limit) + ahead)
                .saturating_sub(behind)
                .clamp(1, limit)
        } else {
            let limit = other.unwrap_or(self.last).clamp(1, STEPS - 3) + 1;
            (best.unwrap_or(limit) + behind)
                .saturating_sub(ahead)
                .clamp(limit, STEPS - 2)
        }
    }

    /// A resting order: any, a young one, or the next to trade where most wait for it.
    fn choose_order(&mut self) -> Slot {
        let resting = self.resting.len();
        let back = match self.dice.below(8) {
            0 | 1 => self.dice.below(resting),
            2..=4 => return self.resting.first_of_longest(),
            _ => self.dice.heavy(8).min(resting - 1),
        };
        self.resting.listed(back)
    }

    /// Takes `size` off a resting order, and the order away if that is all of it.
    fn take(&mut self, slot: Slot, order: RestingOrder, size: u32) {
        if size == order.size {
            self.resting.remove(slot);
        } else {
            self.resting.resize(slot, order.size - size);
        }
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn tell(&mut self, action: Action, order_id: u64, side: Side, step: u32, size: u32) {
        self.told.push(Tick {
            due_ns: 0,
            recorded_ns: self.now_ns,
            order_id,
            price: MIDDLE_PRICE + (i64::from(step) - i64::from(MIDDLE)) * STEP_PRICE,
            size,
            sequence: self.sequence,
            instrument: 1,
            publisher: 1,
            channel: 0,
            flags: 0,
            action,
            side,
        });
    }
}
