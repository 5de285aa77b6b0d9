//! Many may push through one reference.

pub(crate) fn main() {
    let (producer, _consumer) = corecast_ring::mpsc::<u64>(2).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| producer.try_push(1));
        scope.spawn(|| producer.try_push(2));
    });
}
