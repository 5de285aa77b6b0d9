//! From figures to places, and the figures worth a label.

/// An axis' range, and how it is spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    log: bool,
}

/// A labelled place of an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// The figure.
    pub at: f64,
    /// What stands there.
    pub label: String,
}

impl Tick {
    /// A tick.
    pub fn new(at: f64, label: impl Into<String>) -> Self {
        Self {
            at,
            label: label.into(),
        }
    }
}

/// About how many labels an axis has.
const LABELS: f64 = 6.0;

impl Scale {
    /// Equal steps for equal differences.
    #[must_use]
    pub fn linear(low: f64, high: f64) -> Self {
        Self {
            low,
            high: if high > low { high } else { low + 1.0 },
            log: false,
        }
    }

    /// Equal steps for equal factors; both ends are positive.
    #[must_use]
    pub fn log(low: f64, high: f64) -> Self {
        let low = if low > 0.0 { low } else { f64::MIN_POSITIVE };
        Self {
            low,
            high: if high > low { high } else { low * 10.0 },
            log: true,
        }
    }

    /// From 0 to a little above the greatest of `figures`.
    #[must_use]
    pub fn from_zero(figures: impl Iterator<Item = f64>) -> Self {
        Self::linear(0.0, finite(figures).fold(0.0, f64::max) * 1.08)
    }

    /// Around positive `figures`, in whole 1-2-5 steps.
    #[must_use]
    pub fn log_around(figures: impl Iterator<Item = f64>) -> Self {
        let (low, high) = finite(figures)
            .filter(|figure| *figure > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(low, high), figure| {
                (low.min(figure), high.max(figure))
            });
        if high == 0.0 {
            return Self::log(1.0, 10.0);
        }
        let decade = |figure: f64| 10_f64.powf(figure.log10().floor());
        let step = |figure: f64| figure / decade(figure);
        let below = [5.0, 2.0, 1.0].into_iter().find(|one| *one <= step(low));
        let above = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .find(|one| *one >= step(high));
        Self::log(
            below.unwrap_or(1.0) * decade(low),
            above.unwrap_or(10.0) * decade(high),
        )
    }

    /// Where a figure lies, from 0 to 1; those beyond the ends lie at the ends.
    #[must_use]
    pub fn place(&self, figure: f64) -> f64 {
        let spread = |figure: f64| match self.log {
            true => figure.max(self.low).ln(),
            false => figure,
        };
        let (low, high) = (spread(self.low), spread(self.high));
        ((spread(figure) - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// The round figures within.
    #[must_use]
    pub fn round_figures(&self) -> Vec<f64> {
        if self.log {
            return self.round_factors();
        }
        let rough = (self.high - self.low) / LABELS;
        let decade = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
        let step = steps.into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(10.0 * decade);
        let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
        (first as i64..=last as i64)
            .map(|count| count as f64 * step)
            .collect()
    }

    fn round_factors(&self) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor(), self.high.log10().ceil());
        let decades = last - first;
        let steps: &[f64] = if decades <= LABELS / 2.0 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        // Rounding in a power must not lose an end.
        let (low, high) = (self.low * (1.0 - 1e-9), self.high * (1.0 + 1e-9));
        (first as i32..=last as i32)
            .flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)))
            .filter(|figure| (low..=high).contains(figure))
            .collect()
    }
}

fn finite(figures: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
    figures.filter(|figure| figure.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(figures: &[f64], expected: &[f64]) -> bool {
        figures.len() == expected.len()
            && figures
                .iter()
                .zip(expected)
                .all(|(one, other)| (one - other).abs() < 1e-6 * other.abs().max(1.0))
    }

    #[test]
    fn places_are_even_by_difference_or_by_factor() {
        let linear = Scale::linear(0.0, 10.0);
        assert_eq!(
            [0.0, 5.0, 10.0, 99.0].map(|figure| linear.place(figure)),
            [0.0, 0.5, 1.0, 1.0]
        );
        let log = Scale::log(1.0, 10_000.0);
        assert!((log.place(100.0) - 0.5).abs() < 1e-12);
        assert_eq!(log.place(0.0), 0.0);
    }

    #[test]
    fn labels_stand_at_round_figures() {
        let linear = Scale::linear(0.0, 1.08);
        assert!(close(
            &linear.round_figures(),
            &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        ));
        let short = Scale::log(200.0, 5_000.0);
        assert!(close(
            &short.round_figures(),
            &[200.0, 500.0, 1_000.0, 2_000.0, 5_000.0]
        ));
        let long = Scale::log(1.0, 1e6);
        assert_eq!(long.round_figures().len(), 7);
    }

    #[test]
    fn a_range_takes_in_its_figures() {
        let around = Scale::log_around([340.0, 12_000.0, f64::INFINITY].into_iter());
        assert!(close(&[around.low, around.high], &[200.0, 20_000.0]));
        let nothing = Scale::log_around(std::iter::empty());
        assert!(nothing.high > nothing.low);
        let zeros = Scale::from_zero([0.0].into_iter());
        assert!(zeros.high > zeros.low);
    }
}
