//! So does a credit.

fn main() {
    let (producer, _consumer) = corecast_ring::mpsc::<u64>(2).unwrap();
    let credit = producer.reserve().unwrap();
    drop(producer);
    drop(credit.claim());
}
