//! A backtest that comes out the same, bit for bit, in every run and on every machine: a manual
//! engine has no threads, and delivers everything in one order.
//!
//! `cargo run --release -p corecast --example backtest [SEED]`
//!
//! ```text
//!   feed ─▶ quotes ─▶ two strategies ─▶ orders ─▶ exchange ─▶ fills ─▶ the strategies again
//! ```
//!
//! The listeners are those of a live system: there they would run on workers, and only the engine's
//! builder and who calls `run_until_idle` would differ.

use corecast::{AsyncSignal, Cores, Emitter, Engine, Overflow, WorkerListener};
use std::collections::VecDeque;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

const QUOTES: u64 = 100_000;

#[derive(Clone, Copy)]
struct Quote {
    time: u64,
    price: i64,
}

#[derive(Clone, Copy)]
struct Order {
    time: u64,
    strategy: u64,
    size: i64,
}

/// What a run leaves: everything that happened, as one number (FNV-1a, 64 bits), and its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    hash: u64,
    fills: u64,
    cash: [i64; 2],
    positions: [i64; 2],
}

impl Outcome {
    fn note(&mut self, words: [u64; 4]) {
        for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}

/// The quotes of a seed: splitmix64, so that they too are the same everywhere.
struct Feed {
    state: u64,
    quote: Quote,
}

impl Feed {
    fn new(seed: u64) -> Self {
        let quote = Quote {
            time: 0,
            price: 50_000,
        };
        Self { state: seed, quote }
    }

    fn next(&mut self) -> Quote {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^= word >> 31;
        self.quote.time += 1 + word % 5;
        self.quote.price += ((word >> 8) % 21) as i64 - 10;
        self.quote
    }
}

/// Follows or fades the move of the last sixteen quotes, and no longer than its position allows.
struct Strategy {
    id: u64,
    recent: VecDeque<i64>,
    position: i64,
    orders: Emitter<Order>,
}

impl Strategy {
    fn on_quote(&mut self, quote: &Quote) -> Result<(), corecast::Rejected<Order>> {
        self.recent.push_back(quote.price);
        if self.recent.len() <= 16 {
            return Ok(());
        }
        let moved = quote.price - self.recent.pop_front().unwrap_or(quote.price);
        let direction = if self.id == 0 { moved } else { -moved }.signum();
        if moved.abs() < 60 || (self.position + direction).abs() > 20 {
            return Ok(());
        }
        self.orders.emit(Order {
            time: quote.time,
            strategy: self.id,
            size: direction,
        })
    }
}

fn run(seed: u64) -> Result<Outcome, Box<dyn Error>> {
    // Two workers, whatever the machine: without threads, they are two places in one order.
    let engine = Engine::builder()
        .cores(Cores::count(1))
        .workers_per_core(2)
        .manual()
        .build()?;
    // Nobody drains while a listener runs, so a wait for room could never end.
    fn signal<T: Send + 'static>(
        engine: &Engine,
        name: &str,
    ) -> Result<AsyncSignal<T>, corecast::SignalError> {
        let builder = engine.signal::<T>(name).capacity(1 << 10);
        builder.overflow(Overflow::Reject).build()
    }
    let quotes = signal::<Quote>(&engine, "quotes")?;
    let orders = signal::<Order>(&engine, "orders")?;
    let fills = signal::<Order>(&engine, "fills")?;
    let workers = engine.workers();

    let outcome = Arc::new(Mutex::new(Outcome {
        hash: 0xCBF2_9CE4_8422_2325,
        fills: 0,
        cash: [0; 2],
        positions: [0; 2],
    }));
    let mut subscriptions = Vec::new();
    for id in 0..2 {
        // A strategy hears of quotes and of its fills: two listeners, one state, one worker.
        let strategy = Arc::new(Mutex::new(Strategy {
            id,
            recent: VecDeque::new(),
            position: 0,
            orders: orders.emitter()?,
        }));
        let worker = workers[id as usize].id;
        let on_quote = WorkerListener::fallible({
            let strategy = Arc::clone(&strategy);
            move |quote| {
                let mut strategy = strategy.lock().unwrap_or_else(PoisonError::into_inner);
                strategy
                    .on_quote(quote)
                    .map_err(|refused| refused.to_string())
            }
        });
        subscriptions.push(quotes.add(on_quote.on_worker(worker))?);
        let on_fill = WorkerListener::new(move |filled: &Order| {
            if filled.strategy == id {
                let mut strategy = strategy.lock().unwrap_or_else(PoisonError::into_inner);
                strategy.position += filled.size;
            }
        });
        subscriptions.push(fills.add(on_fill.on_worker(worker))?);
    }
    // The exchange fills at the price of the last quote that it has seen, and a little beside it.
    let price = Arc::new(Mutex::new(0));
    subscriptions.push(quotes.subscribe({
        let price = Arc::clone(&price);
        move |quote| *price.lock().unwrap_or_else(PoisonError::into_inner) = quote.price
    }));
    let mut filled = fills.emitter()?;
    subscriptions.push(orders.subscribe_fallible({
        let outcome = Arc::clone(&outcome);
        move |order: &Order| {
            let price = *price.lock().unwrap_or_else(PoisonError::into_inner) + order.size;
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            let strategy = order.strategy as usize;
            outcome.fills += 1;
            outcome.cash[strategy] -= price * order.size;
            outcome.positions[strategy] += order.size;
            outcome.note([order.time, order.strategy, order.size as u64, price as u64]);
            filled.emit(*order).map_err(|refused| refused.to_string())
        }
    }));

    let mut feed = Feed::new(seed);
    let mut out = quotes.emitter()?;
    for _ in 0..QUOTES {
        out.emit(feed.next())?;
        // Everything that this quote leads to happens before the next one.
        engine.run_until_idle()?;
    }
    if let Some(fault) = engine.faults().pop() {
        return Err(fault.to_string().into());
    }
    let outcome = *outcome.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(outcome)
}

fn main() -> Result<(), Box<dyn Error>> {
    let seed = std::env::args()
        .nth(1)
        .map_or(Ok(2024), |seed| seed.parse())?;
    let (first, second) = (run(seed)?, run(seed)?);
    println!("run 1: {:016x} {first:?}", first.hash);
    println!("run 2: {:016x} {second:?}", second.hash);
    let other = run(seed + 1)?;
    println!("another seed: {:016x}", other.hash);
    if first != second {
        return Err("two runs of one seed differ".into());
    }
    if other.hash == first.hash || first.fills == 0 {
        return Err("the hash does not tell runs apart".into());
    }
    println!("ok: {QUOTES} quotes, {} fills, twice the same", first.fills);
    Ok(())
}
