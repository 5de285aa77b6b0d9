//! A ring with one writer has one.

fn main() {
    let (producer, _consumer) = corecast_ring::spsc::<u64>(2).unwrap();
    let _second = producer.clone();
}
