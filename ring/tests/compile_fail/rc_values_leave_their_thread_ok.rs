//! Within one thread they may go through a ring.

use std::rc::Rc;

pub(crate) fn main() {
    let (mut producer, mut consumer) = corecast_ring::spsc::<Rc<u64>>(2).unwrap();
    producer.try_push(Rc::new(7)).unwrap();
    assert_eq!(consumer.pop(), Ok(Rc::new(7)));
}
