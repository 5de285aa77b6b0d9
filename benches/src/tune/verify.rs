//! Whether a recommendation holds when it is measured again.

use std::fmt;

use serde::Serialize;

use crate::measure::Quartiles;

use super::criterion::Criterion;

/// Rounds of a verification: each runs both configurations once.
pub const ROUNDS: usize = 9;

/// What both configurations came to in one round: costs by the criterion, `None` where it did not
/// keep up with the stated rate, or nothing arrived.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Round {
    /// The recommended one's.
    pub recommended: Option<f64>,
    /// The worst one's.
    pub worst: Option<f64>,
}

impl Round {
    /// The recommended one's cost as a multiple of the worst one's. One that keeps up beats one that
    /// does not; two that do not are no win.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        match (self.recommended, self.worst) {
            (None, _) => f64::INFINITY,
            (Some(_), None) => 0.0,
            (Some(recommended), Some(worst)) if recommended == worst => 1.0,
            (Some(recommended), Some(worst)) => recommended / worst,
        }
    }
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// By what it was recommended, and is judged.
    pub criterion: Criterion,
    /// Every round.
    pub rounds: Vec<Round>,
    /// The rounds that the recommended one won.
    pub won: usize,
    /// The median of the rounds' ratios; `None` where the recommended one often did not keep up.
    pub ratio: Option<f64>,
    /// Whether the recommended one wins: most rounds, and by the median of the ratios.
    pub holds: bool,
}

impl Verdict {
    /// Decides. No rounds are no win.
    #[must_use]
    pub fn of(criterion: Criterion, rounds: Vec<Round>) -> Self {
        let ratios: Vec<f64> = rounds.iter().map(Round::ratio).collect();
        let won = ratios.iter().filter(|ratio| **ratio < 1.0).count();
        let median = Quartiles::of(&ratios).map(|quartiles| quartiles.median);
        // Between two infinite ratios there is no number.
        let ratio = median.filter(|median| median.is_finite());
        Self {
            criterion,
            holds: 2 * won > rounds.len() && ratio.is_some_and(|ratio| ratio < 1.0),
            won,
            ratio,
            rounds,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (won, rounds) = (self.won, self.rounds.len());
        let holds = if self.holds { "holds" } else { "does not hold" };
        write!(
            f,
            "the recommendation {holds}: against the worst, by {}, it won {won} of {rounds} rounds",
            self.criterion
        )?;
        match self.ratio {
            Some(ratio) => write!(f, ", at {ratio:.3} of its cost (median)"),
            None => f.write_str(", and often did not keep up"),
        }
    }
}
