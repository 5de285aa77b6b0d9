//! Open orders by their id.

use crate::market::Side;

/// The smallest table, in slots.
const SLOTS_AT_FIRST: usize = 64;

/// An order that rests on the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The venue's number for it.
    pub id: u64,
    /// Its price in units of 1e-9.
    pub price: i64,
    /// What is left of it; never 0.
    pub size: u32,
    /// Its side; never [`Side::None`].
    pub side: Side,
}

/// A slot without an order, told by its size.
const VACANT: Order = Order {
    id: 0,
    price: 0,
    size: 0,
    side: Side::None,
};

/// A hash table of orders: open addressing, linear probing.
///
/// A removal shifts the orders behind it back instead of leaving a tombstone, so the table never
/// has to be cleaned up: it allocates when it holds more orders than ever before, and only then.
#[derive(Debug, Clone)]
pub(super) struct Orders {
    /// A power of two of them, at most five eighths taken.
    slots: Box<[Order]>,
    len: usize,
}

impl Orders {
    pub(super) fn new() -> Self {
        Self {
            slots: vec![VACANT; SLOTS_AT_FIRST].into_boxed_slice(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, id: u64) -> Option<&Order> {
        let order = &self.slots[self.slot_of(id)];
        (order.size != 0).then_some(order)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Order> {
        let order = &mut self.slots[self.slot_of(id)];
        (order.size != 0).then_some(order)
    }

    /// Puts in an order whose id has none yet.
    pub(super) fn insert(&mut self, order: Order) {
        debug_assert!(order.size != 0 && self.get(order.id).is_none());
        if (self.len + 1) * 8 > self.slots.len() * 5 {
            self.grow();
        }
        let slot = self.slot_of(order.id);
        self.slots[slot] = order;
        self.len += 1;
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Order> {
        let mut gap = self.slot_of(id);
        let removed = self.slots[gap];
        if removed.size == 0 {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut slot = gap;
        loop {
            slot = (slot + 1) & mask;
            let order = self.slots[slot];
            if order.size == 0 {
                break;
            }
            // An order may move back into the gap unless that puts it before its home.
            let from_home = slot.wrapping_sub(self.home_of(order.id)) & mask;
            let from_gap = slot.wrapping_sub(gap) & mask;
            if from_home >= from_gap {
                self.slots[gap] = order;
                gap = slot;
            }
        }
        self.slots[gap] = VACANT;
        self.len -= 1;
        Some(removed)
    }

    pub(super) fn clear(&mut self) {
        self.slots.fill(VACANT);
        self.len = 0;
    }

    /// The slot of the order with this id, or the vacant one where it would go.
    fn slot_of(&self, id: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.home_of(id);
        while self.slots[slot].size != 0 && self.slots[slot].id != id {
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// Where the search for an id begins: both halves of a 128-bit product, so that ids spread
    /// whatever the steps between them.
    fn home_of(&self, id: u64) -> usize {
        let product = u128::from(id ^ 0xA076_1D64_78BD_642F) * 0x9E37_79B9_7F4A_7C15;
        let mixed = (product >> 64) as usize ^ product as usize;
        mixed & (self.slots.len() - 1)
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![VACANT; self.slots.len() * 2].into_boxed_slice();
        for order in std::mem::replace(&mut self.slots, larger) {
            if order.size != 0 {
                let slot = self.slot_of(order.id);
                self.slots[slot] = order;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(id: u64) -> Order {
        Order {
            id,
            price: -1,
            size: 1,
            side: Side::Ask,
        }
    }

    #[test]
    fn every_id_is_an_id() {
        let mut orders = Orders::new();
        for id in [0, 1, u64::MAX, 1 << 63] {
            assert_eq!(orders.get(id), None);
            orders.insert(order(id));
        }
        for id in [0, 1, u64::MAX, 1 << 63] {
            assert_eq!(orders.get(id), Some(&order(id)));
            assert_eq!(orders.remove(id), Some(order(id)));
            assert_eq!(orders.remove(id), None);
        }
        assert_eq!(orders.len(), 0);
    }

    #[test]
    fn a_removal_keeps_every_other_order_findable() {
        for step in [1, 64, 4096, 1 << 40] {
            let mut orders = Orders::new();
            for number in 0..1000 {
                orders.insert(order(number * step));
            }
            for number in (0..1000).filter(|number| number % 3 != 0) {
                assert_eq!(orders.remove(number * step), Some(order(number * step)));
            }
            for number in 0..1000 {
                assert_eq!(
                    orders.get(number * step).is_some(),
                    number % 3 == 0,
                    "{number} × {step}"
                );
            }
            assert_eq!(orders.len(), 334);
        }
    }

    #[test]
    fn a_steady_number_of_orders_needs_no_larger_table() {
        let mut orders = Orders::new();
        for id in 0..40 {
            orders.insert(order(id));
        }
        let slots = orders.slots.len();
        for id in 40..10_000 {
            assert!(orders.remove(id - 40).is_some());
            orders.insert(order(id));
        }
        assert_eq!((orders.len(), orders.slots.len()), (40, slots));
    }
}
