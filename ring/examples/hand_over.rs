//! Hands a million numbers from one thread to another and checks their sum.
//!
//! `cargo run --release -p corecast-ring --example hand_over`

use corecast_ring::{WaitStrategy, spsc};
use std::error::Error;

const EVENTS: u64 = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut producer, mut consumer) = spsc::<u64>(1024)?;

    let writer = std::thread::spawn(move || {
        for value in 1..=EVENTS {
            if producer.push(value, WaitStrategy::park(), None).is_err() {
                return value - 1;
            }
        }
        EVENTS
        // The ring closes here; what is in it is still delivered.
    });

    let (mut count, mut sum) = (0_u64, 0_u64);
    while consumer.wait(WaitStrategy::park(), None) {
        count += consumer.drain(usize::MAX, |value| sum += *value) as u64;
    }

    let pushed = writer.join().map_err(|_| "the writer panicked")?;
    println!("{count} of {pushed} events, sum {sum}");
    if (count, sum) != (EVENTS, EVENTS * (EVENTS + 1) / 2) {
        return Err("events were lost or came twice".into());
    }
    Ok(())
}
