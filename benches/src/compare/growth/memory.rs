//! The memory that things hold, by the sizes that were asked of the allocator.

use corecast::{Cores, Engine, Listener, SyncSignal};

use crate::compare::event::Event;
use crate::compare::ours::lanes::failed;
use crate::measure::LapError;
use crate::measure::alloc;

/// How many of a thing are made; what is shared by all of them counts little then.
const MANY: usize = 1_000;

/// What one of a thing holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Holding {
    pub(super) what: String,
    pub(super) bytes: f64,
}

/// Bytes per thing.
pub(super) fn figures() -> Result<Vec<Holding>, LapError> {
    let mut figures = Vec::new();
    let mut note = |what: String, bytes: i64, count: usize| {
        figures.push(Holding {
            what,
            bytes: bytes as f64 / count as f64,
        });
    };
    let mut signals: Vec<SyncSignal<u64>> = Vec::with_capacity(MANY);
    let make = || (0..MANY).for_each(|_| signals.push(SyncSignal::new()));
    let ((), bytes) = alloc::bytes_held(make).map_err(failed)?;
    note("synchronous signal".to_owned(), bytes, MANY);
    let one = &signals[0];
    let add = || {
        let listeners = (0..MANY as u64).map(|number| {
            Listener::new(move |event: &u64| {
                std::hint::black_box(event.wrapping_add(number));
            })
        });
        let subscriptions = one.add_many(listeners)?;
        subscriptions.into_iter().for_each(|one| one.detach());
        Ok(())
    };
    let (added, bytes) = alloc::bytes_held(add).map_err(failed)?;
    added.map_err(|error: corecast::SubscribeError| failed(error))?;
    note(
        "its listener, which captures 8 bytes".to_owned(),
        bytes,
        MANY,
    );

    // Without threads, nobody else allocates meanwhile.
    let builder = Engine::builder().cores(Cores::count(1)).manual();
    let engine = builder.build().map_err(failed)?;
    let mut signals = Vec::with_capacity(MANY);
    let make = || {
        for _ in 0..MANY {
            signals.push(engine.signal::<Event<7>>("memory").capacity(1024).build()?);
        }
        Ok(())
    };
    let (made, bytes) = alloc::bytes_held(make).map_err(failed)?;
    made.map_err(|error: corecast::SignalError| failed(error))?;
    note("asynchronous signal, one worker".to_owned(), bytes, MANY);
    let one = &signals[0];
    let add = || {
        for number in 0..MANY as u64 {
            let listen = move |event: &Event<7>| {
                std::hint::black_box(event.seed().wrapping_add(number));
            };
            one.subscribe(listen).detach();
        }
        // Lets go of the arrays that are out of use.
        engine.run_until_idle()
    };
    let (drained, bytes) = alloc::bytes_held(add).map_err(failed)?;
    drained.map_err(failed)?;
    note(
        "its listener, which captures 8 bytes".to_owned(),
        bytes,
        MANY,
    );
    for capacity in [64, 1024] {
        let lanes = 64;
        let signal = engine.signal::<Event<7>>("lanes").capacity(capacity);
        let signal = signal.build().map_err(failed)?;
        let mut emitters = Vec::with_capacity(lanes);
        let make = || {
            for _ in 0..lanes {
                emitters.push(signal.emitter()?);
            }
            Ok(())
        };
        let (made, bytes) = alloc::bytes_held(make).map_err(failed)?;
        made.map_err(|error: corecast::EmitterError| failed(error))?;
        let what = format!("emitter with a lane of {capacity} events of 56 bytes");
        note(what, bytes, lanes);
    }
    Ok(figures)
}
