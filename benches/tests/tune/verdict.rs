//! Whether a recommendation holds, by given rounds.

use corecast_lab::tune::{Criterion, Round, Verdict};

fn verdict(rounds: &[(Option<f64>, Option<f64>)]) -> Verdict {
    let round = |&(recommended, worst): &(Option<f64>, Option<f64>)| Round { recommended, worst };
    Verdict::of(Criterion::P99, rounds.iter().map(round).collect())
}

#[test]
fn winning_most_rounds_holds() {
    let both = |one, other| (Some(one), Some(other));
    let verdict = verdict(&[both(1.0, 2.0), both(1.0, 4.0), both(9.0, 3.0)]);
    assert!(verdict.holds);
    assert_eq!((verdict.won, verdict.ratio), (2, Some(0.5)));
    assert!(
        verdict
            .to_string()
            .contains("holds: against the worst, by p99 latency, it won 2 of 3 rounds, at 0.500")
    );
}

#[test]
fn losing_most_rounds_does_not_hold() {
    let both = |one, other| (Some(one), Some(other));
    let verdict = verdict(&[both(2.0, 1.0), both(2.0, 1.9), both(1.0, 9.0)]);
    assert!(!verdict.holds);
    assert_eq!(verdict.won, 1);
    assert!(verdict.to_string().contains("does not hold"));
}

#[test]
fn a_draw_is_no_win() {
    let both = |one, other| (Some(one), Some(other));
    assert!(!verdict(&[both(1.0, 1.0), both(0.0, 0.0), both(2.0, 2.0)]).holds);
    // One round each way.
    assert!(!verdict(&[both(1.0, 2.0), both(2.0, 1.0)]).holds);
}

#[test]
fn keeping_up_beats_falling_behind_whatever_the_cost() {
    let won = verdict(&[(Some(9e9), None); 3]);
    assert!(won.holds);
    assert_eq!(won.ratio, Some(0.0));
    let lost = verdict(&[(None, Some(9e9)); 3]);
    assert!(!lost.holds);
    assert_eq!(lost.ratio, None);
}

#[test]
fn two_that_fall_behind_are_no_win() {
    assert!(!verdict(&[(None, None); 5]).holds);
}

#[test]
fn no_rounds_are_no_win() {
    assert!(!verdict(&[]).holds);
}
