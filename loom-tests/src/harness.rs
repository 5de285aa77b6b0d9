//! Runs one model, under loom or with real threads.

/// How often a model runs with real threads.
pub const ROUNDS: usize = 2_000;

/// How often a model does that builds an engine in each round.
pub const ENGINE_ROUNDS: usize = 200;

/// Preemptions per schedule unless `LOOM_MAX_PREEMPTIONS` says otherwise. Published experience
/// (CHESS) and the mutants of this repository find their bugs at two; three is the margin.
#[cfg(loom)]
const PREEMPTIONS: usize = 3;

/// The same for long models: an emission, a drain and a shutdown of a whole engine are some hundred
/// steps that another thread can see, and so are the epoch's; the schedules grow with the bound's
/// power of that, from seconds to hours. An edge is a pair of places, and two preemptions show it in
/// every order.
#[cfg(loom)]
const LONG_PREEMPTIONS: usize = 2;

/// Steps of one schedule. An engine's are many; a model that exceeds this spins for ever.
#[cfg(loom)]
const BRANCHES: usize = 20_000;

/// Checks `body` in every schedule within the bound and prints how many there were.
///
/// Limits on time and permutations are not honoured: they would end an unfinished search without
/// an error, so that a line that says `Completed in` always means a finished one.
///
/// # Panics
///
/// When a schedule violates an assertion of `body`, races, or leaks. A schedule in which every
/// thread sleeps aborts the process.
#[cfg(loom)]
pub fn model(name: &str, body: impl Fn() + Send + Sync + 'static) {
    check(name, PREEMPTIONS, true, body);
}

/// As [`model`], for models that build an engine: fewer rounds.
///
/// # Panics
///
/// As [`model`].
#[cfg(loom)]
pub fn engine_model(name: &str, body: impl Fn() + Send + Sync + 'static) {
    check(name, PREEMPTIONS, true, body);
}

/// As [`model`], for long models: two preemptions unless told, and fewer rounds.
///
/// # Panics
///
/// As [`model`].
#[cfg(loom)]
pub fn long_model(name: &str, body: impl Fn() + Send + Sync + 'static) {
    check(name, LONG_PREEMPTIONS, true, body);
}

/// As [`model`], with the light halves of asymmetric fences taken out: for edges that must hold by
/// release and acquire alone. Outside the model checker those halves are compiler fences and order
/// nothing for the processor, so a model that borrowed order from them would prove too little.
///
/// # Panics
///
/// As [`model`].
#[cfg(loom)]
pub fn model_without_light_fences(name: &str, body: impl Fn() + Send + Sync + 'static) {
    check(name, PREEMPTIONS, false, body);
}

#[cfg(loom)]
fn check(
    name: &str,
    preemptions: usize,
    light_fences: bool,
    body: impl Fn() + Send + Sync + 'static,
) {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let iterations = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&iterations);
    let mut builder = loom::model::Builder::new();
    builder.max_duration = None;
    builder.max_permutations = None;
    builder.max_branches = builder.max_branches.max(BRANCHES);
    let bound = *builder.preemption_bound.get_or_insert(preemptions);
    let started = std::time::Instant::now();
    builder.check(move || {
        corecast_ring::sync::set_light_fences(light_fences);
        counter.fetch_add(1, Ordering::Relaxed);
        body();
    });
    println!(
        "model {name}: Completed in {} iterations, {:.1} s, at most {bound} preemptions",
        iterations.load(Ordering::Relaxed),
        started.elapsed().as_secs_f64(),
    );
}

/// As [`model`]: with real threads the light halves are what the kernel's offer makes them.
///
/// # Panics
///
/// As [`model`].
#[cfg(not(loom))]
pub fn model_without_light_fences(name: &str, body: impl Fn() + Send + Sync + 'static) {
    model(name, body);
}

/// Runs `body` [`ROUNDS`] times with real threads. A run that hangs aborts the process and names
/// the model, since a thread that sleeps for ever cannot be ended otherwise.
///
/// # Panics
///
/// When a round violates an assertion of `body`.
#[cfg(not(loom))]
pub fn model(name: &str, body: impl Fn() + Send + Sync + 'static) {
    run(name, ROUNDS, body);
}

/// As [`model`], [`ENGINE_ROUNDS`] times.
///
/// # Panics
///
/// As [`model`].
#[cfg(not(loom))]
pub fn engine_model(name: &str, body: impl Fn() + Send + Sync + 'static) {
    run(name, ENGINE_ROUNDS, body);
}

/// As [`engine_model`].
///
/// # Panics
///
/// As [`model`].
#[cfg(not(loom))]
pub fn long_model(name: &str, body: impl Fn() + Send + Sync + 'static) {
    run(name, ENGINE_ROUNDS, body);
}

#[cfg(not(loom))]
fn run(name: &str, rounds: usize, body: impl Fn() + Send + Sync + 'static) {
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(120);

    let (finished, watched) = channel::<()>();
    let watched_name = name.to_owned();
    let watchdog = std::thread::spawn(move || {
        if watched.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            eprintln!("model {watched_name}: not finished after {PATIENCE:?}");
            std::process::abort();
        }
    });
    for _ in 0..rounds {
        body();
    }
    drop(finished);
    assert!(watchdog.join().is_ok());
    println!("model {name}: {rounds} rounds with real threads");
}
