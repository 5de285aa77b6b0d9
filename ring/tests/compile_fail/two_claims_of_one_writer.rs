//! One writer has one claim at a time.

fn main() {
    let (mut producer, _consumer) = corecast_ring::spsc::<u64>(2).unwrap();
    let first = producer.claim().unwrap();
    let second = producer.claim().unwrap();
    first.publish(1);
    second.publish(2);
}
