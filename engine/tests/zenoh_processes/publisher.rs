//! The publishing process.

use crate::child::{PATIENCE, endpoints, orders};
use crate::event::{Numbered, encode};
use corecast::zenoh::{Publisher, peer};
use corecast::{AsyncSignal, Emitter, Engine};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::ExitCode;
use std::time::Duration;

struct Source {
    publisher: Option<Publisher>,
    emitter: Emitter<Numbered>,
    _signal: AsyncSignal<Numbered>,
    _engine: Engine,
}

/// `open LISTEN CONNECT KEY QUEUE RESUME`
fn open(words: &[&str]) -> Result<Source, Box<dyn std::error::Error>> {
    let [listen, connect, key, queue, resume] = words else {
        return Err("five words".into());
    };
    let [listen, connect] = endpoints(listen, connect);
    let session = peer(&listen, &connect)?;
    let engine = Engine::builder().build()?;
    let signal = engine.signal("numbers").capacity(1 << 12).build()?;
    let mut options = Publisher::builder(&session, *key)
        .queue(queue.parse()?)
        .heartbeat(Duration::from_millis(50));
    if let Ok(first) = resume.parse() {
        options = options.resume_from(first);
    }
    Ok(Source {
        publisher: Some(options.publish(&signal, encode)?),
        emitter: signal.emitter()?,
        _signal: signal,
        _engine: engine,
    })
}

impl Source {
    fn publisher(&self) -> &Publisher {
        self.publisher.as_ref().unwrap()
    }

    /// Emits as fast as the workers take the events; each is noted in `journal` as taken from the
    /// source before it is emitted.
    fn emit(&mut self, from: u64, to: u64, journal: Option<&File>) {
        for number in from..to {
            if let Some(journal) = journal {
                journal
                    .write_all_at(&(number + 1).to_le_bytes(), 0)
                    .unwrap();
            }
            let event = Numbered {
                number,
                position: None,
            };
            self.emitter.emit(event).unwrap();
        }
        // Returns however slow the network is: the worker does not wait for it.
        self.emitter.flush(PATIENCE).unwrap();
    }

    fn counts(&self) -> String {
        let counts = self.publisher().metrics();
        format!(
            "{} {} {} {} {}",
            counts.events, counts.published, counts.dropped, counts.failed, counts.queued
        )
    }
}

pub(crate) fn run() -> ExitCode {
    let mut source = None;
    for order in orders() {
        let words: Vec<_> = order.iter().map(String::as_str).collect();
        let number = |index: usize| words[index].parse::<u64>().unwrap();
        match (words[0], &mut source) {
            ("open", _) => match open(&words[1..]) {
                Ok(opened) => {
                    source = Some(opened);
                    println!("opened");
                }
                Err(error) => println!("refused {error}"),
            },
            ("await", Some(source)) => {
                println!("{}", source.publisher().wait_for_receiver(PATIENCE));
            }
            // emit FROM TO [JOURNAL]
            ("emit", Some(source)) => {
                let journal = words.get(3).map(|path| File::create(path).unwrap());
                source.emit(number(1), number(2), journal.as_ref());
                println!("emitted {}", words[2]);
            }
            // Everything emitted has been handed to the network, or dropped.
            ("flush", Some(source)) => {
                source.publisher().flush(PATIENCE).unwrap();
                println!("flushed");
            }
            ("counts", Some(source)) => println!("{}", source.counts()),
            ("end", source) => {
                if let Some(publisher) = source.as_mut().and_then(|one| one.publisher.take()) {
                    publisher.close(PATIENCE);
                }
                println!("ended");
                return ExitCode::SUCCESS;
            }
            other => println!("unknown {other:?}", other = other.0),
        }
    }
    ExitCode::FAILURE
}
