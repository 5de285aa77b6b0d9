//! The price levels of one side of a book.

use std::cmp::Ordering;

/// How many levels a block holds: an insertion moves at most so many.
const BLOCK_LEVELS: usize = 128;

/// Everything that rests at one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The price in units of 1e-9.
    pub price: i64,
    /// The sizes of the orders, added up.
    pub size: u64,
    /// How many orders there are.
    pub orders: u32,
}

/// Which prices come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Best {
    Highest,
    Lowest,
}

/// The levels of one side, sorted, the best one last.
///
/// A sorted list in blocks. Trading happens near the best price, so a search starts at the end and
/// strides away from it, and an insertion there moves little. However many levels there are, an
/// insertion moves no more than a block. Emptied blocks are kept for later: only a side that needs
/// more of them than ever before allocates.
#[derive(Debug, Clone)]
pub(super) struct Levels {
    best: Best,
    /// None is empty, each is sorted, and each ends before the next begins.
    blocks: Vec<Vec<Level>>,
    spare: Vec<Vec<Level>>,
    len: usize,
}

/// Where a price is, or would be.
enum Place {
    Found(usize, usize),
    Missing(usize, usize),
}

impl Levels {
    pub(super) fn new(best: Best) -> Self {
        Self {
            best,
            blocks: Vec::new(),
            spare: Vec::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn best(&self) -> Option<Level> {
        self.blocks.last().and_then(|block| block.last()).copied()
    }

    /// Every level, the best one first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Level> + '_ {
        self.blocks
            .iter()
            .rev()
            .flat_map(|block| block.iter().rev())
            .copied()
    }

    /// Puts an order of `size` at `price`.
    pub(super) fn add(&mut self, price: i64, size: u32) {
        match self.find(price) {
            Place::Found(block, at) => {
                let level = &mut self.blocks[block][at];
                level.size += u64::from(size);
                level.orders += 1;
            }
            Place::Missing(block, at) => {
                self.insert(
                    block,
                    at,
                    Level {
                        price,
                        size: size.into(),
                        orders: 1,
                    },
                );
            }
        }
    }

    /// Changes an order's size at `price`, where it rests with size `from`.
    pub(super) fn resize(&mut self, price: i64, from: u32, to: u32) {
        if let Place::Found(block, at) = self.find(price) {
            let level = &mut self.blocks[block][at];
            level.size = level.size - u64::from(from) + u64::from(to);
        }
    }

    /// Takes away an order of `size` that rests at `price`.
    pub(super) fn remove(&mut self, price: i64, size: u32) {
        let Place::Found(block, at) = self.find(price) else {
            return;
        };
        let level = &mut self.blocks[block][at];
        level.size -= u64::from(size);
        level.orders -= 1;
        if level.orders == 0 {
            self.blocks[block].remove(at);
            self.len -= 1;
            if self.blocks[block].is_empty() {
                let emptied = self.blocks.remove(block);
                self.spare.push(emptied);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        for block in &mut self.blocks {
            block.clear();
        }
        self.spare.append(&mut self.blocks);
        self.len = 0;
    }

    /// Orders prices from the worst to the best.
    fn compare(&self, left: i64, right: i64) -> Ordering {
        match self.best {
            Best::Highest => left.cmp(&right),
            Best::Lowest => right.cmp(&left),
        }
    }

    fn find(&self, price: i64) -> Place {
        let is_worse = |level: &Level| self.compare(level.price, price).is_lt();
        // The last block that begins at or before `price`; the first one, if none does.
        let begins_later = |block: &Vec<Level>| self.compare(block[0].price, price).is_gt();
        let later = stride_back(&self.blocks, begins_later);
        let block = (self.blocks.len() - later).saturating_sub(1);
        let Some(levels) = self.blocks.get(block) else {
            return Place::Missing(0, 0);
        };
        let at = levels.len() - stride_back(levels, |level| !is_worse(level));
        match levels.get(at) {
            Some(level) if level.price == price => Place::Found(block, at),
            _ => Place::Missing(block, at),
        }
    }

    fn insert(&mut self, mut block: usize, mut at: usize, level: Level) {
        if self.blocks.is_empty() {
            let first = self.take_spare();
            self.blocks.push(first);
        } else if self.blocks[block].len() == BLOCK_LEVELS {
            let mut upper = self.take_spare();
            upper.extend(self.blocks[block].drain(BLOCK_LEVELS / 2..));
            self.blocks.insert(block + 1, upper);
            if at > BLOCK_LEVELS / 2 {
                block += 1;
                at -= BLOCK_LEVELS / 2;
            }
        }
        self.blocks[block].insert(at, level);
        self.len += 1;
    }

    fn take_spare(&mut self) -> Vec<Level> {
        self.spare.pop().unwrap_or_else(|| {
            // Room to keep every block, so that keeping one never allocates.
            self.spare.reserve(self.blocks.len() + 1);
            Vec::with_capacity(BLOCK_LEVELS)
        })
    }
}

/// How many elements at the end of `sorted` satisfy `later`, which holds from some element on.
///
/// Strides back from the end by doubling steps, then halves: cheap when the answer is small.
fn stride_back<T>(sorted: &[T], later: impl Fn(&T) -> bool) -> usize {
    let mut stride = 1;
    while stride <= sorted.len() && later(&sorted[sorted.len() - stride]) {
        stride *= 2;
    }
    // The element `stride` from the end is not later (or there is none); the one at half of that is.
    let from = sorted.len().saturating_sub(stride);
    let to = sorted.len() - stride / 2;
    sorted.len() - (from + sorted[from..to].partition_point(|element| !later(element)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn striding_back_counts_what_comes_later() {
        for len in 0..40 {
            let sorted: Vec<usize> = (0..len).collect();
            for first_later in 0..=len {
                let count = stride_back(&sorted, |element| *element >= first_later);
                assert_eq!(count, len - first_later, "{first_later} of {len}");
            }
        }
    }

    #[test]
    fn levels_stay_sorted_across_blocks() {
        for best in [Best::Highest, Best::Lowest] {
            let mut levels = Levels::new(best);
            // Steps of 389 through 1000 prices visit each once, in no order.
            let prices = (0..1000).map(|step| (step * 389) % 1000);
            for price in prices.clone() {
                levels.add(price, 1);
                levels.add(price, 2);
            }
            let mut expected: Vec<i64> = (0..1000).collect();
            if best == Best::Highest {
                expected.reverse();
            }
            assert_eq!(
                levels.iter().map(|level| level.price).collect::<Vec<_>>(),
                expected
            );
            assert!(
                levels
                    .iter()
                    .all(|level| level.size == 3 && level.orders == 2)
            );
            assert!(levels.blocks.len() > 1000 / BLOCK_LEVELS);
            for price in prices {
                levels.remove(price, 1);
                levels.remove(price, 2);
            }
            assert_eq!((levels.len(), levels.best()), (0, None));
            assert!(levels.blocks.is_empty());
        }
    }

    #[test]
    fn emptied_blocks_serve_again() {
        let mut levels = Levels::new(Best::Highest);
        for price in 0..1000 {
            levels.add(price, 1);
        }
        let blocks = levels.blocks.len();
        levels.clear();
        assert_eq!(
            (levels.len(), levels.best(), levels.spare.len()),
            (0, None, blocks)
        );
        for price in 0..1000 {
            levels.add(price, 1);
        }
        assert_eq!((levels.len(), levels.spare.len()), (1000, 0));
    }
}
