//! The receiving process.

use crate::child::{PATIENCE, endpoints, orders};
use crate::event::{Numbered, decode};
use corecast::zenoh::{Position, Receiver, peer};
use corecast::{AsyncSignal, Engine, FaultKind, Subscription};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// What the listener has seen, and says of it without knowing what the receiver counts.
#[derive(Default)]
struct Seen {
    events: AtomicU64,
    /// The number after the last event's.
    next: AtomicU64,
    /// Numbers passed over.
    holes: AtomicU64,
    out_of_order: AtomicU64,
}

impl Seen {
    fn take(&self, number: u64) {
        let next = self.next.swap(number + 1, SeqCst);
        match number.checked_sub(next) {
            Some(holes) => self.holes.fetch_add(holes, SeqCst),
            None => self.out_of_order.fetch_add(1, SeqCst),
        };
        self.events.fetch_add(1, SeqCst);
    }
}

struct Sink {
    receiver: Option<Receiver>,
    seen: Arc<Seen>,
    engine: Engine,
    gap_faults: u64,
    _signal: AsyncSignal<Numbered>,
    _subscription: Subscription,
}

/// Where the listener notes how far it has come: a position, and how many events it was called
/// with.
struct Checkpoint(File);

impl Checkpoint {
    const LEN: usize = 40;

    fn note(&self, position: Position, events: u64) {
        let mut bytes = [0; Self::LEN];
        bytes[..32].copy_from_slice(&position.to_bytes());
        bytes[32..].copy_from_slice(&events.to_le_bytes());
        self.0.write_all_at(&bytes, 0).unwrap();
    }
}

/// What a [`Checkpoint`] holds, if anything was noted.
pub(crate) fn read_checkpoint(path: &str) -> Option<(Position, u64)> {
    let bytes = std::fs::read(path).ok()?;
    let (position, events) = bytes.split_at_checked(32)?;
    let position = Position::from_bytes(position.try_into().ok()?);
    Some((position, u64::from_le_bytes(events.try_into().ok()?)))
}

/// `open LISTEN CONNECT KEY CHECKPOINT STOP-AT`: with a checkpoint that has something it resumes;
/// after so many events the listener does not return.
fn open(words: &[&str]) -> Result<Sink, Box<dyn std::error::Error>> {
    let [listen, connect, key, path, stop_at] = words else {
        return Err("five words".into());
    };
    let [listen, connect] = endpoints(listen, connect);
    let session = peer(&listen, &connect)?;
    let engine = Engine::builder().build()?;
    let signal = engine.signal::<Numbered>("numbers").build()?;
    let seen = Arc::new(Seen::default());
    let noted = read_checkpoint(path);
    let mut options = Receiver::builder(&session, *key).from_start();
    if let Some((position, _)) = noted {
        options = options.resume(*key, position);
        seen.next.store(position.next, SeqCst);
    }
    let checkpoint = if *path == "-" {
        None
    } else {
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path)?;
        Some(Checkpoint(file))
    };
    let before = noted.map_or(0, |(_, events)| events);
    let stop_at = stop_at.parse().unwrap_or(u64::MAX);
    let subscription = {
        let seen = Arc::clone(&seen);
        signal.subscribe(move |event: &Numbered| {
            seen.take(event.number);
            let events = seen.events.load(SeqCst);
            if let (Some(checkpoint), Some(position)) = (&checkpoint, event.position) {
                checkpoint.note(position, before + events);
            }
            if events == stop_at {
                loop {
                    std::thread::park();
                }
            }
        })
    };
    Ok(Sink {
        receiver: Some(options.feed(signal.emitter()?, decode)?),
        seen,
        engine,
        gap_faults: 0,
        _signal: signal,
        _subscription: subscription,
    })
}

impl Sink {
    /// Waits until `events` are accounted for: received or missing.
    fn until(&self, events: u64) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counts = self.receiver.as_ref().unwrap().metrics();
            let seen = self.seen.events.load(SeqCst);
            if seen == counts.received && counts.received + counts.missing >= events {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Reads the engine's faults; of kinds other than gaps there are none.
    fn counts(&mut self) -> String {
        while let Some(fault) = self.engine.faults().pop() {
            assert_eq!(fault.kind, FaultKind::Gap, "{fault}");
            self.gap_faults += fault.count;
        }
        assert_eq!(self.engine.faults().lost(), 0);
        let counts = self.receiver.as_ref().unwrap().metrics();
        assert_eq!((counts.rejected, counts.undecoded), (0, 0));
        assert_eq!(counts.malformed, 0);
        assert_eq!(self.seen.out_of_order.load(SeqCst), 0);
        format!(
            "{} {} {} {} {} {} {} {}",
            self.seen.events.load(SeqCst),
            self.seen.holes.load(SeqCst),
            counts.received,
            counts.missing,
            counts.gaps,
            self.gap_faults,
            counts.restarts,
            counts.repeated
        )
    }
}

pub(crate) fn run() -> ExitCode {
    let mut sink = None;
    for order in orders() {
        let words: Vec<_> = order.iter().map(String::as_str).collect();
        match (words[0], &mut sink) {
            ("open", _) => match open(&words[1..]) {
                Ok(opened) => {
                    sink = Some(opened);
                    println!("opened");
                }
                Err(error) => println!("refused {error}"),
            },
            ("until", Some(sink)) => println!("{}", sink.until(words[1].parse().unwrap())),
            ("counts", Some(sink)) => println!("{}", sink.counts()),
            ("end", sink) => {
                if let Some(receiver) = sink.as_mut().and_then(|one| one.receiver.take()) {
                    receiver.close(PATIENCE);
                }
                println!("ended");
                return ExitCode::SUCCESS;
            }
            other => println!("unknown {other:?}", other = other.0),
        }
    }
    ExitCode::FAILURE
}
