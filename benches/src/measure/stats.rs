//! Order statistics of a few dozen samples.

use serde::Serialize;

/// The quartiles of a set of samples.
///
/// Rounds on a shared machine have outliers on one side only (something else ran), so nothing here
/// is a mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quartiles {
    /// A quarter of the samples lie at or below.
    pub q1: f64,
    /// Half of the samples lie at or below.
    pub median: f64,
    /// Three quarters of the samples lie at or below.
    pub q3: f64,
}

impl Quartiles {
    /// The quartiles of `samples`, or `None` when there are none.
    ///
    /// Between two samples the value is interpolated linearly (Hyndman and Fan's type 7, which
    /// spreadsheets and numpy use).
    ///
    /// # Complexity
    ///
    /// Sorts a copy: O(n log n), one allocation.
    ///
    /// ```
    /// use corecast_lab::measure::Quartiles;
    ///
    /// let q = Quartiles::of(&[4.0, 1.0, 3.0, 2.0, 5.0]).unwrap();
    /// assert_eq!((q.q1, q.median, q.q3), (2.0, 3.0, 4.0));
    /// assert!(Quartiles::of(&[]).is_none());
    /// ```
    #[must_use]
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Some(Self {
            q1: quantile(&sorted, 0.25)?,
            median: quantile(&sorted, 0.5)?,
            q3: quantile(&sorted, 0.75)?,
        })
    }
}

/// The `q` quantile of samples that are in ascending order.
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = q * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_number_of_samples_is_interpolated() {
        let q = Quartiles::of(&[40.0, 10.0, 30.0, 20.0]).expect("four samples");
        assert_eq!((q.q1, q.median, q.q3), (17.5, 25.0, 32.5));
    }

    #[test]
    fn one_sample_is_all_three() {
        let q = Quartiles::of(&[7.0]).expect("one sample");
        assert_eq!((q.q1, q.median, q.q3), (7.0, 7.0, 7.0));
    }

    #[test]
    fn one_outlier_does_not_move_the_median() {
        let calm = Quartiles::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).expect("samples");
        let loud = Quartiles::of(&[1.0, 2.0, 3.0, 4.0, 5e9]).expect("samples");
        assert_eq!(calm.median, loud.median);
    }
}
