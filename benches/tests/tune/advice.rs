//! Which of given figures is recommended, and why.

use corecast_lab::tune::{Criterion, Measured, NoRecommendation, Recommendation, recommend};

use crate::figures::{behind, measured, with_p99};

const RATE: Option<f64> = Some(1_000.0);

fn advise(all: &[Measured], criterion: Criterion) -> Recommendation {
    recommend(all, RATE, criterion).expect("some kept up")
}

#[test]
fn the_lowest_latency_is_recommended_and_the_highest_is_the_worst() {
    let all = [
        measured(1, 256, 1e6, 9_000, 0.1),
        measured(1, 512, 1e6, 4_000, 0.9),
        measured(2, 256, 1e6, 70_000, 0.1),
    ];
    let advice = advise(&all, Criterion::P99);
    assert_eq!((advice.index, advice.worst), (1, Some(2)));
    assert!(
        advice.reason.contains("the best p99 latency: 4,000 ns"),
        "{}",
        advice.reason
    );
    assert!(advice.reason.contains("has 70.0 µs"), "{}", advice.reason);
}

#[test]
fn each_criterion_has_its_own_winner() {
    let all = [
        measured(1, 256, 5e6, 9_000, 0.5),
        measured(1, 512, 1e6, 4_000, 0.9),
        measured(2, 256, 1e6, 70_000, 0.1),
    ];
    for (criterion, index, worst) in [
        (Criterion::Throughput, 0, 2),
        (Criterion::P50, 1, 2),
        (Criterion::P99, 1, 2),
        (Criterion::P999, 1, 2),
        (Criterion::Cpu, 2, 1),
    ] {
        let advice = advise(&all, criterion);
        assert_eq!((advice.criterion, advice.index), (criterion, index));
        assert_eq!(advice.worst, Some(worst), "{criterion}");
    }
}

#[test]
fn of_equals_the_one_that_uses_least_cpu_is_taken() {
    let all = [
        measured(1, 256, 1e6, 10_000, 1.0),
        measured(1, 256, 1e6, 10_900, 0.2),
        measured(1, 256, 1e6, 11_100, 0.1),
    ];
    let advice = advise(&all, Criterion::P99);
    // The third uses less, but is more than a tenth later.
    assert_eq!(advice.index, 1);
    assert!(
        advice.reason.contains("2 of 3 configurations are as good")
            && advice.reason.contains("0.20 CPUs in the workers"),
        "{}",
        advice.reason
    );
}

#[test]
fn of_equals_in_both_the_simplest_is_taken() {
    let all = [
        measured(2, 256, 1e6, 10_000, 0.50),
        measured(1, 4096, 1e6, 10_100, 0.51),
        measured(1, 256, 1e6, 10_200, 0.52),
        measured(1, 256, 1e6, 10_150, 0.52),
    ];
    assert_eq!(advise(&all, Criterion::P99).index, 3);
}

#[test]
fn what_fell_behind_is_never_recommended_and_is_the_worst() {
    let all = [
        behind(measured(1, 256, 1e6, 100, 0.1), 900.0),
        measured(1, 512, 1e6, 5_000, 0.9),
        measured(1, 1024, 1e6, 8_000, 0.9),
    ];
    let advice = advise(&all, Criterion::P99);
    assert_eq!((advice.index, advice.worst), (1, Some(0)));
    assert!(
        advice.reason.contains("2 of which sustained the rate")
            && advice.reason.contains("did not keep up"),
        "{}",
        advice.reason
    );
}

#[test]
fn if_all_fell_behind_the_nearest_is_named() {
    let all = [
        behind(measured(1, 256, 1e6, 100, 0.1), 700.0),
        behind(measured(2, 512, 1e6, 100, 0.1), 800.0),
    ];
    let refused = recommend(&all, RATE, Criterion::P99).expect_err("none kept up");
    assert!(
        matches!(refused, NoRecommendation::Unsustained { nearest: 1, .. }),
        "{refused:?}"
    );
    let line = refused.to_string();
    assert!(
        line.contains("1,000 events per second")
            && line.contains("capacity 512")
            && line.contains("800"),
        "{line}"
    );
}

#[test]
fn nothing_measured_is_nothing_recommended() {
    let refused = recommend(&[], RATE, Criterion::P99);
    assert_eq!(refused, Err(NoRecommendation::Nothing));
}

#[test]
fn a_single_configuration_is_recommended_without_a_worst() {
    let advice = advise(&[measured(1, 256, 1e6, 100, 0.1)], Criterion::Throughput);
    assert_eq!((advice.index, advice.worst), (0, None));
}

#[test]
fn the_headroom_is_told_where_there_is_a_rate() {
    let all = [measured(1, 256, 32_500.0, 100, 0.1)];
    assert!(
        advise(&all, Criterion::P99)
            .reason
            .contains("32.5 times the stated rate")
    );
    let flat = recommend(&all, None, Criterion::Throughput).expect("it was measured");
    assert!(!flat.reason.contains("stated rate"), "{}", flat.reason);
}

/// Nine laps whose order says nothing, turned by so many.
fn noise(turn: usize) -> [u64; 9] {
    let mut laps = [40, 4_000, 50, 45, 3_500, 60, 55, 2_000, 42].map(|us| us * 1_000);
    laps.rotate_left(turn);
    laps
}

#[test]
fn what_the_laps_do_not_tell_is_left_to_the_next_criterion() {
    // By p99 the laps of one differ by a hundred times, and no configuration is better than another;
    // the median latency is half of it for the first two.
    let (near, far) = (4_000, 9_000);
    let all = [
        with_p99(measured(1, 512, 1e6, near, 0.9), noise(0)),
        with_p99(measured(1, 256, 1e6, near, 0.9), noise(2)),
        with_p99(measured(2, 256, 1e6, far, 0.9), noise(4)),
        with_p99(measured(2, 512, 1e6, far, 0.9), noise(6)),
    ];
    let advice = advise(&all, Criterion::P99);
    assert_eq!((advice.criterion, advice.index), (Criterion::P50, 1));
    assert_eq!(advice.worst, Some(3));
    assert!(
        advice
            .reason
            .starts_with("By p99 latency the configurations cannot be told apart here")
            && advice.reason.contains("as good by median latency"),
        "{}",
        advice.reason
    );
    let advice = advise(&all, Criterion::P50);
    assert_eq!((advice.criterion, advice.index), (Criterion::P50, 1));
    assert!(!advice.reason.contains("cannot"), "{}", advice.reason);
}

#[test]
fn a_difference_beyond_the_tolerance_that_the_laps_do_not_tell_is_none() {
    // Against the first, the second lost seven laps of nine and the third all.
    let base = [50, 51, 52, 53, 54, 55, 56, 57, 58].map(|us| us * 1_000);
    let mut second = base.map(|ns| ns + 20_000);
    (second[0], second[1]) = (40_000, 40_000);
    let all = [
        with_p99(measured(1, 512, 1e6, 4_000, 0.9), base),
        with_p99(measured(1, 256, 1e6, 4_000, 0.2), second),
        with_p99(
            measured(1, 256, 1e6, 4_000, 0.1),
            base.map(|ns| ns + 20_000),
        ),
    ];
    let advice = advise(&all, Criterion::P99);
    assert_eq!((advice.criterion, advice.index), (Criterion::P99, 1));
    assert!(
        advice.reason.contains("2 of 3 configurations are as good")
            && advice.reason.contains("or not told apart by the laps"),
        "{}",
        advice.reason
    );
}

#[test]
fn a_few_laps_are_judged_by_their_medians_and_it_is_said() {
    let short = |mut one: Measured| {
        one.laps.truncate(1);
        one
    };
    let all = [
        short(measured(1, 256, 1e6, 9_000, 0.1)),
        short(measured(1, 512, 1e6, 4_000, 0.9)),
        short(measured(2, 256, 1e6, 70_000, 0.1)),
    ];
    let advice = advise(&all, Criterion::P99);
    assert_eq!(
        (advice.criterion, advice.index, advice.worst),
        (Criterion::P99, 1, Some(2))
    );
    assert!(
        advice.reason.starts_with("The laps do not tell"),
        "{}",
        advice.reason
    );
}

#[test]
fn of_those_that_fell_behind_the_worst_did_so_most_often() {
    let mut seldom = behind(measured(1, 256, 1e6, 9_000, 0.1), 900.0);
    seldom.laps[..4]
        .iter_mut()
        .for_each(|lap| lap.kept_up = true);
    let all = [
        seldom,
        behind(measured(1, 512, 1e6, 5_000, 0.1), 900.0),
        measured(1, 1024, 1e6, 8_000, 0.9),
    ];
    assert_eq!(advise(&all, Criterion::P99).worst, Some(1));
}

#[test]
fn what_was_not_timed_never_wins_by_latency() {
    let mut untimed = measured(1, 256, 1e6, 0, 0.1);
    untimed.latency_ns.typical.count = 0;
    untimed
        .laps
        .iter_mut()
        .for_each(|lap| lap.latency_ns.count = 0);
    let all = [untimed, measured(1, 512, 1e6, 5_000, 0.9)];
    assert_eq!(advise(&all, Criterion::P50).index, 1);
}
