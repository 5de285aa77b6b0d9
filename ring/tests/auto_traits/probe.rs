//! Which auto traits a type has, as a constant, and which public types a crate's root names.
//!
//! An inherent constant goes before a trait's of the same name, and is there only where its bounds
//! hold: so `Probe::<T>::SEND` is the inherent one if `T` is `Send`, and the trait's if not.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// A type under examination.
pub(crate) struct Probe<T: ?Sized>(PhantomData<T>);

/// The answer where the type has not the trait.
macro_rules! probe {
    ($($otherwise:ident, $name:ident = $flag:literal: $bound:path;)*) => {
        $(
            pub(crate) const $name: u8 = $flag;
            #[allow(dead_code, reason = "of no use where every type has the trait")]
            pub(crate) trait $otherwise {
                const $name: u8 = 0;
            }
            impl<T: ?Sized> $otherwise for Probe<T> {}
            impl<T: ?Sized + $bound> Probe<T> {
                pub(crate) const $name: u8 = $flag;
            }
        )*
    };
}

probe! {
    NotSend, SEND = 1: Send;
    NotSync, SYNC = 2: Sync;
    NotUnpin, UNPIN = 4: Unpin;
    NotUnwindSafe, UNWIND = 8: UnwindSafe;
    NotRefUnwindSafe, REF_UNWIND = 16: RefUnwindSafe;
}

/// Plain data, and everything that may go anywhere.
pub(crate) const ALL: u8 = SEND | SYNC | UNPIN | UNWIND | REF_UNWIND;
/// May go anywhere; but a panic that is caught while one of these is in hand may leave its user's
/// closures half done.
pub(crate) const SHARED: u8 = SEND | SYNC | UNPIN;
/// One thread at a time has it, and so on.
#[allow(dead_code, reason = "of no use where no type is so")]
pub(crate) const OWNED: u8 = SEND | UNPIN;

/// Asserts, when compiled, that each type has the flags beside it and no others; and names them.
macro_rules! auto_traits {
    ($($flags:expr => $($type:ty),+;)*) => {
        #[allow(dead_code, reason = "of no use where a root exports nothing by name")]
        pub(crate) const NAMED: &[&str] = &[$($(stringify!($type)),+),*];
        $($(
            const _: () = {
                type Examined = probe::Probe<$type>;
                let found = Examined::SEND
                    | Examined::SYNC
                    | Examined::UNPIN
                    | Examined::UNWIND
                    | Examined::REF_UNWIND;
                assert!(
                    found == $flags,
                    concat!(stringify!($type), " has other auto traits than ", stringify!($flags))
                );
            };
        )+)*
    };
}

pub(crate) use auto_traits;

/// The words of a text that begin with a capital letter and are not all capitals.
fn type_names(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c| !is_part(c))
        .filter(|word| word.starts_with(char::is_uppercase))
        .filter(|word| word.contains(char::is_lowercase))
        .collect()
}

/// Panics unless the table names every type that the root of a crate exports, but for `others`.
pub(crate) fn assert_complete(root: &str, table: &[&str], others: &[&str]) {
    let code: Vec<_> = root
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let exports: Vec<_> = code
        .split(';')
        .filter_map(|item| item.split_once("pub use "))
        .map(|(_, item)| item)
        .collect();
    let (exports, table) = (exports.join(","), table.join(","));
    let mut missing = type_names(&exports);
    assert!(!missing.is_empty(), "the root exports types");
    let known = type_names(&table);
    missing.retain(|name| !known.contains(name) && !others.contains(name));
    assert!(missing.is_empty(), "not in the table: {missing:?}");
}
