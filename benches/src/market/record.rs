//! One market-by-order record, as the replay dispatches it.

use std::fmt;

use dbn::{MboMsg, UNDEF_PRICE, UNDEF_TIMESTAMP};

/// A market-by-order record in 56 bytes: it shares a cache line with the stamp of its ring slot.
///
/// It carries what listeners need and no more. Values are as recorded, wrong ones included:
/// whether a record is fit to dispatch is for checks such as
/// [`check_shape`](crate::replay::check_shape) to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tick {
    /// When it was due (or was emitted), in nanoseconds since the run began; 0: this one is not timed.
    pub due_ns: u64,
    /// When it was recorded, in nanoseconds since 1970: the capture time, or the venue's where there is none.
    pub recorded_ns: u64,
    /// The venue's number for the order.
    pub order_id: u64,
    /// The price in units of 1e-9; [`Tick::NO_PRICE`] where the record has none.
    pub price: i64,
    /// The number of contracts or shares.
    pub size: u32,
    /// The venue's message number; several records of one message share it.
    pub sequence: u32,
    /// The instrument, unique within its publisher.
    pub instrument: u32,
    /// Who published the record.
    pub publisher: u16,
    /// The publisher's channel, within which `sequence` counts.
    pub channel: u8,
    /// The flag bits, as in [`dbn::flags`].
    pub flags: u8,
    /// What happened.
    pub action: Action,
    /// Whose side: the order's, or the aggressor's on a trade.
    pub side: Side,
}

const _: () = assert!(size_of::<Tick>() == 56);

impl Tick {
    /// The price of a record that has none.
    pub const NO_PRICE: i64 = UNDEF_PRICE;

    /// Whether the record belongs to a snapshot, which repeats old orders under their old sequence numbers.
    #[must_use]
    pub fn is_snapshot(&self) -> bool {
        self.flags & dbn::flags::SNAPSHOT != 0
    }
}

impl From<&MboMsg> for Tick {
    fn from(record: &MboMsg) -> Self {
        let captured = (1..UNDEF_TIMESTAMP).contains(&record.ts_recv);
        Self {
            due_ns: 0,
            recorded_ns: if captured {
                record.ts_recv
            } else {
                record.hd.ts_event
            },
            order_id: record.order_id,
            price: record.price,
            size: record.size,
            sequence: record.sequence,
            instrument: record.hd.instrument_id,
            publisher: record.hd.publisher_id,
            channel: record.channel_id,
            flags: record.flags.raw(),
            action: Action::from_letter(record.action as u8),
            side: Side::from_letter(record.side as u8),
        }
    }
}

/// What a record says happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Action {
    /// A new order rests on the book.
    Add,
    /// An order lost some or all of its size.
    Cancel,
    /// An order got another price or size.
    Modify,
    /// Every order of the instrument is gone.
    Clear,
    /// An aggressor traded.
    Trade,
    /// A resting order was filled.
    Fill,
    /// Nothing happened to the book.
    #[default]
    None,
    /// A letter that the format does not define.
    Unknown,
}

impl Action {
    /// Every action, in the order of its number.
    pub const ALL: [Self; 8] = [
        Self::Add,
        Self::Cancel,
        Self::Modify,
        Self::Clear,
        Self::Trade,
        Self::Fill,
        Self::None,
        Self::Unknown,
    ];

    /// The action that `letter` stands for in a DBN record.
    #[must_use]
    pub fn from_letter(letter: u8) -> Self {
        match letter {
            b'A' => Self::Add,
            b'C' => Self::Cancel,
            b'M' => Self::Modify,
            b'R' => Self::Clear,
            b'T' => Self::Trade,
            b'F' => Self::Fill,
            b'N' => Self::None,
            _ => Self::Unknown,
        }
    }

    /// Whether it says at what price, and with what size, an order rests.
    #[must_use]
    pub fn places_order(self) -> bool {
        matches!(self, Self::Add | Self::Modify)
    }

    /// The letter that stands for the action; `?` for an unknown one.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Add => 'A',
            Self::Cancel => 'C',
            Self::Modify => 'M',
            Self::Clear => 'R',
            Self::Trade => 'T',
            Self::Fill => 'F',
            Self::None => 'N',
            Self::Unknown => '?',
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Add => "add",
            Self::Cancel => "cancel",
            Self::Modify => "modify",
            Self::Clear => "clear",
            Self::Trade => "trade",
            Self::Fill => "fill",
            Self::None => "none",
            Self::Unknown => "unknown",
        })
    }
}

/// A side of the book.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Side {
    /// Buyers.
    Bid,
    /// Sellers.
    Ask,
    /// Neither, or a letter that the format does not define.
    #[default]
    None,
}

impl Side {
    /// The side that `letter` stands for in a DBN record.
    #[must_use]
    pub fn from_letter(letter: u8) -> Self {
        match letter {
            b'B' => Self::Bid,
            b'A' => Self::Ask,
            _ => Self::None,
        }
    }

    /// The other side of the book; `None` has no other.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
            Self::None => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::c_char;

    use super::*;

    #[test]
    fn a_record_keeps_what_listeners_need() {
        let mut record = MboMsg {
            order_id: 7,
            price: -5,
            size: 3,
            sequence: 11,
            ..MboMsg::default()
        };
        record.hd.instrument_id = 21;
        record.hd.publisher_id = 4;
        record.hd.ts_event = 90;
        record.ts_recv = 100;
        record.channel_id = 2;
        record.flags = dbn::FlagSet::empty().set_snapshot();
        record.action = b'M' as c_char;
        record.side = b'A' as c_char;
        let tick = Tick::from(&record);
        let expected = Tick {
            due_ns: 0,
            recorded_ns: 100,
            order_id: 7,
            price: -5,
            size: 3,
            sequence: 11,
            instrument: 21,
            publisher: 4,
            channel: 2,
            flags: dbn::flags::SNAPSHOT,
            action: Action::Modify,
            side: Side::Ask,
        };
        assert_eq!(tick, expected);
        assert!(tick.is_snapshot());
    }

    #[test]
    fn a_record_without_a_capture_time_has_the_venues() {
        for missing in [0, UNDEF_TIMESTAMP] {
            let mut record = MboMsg {
                ts_recv: missing,
                ..MboMsg::default()
            };
            record.hd.ts_event = 90;
            assert_eq!(Tick::from(&record).recorded_ns, 90);
        }
    }

    #[test]
    fn letters_and_actions_agree() {
        for (number, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(action as usize, number);
            let letter = u8::try_from(action.letter()).expect("every letter is ASCII");
            assert_eq!(Action::from_letter(letter), action);
        }
        for letter in 0..=u8::MAX {
            let known = b"ACMRTFN".contains(&letter);
            assert_eq!(
                Action::from_letter(letter) != Action::Unknown,
                known,
                "{letter}"
            );
        }
    }
}
