//! What can go wrong, each naming its input and handing values back.

use core::fmt;

/// A capacity that no ring can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CapacityError {
    /// A ring needs room for two events.
    TooSmall {
        /// The capacity asked for, in slots.
        capacity: usize,
    },
    /// Slots are found by masking, so their number is a power of two.
    NotPowerOfTwo {
        /// The capacity asked for, in slots.
        capacity: usize,
        /// The next power of two.
        suggestion: usize,
    },
    /// More slots than a ring can address.
    TooLarge {
        /// The capacity asked for, in slots.
        capacity: usize,
        /// The largest capacity for this event type, in slots.
        largest: usize,
    },
    /// The allocator has no such block.
    Refused {
        /// The capacity asked for, in slots.
        capacity: usize,
        /// The bytes that it takes.
        bytes: usize,
    },
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSmall { capacity } => {
                write!(
                    f,
                    "capacity {capacity} is too small: a ring has at least 2 slots"
                )
            }
            Self::NotPowerOfTwo {
                capacity,
                suggestion,
            } => {
                write!(
                    f,
                    "capacity {capacity} is not a power of two: the next one is {suggestion}"
                )
            }
            Self::TooLarge { capacity, largest } => {
                write!(
                    f,
                    "capacity {capacity} is too large: at most {largest} slots of this event type"
                )
            }
            Self::Refused { capacity, bytes } => {
                write!(
                    f,
                    "capacity {capacity} was refused by the allocator ({bytes} bytes)"
                )
            }
        }
    }
}

impl std::error::Error for CapacityError {}

/// Why a value was not taken; the value comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushError<T> {
    /// No free slot.
    Full(T),
    /// The other side is gone.
    Closed(T),
    /// The caller's own condition did not hold (see [`Producer::try_push_if`]).
    ///
    /// [`Producer::try_push_if`]: crate::Producer::try_push_if
    NotAdmitted(T),
}

impl<T> PushError<T> {
    /// The value that was not taken.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Closed(value) | Self::NotAdmitted(value) => value,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Full(_) => "the ring is full",
            Self::Closed(_) => "the ring is closed",
            Self::NotAdmitted(_) => "the push was not admitted",
        }
    }
}

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
            Self::NotAdmitted(_) => "NotAdmitted(..)",
        })
    }
}

impl<T> fmt::Display for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl<T> std::error::Error for PushError<T> {}

/// Why no slot could be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimError {
    /// No free slot.
    Full,
    /// The other side is gone.
    Closed,
    /// The slots of this ring are not kept between laps, so there is nothing to fill in place.
    NotRecycled,
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the ring is full",
            Self::Closed => "the ring is closed",
            Self::NotRecycled => "the ring was not built with recycled slots",
        })
    }
}

impl std::error::Error for ClaimError {}

/// Why no value could be taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PopError {
    /// Nothing is published.
    Empty,
    /// Nothing is published and nothing ever will be.
    Closed,
    /// The slots of this ring are recycled: values stay in them. Use `drain`.
    Recycled,
}

impl fmt::Display for PopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the ring is empty",
            Self::Closed => "the ring is empty and closed",
            Self::Recycled => "the slots of this ring are recycled: use drain",
        })
    }
}

impl std::error::Error for PopError {}
