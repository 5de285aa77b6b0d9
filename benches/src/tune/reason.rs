//! Why a configuration is recommended, in words.

use std::fmt;

use super::recommend::{Choice, Round};

/// Why it is this one.
pub(super) struct Reason<'a> {
    pub(super) choice: &'a Choice<'a>,
    pub(super) index: usize,
    pub(super) worst: Option<usize>,
    /// How many kept up.
    pub(super) able: usize,
    pub(super) rate: Option<f64>,
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Choice {
            measured, rounds, ..
        } = self.choice;
        let this = &measured[self.index];
        self.write_doubts(f)?;
        let criterion = self.choice.criterion();
        let (all, figure) = (measured.len(), criterion.show(this));
        let mut good = rounds[0].good.len();
        if good == 1 {
            write!(f, "Of {all} configurations")?;
            if self.able < all {
                write!(f, ", {} of which sustained the rate,", self.able)?;
            }
            write!(f, " it has the best {criterion}: {figure}.")?;
        } else {
            write!(
                f,
                "{good} of {all} configurations are as good by {criterion}: within {:.0} %{}; it has \
                 {figure}.",
                criterion.tolerance() * 100.0,
                if self.choice.is_told {
                    ", or not told apart by the laps"
                } else {
                    ""
                },
            )?;
        }
        for Round {
            criterion,
            good: left,
        } in &rounds[1..]
        {
            if left.len() < good {
                let figure = criterion.show(this);
                write!(
                    f,
                    " Of these it is among the best by {criterion}: {figure}."
                )?;
            }
            good = left.len();
        }
        if good > 1 {
            write!(
                f,
                " Of the {good} that are left it has the fewest workers and the smallest lanes."
            )?;
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

impl Reason<'_> {
    /// What the laps do not tell.
    fn write_doubts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((first, others)) = self.choice.silent.split_first() {
            write!(f, "By {first}")?;
            for criterion in others {
                write!(f, " and {criterion}")?;
            }
            f.write_str(
                " the configurations cannot be told apart here: laps of one differ by more than they \
                 do. ",
            )?;
        } else if !self.choice.is_told && self.able > 1 {
            f.write_str(
                "The laps do not tell the configurations apart; these are their medians. ",
            )?;
        }
        Ok(())
    }
}
