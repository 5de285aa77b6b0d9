//! The order book against one that is obviously right.

use corecast_lab::market::{Action, Book, Books, Instrument, Side, Tick, market_ticks};
use corecast_lab::measure::alloc;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::reference::{ReferenceBook, assert_same};

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => Just(Action::Add),
        5 => Just(Action::Cancel),
        5 => Just(Action::Modify),
        1 => prop::sample::select(Action::ALL.to_vec()),
    ]
}

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![8 => Just(Side::Bid), 8 => Just(Side::Ask), 1 => Just(Side::None)]
}

/// A tick of one of `ids` orders, at one of `prices` prices.
fn any_tick(ids: u64, prices: i64) -> impl Strategy<Value = Tick> {
    (any_action(), any_side(), 0..ids, 0..prices, 0..6_u32).prop_map(
        |(action, side, order_id, price, size)| Tick {
            action,
            side,
            order_id,
            price,
            size,
            ..Tick::default()
        },
    )
}

proptest! {
    #[test]
    fn a_small_book_agrees_after_every_action(ticks in vec(any_tick(12, 5), 1..300)) {
        let (mut book, mut reference) = (Book::new(), ReferenceBook::default());
        for tick in &ticks {
            book.apply(tick);
            reference.apply(tick);
            assert_same(&book, &reference);
        }
    }

    #[test]
    fn a_deep_book_agrees_at_the_end(ticks in vec(any_tick(4_000, 3_000), 2_000..6_000)) {
        let (mut book, mut reference) = (Book::new(), ReferenceBook::default());
        for tick in ticks.iter().filter(|tick| tick.action != Action::Clear) {
            book.apply(tick);
            reference.apply(tick);
        }
        assert_same(&book, &reference);
    }

    #[test]
    fn any_price_and_id_is_kept(orders in vec((any::<u64>(), any::<i64>(), any_side()), 1..100)) {
        let (mut book, mut reference) = (Book::new(), ReferenceBook::default());
        for (order_id, price, side) in orders {
            let size = u32::MAX;
            let tick = Tick { action: Action::Add, side, order_id, price, size, ..Tick::default() };
            book.apply(&tick);
            reference.apply(&tick);
        }
        assert_same(&book, &reference);
    }
}

#[test]
fn instruments_do_not_share_a_book() {
    let mut books = Books::new();
    assert!(books.is_empty() && books.busiest().is_none());
    let order = Tick {
        action: Action::Add,
        side: Side::Bid,
        order_id: 1,
        price: 10,
        size: 3,
        ..Tick::default()
    };
    let other_number = Tick {
        instrument: 2,
        price: 20,
        ..order
    };
    let other_publisher = Tick {
        publisher: 9,
        price: 30,
        ..order
    };
    for tick in [order, other_number, other_publisher, other_number] {
        books.apply(&tick);
    }
    assert_eq!((books.len(), books.open_orders()), (3, 3));
    let price_of = |publisher, number| {
        let book = books.get(Instrument { publisher, number });
        book.and_then(Book::best_bid).map(|level| level.price)
    };
    assert_eq!(price_of(0, 0), Some(10));
    assert_eq!(price_of(0, 2), Some(20));
    assert_eq!(price_of(9, 0), Some(30));
    assert_eq!(price_of(9, 2), None);
    let busiest = books.busiest().map(|(instrument, _)| instrument);
    assert_eq!(
        busiest,
        Some(Instrument {
            publisher: 0,
            number: 2
        })
    );

    let clear = Tick {
        action: Action::Clear,
        ..other_number
    };
    books.apply(&clear);
    assert_eq!((books.len(), books.open_orders()), (3, 2));
}

#[test]
fn of_equally_busy_instruments_the_first_is_shown() {
    let mut books = Books::new();
    for instrument in [5, 3, 8] {
        books.apply(&Tick {
            instrument,
            ..Tick::default()
        });
    }
    let busiest = books.busiest().map(|(instrument, _)| instrument.number);
    assert_eq!(busiest, Some(5));
}

#[test]
fn a_book_that_has_seen_its_widest_allocates_nothing() {
    let ticks = market_ticks(600_000, 1);
    let mut book = Book::new();
    // The same day twice: the second cannot be wider than the first.
    for tick in &ticks {
        book.apply(tick);
    }
    let ((), counts) = alloc::on_this_thread(|| {
        for tick in &ticks {
            book.apply(tick);
        }
    })
    .expect("this test program installs the counting allocator");
    assert_eq!((counts.allocations, counts.frees), (0, 0));
    assert!(book.open_orders() > 1_000);
}
