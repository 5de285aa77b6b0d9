//! Which events are missing: what a receiver knows of each incarnation, and what a frame adds.

use crate::integrations::relay::frame::{Frame, Incarnation, Position};
use std::sync::Arc;

/// Incarnations remembered; of more, those not heard of for longest are forgotten.
const REMEMBERED: usize = 1024;

/// An incarnation under a key.
#[derive(Debug)]
struct Source {
    key: Arc<str>,
    position: Position,
    /// No other incarnation has come under the key since.
    newest: bool,
    /// It said that it would send no more, or another goes on counting in its place: then what
    /// still comes of it is counted as missing already.
    ended: bool,
}

impl Source {
    /// Another incarnation comes under the key, with `frame`: the sequence expected of it.
    fn hand_over(&mut self, frame: &Frame<'_>) -> u64 {
        if !frame.origin.resumed {
            return frame.origin.start;
        }
        // What lies between the two is missing as well. Frames of this one may still be under way
        // on a link of their own: their events are counted from here on, and would be twice.
        self.ended = true;
        core::mem::replace(&mut self.position.next, u64::MAX)
    }
}

/// How far a receiver has come with each publisher.
#[derive(Debug)]
pub(super) struct Tracker {
    /// The one heard of last comes first.
    sources: Vec<Source>,
    /// What a publisher sent before this receiver first heard of it is missing as well.
    from_start: bool,
}

/// Events that should have come and did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// The first one's sequence.
    pub(super) first: u64,
    pub(super) events: u64,
    /// How the incarnation counted that the frame is from.
    pub(super) incarnation: Incarnation,
}

/// What a frame says about the events before it, and about its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Verdict {
    /// The frame is the first of another incarnation under its key.
    pub(super) restarted: bool,
    pub(super) gap: Option<Gap>,
    /// Events at the frame's beginning that are not to be emitted: they came before, or are
    /// counted as missing already.
    pub(super) repeated: u32,
}

impl Tracker {
    pub(super) fn new(from_start: bool) -> Self {
        Self {
            sources: Vec::new(),
            from_start,
        }
    }

    /// Continues from what an earlier receiver had noted.
    pub(super) fn resume(&mut self, key: &str, position: Position) {
        self.remember(key.into(), position);
    }

    /// Judges a frame; its incarnation is the one heard of last from then on.
    pub(super) fn judge(&mut self, key: &str, frame: &Frame<'_>) -> Verdict {
        let incarnation = frame.origin.incarnation;
        let mut verdict = Verdict::default();
        let known = self
            .sources
            .iter()
            .position(|source| source.position.incarnation == incarnation && *source.key == *key);
        let expected = match known {
            Some(index) => {
                self.sources[..=index].rotate_right(1);
                self.sources[0].position.next
            }
            None => {
                let mut sources = self.sources.iter_mut();
                let earlier = sources.find(|source| source.newest && *source.key == *key);
                verdict.restarted = earlier.is_some();
                let (key, expected) = match earlier {
                    Some(earlier) => {
                        earlier.newest = false;
                        let key = Arc::clone(&earlier.key);
                        (key, earlier.hand_over(frame))
                    }
                    None if self.from_start => (key.into(), frame.origin.start),
                    None => (key.into(), frame.first),
                };
                let next = expected;
                self.remember(key, Position { incarnation, next });
                expected
            }
        };
        if frame.first > expected {
            verdict.gap = Some(Gap {
                first: expected,
                events: frame.first - expected,
                incarnation,
            });
        } else {
            // At most the frame's own count, which has 32 bits.
            verdict.repeated = (expected - frame.first).min(frame.count.into()) as u32;
        }
        let source = &mut self.sources[0];
        source.position.next = expected.max(frame.end());
        source.ended |= frame.ended;
        verdict
    }

    fn remember(&mut self, key: Arc<str>, position: Position) {
        self.sources.truncate(REMEMBERED - 1);
        let source = Source {
            key,
            position,
            newest: true,
            ended: false,
        };
        self.sources.insert(0, source);
    }

    /// Sources that have not said that they would send no more.
    pub(super) fn open(&self) -> usize {
        self.sources.iter().filter(|source| !source.ended).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::relay::frame::{FrameWriter, Origin};
    use proptest::prelude::*;

    fn incarnation(number: u64) -> Incarnation {
        Incarnation {
            session: [1; 16],
            number,
        }
    }

    /// A life of a publisher, for frames of it.
    #[derive(Clone, Copy)]
    struct Life(Origin);

    impl Life {
        fn new(number: u64) -> Self {
            Self(Origin {
                incarnation: incarnation(number),
                start: 0,
                resumed: false,
            })
        }

        fn resumed(number: u64, start: u64) -> Self {
            Self(Origin {
                incarnation: incarnation(number),
                start,
                resumed: true,
            })
        }

        /// Judges a frame with events `first..end`.
        fn send(self, tracker: &mut Tracker, key: &str, first: u64, end: u64) -> Verdict {
            let mut writer = FrameWriter::new(&self.0, first, 0);
            (first..end).for_each(|_| writer.push(b"x"));
            let bytes = writer.finish();
            tracker.judge(key, &Frame::parse(&bytes).unwrap())
        }
    }

    fn gap(number: u64, first: u64, events: u64) -> Option<Gap> {
        Some(Gap {
            first,
            events,
            incarnation: incarnation(number),
        })
    }

    #[test]
    fn what_follows_without_a_break_is_no_gap() {
        let mut tracker = Tracker::new(true);
        for first in [0, 5, 10] {
            let verdict = Life::new(1).send(&mut tracker, "k", first, first + 5);
            assert_eq!(verdict, Verdict::default());
        }
    }

    #[test]
    fn a_gap_is_what_lies_between_two_frames() {
        let mut tracker = Tracker::new(true);
        Life::new(1).send(&mut tracker, "k", 0, 5);
        assert_eq!(Life::new(1).send(&mut tracker, "k", 8, 9).gap, gap(1, 5, 3));
        // A frame without events tells how far the publisher has come.
        assert_eq!(
            Life::new(1).send(&mut tracker, "k", 12, 12).gap,
            gap(1, 9, 3)
        );
        assert_eq!(Life::new(1).send(&mut tracker, "k", 12, 13).gap, None);
    }

    #[test]
    fn what_was_sent_before_the_receiver_came_is_missing_only_if_told_so() {
        let mut later = Tracker::new(false);
        assert_eq!(Life::new(1).send(&mut later, "k", 7, 8).gap, None);
        let mut start = Tracker::new(true);
        assert_eq!(Life::new(1).send(&mut start, "k", 7, 8).gap, gap(1, 0, 7));
    }

    #[test]
    fn a_restart_is_no_gap() {
        for from_start in [false, true] {
            let mut tracker = Tracker::new(from_start);
            assert!(!Life::new(1).send(&mut tracker, "k", 0, 100).restarted);
            let verdict = Life::new(2).send(&mut tracker, "k", 0, 5);
            assert!(verdict.restarted);
            assert_eq!((verdict.gap, verdict.repeated), (None, 0));
            assert!(!Life::new(2).send(&mut tracker, "k", 5, 6).restarted);
        }
    }

    #[test]
    fn a_restarted_publisher_is_counted_from_its_start() {
        let mut tracker = Tracker::new(false);
        Life::new(1).send(&mut tracker, "k", 50, 100);
        let verdict = Life::new(2).send(&mut tracker, "k", 3, 5);
        assert_eq!(verdict.gap, gap(2, 0, 3));
    }

    #[test]
    fn a_resumed_count_shows_what_the_earlier_life_had_lost() {
        let mut tracker = Tracker::new(false);
        Life::new(1).send(&mut tracker, "k", 0, 100);
        let verdict = Life::resumed(2, 130).send(&mut tracker, "k", 135, 140);
        assert!(verdict.restarted);
        assert_eq!(verdict.gap, gap(2, 100, 35));
    }

    #[test]
    fn events_that_a_resumed_publisher_sends_again_are_not_emitted_twice() {
        let mut tracker = Tracker::new(false);
        Life::new(1).send(&mut tracker, "k", 0, 100);
        let verdict = Life::resumed(2, 90).send(&mut tracker, "k", 90, 110);
        assert_eq!((verdict.gap, verdict.repeated), (None, 10));
        assert_eq!(
            Life::resumed(2, 90).send(&mut tracker, "k", 110, 111).gap,
            None
        );
    }

    #[test]
    fn a_late_frame_of_an_earlier_life_is_judged_by_that_life() {
        let mut tracker = Tracker::new(true);
        Life::new(1).send(&mut tracker, "k", 0, 100);
        Life::new(2).send(&mut tracker, "k", 0, 5);
        let late = Life::new(1).send(&mut tracker, "k", 100, 101);
        assert_eq!(late, Verdict::default());
        assert_eq!(
            Life::new(2).send(&mut tracker, "k", 5, 6),
            Verdict::default()
        );
    }

    #[test]
    fn a_late_frame_of_a_life_that_was_taken_over_is_not_counted_twice() {
        let mut tracker = Tracker::new(true);
        Life::new(1).send(&mut tracker, "k", 0, 100);
        let taken_over = Life::resumed(2, 120).send(&mut tracker, "k", 125, 130);
        assert_eq!(taken_over.gap, gap(2, 100, 25));
        let late = Life::new(1).send(&mut tracker, "k", 105, 110);
        assert_eq!((late.gap, late.repeated), (None, 5));
        assert_eq!(tracker.open(), 1);
        // The next life goes on from the second, not from the one heard of last.
        let third = Life::resumed(3, 140).send(&mut tracker, "k", 140, 141);
        assert_eq!(third.gap, gap(3, 130, 10));
    }

    #[test]
    fn keys_are_counted_apart() {
        let mut tracker = Tracker::new(true);
        Life::new(1).send(&mut tracker, "a", 0, 10);
        let verdict = Life::new(1).send(&mut tracker, "b", 0, 1);
        assert_eq!(verdict, Verdict::default());
        assert_eq!(
            Life::new(1).send(&mut tracker, "a", 10, 11),
            Verdict::default()
        );
    }

    #[test]
    fn a_receiver_that_resumes_knows_what_it_has_missed() {
        let mut tracker = Tracker::new(false);
        let noted = Position {
            incarnation: incarnation(1),
            next: 40,
        };
        tracker.resume("k", noted);
        let verdict = Life::new(1).send(&mut tracker, "k", 70, 71);
        assert_eq!(verdict.gap, gap(1, 40, 30));
        assert!(!verdict.restarted);
    }

    #[test]
    fn memory_is_bounded_and_keeps_those_heard_of_last() {
        let mut tracker = Tracker::new(true);
        Life::new(0).send(&mut tracker, "first", 0, 10);
        for number in 1..3000 {
            Life::new(number).send(&mut tracker, "k", 0, 1);
            // Heard of again and again.
            let verdict = Life::new(0).send(&mut tracker, "first", 10, 10);
            assert_eq!(verdict, Verdict::default());
        }
        assert_eq!(tracker.sources.len(), REMEMBERED);
        assert_eq!(tracker.open(), REMEMBERED);
    }

    proptest! {
        /// Whatever is lost, doubled or cut: emitted + missing is what was sent.
        #[test]
        fn emitted_and_missing_add_up(frames in proptest::collection::vec((1_u64..50, 0_u8..3), 1..60)) {
            let mut tracker = Tracker::new(true);
            let (mut sent, mut emitted, mut missing) = (0, 0, 0);
            let mut count = |verdict: Verdict, events: u64| {
                emitted += events - u64::from(verdict.repeated);
                missing += verdict.gap.map_or(0, |gap| gap.events);
            };
            for (events, times) in frames {
                for _ in 0..times {
                    count(Life::new(1).send(&mut tracker, "k", sent, sent + events), events);
                }
                sent += events;
            }
            count(Life::new(1).send(&mut tracker, "k", sent, sent), 0);
            prop_assert_eq!(emitted + missing, sent);
        }
    }
}
