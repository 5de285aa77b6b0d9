//! CPU numbers and sets of them, in the kernel's list format.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::cpu_list;
use crate::error::ParseCpuListError;

/// The kernel's number of one logical CPU.
///
/// Any number can be written down; whether such a CPU exists is
/// [`Topology`](crate::Topology)'s to say.
///
/// ```
/// use corecast_affinity::CpuId;
///
/// assert_eq!(CpuId::new(3).to_string(), "3");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuId(u32);

impl CpuId {
    /// The CPU with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl From<u32> for CpuId {
    fn from(number: u32) -> Self {
        Self(number)
    }
}

impl fmt::Display for CpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An ordered set of CPUs.
///
/// It reads and prints the format of `/proc` and `/sys`: numbers and ranges,
/// separated by commas. It is kept as ranges, so its size depends on how
/// scattered the numbers are and not on how large they are: a list such as
/// `0-4294967295` is as harmless as `0`.
///
/// # Complexity
///
/// Look-ups are logarithmic in the number of ranges, everything else linear.
///
/// ```
/// use corecast_affinity::{CpuId, CpuSet};
///
/// let set: CpuSet = "0-3,8,10-11".parse()?;
/// assert_eq!(set.len(), 7);
/// assert!(set.contains(CpuId::new(2)));
/// assert_eq!(set.difference(&"1-2".parse()?).to_string(), "0,3,8,10-11");
///
/// let error = "0-3,x".parse::<CpuSet>().unwrap_err();
/// assert_eq!(error.to_string(), "CPU list `0-3,x`: `x` is not a CPU number");
/// # Ok::<(), corecast_affinity::ParseCpuListError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CpuSet {
    /// Ascending, and with at least one number missing between neighbours.
    spans: Vec<Span>,
}

/// Every number from `first` to `last`, both included; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Span {
    first: u32,
    last: u32,
}

impl Span {
    fn len(self) -> usize {
        usize::try_from(u64::from(self.last - self.first) + 1).unwrap_or(usize::MAX)
    }
}

impl CpuSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { spans: Vec::new() }
    }

    /// Merges spans that come in any order, overlapping or touching.
    fn from_spans(mut spans: Vec<Span>) -> Self {
        spans.sort_unstable();
        let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(before) if span.first <= before.last.saturating_add(1) => {
                    before.last = before.last.max(span.last);
                }
                _ => merged.push(span),
            }
        }
        Self { spans: merged }
    }

    /// How many CPUs it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans
            .iter()
            .fold(0, |sum, span| sum.saturating_add(span.len()))
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The lowest CPU.
    #[must_use]
    pub fn first(&self) -> Option<CpuId> {
        self.spans.first().map(|span| CpuId(span.first))
    }

    /// The highest CPU.
    #[must_use]
    pub fn last(&self) -> Option<CpuId> {
        self.spans.last().map(|span| CpuId(span.last))
    }

    /// Whether it holds `cpu`.
    #[must_use]
    pub fn contains(&self, cpu: CpuId) -> bool {
        let after = self.spans.partition_point(|span| span.first <= cpu.0);
        after > 0 && cpu.0 <= self.spans[after - 1].last
    }

    /// Adds `cpu`; false if it was there already.
    pub fn insert(&mut self, cpu: CpuId) -> bool {
        let new = !self.contains(cpu);
        if new {
            *self = self.union(&Self::from(cpu));
        }
        new
    }

    /// Takes `cpu` out; false if it was not there.
    pub fn remove(&mut self, cpu: CpuId) -> bool {
        let present = self.contains(cpu);
        if present {
            *self = self.difference(&Self::from(cpu));
        }
        present
    }

    /// The CPUs in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::from_spans([&self.spans[..], &other.spans[..]].concat())
    }

    /// The CPUs in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut spans = Vec::new();
        let (mut left, mut right) = (self.spans.iter().peekable(), other.spans.iter().peekable());
        while let (Some(&&a), Some(&&b)) = (left.peek(), right.peek()) {
            let (first, last) = (a.first.max(b.first), a.last.min(b.last));
            if first <= last {
                spans.push(Span { first, last });
            }
            // Whichever ends first can meet nothing further on the other side.
            if a.last < b.last {
                left.next();
            } else {
                right.next();
            }
        }
        Self { spans }
    }

    /// The CPUs in this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }

    /// Every number that is not in the set.
    fn complement(&self) -> Self {
        let mut spans = Vec::with_capacity(self.spans.len() + 1);
        let mut next = Some(0);
        for span in &self.spans {
            if let Some(first) = next.filter(|&first| first < span.first) {
                let last = span.first - 1;
                spans.push(Span { first, last });
            }
            next = span.last.checked_add(1);
        }
        if let Some(first) = next {
            let last = u32::MAX;
            spans.push(Span { first, last });
        }
        Self { spans }
    }

    /// Whether every CPU of this set is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.intersection(other) == *self
    }

    /// The CPUs, ascending.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            spans: self.spans.iter(),
            current: empty(),
        }
    }
}

/// Iterates over a [`CpuSet`] in ascending order.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    spans: std::slice::Iter<'a, Span>,
    current: RangeInclusive<u32>,
}

#[expect(
    clippy::reversed_empty_ranges,
    reason = "an inclusive range is empty only when reversed"
)]
fn empty() -> RangeInclusive<u32> {
    1..=0
}

impl Iterator for Iter<'_> {
    type Item = CpuId;

    fn next(&mut self) -> Option<CpuId> {
        if self.current.is_empty() {
            let span = self.spans.next()?;
            self.current = span.first..=span.last;
        }
        self.current.next().map(CpuId)
    }
}

impl<'a> IntoIterator for &'a CpuSet {
    type Item = CpuId;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl From<CpuId> for CpuSet {
    fn from(CpuId(number): CpuId) -> Self {
        let (first, last) = (number, number);
        Self {
            spans: vec![Span { first, last }],
        }
    }
}

impl FromIterator<CpuId> for CpuSet {
    fn from_iter<I: IntoIterator<Item = CpuId>>(cpus: I) -> Self {
        let span = |CpuId(number)| {
            let (first, last) = (number, number);
            Span { first, last }
        };
        Self::from_spans(cpus.into_iter().map(span).collect())
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, span) in self.spans.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if span.first == span.last {
                write!(f, "{comma}{}", span.first)?;
            } else {
                write!(f, "{comma}{}-{}", span.first, span.last)?;
            }
        }
        Ok(())
    }
}

impl FromStr for CpuSet {
    type Err = ParseCpuListError;

    fn from_str(list: &str) -> Result<Self, ParseCpuListError> {
        let spans = cpu_list::parse(list)?
            .into_iter()
            .map(|range| Span {
                first: *range.start(),
                last: *range.end(),
            })
            .collect();
        Ok(Self::from_spans(spans))
    }
}
