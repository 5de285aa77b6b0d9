//! A claim of many borrows the half of the ring that it is of.

fn main() {
    let (producer, _consumer) = corecast_ring::mpsc::<u64>(2).unwrap();
    let mut claim = producer.claim().unwrap();
    drop(producer);
    claim.write(7);
    claim.publish();
}
