//! Who is there of those that come and go in any order.

use std::collections::BTreeMap;

/// Whoever is there, in the order in which they came, each with the number that it got then. To leave
/// takes as long among a hundred thousand as among a few, or nearly: readers and lanes pile up where
/// emitters come and go faster than a worker looks.
pub(crate) struct Registry<T> {
    there: BTreeMap<u64, T>,
    next: u64,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        let there = BTreeMap::new();
        Self { there, next: 0 }
    }
}

impl<T> Registry<T> {
    /// Somebody comes, and is made with the number that it has from now on.
    pub(crate) fn enter(&mut self, make: impl FnOnce(u64) -> T) -> &mut T {
        let number = self.next;
        self.next += 1;
        self.there.entry(number).or_insert_with(|| make(number))
    }

    /// Whoever had this number leaves.
    pub(crate) fn leave(&mut self, number: u64) -> Option<T> {
        self.there.remove(&number)
    }

    /// Whoever has this number.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.there.get_mut(&number)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.there.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_are_there_are_in_the_order_in_which_they_came() {
        let mut registry = Registry::default();
        let numbers = ["a", "b", "c", "d"].map(|name| {
            let (_, number) = *registry.enter(|number| (name, number));
            number
        });
        assert_eq!(registry.leave(numbers[1]), Some(("b", numbers[1])));
        assert_eq!(registry.leave(numbers[1]), None, "it has left");
        assert_eq!(registry.get_mut(numbers[1]), None);
        assert_eq!(registry.get_mut(numbers[2]), Some(&mut ("c", numbers[2])));
        registry.enter(|number| ("b", number));
        let names: Vec<_> = registry.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["a", "c", "d", "b"]);
    }
}
