//! Sequences and stamps: plain numbers with names.
//!
//! A sequence counts the events of one ring, in 64 bits on every target, from a starting point
//! that is zero but in tests. A stamp is a slot's availability word. It is derived from the
//! sequence that the slot holds, so that one comparison for equality tells "published, and of this
//! lap": no separate flag, no wrap handling beyond the mask.
//!
//! | stamp          | meaning                                             | next                      |
//! | `published(s − capacity)` | free for `s` once the consumer has released it | `published(s)`, `aborted(s)` |
//! | `published(s)` | holds event `s`                                     | as above, one lap on      |
//! | `aborted(s)`   | holds nothing; the consumer steps over it           | as above, one lap on      |

/// The stamp of a slot that holds event `sequence`.
#[inline(always)]
pub(crate) const fn published(sequence: u64) -> u64 {
    sequence << 1
}

/// The stamp of a slot whose claim on `sequence` was abandoned.
#[inline(always)]
pub(crate) const fn aborted(sequence: u64) -> u64 {
    (sequence << 1) | 1
}

/// The stamp a fresh slot carries before `sequence`, its first, is written.
#[inline(always)]
pub(crate) const fn vacant(sequence: u64, capacity: u64) -> u64 {
    published(sequence.wrapping_sub(capacity))
}

/// The first sequence at or after `first` that lives in slot `index`.
#[inline(always)]
pub(crate) const fn first_in_slot(first: u64, index: u64, mask: u64) -> u64 {
    first.wrapping_add(index.wrapping_sub(first) & mask)
}

/// How far the consumer may run before it publishes its progress: every 64 events, or a quarter of
/// a small ring.
#[inline(always)]
pub(crate) const fn release_quantum(capacity: u64) -> u64 {
    match capacity / 4 {
        0 => 1,
        quarter if quarter < 64 => quarter,
        _ => 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lap_of_a_slot_has_its_own_stamp() {
        let capacity = 4;
        for first in [0, 5, u64::MAX - 6] {
            for index in 0..capacity {
                let lap0 = first_in_slot(first, index, capacity - 1);
                assert_eq!(lap0 & (capacity - 1), index);
                assert!(lap0.wrapping_sub(first) < capacity);
                let lap1 = lap0.wrapping_add(capacity);
                let stamps = [
                    vacant(lap0, capacity),
                    published(lap0),
                    aborted(lap0),
                    published(lap1),
                    aborted(lap1),
                ];
                for (i, a) in stamps.iter().enumerate() {
                    assert!(
                        stamps.iter().skip(i + 1).all(|b| a != b),
                        "first {first} index {index}"
                    );
                }
            }
        }
    }

    #[test]
    fn progress_is_released_at_least_every_quarter_or_64_events() {
        assert_eq!(
            [2, 4, 8, 64, 256, 4096].map(release_quantum),
            [1, 1, 2, 16, 64, 64]
        );
    }
}
