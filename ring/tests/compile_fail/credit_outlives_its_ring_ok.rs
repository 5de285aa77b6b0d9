//! Claimed before.

pub(crate) fn main() {
    let (producer, _consumer) = corecast_ring::mpsc::<u64>(2).unwrap();
    let credit = producer.reserve().unwrap();
    drop(credit.claim());
    drop(producer);
}
