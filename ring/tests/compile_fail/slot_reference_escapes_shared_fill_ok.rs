//! What was read from it may leave.

pub(crate) fn main() {
    let options = corecast_ring::RingOptions::new();
    let (producer, _consumer) = options.mpsc_recycled(2, String::new).unwrap();
    let mut kept: Option<usize> = None;
    let mut claim = producer.claim().unwrap();
    claim.fill(|slot| kept = Some(slot.len())).unwrap();
    claim.publish();
    assert_eq!(kept, Some(0));
}
