//! What was read from it may leave.

pub(crate) fn main() {
    let (mut producer, _consumer) = corecast_ring::spsc_recycled(2, String::new).unwrap();
    let mut kept: Option<usize> = None;
    let claim = producer.claim().unwrap();
    claim.publish_with(|slot| kept = Some(slot.len())).unwrap();
    assert_eq!(kept, Some(0));
}
