//! Numbers as people read them.

use std::fmt;

/// A count, in groups of three digits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count(pub(crate) u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut grouped = String::with_capacity(digits.len() * 4 / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        f.pad(&grouped)
    }
}

/// A price in units of 1e-9, with two decimals or as many more as it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Price(pub(crate) i64);

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNIT: u64 = 1_000_000_000;
        let amount = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let decimals = format!("{:09}", amount % UNIT);
        let (always, further) = decimals.split_at(2);
        let further = further.trim_end_matches('0');
        f.pad(&format!("{sign}{}.{always}{further}", amount / UNIT))
    }
}

/// A duration in nanoseconds, in the unit that suits it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nanoseconds(pub(crate) u64);

impl fmt::Display for Nanoseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0 as f64;
        let text = match self.0 {
            0..10_000 => format!("{} ns", Count(self.0)),
            10_000..10_000_000 => format!("{:.1} µs", ns / 1e3),
            10_000_000..10_000_000_000 => format!("{:.1} ms", ns / 1e6),
            10_000_000_000.. => format!("{:.1} s", ns / 1e9),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (68_792, "68,792"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(Count(count).to_string(), text);
        }
        assert_eq!(format!("{:>7}", Count(1_000)), "  1,000");
    }

    #[test]
    fn prices_keep_every_decimal_that_counts() {
        for (price, text) in [
            (4_810_250_000_000, "4810.25"),
            (4_810_000_000_000, "4810.00"),
            (-500_000_000, "-0.50"),
            (1, "0.000000001"),
            (110_500_000, "0.1105"),
            (i64::MIN, "-9223372036.854775808"),
        ] {
            assert_eq!(Price(price).to_string(), text);
        }
    }

    #[test]
    fn durations_have_a_suitable_unit() {
        for (ns, text) in [
            (0, "0 ns"),
            (9_999, "9,999 ns"),
            (12_340, "12.3 µs"),
            (45_600_000, "45.6 ms"),
            (60_000_000_000, "60.0 s"),
        ] {
            assert_eq!(Nanoseconds(ns).to_string(), text);
        }
    }
}
