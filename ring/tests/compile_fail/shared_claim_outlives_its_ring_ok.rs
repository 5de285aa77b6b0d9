//! Published before.

pub(crate) fn main() {
    let (producer, _consumer) = corecast_ring::mpsc::<u64>(2).unwrap();
    let mut claim = producer.claim().unwrap();
    claim.write(7);
    claim.publish();
    drop(producer);
}
