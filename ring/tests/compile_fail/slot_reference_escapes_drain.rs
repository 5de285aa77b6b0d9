//! A reference to a slot is good for the closure's call alone.

fn main() {
    let (mut producer, mut consumer) = corecast_ring::spsc::<u64>(2).unwrap();
    producer.try_push(7).unwrap();
    let mut kept: Vec<&u64> = Vec::new();
    consumer.drain(1, |value| kept.push(value));
    assert_eq!(kept, [&7]);
}
