//! A small trading engine. Market data goes to every strategy, on pinned workers; an order goes
//! through a chain of checks in the strategy's own thread, any of which can refuse it, and is given
//! up when 100 ms have passed; what became of it is reported beside all that.
//!
//! `cargo run --release -p corecast --example trading_engine`
//!
//! ```text
//!   feed ─▶ ticks ─▶ strategy 0, 1, 2 ─▶ orders: risk ─▶ compliance ─▶ venue
//!          (async,    (workers)     │      (sync: try_emit)
//!         broadcast)                └───▶ reports ─▶ desk (async)
//! ```

use corecast::{Context, Cores, EmitError, Engine, Listener, Overflow, SyncSignal};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

const TICKS: u64 = 200_000;
const STRATEGIES: usize = 3;
/// A strategy thinks once in so many ticks.
const THOUGHT: u64 = 16;
/// An order that has not passed the chain by then is worth nothing any more.
const DEADLINE: Duration = Duration::from_millis(100);
const LARGEST_ORDER: i64 = 12;
const LARGEST_POSITION: i64 = 400;

/// A price, in ticks of the instrument.
#[derive(Clone, Copy)]
struct Tick {
    price: i64,
}

/// An order; a negative size sells.
#[derive(Clone, Copy)]
struct Order {
    strategy: usize,
    size: i64,
}

/// What became of an order.
#[derive(Clone, Copy)]
struct Report {
    order: Order,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Filled,
    Refused,
    Late,
}

/// Buys below its own average of the price and sells above it; makes up its mind now and then.
struct Strategy {
    id: usize,
    ticks: u64,
    /// The average, times 256.
    average: i64,
}

impl Strategy {
    fn new(id: usize) -> Self {
        Self {
            id,
            ticks: 0,
            average: 0,
        }
    }

    fn on_tick(&mut self, tick: &Tick) -> Option<Order> {
        let distance = tick.price - self.average / 256;
        // The higher its number, the slower it follows.
        self.average += (tick.price * 256 - self.average) >> (6 + self.id);
        self.ticks += 1;
        let (strategy, size) = (self.id, -distance / 2);
        (self.ticks.is_multiple_of(THOUGHT) && size.abs() > 4).then_some(Order { strategy, size })
    }
}

/// The positions, one for each strategy. A strategy's orders come from one thread, one after the
/// other, so that nobody changes a position between the check and the booking.
#[derive(Default)]
struct Positions([AtomicI64; STRATEGIES]);

impl Positions {
    fn of(&self, strategy: usize) -> i64 {
        self.0[strategy].load(Ordering::Relaxed)
    }

    fn allow(&self, order: &Order) -> Result<(), String> {
        let after = self.of(order.strategy) + order.size;
        if order.size.abs() > LARGEST_ORDER {
            Err(format!("size {} is above {LARGEST_ORDER}", order.size))
        } else if after.abs() > LARGEST_POSITION {
            Err(format!(
                "position {after} would be beyond {LARGEST_POSITION}"
            ))
        } else {
            Ok(())
        }
    }

    fn book(&self, order: &Order) {
        self.0[order.strategy].fetch_add(order.size, Ordering::Relaxed);
    }
}

/// A random walk of the price, the same in every run.
fn feed() -> impl Iterator<Item = Tick> {
    let (mut state, mut price) = (0x2545_F491_4F6C_DD1D_u64, 10_000_i64);
    (0..TICKS).map(move |_| {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        price += (state % 7) as i64 - 3;
        Tick { price }
    })
}

/// Filled and refused orders when everything runs in one plain loop: what must come out.
fn expected() -> (u64, u64) {
    let positions = Positions::default();
    let mut strategies: Vec<_> = (0..STRATEGIES).map(Strategy::new).collect();
    let (mut filled, mut refused) = (0, 0);
    for tick in feed() {
        for order in strategies.iter_mut().filter_map(|one| one.on_tick(&tick)) {
            if positions.allow(&order).is_ok() {
                positions.book(&order);
                filled += 1;
            } else {
                refused += 1;
            }
        }
    }
    (filled, refused)
}

/// The desk's own books, kept from the reports alone.
#[derive(Default)]
struct Books {
    filled: u64,
    refused: u64,
    late: u64,
    positions: [i64; STRATEGIES],
}

/// Keeps the books, and hands them over when it is dropped: whoever has waited for the listener's
/// removal has them.
struct Desk {
    books: Books,
    hand_over: Sender<Books>,
}

impl Desk {
    fn on_report(&mut self, report: &Report) {
        let books = &mut self.books;
        match report.outcome {
            Outcome::Filled => {
                books.filled += 1;
                books.positions[report.order.strategy] += report.order.size;
            }
            Outcome::Refused => books.refused += 1,
            Outcome::Late => books.late += 1,
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Nobody may be listening any more.
        let _ = self.hand_over.send(std::mem::take(&mut self.books));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // A worker on each CPU, so that strategies run side by side. With cores to spare one would
    // isolate some, name them with `Cores::list`, and let the workers `WaitStrategy::busy_spin()`.
    let engine = Engine::builder().cores(Cores::all()).build()?;
    for worker in engine.workers() {
        println!("worker {}: {}", worker.id, worker.pin);
    }

    // No tick may be lost, and the feed can wait a little: `Overflow::Wait`, the default.
    let ticks = engine.signal::<Tick>("ticks").capacity(1 << 12);
    let ticks = ticks.sample_latency(64).build()?;
    // A strategy must never wait for the desk: what finds no room is refused, and counted. Its lane
    // has room for all that one strategy can report.
    let room = (TICKS / THOUGHT).next_power_of_two() as usize;
    let reports = engine.signal::<Report>("reports").capacity(room);
    let reports = reports.overflow(Overflow::Reject).build()?;

    // The chain. `try_emit` calls it from the highest priority on and stops at the first refusal.
    // Nothing is undone then, so whatever comes before the venue only looks.
    let orders = SyncSignal::<Order>::builder().name("orders").build()?;
    let positions = Arc::new(Positions::default());
    let risk = {
        let positions = Arc::clone(&positions);
        Listener::fallible(move |order: &Order| positions.allow(order))
    };
    let _risk = orders.add(risk.key("risk").priority(20))?;
    // A check that takes too long for an order without a size, as a call to another service might.
    let compliance = Listener::new(|order: &Order| {
        if order.size == 0 {
            std::thread::sleep(DEADLINE + Duration::from_millis(1));
        }
    });
    let _compliance = orders.add(compliance.key("compliance").priority(10))?;
    let venue = {
        let positions = Arc::clone(&positions);
        Listener::new(move |order: &Order| positions.book(order))
    };
    let _venue = orders.add(venue.key("venue"))?;

    // The strategies. Each belongs to its worker, with emitters of its own: `FnMut`, no lock.
    let mut subscriptions = Vec::new();
    for id in 0..STRATEGIES {
        let mut strategy = Strategy::new(id);
        let mut orders = orders.emitter();
        let mut reports = reports.emitter()?;
        subscriptions.push(ticks.subscribe(move |tick| {
            let Some(order) = strategy.on_tick(tick) else {
                return;
            };
            let outcome = match orders.try_emit(&order, &Context::with_timeout(DEADLINE)) {
                Ok(_) => Outcome::Filled,
                Err(EmitError::DeadlineExceeded { .. }) => Outcome::Late,
                Err(_) => Outcome::Refused,
            };
            // A report without room comes back; the signal has counted it as rejected.
            let _ = reports.try_emit(Report { order, outcome });
        }));
    }
    let (hand_over, books) = channel();
    let mut desk = Desk {
        books: Books::default(),
        hand_over,
    };
    let desk = reports.subscribe(move |report| desk.on_report(report));

    let mut out = ticks.emitter()?;
    let start = Instant::now();
    for tick in feed() {
        out.emit(tick)?;
    }
    // Every strategy has finished with every tick, and with the orders that it led to.
    out.flush(Duration::from_secs(60))?;
    println!(
        "{TICKS} ticks to {STRATEGIES} strategies in {:?}",
        start.elapsed()
    );

    // By hand: an order that compliance sits on. Risk and compliance have run, the venue has not.
    let slow = Order {
        strategy: 0,
        size: 0,
    };
    let late = orders.try_emit(&slow, &Context::with_timeout(DEADLINE));
    println!("an order that took too long: {late:?}");
    let is_late = matches!(late, Err(EmitError::DeadlineExceeded { delivered: 2 }));

    // What was accepted is delivered before the workers leave: every report reaches the desk.
    let ending = engine.shutdown(Duration::from_secs(60));
    desk.unsubscribe_and_wait(Duration::from_secs(60))?;
    let books = books.recv()?;

    let (data, told) = (ticks.metrics(), reports.metrics());
    println!(
        "orders: {} filled, {} refused by risk, {} late; positions {:?}",
        books.filled, books.refused, books.late, books.positions
    );
    if let Some(latency) = data.latency {
        println!(
            "tick to the end of a worker's strategies: p50 {:?}, p99 {:?}",
            latency.p50, latency.p99
        );
    }
    println!("{ending:?}");

    let check = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    check(
        is_late,
        "the slow order was not given up at the right place",
    )?;
    check(
        data.delivered == TICKS * STRATEGIES as u64,
        "a strategy missed a tick",
    )?;
    check(
        told.rejected == 0 && ending.abandoned == 0,
        "a report was lost",
    )?;
    let booked = std::array::from_fn(|strategy| positions.of(strategy));
    check(books.positions == booked, "the desk and the venue disagree")?;
    // On a machine so busy that an order was late, positions differ from then on.
    let (filled, refused) = expected();
    check(
        books.late > 0 || (books.filled, books.refused) == (filled, refused),
        "the orders differ from those of a plain loop",
    )?;
    println!(
        "ok: {} orders, as in a plain loop; desk and venue agree",
        filled + refused
    );
    Ok(())
}
