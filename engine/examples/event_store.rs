//! An event store. An event is durable, in a file and synced, before `try_emit` returns; balances
//! are projected from it asynchronously. The process is killed in the middle of a write, and again
//! between two, and recovers each time: the torn end of the file is found by its checksum, and the
//! projection is made anew from the log.
//!
//! `cargo run --release -p corecast --example event_store`
//!
//! ```text
//!   deposit ─▶ deposits: check ─▶ append, fsync          (synchronous, try_emit)
//!                                    │ once that is done
//!                                    ▼
//!              stored ─▶ balances, in runs               (asynchronous, a worker)
//! ```

use corecast::{Batch, Context, Engine, Listener, SyncSignal};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

type Failure = Box<dyn Error + Send + Sync>;

/// The first process is killed in the middle of this one.
const TORN: u64 = 80;
/// The second one is killed after it has said that this one is stored.
const STORED: u64 = 140;
/// And so many come after that.
const MORE: u64 = 60;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Deposit {
    sequence: u64,
    account: u64,
    amount: u64,
}

impl Deposit {
    /// The same for the same sequence, so that whoever restarts knows what comes next.
    fn of(sequence: u64) -> Self {
        Self {
            sequence,
            account: sequence * 7 % 13,
            amount: 1 + sequence % 50,
        }
    }
}

/// Records of one length: sequence, account, amount, and a checksum of the three (FNV-1a: it tells
/// a torn write, not a forger). An empty stretch of zeros does not pass for a record.
const RECORD: usize = 32;

fn checksum(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, step)
}

fn encode(deposit: &Deposit) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let words = [deposit.sequence, deposit.account, deposit.amount];
    for (place, word) in record.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    let sum = checksum(&record[..24]);
    record[24..].copy_from_slice(&sum.to_le_bytes());
    record
}

fn decode(record: &[u8; RECORD]) -> Option<Deposit> {
    let word = |index: usize| {
        let bytes = record[index * 8..][..8].try_into();
        bytes.map(u64::from_le_bytes).unwrap_or_default()
    };
    (word(3) == checksum(&record[..24])).then(|| Deposit {
        sequence: word(0),
        account: word(1),
        amount: word(2),
    })
}

/// An append-only file.
struct Log {
    file: File,
    /// Where to be killed: in the middle of the record of this event.
    stop_inside: Option<u64>,
}

/// What a log holds, and how many bytes of a torn record were cut off its end.
struct Recovered {
    events: Vec<Deposit>,
    torn: u64,
}

impl Log {
    /// Opens the log, reads it up to the first record that is not whole, and cuts that off.
    fn recover(path: &Path) -> io::Result<(Self, Recovered)> {
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let length = file.metadata()?.len();
        let mut events = Vec::new();
        let mut reader = BufReader::new(&mut file);
        let mut record = [0; RECORD];
        while reader.read_exact(&mut record).is_ok() {
            match decode(&record) {
                Some(deposit) => events.push(deposit),
                None => break,
            }
        }
        let whole = (events.len() * RECORD) as u64;
        file.set_len(whole)?;
        file.seek(SeekFrom::Start(whole))?;
        file.sync_all()?;
        let torn = length - whole;
        let log = Self {
            file,
            stop_inside: None,
        };
        Ok((log, Recovered { events, torn }))
    }

    /// Durable when it returns: a kill would spare what is merely written, a loss of power only what
    /// is synced.
    fn append(&mut self, deposit: &Deposit) -> io::Result<()> {
        let record = encode(deposit);
        let (first, rest) = record.split_at(RECORD / 2);
        self.file.write_all(first)?;
        if self.stop_inside == Some(deposit.sequence) {
            // Half of the record is in the file. Here the parent kills this process, and if it is
            // gone itself there is nothing to read.
            println!("inside {}", deposit.sequence);
            let _ = io::stdin().read(&mut [0]);
            std::process::exit(1);
        }
        self.file.write_all(rest)?;
        self.file.sync_data()
    }
}

/// Balances by account, and how far they have come.
#[derive(Debug, Default, Clone, PartialEq)]
struct Balances {
    next: u64,
    by_account: BTreeMap<u64, u64>,
}

impl Balances {
    fn apply(&mut self, deposit: &Deposit) {
        assert_eq!(deposit.sequence, self.next, "the log has a gap");
        self.next += 1;
        *self.by_account.entry(deposit.account).or_default() += deposit.amount;
    }

    fn of(events: &[Deposit]) -> Self {
        let mut balances = Self::default();
        events.iter().for_each(|deposit| balances.apply(deposit));
        balances
    }
}

/// Recovers, goes on where the log ends for so many `more` events, and says of each when it is
/// stored. Returns the projection and the bytes of a torn record that were found.
fn serve(
    path: &Path,
    more: u64,
    stop_inside: Option<u64>,
    mut say: impl FnMut(u64),
) -> Result<(Balances, u64), Failure> {
    let (mut log, recovered) = Log::recover(path)?;
    log.stop_inside = stop_inside;

    let engine = Engine::builder().build()?;
    let stored = engine.signal::<Deposit>("stored").build()?;
    let balances = Arc::new(Mutex::new(Balances::default()));
    let _projection = stored.subscribe_batch({
        let balances = Arc::clone(&balances);
        // The lock is taken once for each run of events.
        move |run: Batch<'_, Deposit>| {
            let mut balances = balances.lock().unwrap_or_else(PoisonError::into_inner);
            run.iter().for_each(|deposit| balances.apply(deposit));
        }
    });
    let mut project = stored.emitter()?;

    let deposits = SyncSignal::<Deposit>::builder().name("deposits").build()?;
    let check = |deposit: &Deposit| match deposit.amount {
        0 => Err("nothing to deposit"),
        _ => Ok(()),
    };
    // Called in this order. What one of them refuses, those after it never see.
    let _check = deposits.add(Listener::fallible(check).priority(1))?;
    let log = Mutex::new(log);
    let _append = deposits.subscribe_fallible(move |deposit| {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.append(deposit)
    });

    // The projection is made anew from the log, by the very listener that goes on with it.
    let first = recovered.events.len() as u64;
    let end = first.saturating_add(more);
    project.emit_batch(recovered.events)?;
    for sequence in first..end {
        let deposit = Deposit::of(sequence);
        // An error, of the check or of the disk, and the event is not stored and goes nowhere.
        deposits.try_emit(&deposit, &Context::none())?;
        say(sequence);
        project.emit(deposit)?;
    }
    let nothing = Deposit {
        amount: 0,
        ..Deposit::of(end)
    };
    if deposits.try_emit(&nothing, &Context::none()).is_ok() {
        return Err("an empty deposit was stored".into());
    }
    project.flush(Duration::from_secs(60))?;
    engine.shutdown(Duration::from_secs(60));
    let balances = balances
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    Ok((balances, recovered.torn))
}

/// A process of its own that serves until it is killed.
fn start(path: &Path, stop_inside: Option<u64>) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("serve").arg(path);
    if let Some(sequence) = stop_inside {
        command.arg(sequence.to_string());
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
}

/// Kills the process as soon as it says `line`; the last event that it had said is stored.
fn kill_at(mut child: Child, line: &str) -> Result<u64, Failure> {
    let said = child.stdout.take().ok_or("no pipe")?;
    let mut acknowledged = None;
    for said in BufReader::new(said).lines() {
        let said = said?;
        if let Some(sequence) = said.strip_prefix("stored ") {
            acknowledged = Some(sequence.parse()?);
        }
        if said == line {
            break;
        }
    }
    // SIGKILL: the process has no say in it.
    child.kill()?;
    let status = child.wait()?;
    println!("killed at {line:?}: {status}");
    acknowledged.ok_or_else(|| "nothing was stored".into())
}

fn check(holds: bool, what: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(what.into()) }
}

fn parent() -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("deposits.log");

    let inside = kill_at(start(&path, Some(TORN))?, &format!("inside {TORN}"))?;
    let length = std::fs::metadata(&path)?.len();
    println!(
        "the file has {length} bytes: {} records and a half",
        length / RECORD as u64
    );
    check(
        inside == TORN - 1,
        "the event before the torn one was stored",
    )?;
    check(length % RECORD as u64 != 0, "the last record is torn")?;

    // This one recovers, goes on, and is killed wherever it is by then.
    let between = kill_at(start(&path, None)?, &format!("stored {STORED}"))?;
    check(between == STORED, "the second process came that far")?;

    // What was acknowledged is there, whatever else is.
    let (_, left) = Log::recover(&path)?;
    println!(
        "recovered {} events, {} bytes of a torn record",
        left.events.len(),
        left.torn
    );
    check(
        left.events.len() as u64 > STORED,
        "an acknowledged event is missing",
    )?;

    // A record with a flipped bit is not taken for one either.
    let mut file = OpenOptions::new().append(true).open(&path)?;
    let mut record = encode(&Deposit::of(left.events.len() as u64));
    record[9] ^= 0x10;
    file.write_all(&record)?;
    drop(file);

    let (projected, torn) = serve(&path, MORE, None, |_| ())?;
    check(
        torn == RECORD as u64,
        "a damaged record was taken for a good one",
    )?;
    let (_, all) = Log::recover(&path)?;
    let events = left.events.len() as u64 + MORE;
    let whole: Vec<_> = (0..events).map(Deposit::of).collect();
    check(
        all.events == whole,
        "the log is not the events in order, each once",
    )?;
    check(
        projected == Balances::of(&all.events),
        "the projection differs from the log",
    )?;
    let sum: u64 = projected.by_account.values().sum();
    println!("ok: {events} events, {sum} in all balances, after two kills and a damaged record");
    Ok(())
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("serve"), Some(path)) => {
            let stop_inside = arguments
                .next()
                .map(|sequence| sequence.parse())
                .transpose()?;
            let say = |sequence| println!("stored {sequence}");
            serve(&PathBuf::from(path), u64::MAX, stop_inside, say).map(drop)
        }
        _ => parent(),
    }
}
