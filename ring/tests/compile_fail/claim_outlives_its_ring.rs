//! A claim borrows the half of the ring that it is of.

fn main() {
    let (mut producer, _consumer) = corecast_ring::spsc::<u64>(2).unwrap();
    let claim = producer.claim().unwrap();
    drop(producer);
    claim.publish(7);
}
