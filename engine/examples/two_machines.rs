//! Ticks from one machine to another, of which one dies on the way: two processes on the loopback
//! interface, started with one command.
//!
//! ```text
//! cargo run --release -p corecast --features zenoh --example two_machines
//! ```
//!
//! This process receives. It starts a publisher, which dies half way with events still in its
//! queues, and another that goes on where the first had stopped. Whatever was lost is counted:
//! received and missing add up to what was emitted.
//!
//! On two real machines, run the halves by hand:
//!
//! ```text
//! two_machines receive tcp/0.0.0.0:7447 1000000
//! two_machines publish tcp/ADDRESS-OF-THE-OTHER:7447 0 1000000 stay
//! ```

use corecast::zenoh::{Publisher, Receiver, ReceiverMetrics, Record, peer};
use corecast::{Cores, Engine, FaultKind};
use std::error::Error;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const KEY: &str = "exchange/ticks";
const TICKS: u64 = 1_000_000;
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Copy)]
struct Tick {
    number: u64,
    price: u64,
}

impl Tick {
    fn new(number: u64) -> Self {
        let price = 100_000 + (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56);
        Self { number, price }
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.price.to_le_bytes());
    }

    fn decode(record: Record<'_>) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let (number, price) = record.bytes.split_at_checked(8).ok_or("too short")?;
        Ok(Self {
            number: u64::from_le_bytes(number.try_into()?),
            price: u64::from_le_bytes(price.try_into()?),
        })
    }
}

/// The publishing machine: emits ticks `from..to`, says so, and then dies at once or stays until its
/// input ends.
fn publish(endpoint: &str, from: u64, to: u64, fate: &str) -> Result<(), Box<dyn Error>> {
    let session = peer(&[], &[endpoint])?;
    let engine = Engine::builder().cores(Cores::count(1)).build()?;
    let ticks = engine.signal::<Tick>("ticks").build()?;
    let publisher = Publisher::builder(&session, KEY)
        .resume_from(from)
        .heartbeat(Duration::from_millis(100))
        .publish(&ticks, Tick::encode)?;
    if !publisher.wait_for_receiver(PATIENCE) {
        return Err("nobody receives".into());
    }
    let mut emitter = ticks.emitter()?;
    for number in from..to {
        emitter.emit(Tick::new(number))?;
    }
    println!("emitted {to}");
    if fate == "die" {
        // As when somebody kills it: nothing is closed, nothing is flushed.
        std::process::abort();
    }
    std::io::stdin().read_to_end(&mut Vec::new())?;
    emitter.flush(PATIENCE)?;
    let counts = publisher.close(PATIENCE);
    println!(
        "{} emitted, {} published in {} frames, {} dropped because the queue was full",
        counts.events, counts.published, counts.frames, counts.dropped
    );
    Ok(())
}

/// The receiving machine.
struct Desk {
    receiver: Receiver,
    engine: Engine,
    ticks: Arc<AtomicU64>,
    turnover: Arc<AtomicU64>,
}

impl Desk {
    fn open(endpoint: &str) -> Result<Self, Box<dyn Error>> {
        let session = peer(&[endpoint], &[])?;
        let engine = Engine::builder().cores(Cores::count(1)).build()?;
        let signal = engine.signal::<Tick>("ticks").build()?;
        let [ticks, turnover] = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
        let (count, sum) = (Arc::clone(&ticks), Arc::clone(&turnover));
        signal
            .subscribe(move |tick: &Tick| {
                assert_eq!(tick.price, Tick::new(tick.number).price);
                count.fetch_add(1, Ordering::Relaxed);
                sum.fetch_add(tick.price, Ordering::Relaxed);
            })
            .detach();
        let receiver = Receiver::builder(&session, KEY)
            .from_start()
            .feed(signal.emitter()?, Tick::decode)?;
        Ok(Self {
            receiver,
            engine,
            ticks,
            turnover,
        })
    }

    /// Waits until so many ticks are received or known to be missing.
    fn wait(&self, ticks: u64) -> Result<(), Box<dyn Error>> {
        let deadline = Instant::now() + PATIENCE;
        let accounted = |counts: ReceiverMetrics| counts.received + counts.missing;
        while accounted(self.receiver.metrics()) < ticks {
            if Instant::now() > deadline {
                return Err(format!("{:?}", self.receiver.metrics()).into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Prints what was counted; whether it adds up to `emitted`.
    fn report(self, emitted: u64) -> bool {
        let counts = self.receiver.close(PATIENCE);
        // Delivers what is still in the lane.
        self.engine.shutdown(PATIENCE);
        let mut gap_faults = 0;
        while let Some(fault) = self.engine.faults().pop() {
            println!("fault: {fault}");
            gap_faults += if fault.kind == FaultKind::Gap {
                fault.count
            } else {
                0
            };
        }
        let seen = self.ticks.load(Ordering::Relaxed);
        println!("emitted             {emitted:>9}");
        println!("received            {:>9}", counts.received);
        println!(
            "missing             {:>9}  in {} gaps",
            counts.missing, counts.gaps
        );
        println!("faults of gaps      {gap_faults:>9}");
        println!("publisher restarts  {:>9}", counts.restarts);
        println!(
            "seen by listener    {seen:>9}  turnover {}",
            self.turnover.load(Ordering::Relaxed)
        );
        let adds_up = counts.received + counts.missing == emitted
            && seen == counts.received
            && gap_faults == counts.gaps;
        println!(
            "received + missing = emitted: {}",
            if adds_up { "yes" } else { "NO" }
        );
        adds_up
    }
}

/// Starts this program as a publisher, and waits until it has emitted.
fn publisher(endpoint: &str, from: u64, to: u64, fate: &str) -> Result<Child, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args([
            "publish",
            endpoint,
            &from.to_string(),
            &to.to_string(),
            fate,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
    output.read_line(&mut line)?;
    if line.trim() != format!("emitted {to}") {
        return Err(format!("the publisher says {line:?}").into());
    }
    // The rest of what it says is for the terminal.
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            println!("publisher: {line}");
        }
    });
    Ok(child)
}

fn both() -> Result<bool, Box<dyn Error>> {
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let endpoint = format!("tcp/{free}");
    let desk = Desk::open(&endpoint)?;
    println!("receiving on {endpoint}");
    let half = TICKS / 2;
    let mut first = publisher(&endpoint, 0, half, "die")?;
    let end = first.wait()?;
    println!(
        "publisher {} has emitted {half} ticks and died: {end}",
        first.id()
    );
    let mut second = publisher(&endpoint, half, TICKS, "stay")?;
    println!("publisher {} has emitted the other {half}", second.id());
    desk.wait(TICKS)?;
    drop(second.stdin.take());
    second.wait()?;
    Ok(desk.report(TICKS))
}

fn run(arguments: &[&str]) -> Result<bool, Box<dyn Error>> {
    match arguments {
        [] => both(),
        ["publish", endpoint, from, to, fate @ ("stay" | "die")] => {
            publish(endpoint, from.parse()?, to.parse()?, fate).map(|()| true)
        }
        ["receive", endpoint, ticks] => {
            let ticks = ticks.parse()?;
            let desk = Desk::open(endpoint)?;
            desk.wait(ticks)?;
            Ok(desk.report(ticks))
        }
        _ => Err(
            "arguments: none, or receive ENDPOINT TICKS, or publish ENDPOINT FROM TO stay|die"
                .into(),
        ),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
