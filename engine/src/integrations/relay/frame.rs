//! What crosses the network: a run of consecutive events, who sent it, and where in the order it
//! stands. All numbers are little-endian.
//!
//! | bytes  | what |
//! |--------|------|
//! | 0..4   | `CCF1` |
//! | 4..8   | flags: [`RESUMED`], [`ENDED`] |
//! | 8..24  | the session's id |
//! | 24..32 | the incarnation's own number |
//! | 32..40 | the sequence that the incarnation began with |
//! | 40..48 | the sequence of the first event here, or of the next one to come if there is none |
//! | 48..52 | how many events |
//! | 52..   | each event: its length in 4 bytes, then the bytes |

use core::fmt;

const MAGIC: [u8; 4] = *b"CCF1";
pub(crate) const HEADER: usize = 52;
/// The length before each event.
const LENGTH: usize = 4;

/// The incarnation goes on counting where an earlier one had stopped.
const RESUMED: u32 = 1;
/// The incarnation will send no more.
const ENDED: u32 = 2;

/// One life of a publisher: its sequences count up without a break.
///
/// The session's id and a random number, so that a process with a configured session id is told
/// apart from the one before it, too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation {
    pub(crate) session: [u8; 16],
    pub(crate) number: u64,
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:032x}-{:016x}",
            u128::from_le_bytes(self.session),
            self.number
        )
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How far somebody has come with an incarnation's events. Kept somewhere safe, it tells a
/// restarted receiver what it has missed: see
/// [`ReceiverBuilder::resume`](crate::zenoh::ReceiverBuilder::resume).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Whose events.
    pub incarnation: Incarnation,
    /// The sequence of the first event not seen yet.
    pub next: u64,
}

impl Position {
    /// Bytes that [`Position::from_bytes`] reads, on any machine.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.incarnation.session);
        bytes[16..24].copy_from_slice(&self.incarnation.number.to_le_bytes());
        bytes[24..].copy_from_slice(&self.next.to_le_bytes());
        bytes
    }

    /// What [`Position::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut session = [0; 16];
        session.copy_from_slice(&bytes[..16]);
        Self {
            incarnation: Incarnation {
                session,
                number: u64_at(&bytes, 16),
            },
            next: u64_at(&bytes, 24),
        }
    }
}

/// What every frame of an incarnation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) incarnation: Incarnation,
    /// The first event's sequence.
    pub(crate) start: u64,
    /// `start` goes on where an earlier incarnation had stopped.
    pub(crate) resumed: bool,
}

/// A frame in the making.
#[derive(Debug)]
pub(crate) struct FrameWriter {
    bytes: Vec<u8>,
    first: u64,
    count: u32,
}

impl FrameWriter {
    /// A frame without events yet, the next of which would have sequence `first`.
    pub(crate) fn new(origin: &Origin, first: u64, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity.max(HEADER));
        let flags = if origin.resumed { RESUMED } else { 0 };
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&flags.to_le_bytes());
        bytes.extend_from_slice(&origin.incarnation.session);
        bytes.extend_from_slice(&origin.incarnation.number.to_le_bytes());
        bytes.extend_from_slice(&origin.start.to_le_bytes());
        bytes.extend_from_slice(&first.to_le_bytes());
        bytes.extend_from_slice(&0_u32.to_le_bytes());
        Self {
            bytes,
            first,
            count: 0,
        }
    }

    /// Adds the event with the next sequence. Its length has 32 bits: see
    /// [`PublisherBuilder::event_bytes`](crate::zenoh::PublisherBuilder::event_bytes).
    pub(crate) fn push(&mut self, event: &[u8]) {
        self.bytes
            .extend_from_slice(&(event.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(event);
        self.count += 1;
    }

    /// The sequence of the next event.
    pub(crate) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// No frame of the incarnation follows.
    pub(crate) fn mark_ended(&mut self) {
        self.bytes[4] |= ENDED as u8;
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes[48..HEADER].copy_from_slice(&self.count.to_le_bytes());
        self.bytes
    }
}

/// A frame as it came, checked to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) origin: Origin,
    pub(crate) ended: bool,
    pub(crate) first: u64,
    pub(crate) count: u32,
    body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// # Errors
    ///
    /// [`FrameError`] for anything that a publisher does not send.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let Some((header, body)) = bytes.split_at_checked(HEADER) else {
            return Err(FrameError::Short { len: bytes.len() });
        };
        if header[..4] != MAGIC {
            return Err(FrameError::Foreign);
        }
        let flags = u32_at(header, 4);
        if flags & !(RESUMED | ENDED) != 0 {
            return Err(FrameError::Flags { flags });
        }
        let mut session = [0; 16];
        session.copy_from_slice(&header[8..24]);
        let origin = Origin {
            incarnation: Incarnation {
                session,
                number: u64_at(header, 24),
            },
            start: u64_at(header, 32),
            resumed: flags & RESUMED != 0,
        };
        let (first, count) = (u64_at(header, 40), u32_at(header, 48));
        if first < origin.start || first.checked_add(count.into()).is_none() {
            return Err(FrameError::Sequence { first, count });
        }
        let frame = Self {
            origin,
            ended: flags & ENDED != 0,
            first,
            count,
            body,
        };
        let (events, bytes) = frame.events().fold((0, 0), |(events, bytes), event| {
            (events + 1, bytes + LENGTH + event.len())
        });
        if events != count || bytes != body.len() {
            return Err(FrameError::Body {
                count,
                whole: events,
            });
        }
        Ok(frame)
    }

    /// The sequence after the last event.
    pub(crate) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    /// The events' bytes, in order.
    pub(crate) fn events(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.body;
        core::iter::from_fn(move || {
            let (length, after) = rest.split_at_checked(LENGTH)?;
            let (event, after) = after.split_at_checked(u32_at(length, 0) as usize)?;
            rest = after;
            Some(event)
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameError {
    Short { len: usize },
    Foreign,
    Flags { flags: u32 },
    Sequence { first: u64, count: u32 },
    Body { count: u32, whole: u32 },
    Large { len: usize, limit: usize },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { len } => write!(f, "{len} bytes are fewer than a frame's head"),
            Self::Foreign => f.write_str("not a frame, or of a version unknown here"),
            Self::Flags { flags } => write!(f, "a frame with unknown flags {flags:#x}"),
            Self::Sequence { first, count } => {
                write!(f, "a frame with impossible sequences: {count} from {first}")
            }
            Self::Body { count, whole } => {
                write!(f, "a frame of {count} events with {whole} whole ones")
            }
            Self::Large { len, limit } => {
                write!(f, "a frame of {len} bytes, and the inbox takes {limit}")
            }
        }
    }
}

impl std::error::Error for FrameError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORIGIN: Origin = Origin {
        incarnation: Incarnation {
            session: [7; 16],
            number: 0x0123_4567_89ab_cdef,
        },
        start: 40,
        resumed: true,
    };

    fn frame(events: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = FrameWriter::new(&ORIGIN, 100, 0);
        events.iter().for_each(|event| writer.push(event));
        assert_eq!(writer.end(), 100 + events.len() as u64);
        writer.finish()
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(events: Vec<Vec<u8>>) {
            let bytes = frame(&events);
            let read = Frame::parse(&bytes).unwrap();
            prop_assert_eq!(read.origin, ORIGIN);
            prop_assert_eq!((read.first, read.end()), (100, 100 + events.len() as u64));
            prop_assert!(!read.ended);
            prop_assert_eq!(read.events().collect::<Vec<_>>(), events);
        }

        #[test]
        fn a_frame_cut_short_is_refused(events: Vec<Vec<u8>>, cut in 1_usize..64) {
            let bytes = frame(&events);
            let kept = bytes.len().saturating_sub(cut);
            prop_assert!(Frame::parse(&bytes[..kept]).is_err());
        }

        #[test]
        fn a_frame_with_something_behind_it_is_refused(events: Vec<Vec<u8>>, more in proptest::collection::vec(any::<u8>(), 1..9)) {
            let bytes = [frame(&events), more].concat();
            prop_assert!(Frame::parse(&bytes).is_err());
        }

        #[test]
        fn noise_is_refused_or_whole(mut bytes: Vec<u8>, with_magic: bool) {
            if with_magic && bytes.len() >= 4 {
                bytes[..4].copy_from_slice(&MAGIC);
            }
            if let Ok(frame) = Frame::parse(&bytes) {
                prop_assert_eq!(frame.events().count(), frame.count as usize);
            }
        }

        #[test]
        fn positions_survive_as_bytes(session: [u8; 16], number: u64, next: u64) {
            let position = Position { incarnation: Incarnation { session, number }, next };
            prop_assert_eq!(Position::from_bytes(position.to_bytes()), position);
        }
    }

    #[test]
    fn the_last_frame_says_so() {
        let mut writer = FrameWriter::new(&ORIGIN, 40, 0);
        writer.mark_ended();
        let bytes = writer.finish();
        let frame = Frame::parse(&bytes).unwrap();
        assert!(frame.ended && frame.origin.resumed);
        assert_eq!((frame.count, frame.first), (0, 40));
    }

    #[test]
    fn sequences_that_cannot_be_are_refused() {
        let last = FrameWriter::new(&ORIGIN, u64::MAX, 0).finish();
        assert!(Frame::parse(&last).is_ok());
        let mut past = last;
        past[48] = 1;
        let refused = Frame::parse(&past).unwrap_err();
        assert!(refused.to_string().contains("1 from 18446744073709551615"));
        let early = FrameWriter::new(&ORIGIN, 39, 0).finish();
        assert!(matches!(
            Frame::parse(&early),
            Err(FrameError::Sequence {
                first: 39,
                count: 0
            })
        ));
    }
}
