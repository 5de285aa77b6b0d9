//! The built-in market.

use corecast_lab::market::{
    Action, Book, MarketFeed, MessageCounts, Side, Tick, TickFeed, market_ticks,
};
use corecast_lab::replay::{SequenceCheck, check_price, check_shape};

use crate::reference::{ReferenceBook, assert_same};

/// FNV-1a over every field.
fn fingerprint(ticks: &[Tick]) -> u64 {
    let mut hash: u64 = 0xCBF2_9CE4_8422_2325;
    for tick in ticks {
        let fields = [
            tick.due_ns,
            tick.recorded_ns,
            tick.order_id,
            tick.price.cast_unsigned(),
            tick.size.into(),
            tick.sequence.into(),
            tick.instrument.into(),
            tick.publisher.into(),
            tick.channel.into(),
            tick.flags.into(),
            tick.action as u64,
            tick.side as u64,
        ];
        for byte in fields.into_iter().flat_map(u64::to_le_bytes) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
    hash
}

#[test]
fn a_seed_gives_the_same_ticks_on_every_platform() {
    // Computed once. Whoever changes the market on purpose changes these numbers with it.
    for (seed, expected) in [
        (0, 0xD306_56C7_020C_6CF8),
        (42, 0xB3AF_D3D4_E2E8_95D1),
        (u64::MAX, 0xDBF9_D25B_7BA5_E2C1),
    ] {
        assert_eq!(
            fingerprint(&market_ticks(100_000, seed)),
            expected,
            "seed {seed}"
        );
    }
}

#[test]
fn a_shorter_feed_is_the_beginning_of_a_longer_one() {
    let long = market_ticks(5_000, 3);
    for events in [0, 1, 2, 999, 4_999] {
        assert_eq!(market_ticks(events, 3), long[..events]);
    }
}

#[test]
fn filling_in_pieces_gives_the_same_ticks() {
    let mut feed = MarketFeed::new(5, 1_000);
    let mut ticks = Vec::new();
    for limit in [0, 1, 7, 500, 1_000, 10] {
        let before = ticks.len();
        let added = feed.fill(&mut ticks, limit).expect("no file is read");
        assert_eq!(added, ticks.len() - before);
        assert!(added <= limit);
        assert_eq!(feed.left(), 1_000 - ticks.len() as u64);
    }
    assert_eq!(ticks, market_ticks(1_000, 5));
}

/// What a coherent feed never does: speak of an order that is not there, take more than there is,
/// or let the best prices meet.
fn assert_coherent(seed: u64, events: usize) {
    let (mut book, mut reference) = (Book::new(), ReferenceBook::default());
    for (index, tick) in market_ticks(events, seed).iter().enumerate() {
        let known = book.order(tick.order_id);
        let context = || format!("seed {seed}, tick {index}: {tick:?}, order {known:?}");
        match tick.action {
            Action::Add => assert!(known.is_none() && tick.size > 0, "{}", context()),
            Action::Cancel | Action::Modify | Action::Fill => {
                let known = known.unwrap_or_else(|| panic!("{}", context()));
                assert_eq!(tick.side, known.side, "{}", context());
                let fits = tick.action == Action::Modify || tick.size <= known.size;
                assert!(fits && tick.size > 0, "{}", context());
                if tick.action != Action::Modify {
                    assert_eq!(tick.price, known.price, "{}", context());
                }
            }
            Action::Trade => {
                let hit = match tick.side.opposite() {
                    Side::Bid => book.best_bid(),
                    _ => book.best_ask(),
                };
                assert!(hit.is_some() && tick.size > 0, "{}", context());
            }
            Action::Clear => assert_eq!(tick.price, Tick::NO_PRICE, "{}", context()),
            Action::None | Action::Unknown => panic!("{}", context()),
        }
        book.apply(tick);
        reference.apply(tick);
        if let (Some(bid), Some(ask)) = (book.best_bid(), book.best_ask()) {
            assert!(bid.price < ask.price, "{}", context());
        }
    }
    assert_same(&book, &reference);
}

#[test]
fn the_market_is_coherent() {
    for seed in 0..8 {
        assert_coherent(seed, 100_000);
    }
}

#[test]
fn fills_add_up_to_trades_and_are_followed_by_what_they_leave() {
    let ticks = market_ticks(200_000, 11);
    let mut book = Book::new();
    let mut traded = 0_u64;
    let mut filled = 0_u64;
    for (index, tick) in ticks.iter().enumerate() {
        match tick.action {
            Action::Trade => traded += u64::from(tick.size),
            Action::Fill => {
                filled += u64::from(tick.size);
                let order = book
                    .order(tick.order_id)
                    .expect("fills are of resting orders");
                let after = ticks[index..]
                    .iter()
                    .find(|later| later.order_id == tick.order_id && later.action != Action::Fill);
                // The feed may end before it comes.
                if let Some(after) = after {
                    let expected = if tick.size == order.size {
                        (Action::Cancel, order.size)
                    } else {
                        (Action::Modify, order.size - tick.size)
                    };
                    assert_eq!((after.action, after.size), expected, "{tick:?}");
                }
            }
            _ => {}
        }
        book.apply(tick);
    }
    assert_eq!(traded, filled);
    assert!(traded > 10_000);
}

#[test]
fn every_kind_of_record_occurs_about_as_often_as_in_a_real_market() {
    let mut counts = MessageCounts::default();
    let ticks = market_ticks(2_000_000, 42);
    for tick in &ticks {
        counts.observe(tick);
    }
    let percent = |action| counts.of(action) * 100 / counts.total();
    assert!((30..50).contains(&percent(Action::Add)));
    assert!((20..40).contains(&percent(Action::Cancel)));
    assert!((10..25).contains(&percent(Action::Modify)));
    assert!((5..15).contains(&percent(Action::Fill)));
    assert!((2..10).contains(&percent(Action::Trade)));
    assert!((2..20).contains(&counts.of(Action::Clear)));
}

#[test]
fn time_and_message_numbers_go_forward_and_no_check_refuses_a_tick() {
    let sequences = SequenceCheck::new();
    let ticks = market_ticks(300_000, 6);
    for pair in ticks.windows(2) {
        let [before, after] = pair else {
            unreachable!("windows of two")
        };
        assert!(before.recorded_ns <= after.recorded_ns);
        assert!((0..=1).contains(&(after.sequence - before.sequence)));
        // A message ends where it says so.
        let ends = before.flags & dbn::flags::LAST != 0;
        assert!(
            !ends || after.sequence > before.sequence,
            "{before:?} {after:?}"
        );
        assert!(
            ends || after.recorded_ns == before.recorded_ns,
            "{before:?} {after:?}"
        );
    }
    for tick in &ticks {
        assert_eq!(check_shape(tick), Ok(()));
        assert_eq!(check_price(tick), Ok(()));
        assert_eq!(sequences.check(tick), Ok(()));
    }
}
