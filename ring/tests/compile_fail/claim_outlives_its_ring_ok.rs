//! Published before.

pub(crate) fn main() {
    let (mut producer, _consumer) = corecast_ring::spsc::<u64>(2).unwrap();
    let claim = producer.claim().unwrap();
    claim.publish(7);
    drop(producer);
}
