//! The checks that every record passes before anybody else sees it.

use std::error::Error;
use std::fmt;

use crate::market::{Action, Side, Tick};

/// Why a record is not dispatched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its action is none that the format defines.
    UnknownAction,
    /// It adds an order to no side.
    NoSide,
    /// It adds an order of no size, or leaves one with none.
    NoSize,
    /// It gives an order no price.
    NoPrice,
    /// Its channel has already told of a later message.
    OutOfSequence {
        /// The number of the message before, on the same channel.
        after: u32,
        /// The record's own.
        sequence: u32,
    },
}

impl Refusal {
    /// The reason in one word, for counting.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownAction => "unknown_action",
            Self::NoSide => "no_side",
            Self::NoSize => "no_size",
            Self::NoPrice => "no_price",
            Self::OutOfSequence { .. } => "out_of_sequence",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAction => write!(f, "the action is none that the format defines"),
            Self::NoSide => write!(f, "an added order has no side"),
            Self::NoSize => write!(f, "an order has no size"),
            Self::NoPrice => write!(f, "an order has no price"),
            Self::OutOfSequence { after, sequence } => {
                write!(f, "message {sequence} comes after message {after}")
            }
        }
    }
}

impl Error for Refusal {}

/// Whether the record says something that can be done.
///
/// # Errors
///
/// [`Refusal::UnknownAction`], [`Refusal::NoSide`] or [`Refusal::NoSize`].
pub fn check_shape(tick: &Tick) -> Result<(), Refusal> {
    if tick.action == Action::Unknown {
        Err(Refusal::UnknownAction)
    } else if tick.action == Action::Add && tick.side == Side::None {
        Err(Refusal::NoSide)
    } else if tick.action.places_order() && tick.size == 0 {
        Err(Refusal::NoSize)
    } else {
        Ok(())
    }
}

/// Whether an order that the record places has a price. Any will do: spreads trade below zero.
///
/// # Errors
///
/// [`Refusal::NoPrice`].
pub fn check_price(tick: &Tick) -> Result<(), Refusal> {
    if tick.action.places_order() && tick.price == Tick::NO_PRICE {
        Err(Refusal::NoPrice)
    } else {
        Ok(())
    }
}

/// How many records were refused, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals {
    /// In the order in which the reasons first came up.
    counts: Vec<(&'static str, u64)>,
}

impl Refusals {
    /// Counts one refused record.
    pub fn count(&mut self, refusal: Refusal) {
        let name = refusal.name();
        match self.counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((name, 1)),
        }
    }

    /// How many records were refused for any reason.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// The reasons that came up, and how often.
    pub fn by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.counts.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(action: Action) -> Tick {
        Tick {
            action,
            side: Side::Bid,
            size: 1,
            price: 5,
            ..Tick::default()
        }
    }

    #[test]
    fn an_order_needs_a_side_a_size_and_a_price() {
        for action in [Action::Add, Action::Modify] {
            let fit = order(action);
            assert_eq!((check_shape(&fit), check_price(&fit)), (Ok(()), Ok(())));
            assert_eq!(check_shape(&Tick { size: 0, ..fit }), Err(Refusal::NoSize));
            let unpriced = Tick {
                price: Tick::NO_PRICE,
                ..fit
            };
            assert_eq!(check_price(&unpriced), Err(Refusal::NoPrice));
            assert_eq!(check_price(&Tick { price: -5, ..fit }), Ok(()));
        }
        let adrift = Tick {
            side: Side::None,
            ..order(Action::Add)
        };
        assert_eq!(check_shape(&adrift), Err(Refusal::NoSide));
        let known = Tick {
            side: Side::None,
            ..order(Action::Modify)
        };
        assert_eq!(check_shape(&known), Ok(()));
    }

    #[test]
    fn other_records_need_nothing_but_a_known_action() {
        for action in [
            Action::Cancel,
            Action::Clear,
            Action::Trade,
            Action::Fill,
            Action::None,
        ] {
            let bare = Tick {
                action,
                price: Tick::NO_PRICE,
                ..Tick::default()
            };
            assert_eq!((check_shape(&bare), check_price(&bare)), (Ok(()), Ok(())));
        }
        assert_eq!(
            check_shape(&order(Action::Unknown)),
            Err(Refusal::UnknownAction)
        );
    }

    #[test]
    fn refusals_are_counted_by_reason() {
        let mut refusals = Refusals::default();
        refusals.count(Refusal::NoSize);
        refusals.count(Refusal::OutOfSequence {
            after: 2,
            sequence: 1,
        });
        refusals.count(Refusal::OutOfSequence {
            after: 9,
            sequence: 3,
        });
        let counted: Vec<_> = refusals.by_reason().collect();
        assert_eq!(counted, [("no_size", 1), ("out_of_sequence", 2)]);
        assert_eq!(refusals.total(), 3);
    }
}
