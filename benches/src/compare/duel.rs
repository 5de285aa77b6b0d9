//! What a row measures: sides against one another, or one figure.

use std::fmt;

use crate::measure::{Contest, ContestError, Figure, Schedule, Side, Timings};

/// Two or more sides that do the same work.
pub struct Duel {
    /// The row's subject: corecast, or, in rows that compare peers with one another, one of them.
    pub ours: Box<dyn Side>,
    /// What it is compared with. The best of several counts.
    pub peers: Vec<Box<dyn Side>>,
    /// The sum that must arrive after that many operations, computed without any side.
    pub expected: Box<dyn Fn(u64) -> u64>,
    /// The number of operations of a lap is a multiple of this.
    pub grain: u64,
    /// What of a lap is compared.
    pub figure: Figure,
}

impl Duel {
    /// A duel of times per operation, in laps of any number of operations.
    #[must_use]
    pub fn new(
        ours: Box<dyn Side>,
        peers: Vec<Box<dyn Side>>,
        expected: impl Fn(u64) -> u64 + 'static,
    ) -> Self {
        Self {
            ours,
            peers,
            expected: Box::new(expected),
            grain: 1,
            figure: Figure::PerOperation,
        }
    }

    /// The same in laps of a multiple of `grain` operations.
    #[must_use]
    pub fn in_steps_of(self, grain: u64) -> Self {
        Self { grain, ..self }
    }

    /// The same, comparing `figure`.
    #[must_use]
    pub fn by(self, figure: Figure) -> Self {
        Self { figure, ..self }
    }

    /// Runs the rounds; ours is the first side of the timings.
    ///
    /// # Errors
    ///
    /// As [`Contest::run`].
    pub fn run(&mut self, schedule: Schedule) -> Result<Timings, ContestError> {
        let mut sides: Vec<&mut dyn Side> = vec![&mut *self.ours];
        for peer in &mut self.peers {
            sides.push(&mut **peer);
        }
        let expected = &*self.expected;
        Contest {
            sides,
            expected,
            grain: self.grain,
            figure: self.figure,
        }
        .run(schedule)
    }
}

impl fmt::Debug for Duel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peers: Vec<&str> = self.peers.iter().map(|peer| peer.name()).collect();
        f.debug_struct("Duel")
            .field("ours", &self.ours.name())
            .field("peers", &peers)
            .finish_non_exhaustive()
    }
}

/// A figure that stands for itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gauge {
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
}
