//! The events: numbered, and long enough that a million of them fit into no socket's buffer.

use corecast::zenoh::{Position, Record};

/// Words after the number, each a function of it.
const WORDS: u64 = 7;

/// An event, and where its receiver stands after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbered {
    pub(crate) number: u64,
    pub(crate) position: Option<Position>,
}

fn word(number: u64, index: u64) -> u64 {
    (number + index).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

pub(crate) fn encode(event: &Numbered, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&event.number.to_le_bytes());
    (0..WORDS).for_each(|index| bytes.extend_from_slice(&word(event.number, index).to_le_bytes()));
}

pub(crate) fn decode(record: Record<'_>) -> Result<Numbered, String> {
    let words: Vec<_> = record
        .bytes
        .chunks(8)
        .map(|bytes| bytes.try_into().map(u64::from_le_bytes))
        .collect::<Result<_, _>>()
        .map_err(|_| format!("{} bytes", record.bytes.len()))?;
    let number = words[0];
    let expected: Vec<_> = std::iter::once(number)
        .chain((0..WORDS).map(|index| word(number, index)))
        .collect();
    if words != expected {
        return Err(format!("event {number} is damaged"));
    }
    // The publisher counts as the source does.
    if number != record.sequence {
        return Err(format!("event {number} has sequence {}", record.sequence));
    }
    Ok(Numbered {
        number,
        position: Some(record.position()),
    })
}
