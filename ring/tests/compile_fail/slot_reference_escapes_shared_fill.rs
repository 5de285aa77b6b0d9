//! As on a ring with one writer, so with many.

fn main() {
    let options = corecast_ring::RingOptions::new();
    let (producer, _consumer) = options.mpsc_recycled(2, String::new).unwrap();
    let mut kept: Option<&mut String> = None;
    let mut claim = producer.claim().unwrap();
    claim.fill(|slot| kept = Some(slot)).unwrap();
    claim.publish();
    assert!(kept.is_some());
}
