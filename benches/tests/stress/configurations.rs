//! The configurations as functions: the same seed chooses the same, and every one is in order.

use std::sync::Arc;
use std::time::Duration;

use corecast_lab::stress::dice::Dice;
use corecast_lab::stress::round::Round;
use corecast_lab::stress::table;
use corecast_lab::stress::watch::{Watch, Watchdog, bite};

fn round<'a>(name: &str, watch: &'a Watch, events: u64) -> Round<'a> {
    Round {
        dice: Dice::for_round(77, name, 0),
        events,
        until: None,
        alone: false,
        watch,
    }
}

#[test]
fn every_configuration_comes_to_an_end_by_events_alone() {
    let watch = Arc::new(Watch::default());
    let _watchdog = Watchdog::start(&watch, Duration::from_secs(120), bite).expect("a thread");
    for configuration in table::ALL {
        watch.begin(configuration.name.to_owned());
        let round = round(configuration.name, &watch, 200);
        let outcome = (configuration.play)(&round).expect("it runs");
        assert_eq!(
            outcome.mismatches, 0,
            "{}: {:?}",
            configuration.name, outcome.findings
        );
        assert!(outcome.events > 0, "{}", configuration.name);
        assert_eq!(
            outcome.injected,
            outcome.seen + unread(configuration.name, &outcome)
        );
    }
}

/// Faults that went with an engine whose last handle was dropped: only shutdowns have those.
fn unread(name: &str, outcome: &corecast_lab::stress::round::Outcome) -> u64 {
    if name == "shutdown" {
        outcome.injected - outcome.seen
    } else {
        0
    }
}

#[test]
fn a_manual_engine_makes_the_same_of_the_same_dice() {
    let watch = Watch::default();
    let manual = table::ALL
        .iter()
        .find(|one| one.name == "manual")
        .expect("there is one");
    let play = || {
        let outcome = (manual.play)(&round("manual", &watch, 5000)).expect("it runs");
        (
            outcome.events,
            outcome.lane_events,
            outcome.injected,
            outcome.notes,
        )
    };
    assert_eq!(play(), play());
}
