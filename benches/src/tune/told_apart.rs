//! Whether laps tell configurations apart, or differ among themselves by more than those do.
//!
//! Costs are compared lap by lap, of laps that were run one soon after the other, and by rank alone:
//! a lap from which the host took the CPU away is one lap, whatever it cost.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// What luck may do at most, of all that it could do, for a difference to count: between any of the
/// configurations,
const LUCK_OF_ALL: f64 = 0.01;
/// and between two of them.
const LUCK_OF_TWO: f64 = 0.05;

/// Orders that are drawn to see what luck does.
const DRAWS: usize = 1_999;

/// Whether some of the configurations, each with the costs of its laps, differ by more than luck.
///
/// Friedman's test: the costs of every lap are ranked, and the sums of the ranks are compared with
/// what they come to when each lap's ranks are dealt out at random. That is drawn, always alike, and
/// not looked up, so it holds for any number of laps and configurations; a single lap, or too few of
/// them, tells nothing.
pub(super) fn differ(costs: &[Vec<f64>]) -> bool {
    let laps = costs.iter().map(Vec::len).min().unwrap_or(0);
    let mut ranks: Vec<Vec<f64>> = (0..laps)
        .map(|lap| ranks(&costs.iter().map(|of_one| of_one[lap]).collect::<Vec<_>>()))
        .collect();
    let seen = unevenness(&ranks);
    let mut dice = ChaCha8Rng::seed_from_u64(0);
    let by_luck = (0..DRAWS).filter(|_| {
        ranks.iter_mut().for_each(|lap| lap.shuffle(&mut dice));
        unevenness(&ranks) >= seen
    });
    let share = (1 + by_luck.count()) as f64 / (1 + DRAWS) as f64;
    share <= LUCK_OF_ALL
}

/// Whether laps of `one` cost less than those of `other` by more than luck.
///
/// The sign test: of the laps in which their costs differ, `one` has the lower in so many that a coin
/// would hardly fall that way so often. Of so few that even all would be no wonder, it is all.
pub(super) fn beats(one: &[f64], other: &[f64]) -> bool {
    let pairs = || one.iter().zip(other);
    let won = pairs().filter(|(one, other)| one < other).count();
    let lost = pairs().filter(|(one, other)| one > other).count();
    won > 0 && (lost == 0 || chance_of(won, won + lost) <= LUCK_OF_TWO)
}

/// The chance that of `coins` at least `heads` fall heads up.
fn chance_of(heads: usize, coins: usize) -> f64 {
    let mut ways = 1.0;
    let mut sum = 0.0;
    for tails in 0..=coins - heads {
        sum += ways;
        ways *= (coins - tails) as f64 / (tails + 1) as f64;
    }
    sum / 2_f64.powi(coins as i32)
}

/// The rank of each cost; equal ones share theirs.
fn ranks(costs: &[f64]) -> Vec<f64> {
    let rank = |cost: &f64| {
        let lower = costs.iter().filter(|other| *other < cost).count();
        let equal = costs.iter().filter(|other| *other == cost).count();
        lower as f64 + equal as f64 / 2.0
    };
    costs.iter().map(rank).collect()
}

/// How unevenly the ranks of all laps are distributed: the sum of squares of their sums.
fn unevenness(laps: &[Vec<f64>]) -> f64 {
    let all = laps.first().map_or(0, Vec::len);
    let sums = (0..all).map(|one| laps.iter().map(|lap| lap[one]).sum::<f64>());
    sums.map(|sum| sum * sum).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    /// Costs of `count` configurations in nine laps: noise, and what each costs more by itself.
    fn costs(seed: u64, more: &[f64]) -> Vec<Vec<f64>> {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let mut lap = |more: f64| more + 1.0 / dice.random_range(0.001..1.0);
        more.iter()
            .map(|more| (0..9).map(|_| lap(*more)).collect())
            .collect()
    }

    #[test]
    fn noise_is_rarely_taken_for_a_difference() {
        let found = (1..=300).filter(|&seed| differ(&costs(seed, &[0.0; 28])));
        // One in a hundred is the level; ten of three hundred would be one in 300 such tests.
        assert!(found.count() < 10);
    }

    #[test]
    fn a_difference_is_found_among_noise_that_is_larger_at_times() {
        for seed in 1..=50 {
            let mut more = [0.0; 28];
            more[14..].fill(3.0);
            let all = costs(seed, &more);
            assert!(differ(&all), "seed {seed}");
        }
    }

    #[test]
    fn two_configurations_differ_if_one_wins_nine_laps_of_nine() {
        let (low, high) = (vec![1.0; 9], vec![2.0; 9]);
        assert!(differ(&[low.clone(), high.clone()]));
        let mut once = low.clone();
        once[4] = 3.0;
        assert!(!differ(&[once.clone(), high.clone()]));
        assert!(beats(&once, &high) && !beats(&high, &once));
    }

    #[test]
    fn too_few_laps_and_equal_ones_tell_nothing() {
        assert!(!differ(&[]));
        assert!(!differ(&[vec![1.0; 9]]));
        assert!(!differ(&[vec![1.0; 9], vec![1.0; 9]]));
        assert!(!differ(&[vec![1.0], vec![2.0], vec![3.0]]));
        assert!(!differ(&[vec![], vec![1.0]]));
    }

    #[test]
    fn eight_laps_of_nine_are_more_than_luck_and_seven_are_not() {
        let laps = |won: usize| -> Vec<f64> {
            (0..9)
                .map(|lap| if lap < won { 1.0 } else { 3.0 })
                .collect()
        };
        let other = vec![2.0; 9];
        assert!(beats(&laps(8), &other));
        assert!(!beats(&laps(7), &other));
        assert!(!beats(&other, &other));
    }

    #[test]
    fn of_few_laps_all_have_to_be_won() {
        assert!(beats(&[1.0], &[2.0]));
        assert!(beats(&[1.0, 1.0], &[2.0, 2.0]));
        assert!(!beats(&[1.0, 3.0], &[2.0, 2.0]));
        assert!(!beats(&[], &[]));
    }

    #[test]
    fn the_chance_of_coins_is_that_of_the_binomial_distribution() {
        assert_eq!(chance_of(0, 3), 1.0);
        assert_eq!(chance_of(3, 3), 0.125);
        assert_eq!(chance_of(8, 9), 10.0 / 512.0);
    }

    #[test]
    fn equal_costs_share_a_rank() {
        let ranks = ranks(&[5.0, 1.0, 5.0, f64::INFINITY]);
        assert_eq!(ranks[0], ranks[2]);
        assert!(ranks[1] < ranks[0] && ranks[0] < ranks[3]);
    }
}
