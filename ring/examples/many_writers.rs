//! Four threads write into one ring; each one's events arrive in its own order.
//!
//! `cargo run --release -p corecast-ring --example many_writers`

use corecast_ring::{WaitStrategy, mpsc};
use std::error::Error;

const WRITERS: usize = 4;
const EVENTS: u64 = 50_000;

fn main() -> Result<(), Box<dyn Error>> {
    let (producer, mut consumer) = mpsc::<(usize, u64)>(256)?;

    for writer in 0..WRITERS {
        let producer = producer.clone();
        std::thread::spawn(move || {
            for number in 0..EVENTS {
                let pushed = producer.push((writer, number), WaitStrategy::park(), None);
                if let Err(refused) = pushed {
                    eprintln!("writer {writer} stops at {number}: {refused}");
                    return;
                }
            }
        });
    }
    // The ring closes with the last writer; this handle is one of them.
    drop(producer);

    let mut next = [0; WRITERS];
    let mut out_of_order = 0;
    while consumer.wait(WaitStrategy::park(), None) {
        consumer.drain(usize::MAX, |&mut (writer, number)| {
            out_of_order += u64::from(number != next[writer]);
            next[writer] = number + 1;
        });
    }

    println!("events per writer {next:?}, out of order {out_of_order}");
    if next != [EVENTS; WRITERS] || out_of_order > 0 {
        return Err("events were lost or came out of order".into());
    }
    Ok(())
}
