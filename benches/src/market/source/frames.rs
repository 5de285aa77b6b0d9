//! Whole records, cut from a stream of bytes.

use super::error::Problem;

/// Bytes that are read at a time.
const STAGE_BYTES: usize = 1 << 16;

/// The common header of every record.
const HEADER_BYTES: usize = 16;

/// A record begins with its length in units of four bytes.
const LENGTH_UNIT: usize = 4;

/// Every record is a multiple of this long, or the next one would not be aligned.
const ALIGNMENT: usize = 8;

/// What was read and has not gone to the decoder, which trusts the lengths that records claim.
#[derive(Debug)]
pub(super) struct Frames {
    stage: Box<[u8]>,
    filled: usize,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            stage: vec![0; STAGE_BYTES].into_boxed_slice(),
            filled: 0,
        }
    }

    /// What is left: the beginning of a record that has not been read to its end.
    pub(super) fn rest(&self) -> usize {
        self.filled
    }

    /// Passes on the next whole records of what `read` puts into a buffer; false at the end of the
    /// stream. `records` have been passed on before.
    ///
    /// # Errors
    ///
    /// What `read` fails with, or a record of an impossible length, once those before it have been
    /// passed on.
    pub(super) fn advance(
        &mut self,
        records: u64,
        mut read: impl FnMut(&mut [u8]) -> Result<usize, Problem>,
        pass_on: impl FnOnce(&[u8]),
    ) -> Result<bool, Problem> {
        loop {
            let whole = whole_records(&self.stage[..self.filled]).map_err(|length| {
                Problem::Damaged(
                    records,
                    format!("the next claims to be {length} bytes long"),
                )
            })?;
            if whole > 0 {
                pass_on(&self.stage[..whole]);
                self.stage.copy_within(whole..self.filled, 0);
                self.filled -= whole;
                return Ok(true);
            }
            // There is room: what is left is shorter than the longest record.
            match read(&mut self.stage[self.filled..])? {
                0 => return Ok(false),
                bytes => self.filled += bytes,
            }
        }
    }
}

/// How many bytes at the beginning of `bytes` are whole records; the length that the first claims
/// if that is impossible.
fn whole_records(bytes: &[u8]) -> Result<usize, usize> {
    let mut whole = 0;
    while let Some(&units) = bytes.get(whole) {
        let length = usize::from(units) * LENGTH_UNIT;
        if length < HEADER_BYTES || !length.is_multiple_of(ALIGNMENT) {
            return if whole > 0 { Ok(whole) } else { Err(length) };
        }
        if bytes.len() - whole < length {
            break;
        }
        whole += length;
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of `units` × 4 bytes.
    fn record(units: u8) -> Vec<u8> {
        let mut bytes = vec![0xEE; usize::from(units) * LENGTH_UNIT];
        bytes[0] = units;
        bytes
    }

    #[test]
    fn records_are_told_apart_however_they_are_read() {
        let stream = [record(14), record(4), record(254)].concat();
        for step in [1, 3, 56, 57, stream.len()] {
            let mut frames = Frames::new();
            let mut unread = &stream[..];
            let mut passed = Vec::new();
            let mut advance = || {
                frames.advance(
                    0,
                    |buffer| {
                        let bytes = step.min(unread.len());
                        buffer[..bytes].copy_from_slice(&unread[..bytes]);
                        unread = &unread[bytes..];
                        Ok(bytes)
                    },
                    |records| passed.extend_from_slice(records),
                )
            };
            while advance().expect("good lengths") {}
            assert_eq!(passed, stream, "{step}");
            assert_eq!(frames.rest(), 0);
        }
    }

    #[test]
    fn impossible_lengths_are_errors_after_what_came_before() {
        for units in [0, 1, 3, 5, 15, 255] {
            let mut bytes = record(14);
            bytes.push(units);
            assert_eq!(whole_records(&bytes), Ok(56), "{units}");
            let length = usize::from(units) * LENGTH_UNIT;
            assert_eq!(whole_records(&bytes[56..]), Err(length));
        }
    }
}
