//! How single options are written. Each error names what stands in the file.

use crate::{Cores, CpuId, FaultPolicy, Fences, Overflow, Pinning, WaitStrategy};
use core::fmt;
use core::str::FromStr;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the enums of other modules are called in a file.
mod names {
    use super::{Duration, FaultPolicy, Fences, Overflow, Pinning, serde_duration};
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(remote = "Pinning", rename_all = "kebab-case")]
    pub(super) enum PinningName {
        Required,
        BestEffort,
        Off,
    }

    #[derive(Deserialize)]
    #[serde(remote = "Fences", rename_all = "kebab-case")]
    pub(super) enum FencesName {
        Asymmetric,
        Full,
    }

    #[derive(Deserialize)]
    #[serde(remote = "Overflow", rename_all = "kebab-case")]
    pub(super) enum OverflowName {
        Wait,
        WaitFor(#[serde(deserialize_with = "serde_duration")] Duration),
        Reject,
        DropNewest,
    }

    #[derive(Deserialize)]
    #[serde(remote = "FaultPolicy", rename_all = "kebab-case", deny_unknown_fields)]
    pub(super) enum FaultPolicyName {
        Isolate,
        Quarantine { after: u32 },
        Propagate,
    }
}

pub(super) fn pinning<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Pinning>, D::Error> {
    names::PinningName::deserialize(value).map(Some)
}

pub(super) fn fences<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Fences>, D::Error> {
    names::FencesName::deserialize(value).map(Some)
}

pub(super) fn overflow<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Overflow>, D::Error> {
    names::OverflowName::deserialize(value).map(Some)
}

pub(super) fn fault_policy<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<FaultPolicy>, D::Error> {
    names::FaultPolicyName::deserialize(value).map(Some)
}

/// A value that is written as text.
struct Text<T>(T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let text = String::deserialize(value)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

pub(super) fn wait<'de, D: Deserializer<'de>>(value: D) -> Result<Option<WaitStrategy>, D::Error> {
    Text::deserialize(value).map(|text| Some(text.0))
}

pub(super) fn wait_on<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<BTreeMap<u32, WaitStrategy>, D::Error> {
    let named: BTreeMap<String, Text<WaitStrategy>> = BTreeMap::deserialize(value)?;
    let numbered = named.into_iter().map(|(cpu, wait)| {
        let number = cpu
            .parse()
            .map_err(|_| D::Error::invalid_value(Unexpected::Str(&cpu), &"the number of a CPU"))?;
        Ok((number, wait.0))
    });
    numbered.collect()
}

pub(super) fn cores<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Cores>, D::Error> {
    struct CoresVisitor;

    impl<'de> Visitor<'de> for CoresVisitor {
        type Value = Cores;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(
                "\"all-but-one\", \"all\", \"physical\", a list of CPUs or a number of CPUs",
            )
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Cores, E> {
            match text {
                "all-but-one" => Ok(Cores::default()),
                other => other.parse().map_err(|error| {
                    E::custom(format_args!(
                        "cores {other:?} is none of \"all-but-one\", \"all\", \"physical\" and \
                         a list of CPUs: {error}"
                    ))
                }),
            }
        }

        fn visit_u64<E: Error>(self, count: u64) -> Result<Cores, E> {
            // More than there can be is refused by the engine's builder, whatever the number.
            Ok(Cores::count(usize::try_from(count).unwrap_or(usize::MAX)))
        }

        fn visit_i64<E: Error>(self, count: i64) -> Result<Cores, E> {
            match u64::try_from(count) {
                Ok(count) => self.visit_u64(count),
                Err(_) => Err(E::invalid_value(Unexpected::Signed(count), &self)),
            }
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cores, A::Error> {
            let mut cpus = Vec::new();
            while let Some(cpu) = list.next_element()? {
                cpus.push(CpuId::new(cpu));
            }
            Ok(Cores::list(cpus))
        }
    }

    value.deserialize_any(CoresVisitor).map(Some)
}

/// A duration with its unit.
fn serde_duration<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(value)?;
    duration(&text).ok_or_else(|| {
        D::Error::custom(format_args!(
            "duration {text:?}: a whole number and one of ns, us, ms, s, min, h, or \"forever\""
        ))
    })
}

fn duration(text: &str) -> Option<Duration> {
    if text == "forever" {
        return Some(Duration::MAX);
    }
    let unit_at = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().ok()?;
    match unit.trim_start() {
        "ns" => Some(Duration::from_nanos(number)),
        "us" | "µs" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "min" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        let read = |text, time| assert_eq!(duration(text), Some(time), "{text}");
        read("0ns", Duration::ZERO);
        read("250ns", Duration::from_nanos(250));
        read("5us", Duration::from_micros(5));
        read("5 µs", Duration::from_micros(5));
        read("100ms", Duration::from_millis(100));
        read("18446744073709551615s", Duration::from_secs(u64::MAX));
        read("2min", Duration::from_secs(120));
        read("1h", Duration::from_secs(3600));
        read("forever", Duration::MAX);
        for text in [
            "",
            "5",
            "ms",
            "-5ms",
            "1.5s",
            "5 parsecs",
            "18446744073709551615h",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
