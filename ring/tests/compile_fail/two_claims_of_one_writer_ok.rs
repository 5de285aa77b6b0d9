//! One after the other.

pub(crate) fn main() {
    let (mut producer, _consumer) = corecast_ring::spsc::<u64>(2).unwrap();
    let first = producer.claim().unwrap();
    first.publish(1);
    let second = producer.claim().unwrap();
    second.publish(2);
}
