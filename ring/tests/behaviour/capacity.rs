//! Capacities that no ring can have are errors that name the number.

use corecast_ring::{CapacityError, RingOptions, mpsc, spsc, spsc_recycled};

#[test]
fn capacities_0_and_1_are_too_small() {
    for capacity in [0, 1] {
        let error = spsc::<u64>(capacity).expect_err("too small");
        assert_eq!(error, CapacityError::TooSmall { capacity });
        assert_eq!(
            error.to_string(),
            format!("capacity {capacity} is too small: a ring has at least 2 slots")
        );
    }
}

#[test]
fn a_capacity_between_two_powers_of_two_names_the_next_one() {
    for (capacity, suggestion) in [(3, 4), (1000, 1024), (4097, 8192)] {
        let error = spsc::<u64>(capacity).expect_err("not a power of two");
        assert_eq!(
            error.to_string(),
            format!("capacity {capacity} is not a power of two: the next one is {suggestion}")
        );
        assert!(spsc::<u64>(suggestion).is_ok());
    }
}

#[test]
fn a_capacity_beyond_the_address_space_names_the_largest() {
    for capacity in [1 << 62, usize::MAX, usize::MAX / 2, (1 << 62) + 1] {
        let error = spsc::<u64>(capacity).expect_err("too large");
        let CapacityError::TooLarge { largest, .. } = error else {
            panic!("{error:?}");
        };
        assert!(largest.is_power_of_two() && largest < capacity);
        assert_eq!(
            error.to_string(),
            format!("capacity {capacity} is too large: at most {largest} slots of this event type")
        );
    }
}

#[test]
fn a_block_the_allocator_does_not_have_is_an_error_that_names_its_size() {
    let largest = match spsc::<u64>(1 << 62) {
        Err(CapacityError::TooLarge { largest, .. }) => largest,
        other => panic!("{other:?}"),
    };
    let error = spsc::<u64>(largest).expect_err("more than half the address space");
    let CapacityError::Refused { capacity, bytes } = error else {
        panic!("{error:?}");
    };
    assert_eq!(capacity, largest);
    assert_eq!(
        error.to_string(),
        format!("capacity {largest} was refused by the allocator ({bytes} bytes)")
    );
}

#[test]
fn every_constructor_checks_the_capacity_before_it_calls_the_factory() {
    let never = || -> u64 { panic!("no slot is made") };
    let options = RingOptions::new();
    let errors = [
        mpsc::<u64>(3).err(),
        spsc_recycled(3, never).err(),
        options.spsc::<u64>(3).err(),
        options.mpsc::<u64>(3).err(),
        options.spsc_recycled(3, never).err(),
        options.mpsc_recycled(3, never).err(),
    ];
    let expected = CapacityError::NotPowerOfTwo {
        capacity: 3,
        suggestion: 4,
    };
    assert_eq!(errors, [Some(expected); 6]);
}

#[test]
fn every_view_of_a_ring_knows_its_capacity_and_its_bytes() {
    let (producer, consumer) = spsc::<u64>(8).expect("eight slots");
    let monitor = producer.monitor();
    assert_eq!(
        [producer.capacity(), consumer.capacity(), monitor.capacity()],
        [8; 3]
    );
    // A stamp and a value of eight bytes each.
    assert_eq!(monitor.bytes(), 8 * 16);
    let (producer, _consumer) = mpsc::<[u64; 7]>(8).expect("eight slots");
    assert_eq!(producer.capacity(), 8);
    assert_eq!(producer.monitor().bytes(), 8 * 64);
}
