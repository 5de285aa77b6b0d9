//! Curves of sides, measured point by point in turn.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::measure::{Lap, LapError, Quartiles, Side};

use super::Extent;

/// What is asked of a point.
pub(super) enum Ask {
    /// The time of an operation, of a side whose laps are held to a sum.
    Operation(Box<dyn Side>, Box<dyn Fn(u64) -> u64>),
    /// The median of the single durations that the side times.
    Median(Box<dyn Side>, Box<dyn Fn(u64) -> u64>),
    /// A number of durations, each of so many operations.
    Durations(Box<dyn Fn() -> Result<Vec<Duration>, LapError>>, u64),
}

/// A point before it is measured.
pub(super) struct Point {
    pub(super) at: usize,
    pub(super) ask: Ask,
}

/// A curve before it is measured.
pub(super) struct Curve {
    pub(super) name: &'static str,
    pub(super) points: Vec<Point>,
}

/// A picture and its curves.
pub struct Chart {
    /// The name of its file, without the ending.
    pub file: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// What grows.
    pub x_label: &'static str,
    /// What the cost is.
    pub unit: &'static str,
    /// How many nanoseconds that is.
    pub unit_ns: f64,
    /// Where 0 lies on the axis of what grows, which has none.
    pub zero: f64,
    /// Whether costs are shown from 0 in even steps.
    pub even: bool,
    pub(super) curves: Vec<Curve>,
}

impl fmt::Debug for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chart")
            .field("file", &self.file)
            .field("curves", &self.curves.len())
            .finish_non_exhaustive()
    }
}

/// A measured curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// What it is called.
    pub name: &'static str,
    /// Its points.
    pub points: Vec<Figure>,
}

/// A measured point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// How much of what grows there is.
    pub at: usize,
    /// The cost, in the picture's unit.
    pub cost: Quartiles,
}

/// Why a point has no figure.
#[derive(Debug)]
pub struct PointError {
    curve: &'static str,
    at: usize,
    source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for PointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at {}: {}", self.curve, self.at, self.source)
    }
}

impl Error for PointError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

/// No lap gets more operations than this.
const MOST_OPS: u64 = 1 << 26;

impl Chart {
    /// Measures every point: each in every round once, so that the machine's moods are everybody's.
    ///
    /// # Errors
    ///
    /// [`PointError`]: a lap failed, or its sum was wrong.
    pub fn measure(&mut self, extent: Extent) -> Result<Vec<Figures>, PointError> {
        let unit_ns = self.unit_ns;
        let mut figures = Vec::new();
        let mut all: Vec<(&'static str, &mut Point, u64, Vec<f64>)> = Vec::new();
        for curve in &mut self.curves {
            for point in &mut curve.points {
                all.push((curve.name, point, 0, Vec::new()));
            }
        }
        let lap = Duration::from_millis(extent.lap_ms);
        for (curve, point, ops, _) in &mut all {
            *ops = point
                .calibrate(lap)
                .map_err(|error| point.error(curve, error))?;
        }
        for _ in 0..extent.rounds {
            for (curve, point, ops, costs) in &mut all {
                let cost = point
                    .cost(*ops)
                    .map_err(|error| point.error(curve, error))?;
                costs.extend(cost.into_iter().map(|ns| ns / unit_ns));
            }
        }
        for (curve, point, _, costs) in all {
            let Some(cost) = Quartiles::of(&costs) else {
                continue;
            };
            let figure = Figure { at: point.at, cost };
            match figures.last_mut() {
                Some(Figures { name, points }) if *name == curve => points.push(figure),
                _ => figures.push(Figures {
                    name: curve,
                    points: vec![figure],
                }),
            }
        }
        Ok(figures)
    }
}

impl Point {
    fn error(&self, curve: &'static str, source: Box<dyn Error + Send + Sync>) -> PointError {
        PointError {
            curve,
            at: self.at,
            source,
        }
    }

    /// The operations of a lap of about this length.
    fn calibrate(&mut self, lap: Duration) -> Result<u64, Box<dyn Error + Send + Sync>> {
        let (Ask::Operation(side, expected) | Ask::Median(side, expected)) = &mut self.ask else {
            return Ok(1);
        };
        let mut ops = 256;
        loop {
            // The better of two: one that was disturbed must not pass for long work.
            let one = verified(&mut **side, expected, ops)?.elapsed;
            let took = one.min(verified(&mut **side, expected, ops)?.elapsed);
            if took >= lap / 2 || ops >= MOST_OPS {
                return Ok(ops);
            }
            let factor = lap.as_secs_f64() / took.as_secs_f64().max(1e-9);
            ops = ((ops as f64 * factor.clamp(1.5, 16.0)) as u64).min(MOST_OPS);
        }
    }

    /// What it costs, in nanoseconds: one figure, or one for each duration.
    fn cost(&mut self, ops: u64) -> Result<Vec<f64>, Box<dyn Error + Send + Sync>> {
        match &mut self.ask {
            Ask::Operation(side, expected) => {
                let lap = verified(&mut **side, expected, ops)?;
                Ok(vec![lap.elapsed.as_nanos() as f64 / ops as f64])
            }
            Ask::Median(side, expected) => {
                let lap = verified(&mut **side, expected, ops)?;
                let latency = lap.latency.ok_or("no single duration was timed")?;
                Ok(vec![latency.percentile(50.0) as f64])
            }
            Ask::Durations(work, ops) => {
                let each = |took: Duration| took.as_nanos() as f64 / *ops as f64;
                Ok(work()?.into_iter().map(each).collect())
            }
        }
    }
}

fn verified(
    side: &mut dyn Side,
    expected: &dyn Fn(u64) -> u64,
    ops: u64,
) -> Result<Lap, Box<dyn Error + Send + Sync>> {
    let lap = side.lap(ops)?;
    let expected = expected(ops);
    if lap.checksum == expected {
        return Ok(lap);
    }
    Err(format!(
        "after {ops} operations the sum is {:#x} instead of {expected:#x}",
        lap.checksum
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Claims a microsecond for each operation, and a sum that is off by `error`.
    #[derive(Debug)]
    struct Clockwork {
        error: u64,
    }

    impl Side for Clockwork {
        fn name(&self) -> &str {
            "clockwork"
        }

        fn lap(&mut self, ops: u64) -> Result<Lap, LapError> {
            Ok(Lap {
                elapsed: Duration::from_micros(ops),
                checksum: ops + self.error,
                latency: None,
            })
        }
    }

    fn chart(error: u64) -> Chart {
        let point = |at| Point {
            at,
            ask: Ask::Operation(Box::new(Clockwork { error }), Box::new(|ops| ops)),
        };
        Chart {
            file: "clockwork",
            title: "clockwork",
            x_label: "points",
            unit: "µs",
            unit_ns: 1000.0,
            zero: 1.0,
            even: true,
            curves: vec![Curve {
                name: "one",
                points: vec![point(1), point(10)],
            }],
        }
    }

    const SHORT: Extent = Extent {
        most: 10,
        rounds: 3,
        lap_ms: 1,
    };

    #[test]
    fn every_point_has_its_cost_in_the_unit() {
        let figures = chart(0).measure(SHORT).expect("right sums");
        assert_eq!(figures.len(), 1);
        let at: Vec<usize> = figures[0].points.iter().map(|point| point.at).collect();
        assert_eq!(at, [1, 10]);
        assert!(
            figures[0]
                .points
                .iter()
                .all(|point| point.cost.median == 1.0)
        );
    }

    #[test]
    fn a_wrong_sum_names_the_point() {
        let error = chart(1).measure(SHORT).expect_err("wrong sums").to_string();
        assert!(
            error.starts_with("one, at 1: after 256 operations the sum is 0x101"),
            "{error}"
        );
    }
}
