//! Of many there may be several handles.

pub(crate) fn main() {
    let (producer, _consumer) = corecast_ring::mpsc::<u64>(2).unwrap();
    let _second = producer.clone();
}
