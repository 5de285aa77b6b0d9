//! A ring with one writer has one at a time.

fn main() {
    let (mut producer, _consumer) = corecast_ring::spsc::<u64>(2).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| producer.try_push(1));
        scope.spawn(|| producer.try_push(2));
    });
}
