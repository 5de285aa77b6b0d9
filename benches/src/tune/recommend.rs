//! Which configuration to take, and why: a function of the figures alone.

use std::error::Error;
use std::fmt;

use serde::Serialize;

use crate::replay::text::Count;

use super::criterion::Criterion;
use super::measured::Measured;

/// What is advised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// The place of the configuration among those measured.
    pub index: usize,
    /// The place of the worst one; `None` if only one was measured.
    pub worst: Option<usize>,
    /// What it is the best by.
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
/// Only configurations that kept up with the rate are considered. Those within the criterion's
/// tolerance of the best are as good; of them the ones count that are within the tolerance of the
/// best by the second criterion; and of these the one with the fewest workers, then the smallest
/// lanes, then the lower figure.
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
    let cost = |criterion: Criterion, index: usize| criterion.cost(&measured[index]);
    let within = |criterion: Criterion, some: &[usize]| -> Vec<usize> {
        let costs = some.iter().map(|&index| cost(criterion, index));
        let lowest = costs.fold(f64::INFINITY, f64::min);
        let limit = lowest * (1.0 + criterion.tolerance());
        let is_good = |&index: &usize| cost(criterion, index) <= limit;
        some.iter().copied().filter(is_good).collect()
    };
    let good = within(criterion, &able);
    let second = within(criterion.second(), &good);
    let simplest = second.iter().copied().min_by(|&one, &other| {
        let size = |index: usize| {
            let configuration = measured[index].configuration;
            (configuration.workers_per_core, configuration.capacity)
        };
        let by_cost = cost(criterion, one).total_cmp(&cost(criterion, other));
        size(one).cmp(&size(other)).then(by_cost)
    });
    let Some(index) = simplest else {
        return Err(unsustained(measured, &unable, rate));
    };
    let worst = worst(measured, index, &able, &unable, criterion);
    Ok(Recommendation {
        index,
        worst,
        criterion,
        reason: Reason {
            measured,
            index,
            worst,
            criterion,
            able: &able,
            good: &good,
            second: &second,
            rate,
        }
        .to_string(),
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

/// The configuration to warn of: one that does not keep up, else the one with the highest cost.
fn worst(
    measured: &[Measured],
    best: usize,
    able: &[usize],
    unable: &[usize],
    criterion: Criterion,
) -> Option<usize> {
    let some = if unable.is_empty() { able } else { unable };
    let others = some.iter().copied().filter(|&index| index != best);
    others.max_by(|&one, &other| {
        let cost = |index: usize| criterion.cost(&measured[index]);
        cost(one).total_cmp(&cost(other))
    })
}

/// Why it is this one.
struct Reason<'a> {
    measured: &'a [Measured],
    index: usize,
    worst: Option<usize>,
    criterion: Criterion,
    able: &'a [usize],
    good: &'a [usize],
    second: &'a [usize],
    rate: Option<f64>,
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            measured,
            criterion,
            ..
        } = *self;
        let this = &measured[self.index];
        let figure = criterion.show(this);
        if self.good.len() == 1 {
            write!(
                f,
                "Of {} configurations{} it has the best {criterion}: {figure}.",
                measured.len(),
                if self.able.len() < measured.len() {
                    format!(", {} of which sustained the rate,", self.able.len())
                } else {
                    String::new()
                }
            )?;
        } else {
            write!(
                f,
                "{} of {} configurations are as good by {criterion}, within {:.0} %; it has {figure}.",
                self.good.len(),
                measured.len(),
                criterion.tolerance() * 100.0
            )?;
            let second = criterion.second();
            if self.second.len() < self.good.len() {
                write!(
                    f,
                    " Of these it is the best by {second}: {}.",
                    second.show(this)
                )?;
            }
            if self.second.len() > 1 {
                write!(
                    f,
                    " {} are as good by {second} too; it has the fewest workers and the smallest lanes.",
                    self.second.len()
                )?;
            }
        }
        if let Some(rate) = self.rate {
            write!(
                f,
                " It delivered {:.1} times the stated rate flat out.",
                this.events_per_second / rate
            )?;
        }
        if let Some(worst) = self.worst {
            let worst = &measured[worst];
            write!(f, " The worst, {}, ", worst.configuration)?;
            if worst.keeps_up() {
                write!(f, "has {}.", criterion.show(worst))?;
            } else {
                f.write_str("did not keep up.")?;
            }
        }
        Ok(())
    }
}
