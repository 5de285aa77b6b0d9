//! The check that messages come in the order of their numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Refusal;
use crate::market::{Action, SESSION_GAP_NS, Tick};

/// Whether each channel's messages come in the order of their numbers.
///
/// Numbers may repeat (one message is several records), skip, and wrap. They begin anew after a
/// snapshot, whose own numbers are old and not looked at, after the book was cleared, and after an
/// hour of silence, which only lies between two sessions.
///
/// Checking takes `&self`, because a synchronous listener is shared; the memory is meant for one
/// emitter's records. Several at once would compare each other's numbers, and do no other harm.
#[derive(Debug)]
pub struct SequenceCheck {
    /// By channel number; those of different publishers take turns in one place.
    channels: Box<[Channel]>,
}

/// What is known of a channel. Relaxed is enough for both words: one thread uses them.
#[derive(Debug, Default)]
struct Channel {
    /// [`NUMBERED`], the publisher and the last number; 0 when they begin anew.
    last: AtomicU64,
    recorded_ns: AtomicU64,
}

/// Set in a channel's word when it holds a number.
const NUMBERED: u64 = 1 << 48;

impl SequenceCheck {
    /// A check that has seen no record.
    #[must_use]
    pub fn new() -> Self {
        Self {
            channels: (0..=u8::MAX).map(|_| Channel::default()).collect(),
        }
    }

    /// Whether the record may come after those checked before; remembers it if so.
    ///
    /// # Errors
    ///
    /// [`Refusal::OutOfSequence`].
    pub fn check(&self, tick: &Tick) -> Result<(), Refusal> {
        let channel = &self.channels[usize::from(tick.channel)];
        if tick.is_snapshot() {
            channel.last.store(0, Ordering::Relaxed);
            return Ok(());
        }
        let source = NUMBERED | u64::from(tick.publisher) << 32;
        let last = channel.last.load(Ordering::Relaxed);
        let after = last as u32;
        let steps_back = tick.sequence.wrapping_sub(after).cast_signed() < 0;
        if steps_back && last & !u64::from(u32::MAX) == source && tick.action != Action::Clear {
            let before_ns = channel.recorded_ns.load(Ordering::Relaxed);
            if tick.recorded_ns.saturating_sub(before_ns) < SESSION_GAP_NS {
                return Err(Refusal::OutOfSequence {
                    after,
                    sequence: tick.sequence,
                });
            }
        }
        channel
            .last
            .store(source | u64::from(tick.sequence), Ordering::Relaxed);
        channel
            .recorded_ns
            .store(tick.recorded_ns, Ordering::Relaxed);
        Ok(())
    }
}

impl Default for SequenceCheck {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sequence: u32) -> Tick {
        Tick {
            sequence,
            ..Tick::default()
        }
    }

    #[test]
    fn a_number_may_repeat_skip_and_wrap_but_not_go_back() {
        let check = SequenceCheck::new();
        for sequence in [7, 7, 9, u32::MAX / 2, u32::MAX - 1, 3] {
            assert_eq!(check.check(&message(sequence)), Ok(()), "{sequence}");
        }
        let refusal = Refusal::OutOfSequence {
            after: 3,
            sequence: 2,
        };
        assert_eq!(check.check(&message(2)), Err(refusal));
        // A refused record does not count as the one before.
        assert_eq!(check.check(&message(3)), Ok(()));
    }

    #[test]
    fn channels_and_publishers_count_for_themselves() {
        let check = SequenceCheck::new();
        assert_eq!(check.check(&message(9)), Ok(()));
        assert_eq!(
            check.check(&Tick {
                channel: 1,
                ..message(5)
            }),
            Ok(())
        );
        assert!(
            check
                .check(&Tick {
                    channel: 1,
                    ..message(4)
                })
                .is_err()
        );
        assert_eq!(
            check.check(&Tick {
                publisher: 2,
                ..message(5)
            }),
            Ok(())
        );
        assert_eq!(check.check(&message(4)), Ok(()));
    }

    #[test]
    fn numbers_begin_anew_with_a_session() {
        let beginnings = [
            Tick {
                action: Action::Clear,
                ..message(1)
            },
            Tick {
                flags: dbn::flags::SNAPSHOT,
                ..message(1)
            },
            Tick {
                recorded_ns: SESSION_GAP_NS,
                ..message(1)
            },
        ];
        for beginning in beginnings {
            let check = SequenceCheck::new();
            assert_eq!(check.check(&message(9)), Ok(()));
            assert_eq!(check.check(&beginning), Ok(()), "{beginning:?}");
            assert_eq!(check.check(&message(2)), Ok(()), "{beginning:?}");
        }
        let check = SequenceCheck::new();
        assert_eq!(check.check(&message(9)), Ok(()));
        let soon = Tick {
            recorded_ns: SESSION_GAP_NS - 1,
            ..message(1)
        };
        assert!(check.check(&soon).is_err());
    }
}
