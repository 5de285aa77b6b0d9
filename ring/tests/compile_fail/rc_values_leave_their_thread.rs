//! A ring does not make its values `Send`.

use std::rc::Rc;

fn main() {
    let (_producer, mut consumer) = corecast_ring::spsc::<Rc<u64>>(2).unwrap();
    std::thread::spawn(move || consumer.poll(1)).join().unwrap();
}
