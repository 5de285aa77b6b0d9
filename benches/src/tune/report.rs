//! What a run has to say: the JSON object, and what the table and the page are made of.

use serde::Serialize;

use crate::measure::machine::Machine;

use super::criterion::Criterion;
use super::load::{Load, Rate};
use super::measured::Measured;
use super::recommend::Recommendation;
use super::verify::Verdict;

/// A whole run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What it ran on.
    pub machine: Machine,
    /// The stated load.
    pub load: Load,
    /// The CPUs of the workers, as they were named.
    pub cores: String,
    /// How many those are.
    pub worker_cpus: usize,
    /// How long each configuration was to be measured.
    pub seconds: f64,
    /// In how many laps.
    pub laps: usize,
    /// What a step of a listener's busy work took when it was calibrated, in nanoseconds.
    pub work_step_ns: f64,
    /// What was to be best.
    pub criterion: Criterion,
    /// How many configurations there were to try.
    pub planned: usize,
    /// Whether it ended early.
    pub interrupted: bool,
    /// What was measured.
    pub configurations: Vec<Measured>,
    /// What is advised.
    pub recommendation: Option<Recommendation>,
    /// Why nothing is.
    pub refused: Option<String>,
    /// The code of the recommended configuration.
    pub builder_code: Option<String>,
    /// Whether the recommendation holds, if that was asked.
    pub verdict: Option<Verdict>,
    /// Where the page is.
    pub report: String,
}

impl Report {
    /// The recommended configuration.
    #[must_use]
    pub fn best(&self) -> Option<&Measured> {
        let advice = self.recommendation.as_ref()?;
        self.configurations.get(advice.index)
    }

    /// The stated rate, if there is one.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        match self.load.rate {
            Rate::Max => None,
            Rate::PerSecond(rate) => Some(rate),
        }
    }

    /// By what they are judged: what was asked for, unless that does not tell them apart.
    #[must_use]
    pub fn judged_by(&self) -> Criterion {
        let advice = self.recommendation.as_ref();
        advice.map_or(self.criterion, |advice| advice.criterion)
    }

    /// The places of the configurations, the best by what they are judged by first; those that did not keep
    /// up come last.
    #[must_use]
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.configurations.len()).collect();
        order.sort_by(|&one, &other| {
            let (one, other) = (&self.configurations[one], &self.configurations[other]);
            let by_cost = || {
                let cost = |of: &Measured| self.judged_by().cost(&of.typical());
                cost(one).total_cmp(&cost(other))
            };
            other.keeps_up().cmp(&one.keeps_up()).then_with(by_cost)
        });
        order
    }

    /// From when latency counts.
    #[must_use]
    pub fn latency_counts_from(&self) -> &'static str {
        match self.load.rate {
            Rate::Max => "from when an event was emitted, flat out",
            Rate::PerSecond(_) => "from when an event was due, at the stated rate",
        }
    }
}
