//! The kernel's list format, `0-3,8,10-11`, read as it is written.

use std::ops::RangeInclusive;

use crate::error::{ListFault, ParseCpuListError};

/// The ranges of a list in the order written, repeats included.
///
/// White space around the whole list is ignored (files end in a newline);
/// nothing between the commas is an error, nothing at all the empty list.
pub(crate) fn parse(list: &str) -> Result<Vec<RangeInclusive<u32>>, ParseCpuListError> {
    let trimmed = list.trim();
    if trimmed.is_empty() {
        return Ok(Vec::new());
    }
    let parse = |part: &str| {
        parse_range(part).map_err(|fault| ParseCpuListError {
            list: trimmed.to_owned(),
            part: part.to_owned(),
            fault,
        })
    };
    trimmed.split(',').map(parse).collect()
}

fn parse_range(part: &str) -> Result<RangeInclusive<u32>, ListFault> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last) = (parse_number(first)?, parse_number(last)?);
    if first > last {
        return Err(ListFault::Reversed);
    }
    Ok(first..=last)
}

fn parse_number(digits: &str) -> Result<u32, ListFault> {
    // `u32::from_str` would take a leading `+`, which the kernel never prints.
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ListFault::NotANumber);
    }
    digits.parse().map_err(|_| ListFault::TooLarge)
}
