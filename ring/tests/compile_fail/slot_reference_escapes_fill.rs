//! A reference to a slot is good for the fill closure's call alone.

fn main() {
    let (mut producer, _consumer) = corecast_ring::spsc_recycled(2, String::new).unwrap();
    let mut kept: Option<&mut String> = None;
    let claim = producer.claim().unwrap();
    claim.publish_with(|slot| kept = Some(slot)).unwrap();
    assert!(kept.is_some());
}
