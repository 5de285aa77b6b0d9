//! A polled event is gone when it is finished.

fn main() {
    let (mut producer, mut consumer) = corecast_ring::spsc::<u64>(2).unwrap();
    producer.try_push(7).unwrap();
    assert_eq!(consumer.poll(1), 1);
    let event = consumer.get(0);
    consumer.finish_one();
    assert_eq!(event, Some(&7));
}
