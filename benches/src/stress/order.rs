//! What one listener has seen: in order, each once, nothing between left out.

use std::fmt;

use super::event::Stamp;

/// How a listener's events are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbering {
    /// An emitter's events are told apart by their number's rest modulo this; those of one rest come
    /// to one listener without a gap. 1 where every listener receives everything.
    pub stride: u64,
    /// Numbers may be left out: events were dropped, or went to another worker.
    pub gaps: bool,
}

impl Numbering {
    /// Every event, one after the other.
    pub const EACH: Self = Self {
        stride: 1,
        gaps: false,
    };
}

/// What is wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// Its parts do not belong together.
    Torn(Stamp),
    /// No emitter has this number.
    Stranger(Stamp),
    /// It, or a later one, has come before.
    Again(Stamp, u64),
    /// One before it has not come.
    Gap(Stamp, u64),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stamp, what) = match self {
            Self::Torn(stamp) => (stamp, "is torn".to_owned()),
            Self::Stranger(stamp) => (stamp, "is nobody's".to_owned()),
            Self::Again(stamp, next) => (stamp, format!("came again or late: {next} was next")),
            Self::Gap(stamp, next) => (stamp, format!("came too early: {next} was next")),
        };
        write!(
            f,
            "event {} of emitter {} {what}",
            stamp.number, stamp.stream
        )
    }
}

/// What came of one emitter's events with one rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Run {
    /// The first one's number.
    pub first: u64,
    /// The number that follows.
    pub next: u64,
    /// How many.
    pub count: u64,
    /// The sum of their seals.
    pub sum: u64,
}

/// What one listener has seen.
#[derive(Debug, Clone)]
pub struct Order {
    numbering: Numbering,
    runs: Box<[Run]>,
}

impl Order {
    /// Nothing seen, of `streams` emitters.
    #[must_use]
    pub fn new(streams: usize, numbering: Numbering) -> Self {
        let runs = streams * numbering.stride as usize;
        Self {
            numbering,
            runs: vec![Run::default(); runs].into(),
        }
    }

    /// Sees an event.
    ///
    /// # Errors
    ///
    /// What is wrong with it. The listener goes on from there, so that one mistake is one finding.
    #[inline]
    pub fn see(&mut self, stamp: Stamp) -> Result<(), Wrong> {
        if !stamp.is_intact() {
            return Err(Wrong::Torn(stamp));
        }
        let Numbering { stride, gaps } = self.numbering;
        let index = u64::from(stamp.stream) * stride + stamp.number % stride;
        let Some(run) = self.runs.get_mut(index as usize) else {
            return Err(Wrong::Stranger(stamp));
        };
        let next = run.next;
        if run.count == 0 {
            run.first = stamp.number;
        }
        let fresh = run.count == 0;
        run.count += 1;
        run.sum = run.sum.wrapping_add(stamp.seal);
        run.next = stamp.number + stride;
        if fresh || stamp.number == next || (gaps && stamp.number > next) {
            Ok(())
        } else if stamp.number > next {
            Err(Wrong::Gap(stamp, next))
        } else {
            Err(Wrong::Again(stamp, next))
        }
    }

    /// How its events are numbered.
    #[must_use]
    pub const fn numbering(&self) -> Numbering {
        self.numbering
    }

    /// What came, by emitter and rest.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// How many events.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.runs.iter().map(|run| run.count).sum()
    }
}

/// When a late listener was there.
#[derive(Debug, Clone)]
pub struct Presence {
    /// Events of each emitter that had been emitted before `subscribe` was called.
    pub before: Vec<u64>,
    /// From where on each emitter emitted after `subscribe` had returned.
    pub after: Vec<u64>,
    /// From where on each emitted after the removal had returned, if there was one.
    pub gone: Option<Vec<u64>>,
}

/// Judges what a late listener has seen: one `Order` for each worker that it was on. `ends` are how
/// many events each emitter had accepted in all, where every one of them must have come.
///
/// # Errors
///
/// The first thing that is wrong, in words.
pub fn judge_late(
    seen: &[Order],
    numbering: Numbering,
    presence: &Presence,
    ends: Option<&[u64]>,
) -> Result<(), String> {
    let stride = numbering.stride;
    for (stream, (&before, &after)) in presence.before.iter().zip(&presence.after).enumerate() {
        for rest in 0..stride {
            let index = stream * stride as usize + rest as usize;
            // The first event with this rest that must have come.
            let due = after + (stride + rest - after % stride) % stride;
            let runs = seen.iter().map(|order| order.runs()[index]);
            let mut came = 0;
            for run in runs.filter(|run| run.count > 0) {
                came += 1;
                let (first, last) = (run.first, run.next - stride);
                if first < before {
                    return Err(format!(
                        "received event {first} of emitter {stream}, which had emitted {before} before subscribe was called"
                    ));
                }
                if !numbering.gaps && first > due {
                    return Err(format!(
                        "received event {first} of emitter {stream} first, and subscribe had returned before {due} was emitted"
                    ));
                }
                if let Some(gone) = presence.gone.as_ref().map(|gone| gone[stream])
                    && last >= gone
                {
                    return Err(format!(
                        "received event {last} of emitter {stream}, emitted after the removal, which returned before {gone}"
                    ));
                }
                if let Some(end) = ends.map(|ends| ends[stream])
                    && !numbering.gaps
                    && run.next < end
                {
                    return Err(format!(
                        "received no event of emitter {stream} after {last}, of {end} events"
                    ));
                }
            }
            if numbering.gaps {
                continue;
            }
            if came > 1 {
                return Err(format!(
                    "events of emitter {stream} with rest {rest} went to {came} workers"
                ));
            }
            if let Some(end) = ends.map(|ends| ends[stream])
                && came == 0
                && due < end
            {
                return Err(format!(
                    "received nothing of emitter {stream}, not even event {due} of {end}"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(numbering: Numbering, numbers: impl IntoIterator<Item = u64>) -> (Order, Vec<Wrong>) {
        let mut order = Order::new(1, numbering);
        let wrong = numbers
            .into_iter()
            .filter_map(|number| order.see(Stamp::new(0, number)).err())
            .collect();
        (order, wrong)
    }

    #[test]
    fn what_comes_in_order_is_counted_and_summed() {
        let (order, wrong) = seen(Numbering::EACH, 3..10);
        assert_eq!(wrong, []);
        let sum = (3..10).fold(0_u64, |sum, number| {
            sum.wrapping_add(Stamp::new(0, number).seal)
        });
        let run = Run {
            first: 3,
            next: 10,
            count: 7,
            sum,
        };
        assert_eq!(order.runs(), [run]);
    }

    #[test]
    fn a_duplicate_a_gap_and_a_reordering_are_found() {
        for (numbers, expected) in [
            (&[0, 1, 1, 2][..], vec![Wrong::Again(Stamp::new(0, 1), 2)]),
            (&[0, 1, 3, 4], vec![Wrong::Gap(Stamp::new(0, 3), 2)]),
            (
                &[0, 2, 1],
                vec![
                    Wrong::Gap(Stamp::new(0, 2), 1),
                    Wrong::Again(Stamp::new(0, 1), 3),
                ],
            ),
        ] {
            let (_, wrong) = seen(Numbering::EACH, numbers.iter().copied());
            assert_eq!(wrong, expected, "{numbers:?}");
        }
    }

    #[test]
    fn where_events_may_be_missing_they_still_come_in_order() {
        let gaps = Numbering {
            stride: 1,
            gaps: true,
        };
        assert_eq!(seen(gaps, [0, 5, 7]).1, []);
        assert_eq!(seen(gaps, [0, 5, 5]).1, [Wrong::Again(Stamp::new(0, 5), 6)]);
    }

    #[test]
    fn a_torn_event_and_a_strangers_are_found() {
        let mut order = Order::new(2, Numbering::EACH);
        let torn = Stamp {
            number: 1,
            ..Stamp::new(0, 0)
        };
        assert_eq!(order.see(torn), Err(Wrong::Torn(torn)));
        let stranger = Stamp::new(2, 0);
        assert_eq!(order.see(stranger), Err(Wrong::Stranger(stranger)));
    }

    const KEYED: Numbering = Numbering {
        stride: 4,
        gaps: false,
    };

    #[test]
    fn events_of_one_rest_follow_one_another_by_the_stride() {
        assert_eq!(seen(KEYED, [0, 1, 4, 5, 8]).1, []);
        assert_eq!(seen(KEYED, [0, 1, 8]).1, [Wrong::Gap(Stamp::new(0, 8), 4)]);
    }

    /// A late listener: 10 events had been emitted before it was subscribed, and 12 begun after.
    fn judge(
        parts: &[&[u64]],
        numbering: Numbering,
        gone: Option<u64>,
        end: Option<u64>,
    ) -> Result<(), String> {
        let orders: Vec<_> = parts
            .iter()
            .map(|numbers| seen(numbering, numbers.iter().copied()).0)
            .collect();
        let presence = Presence {
            before: vec![10],
            after: vec![12],
            gone: gone.map(|gone| vec![gone]),
        };
        let ends = end.map(|end| vec![end]);
        judge_late(&orders, numbering, &presence, ends.as_deref())
    }

    #[test]
    fn a_late_listener_may_begin_between_the_bounds_only() {
        for first in 10..=12 {
            let numbers: Vec<_> = (first..20).collect();
            assert_eq!(judge(&[&numbers], Numbering::EACH, None, Some(20)), Ok(()));
        }
        for (numbers, says) in [
            (&[9, 10, 11][..], "before subscribe was called"),
            (&[13, 14], "13 of emitter 0 first"),
        ] {
            let judged = judge(&[numbers], Numbering::EACH, None, None);
            assert!(judged.is_err_and(|text| text.contains(says)), "{numbers:?}");
        }
    }

    #[test]
    fn a_late_listener_that_stays_receives_everything_to_the_end() {
        let judged = judge(&[&[11, 12, 13]], Numbering::EACH, None, Some(20));
        assert!(judged.is_err_and(|text| text.contains("after 13, of 20")));
        let judged = judge(&[&[]], Numbering::EACH, None, Some(20));
        assert!(judged.is_err_and(|text| text.contains("not even event 12")));
        assert_eq!(judge(&[&[]], Numbering::EACH, None, Some(12)), Ok(()));
    }

    #[test]
    fn a_removed_listener_receives_nothing_emitted_after() {
        assert_eq!(judge(&[&[11, 12]], Numbering::EACH, Some(13), None), Ok(()));
        let judged = judge(&[&[11, 12, 13]], Numbering::EACH, Some(13), None);
        assert!(judged.is_err_and(|text| text.contains("emitted after the removal")));
    }

    #[test]
    fn equal_keys_go_to_one_worker() {
        assert_eq!(
            judge(&[&[12, 16], &[13, 14, 15]], KEYED, None, Some(17)),
            Ok(())
        );
        let judged = judge(&[&[10, 12, 13], &[14, 15]], KEYED, None, None);
        assert!(judged.is_err_and(|text| text.contains("went to 2 workers")));
        let judged = judge(&[&[12, 16], &[13, 14]], KEYED, None, Some(17));
        assert!(judged.is_err_and(|text| text.contains("not even event 15")));
    }
}
