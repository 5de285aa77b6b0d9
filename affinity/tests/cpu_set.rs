//! The kernel's list format, and sets against a plain model of them.

use std::collections::BTreeSet;

use corecast_affinity::{CpuId, CpuSet};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn from_model(model: &BTreeSet<u32>) -> CpuSet {
    model.iter().copied().map(CpuId::new).collect()
}

fn to_model(set: &CpuSet) -> BTreeSet<u32> {
    set.iter().map(CpuId::get).collect()
}

#[test]
fn lists_of_the_kernel_are_read_and_printed() {
    for (list, numbers) in [
        ("0-3,8,10-11", vec![0, 1, 2, 3, 8, 10, 11]),
        ("", vec![]),
        ("7", vec![7]),
        ("4294967294-4294967295", vec![4_294_967_294, 4_294_967_295]),
    ] {
        let set: CpuSet = list.parse().expect(list);
        let found: Vec<u32> = set.iter().map(CpuId::get).collect();
        assert_eq!(found, numbers);
        assert_eq!(set.to_string(), list);
    }
}

#[test]
fn unordered_overlapping_and_touching_parts_merge() {
    let set: CpuSet = " 8,4-6,0-2,3,5-7,8\n".parse().expect("well formed");
    assert_eq!(set.to_string(), "0-8");
    let all: CpuSet = "0-4294967295,5".parse().expect("well formed");
    assert_eq!(all.to_string(), "0-4294967295");
}

#[test]
fn malformed_lists_are_errors_that_name_the_part() {
    for (list, part, fault) in [
        ("0-3,x", "x", "is not a CPU number"),
        ("1,,2", "", "is not a CPU number"),
        (",", "", "is not a CPU number"),
        ("1-", "1-", "is not a CPU number"),
        ("-1", "-1", "is not a CPU number"),
        ("1-2-3", "1-2-3", "is not a CPU number"),
        ("+1", "+1", "is not a CPU number"),
        ("0, 1", " 1", "is not a CPU number"),
        ("0-31:2/8", "0-31:2/8", "is not a CPU number"),
        ("0,5-3", "5-3", "runs backwards"),
        ("4294967296", "4294967296", "is too large for a CPU number"),
    ] {
        let error = list.parse::<CpuSet>().expect_err(list);
        assert_eq!(error.part(), part);
        let says = format!("CPU list `{list}`: `{part}` {fault}");
        assert_eq!(error.to_string(), says);
    }
}

#[test]
fn long_or_unprintable_input_is_shown_in_short() {
    let error = format!("0,\u{1b}{}", "9".repeat(1000)).parse::<CpuSet>();
    let shown = error.expect_err("an escape character").to_string();
    assert!(shown.len() < 300 && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn ends_of_the_number_range_are_no_special_case() {
    let all: CpuSet = "0-4294967295".parse().expect("well formed");
    let (first, last) = (CpuId::new(0), CpuId::new(u32::MAX));
    assert!(all.contains(first) && all.contains(last));
    let mut inner = all.clone();
    assert!(inner.remove(first) && inner.remove(last) && !inner.remove(last));
    assert_eq!(inner.to_string(), "1-4294967294");
    assert_eq!(all.difference(&inner).to_string(), "0,4294967295");
    assert_eq!(all.difference(&all), CpuSet::new());
    assert!(inner.insert(last) && inner.insert(first) && !inner.insert(first));
    assert_eq!(inner, all);
    #[cfg(target_pointer_width = "64")]
    assert_eq!(all.len(), 1 << 32);
}

fn model() -> impl Strategy<Value = BTreeSet<u32>> {
    // Dense at both ends of the range: spans that touch, merge and split.
    btree_set(prop_oneof![0..24_u32, u32::MAX - 3..=u32::MAX], 0..20)
}

proptest! {
    #[test]
    fn printing_and_parsing_are_inverse(model in model()) {
        let set = from_model(&model);
        prop_assert_eq!(set.to_string().parse::<CpuSet>(), Ok(set.clone()));
        prop_assert_eq!(to_model(&set), model);
    }

    #[test]
    fn any_order_and_overlap_of_parts_gives_the_same_set(
        parts in vec((0..40_u32, 0..6_u32), 1..12),
    ) {
        let list: Vec<String> = parts.iter().map(|(a, n)| format!("{a}-{}", a + n)).collect();
        let set: CpuSet = list.join(",").parse().expect("well formed");
        let model: BTreeSet<u32> = parts.iter().flat_map(|&(a, n)| a..=a + n).collect();
        prop_assert_eq!(&set, &from_model(&model));
        prop_assert_eq!(set.len(), model.len());
    }

    #[test]
    fn operations_agree_with_the_model(a in model(), b in model(), number in 0..24_u32) {
        let (x, y) = (from_model(&a), from_model(&b));
        prop_assert_eq!(to_model(&x.union(&y)), &a | &b);
        prop_assert_eq!(to_model(&x.intersection(&y)), &a & &b);
        prop_assert_eq!(to_model(&x.difference(&y)), &a - &b);
        prop_assert_eq!(x.is_subset(&y), a.is_subset(&b));
        prop_assert_eq!(x.first().map(CpuId::get), a.first().copied());
        prop_assert_eq!(x.last().map(CpuId::get), a.last().copied());
        prop_assert_eq!(x.is_empty(), a.is_empty());
        let (mut x, mut a, cpu) = (x, a, CpuId::new(number));
        prop_assert_eq!(x.contains(cpu), a.contains(&number));
        prop_assert_eq!(x.insert(cpu), a.insert(number));
        prop_assert_eq!(&x, &from_model(&a));
        prop_assert_eq!(x.remove(cpu), a.remove(&number));
        prop_assert_eq!(x, from_model(&a));
    }

    #[test]
    fn no_text_makes_parsing_panic(text in "[0-9,\\- x+]{0,24}|\\PC{0,24}") {
        if let Ok(set) = text.parse::<CpuSet>() {
            prop_assert_eq!(set.to_string().parse::<CpuSet>(), Ok(set));
        }
    }
}
