//! Which configuration to take, and why: a function of the figures alone.

use std::error::Error;
use std::fmt;

use serde::Serialize;

use crate::replay::text::Count;

use super::criterion::Criterion;
use super::measured::Measured;
use super::reason::Reason;
use super::told_apart::{beats, differ};

/// What is advised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// The place of the configuration among those measured.
    pub index: usize,
    /// The place of the worst one; `None` if only one was measured.
    pub worst: Option<usize>,
    /// What it is the best by: what was asked for, or the next criterion by which the laps tell the
    /// configurations apart.
    pub criterion: Criterion,
    /// The reason, in words.
    pub reason: String,
}

/// Why nothing can be advised.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum NoRecommendation {
    /// Nothing was measured.
    Nothing,
    /// No configuration kept up with the stated rate.
    Unsustained {
        /// The stated rate.
        rate: f64,
        /// The place of the configuration that came nearest.
        nearest: usize,
        /// That configuration.
        configuration: String,
        /// How many events per second it delivered.
        delivered: f64,
    },
}

impl fmt::Display for NoRecommendation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("stopped before any configuration was measured"),
            Self::Unsustained {
                rate,
                configuration,
                delivered,
                ..
            } => write!(
                f,
                "no configuration sustained {} events per second; the nearest, {configuration}, \
                 delivered {} a second",
                Count(*rate as u64),
                Count(*delivered as u64)
            ),
        }
    }
}

impl Error for NoRecommendation {}

/// The best of `measured` by `criterion`, at `rate` if there is one.
///
/// Only configurations that kept up with the rate are considered. If their laps differ among
/// themselves by more than the configurations do, the criterion tells nothing, and the next one
/// decides ([`Criterion::order`]). Those are as good as the one with the lowest cost that are
/// within the criterion's tolerance of it, or did not lose to it in almost all laps; of them, those
/// that are as good by what comes next; and of these the one with the fewest workers, then the
/// smallest lanes, then the lower figure.
///
/// # Errors
///
/// [`NoRecommendation`].
pub fn recommend(
    measured: &[Measured],
    rate: Option<f64>,
    criterion: Criterion,
) -> Result<Recommendation, NoRecommendation> {
    let (able, unable): (Vec<usize>, Vec<usize>) =
        (0..measured.len()).partition(|&index| measured[index].keeps_up());
    let choice = Choice::among(measured, &able, criterion);
    let Some(index) = choice.simplest() else {
        return Err(unsustained(measured, &unable, rate));
    };
    let worst = if unable.is_empty() {
        choice.worst(index, &able)
    } else {
        slowest(measured, &unable, choice.criterion())
    };
    let reason = Reason {
        choice: &choice,
        index,
        worst,
        able: able.len(),
        rate,
    };
    Ok(Recommendation {
        index,
        worst,
        criterion: choice.criterion(),
        reason: reason.to_string(),
    })
}

fn unsustained(measured: &[Measured], unable: &[usize], rate: Option<f64>) -> NoRecommendation {
    let delivered = |index: usize| {
        let paced = measured[index].paced;
        paced.map_or(0.0, |paced| paced.events_per_second)
    };
    let nearest = unable
        .iter()
        .copied()
        .max_by(|&one, &other| delivered(one).total_cmp(&delivered(other)));
    match nearest {
        None => NoRecommendation::Nothing,
        Some(nearest) => NoRecommendation::Unsustained {
            rate: rate.unwrap_or(0.0),
            nearest,
            configuration: measured[nearest].configuration.to_string(),
            delivered: delivered(nearest),
        },
    }
}

/// Of some that did not keep up, the one that did so in the fewest laps.
fn slowest(measured: &[Measured], unable: &[usize], criterion: Criterion) -> Option<usize> {
    let behind = |index: usize| {
        let laps = measured[index].laps.iter();
        laps.filter(|lap| !lap.kept_up).count()
    };
    unable.iter().copied().max_by(|&one, &other| {
        let cost = |index: usize| criterion.cost(&measured[index].typical());
        let by_cost = || cost(one).total_cmp(&cost(other));
        behind(one).cmp(&behind(other)).then_with(by_cost)
    })
}

/// What decided, and those that are as good by it.
pub(super) struct Round {
    pub(super) criterion: Criterion,
    pub(super) good: Vec<usize>,
}

/// How it was chosen.
pub(super) struct Choice<'a> {
    pub(super) measured: &'a [Measured],
    /// What was asked for and does not tell the configurations apart.
    pub(super) silent: Vec<Criterion>,
    /// What decided, one after the other; at least one.
    pub(super) rounds: Vec<Round>,
    /// Whether the laps tell the configurations apart by any criterion.
    pub(super) is_told: bool,
}

impl<'a> Choice<'a> {
    fn among(measured: &'a [Measured], able: &[usize], asked: Criterion) -> Self {
        let differs = |criterion: &Criterion| {
            let costs = able.iter().map(|&index| criterion.costs(&measured[index]));
            differ(&costs.collect::<Vec<_>>())
        };
        let order = asked.order();
        let silent = order.iter().take_while(|criterion| !differs(criterion));
        let silent: Vec<Criterion> = silent.copied().collect();
        let is_told = silent.len() < order.len();
        let mut choice = Self {
            measured,
            rounds: Vec::new(),
            is_told,
            silent: if is_told { silent } else { Vec::new() },
        };
        let mut good = able.to_vec();
        for &criterion in &order[choice.silent.len()..] {
            good = choice.as_good(criterion, &good);
            choice.rounds.push(Round {
                criterion,
                good: good.clone(),
            });
        }
        choice
    }

    fn cost(&self, criterion: Criterion, index: usize) -> f64 {
        criterion.cost(&self.measured[index].typical())
    }

    fn beats(&self, criterion: Criterion, one: usize, other: usize) -> bool {
        let costs = |index: usize| criterion.costs(&self.measured[index]);
        beats(&costs(one), &costs(other))
    }

    /// Those of `some` that are as good as the best of them.
    fn as_good(&self, criterion: Criterion, some: &[usize]) -> Vec<usize> {
        let by_cost = |one: &usize, other: &usize| {
            let cost = |index| self.cost(criterion, index);
            cost(*one).total_cmp(&cost(*other))
        };
        let Some(best) = some.iter().copied().min_by(by_cost) else {
            return Vec::new();
        };
        let limit = self.cost(criterion, best) * (1.0 + criterion.tolerance());
        let is_good = |&index: &usize| {
            self.cost(criterion, index) <= limit
                || (self.is_told && !self.beats(criterion, best, index))
        };
        some.iter().copied().filter(is_good).collect()
    }

    /// What it is the best by.
    pub(super) fn criterion(&self) -> Criterion {
        self.rounds[0].criterion
    }

    /// Of those that are as good by everything, the simplest.
    fn simplest(&self) -> Option<usize> {
        let good = self.rounds.last()?.good.iter().copied();
        good.min_by(|&one, &other| {
            let size = |index: usize| {
                let configuration = self.measured[index].configuration;
                (configuration.workers_per_core, configuration.capacity)
            };
            let cost = |index| self.cost(self.criterion(), index);
            let by_cost = cost(one).total_cmp(&cost(other));
            size(one).cmp(&size(other)).then(by_cost)
        })
    }

    /// The one to warn of: of those that lost to `best` in almost all laps, or if none did, of all
    /// others, the one with the highest cost.
    fn worst(&self, best: usize, able: &[usize]) -> Option<usize> {
        let criterion = self.criterion();
        let others = able.iter().copied().filter(|&index| index != best);
        others.max_by(|&one, &other| {
            let lost = |index| self.beats(criterion, best, index);
            let cost = |index| self.cost(criterion, index);
            let by_cost = || cost(one).total_cmp(&cost(other));
            lost(one).cmp(&lost(other)).then_with(by_cost)
        })
    }
}
