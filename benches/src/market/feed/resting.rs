//! The orders that the built-in market has resting, in the order in which they would trade.

use crate::market::Side;

/// How many price steps the market knows; prices are numbers of steps below this.
pub(super) const STEPS: u32 = 8192;

/// The end of a queue.
const NOBODY: u32 = u32::MAX;

/// A place in the table of orders.
pub(super) type Slot = u32;

/// A resting order.
#[derive(Debug, Clone, Copy)]
pub(super) struct RestingOrder {
    pub(super) id: u64,
    pub(super) side: Side,
    pub(super) step: u32,
    pub(super) size: u32,
    /// The orders before and after it in the queue at its price.
    before: Slot,
    after: Slot,
    /// Its place in the list of all.
    listed: u32,
}

/// The orders at one price, first come first served.
#[derive(Debug, Clone, Copy)]
struct Queue {
    first: Slot,
    last: Slot,
    len: u32,
}

const EMPTY: Queue = Queue {
    first: NOBODY,
    last: NOBODY,
    len: 0,
};

/// The resting orders of both sides, never crossed: every bid is below every ask.
///
/// Every operation takes constant time, but for the search for the next best price after the last
/// order at the best one has gone.
#[derive(Debug, Clone)]
pub(super) struct Resting {
    orders: Vec<RestingOrder>,
    free: Vec<Slot>,
    /// Every order, the younger ones towards the end.
    list: Vec<Slot>,
    /// By price. Bids and asks never share one.
    queues: Box<[Queue]>,
    bids: BestStep,
    asks: BestStep,
}

/// The best price of a side, and how many orders it has at any.
#[derive(Debug, Clone, Copy)]
struct BestStep {
    orders: u32,
    step: u32,
}

impl Resting {
    pub(super) fn new() -> Self {
        let none = BestStep { orders: 0, step: 0 };
        Self {
            orders: Vec::new(),
            free: Vec::new(),
            list: Vec::new(),
            queues: vec![EMPTY; STEPS as usize].into_boxed_slice(),
            bids: none,
            asks: none,
        }
    }

    pub(super) fn len(&self) -> u32 {
        self.bids.orders + self.asks.orders
    }

    /// The best price of a side, if it has any order.
    pub(super) fn best(&self, side: Side) -> Option<u32> {
        let best = if side == Side::Bid {
            self.bids
        } else {
            self.asks
        };
        (best.orders > 0).then_some(best.step)
    }

    /// The order that would trade next on a side.
    pub(super) fn first(&self, side: Side) -> Option<Slot> {
        self.best(side).map(|step| self.queues[step as usize].first)
    }

    /// The first order of the longer of the two queues at the best prices; there is one.
    pub(super) fn first_of_longest(&self) -> Slot {
        let [bids, asks] = [self.bids, self.asks].map(|best| {
            if best.orders > 0 {
                self.queues[best.step as usize]
            } else {
                EMPTY
            }
        });
        if bids.len > asks.len {
            bids.first
        } else {
            asks.first
        }
    }

    pub(super) fn get(&self, slot: Slot) -> RestingOrder {
        self.orders[slot as usize]
    }

    /// The order `back` places from the young end of the list of all, which is that long.
    pub(super) fn listed(&self, back: u32) -> Slot {
        self.list[self.list.len() - 1 - back as usize]
    }

    pub(super) fn add(&mut self, id: u64, side: Side, step: u32, size: u32) {
        let listed = self.list.len() as u32;
        let order = RestingOrder {
            id,
            side,
            step,
            size,
            before: NOBODY,
            after: NOBODY,
            listed,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.orders[slot as usize] = order;
                slot
            }
            None => {
                self.orders.push(order);
                self.orders.len() as u32 - 1
            }
        };
        self.list.push(slot);
        self.join(slot);
    }

    pub(super) fn resize(&mut self, slot: Slot, size: u32) {
        self.orders[slot as usize].size = size;
    }

    /// Sends an order to the end of the queue at another price.
    pub(super) fn requeue(&mut self, slot: Slot, step: u32) {
        self.leave(slot);
        self.orders[slot as usize].step = step;
        self.join(slot);
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        self.leave(slot);
        let listed = self.orders[slot as usize].listed;
        self.list.swap_remove(listed as usize);
        if let Some(&moved) = self.list.get(listed as usize) {
            self.orders[moved as usize].listed = listed;
        }
        self.free.push(slot);
    }

    pub(super) fn clear(&mut self) {
        self.orders.clear();
        self.free.clear();
        self.list.clear();
        self.queues.fill(EMPTY);
        self.bids.orders = 0;
        self.asks.orders = 0;
    }

    /// Puts an order at the end of the queue at its price.
    fn join(&mut self, slot: Slot) {
        let RestingOrder { side, step, .. } = self.get(slot);
        let queue = &mut self.queues[step as usize];
        let last = std::mem::replace(&mut queue.last, slot);
        queue.len += 1;
        if last == NOBODY {
            queue.first = slot;
        } else {
            self.orders[last as usize].after = slot;
        }
        let order = &mut self.orders[slot as usize];
        (order.before, order.after) = (last, NOBODY);
        let best = self.best_mut(side);
        let better = if side == Side::Bid {
            step > best.step
        } else {
            step < best.step
        };
        if better || best.orders == 0 {
            best.step = step;
        }
        best.orders += 1;
    }

    /// Takes an order out of its queue, and finds the next best price if it was alone at the best.
    fn leave(&mut self, slot: Slot) {
        let RestingOrder {
            side,
            step,
            before,
            after,
            ..
        } = self.get(slot);
        self.queues[step as usize].len -= 1;
        match before {
            NOBODY => self.queues[step as usize].first = after,
            before => self.orders[before as usize].after = after,
        }
        match after {
            NOBODY => self.queues[step as usize].last = before,
            after => self.orders[after as usize].before = before,
        }
        let best = self.best_mut(side);
        best.orders -= 1;
        if best.orders > 0 && best.step == step {
            let next = self.next_step(side, step);
            self.best_mut(side).step = next;
        }
    }

    /// The best price with an order at or behind `step`, on a side that has one there.
    fn next_step(&self, side: Side, mut step: u32) -> u32 {
        while self.queues[step as usize].first == NOBODY {
            if side == Side::Bid {
                step -= 1;
            } else {
                step += 1;
            }
        }
        step
    }

    fn best_mut(&mut self, side: Side) -> &mut BestStep {
        if side == Side::Bid {
            &mut self.bids
        } else {
            &mut self.asks
        }
    }
}
