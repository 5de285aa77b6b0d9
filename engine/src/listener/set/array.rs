//! The immutable array that a walk follows: a header and the entries, in one allocation, behind a
//! pointer of one word.
//!
//! | edge | release side | acquire side | protects | loom model |
//! | L1   | `ListenerSet::swap`: current, Release | `ListenerSet::find`: current, Acquire | the array and its listeners | listener_set::emit_against_subscribe, an_owned_emit_against_subscribe |
//!
//! There is one word that says which array is current, for both ways in: a thread that has found an
//! array through one handle finds no older one through another.
#![expect(unsafe_code, reason = "an array's length stands in its own memory")]

use super::entry::{Entry, Head, Only, Outcome, OwnedListener, Token};
use super::{Handle, Spec};
use crate::listener::Meta;
use core::marker::PhantomData;
use core::ptr::NonNull;
use corecast_ring::sync::UnsafeCell;
use std::alloc::{Layout, alloc, handle_alloc_error};
use std::collections::HashSet;

/// What stands in front of an array's entries.
#[repr(C)]
pub(super) struct Header {
    len: usize,
    /// Some listener is called once at most, and may be spent.
    once: bool,
    /// Some listener may take whole runs (`Meta::batch`).
    batches: bool,
    /// With entries a word further on a walk over one listener takes 1.8 ns, and 2.0 to 2.4 without.
    room: u64,
    life: Life,
}

/// Has no size, and is not there but for loom, which sees by it when an array is followed that is about
/// to be freed, or was: a walk that finds all entries of such an array switched off shows in nothing else.
struct Life(UnsafeCell<()>);

impl Life {
    #[inline(always)]
    fn show(&self) {
        self.0.with(|_| ());
    }
}

impl Drop for Life {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.with_mut(|_| ());
    }
}

impl Header {
    fn new(len: usize, once: bool, batches: bool) -> Self {
        Self {
            len,
            once,
            batches,
            room: 0,
            life: Life(UnsafeCell::new(())),
        }
    }
}

/// The immutable listener array that one emission walks: in call order, exact in size, one
/// allocation. (Immutable but for the removal switches.)
#[repr(C)]
pub(crate) struct Array<S: Spec> {
    header: Header,
    entries: [Entry<S>],
}

/// The array of a listener that is alone: the first thing in it (`entry.rs`), and so there for as long
/// as the listener is. Laid out as an array of one entry is.
#[repr(C)]
pub(super) struct ArrayOfOne<S: Spec> {
    header: Header,
    entry: Entry<S>,
}

impl<S: Spec> ArrayOfOne<S> {
    pub(super) fn new(meta: &Meta<S::Item>, entry: Entry<S>) -> Self {
        Self {
            header: Header::new(1, meta.once, meta.batch),
            entry,
        }
    }

    #[inline(always)]
    pub(super) fn entry(&self) -> &Entry<S> {
        self.header.life.show();
        &self.entry
    }
}

/// An array that is to be the next one, by who owns it.
pub(super) enum Made<S: Spec> {
    /// The listener that is alone in it.
    Listener(NonNull<Head<S>>),
    /// The set.
    Set(Box<Array<S>>),
}

// SAFETY: an array holds pointers to listeners, whose closures are Send, and Sync where several
// walks may call them (the constructors of OwnedListener); meta data is Send and Sync.
unsafe impl<S: Spec> Send for Array<S> {}
// SAFETY: as above.
unsafe impl<S: Spec> Sync for Array<S> {}

impl<S: Spec> Array<S> {
    pub(super) fn empty() -> Made<S> {
        Made::Set(Filling::new(0).finish(false, false))
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.header.life.show();
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self)
    }

    /// Whether some listener may take whole runs.
    pub(crate) fn has_batches(&self) -> bool {
        self.header.batches
    }

    /// Listeners that are not spent.
    pub(crate) fn live_len(&self) -> usize {
        if self.header.once {
            self.metas().filter(|meta| meta.is_live()).count()
        } else {
            self.len()
        }
    }

    pub(crate) fn has_spent(&self) -> bool {
        self.header.once && self.metas().any(|meta| !meta.is_live())
    }

    pub(crate) fn metas(&self) -> impl DoubleEndedIterator<Item = &Meta<S::Item>> {
        self.entries.iter().map(Entry::meta)
    }

    #[inline(always)]
    pub(crate) fn meta(&self, index: usize) -> &Meta<S::Item> {
        self.entries[index].meta()
    }

    /// Where listener `index` is.
    pub(crate) fn handle(&self, index: usize) -> Handle {
        Handle {
            token: Token::of(self.entries[index].head),
            id: self.meta(index).id,
        }
    }

    /// Calls listener `index`.
    #[inline(always)]
    pub(crate) fn call(&self, index: usize, arg: &S::Arg, ctx: S::Ctx<'_>) -> Outcome {
        self.entries[index].call(arg, ctx)
    }

    /// Where one of the entries stands.
    pub(crate) fn place_of(&self, entry: &Entry<S>) -> usize {
        // By address, so that a walk need not keep a count at hand.
        let (from, to) = (self.entries.as_ptr(), core::ptr::from_ref(entry));
        (to as usize - from as usize) / size_of::<Entry<S>>()
    }

    /// The entries, in call order.
    #[inline(always)]
    pub(crate) fn entries(&self) -> &[Entry<S>] {
        self.header.life.show();
        &self.entries
    }

    /// A new array with `added` in their places: higher priority first, then the order of adding.
    pub(super) fn with(&self, mut added: Vec<OwnedListener<S>>) -> Made<S> {
        if self.len() == 0
            && added.len() == 1
            && let Some(only) = added.pop()
        {
            return Made::Listener(only.into_entry().head);
        }
        added.reverse();
        added.sort_by_key(|listener| listener.meta().priority);
        let metas = || added.iter().map(OwnedListener::meta);
        let once = self.header.once || metas().any(|meta| meta.once);
        let batches = self.header.batches || metas().any(|meta| meta.batch);
        let mut filling = Filling::new(self.len() + added.len());
        // One addition is found by bisection, so that it touches few listeners; many are merged.
        let mut rest = &self.entries;
        while let Some(next) = added.pop() {
            let priority = next.meta().priority;
            let before = rest.partition_point(|entry| entry.meta().priority >= priority);
            let (head, tail) = rest.split_at(before);
            filling.copy(head);
            rest = tail;
            filling.push(next.into_entry());
        }
        filling.copy(rest);
        Made::Set(filling.finish(once, batches))
    }

    /// A new array without the listeners for which `gone` holds, and those listeners' heads, whose
    /// entries here are switched off. Order is kept.
    pub(super) fn without(
        &self,
        mut gone: impl FnMut(Token, &Meta<S::Item>) -> bool,
    ) -> (Made<S>, Vec<NonNull<Head<S>>>) {
        let is_gone = |entry: &&Entry<S>| gone(Token::of(entry.head), entry.meta());
        let (removed, kept): (Vec<_>, Vec<_>) = self.entries.iter().partition(is_gone);
        let switch_off = |entry: &Entry<S>| {
            entry.switch_off();
            entry.head
        };
        let removed = removed.into_iter().map(switch_off).collect();
        if let [only] = kept[..] {
            return (Made::Listener(only.head), removed);
        }
        let once = kept.iter().any(|entry| entry.meta().once);
        let mut filling = Filling::new(kept.len());
        kept.into_iter()
            .for_each(|entry| filling.push(entry.copy()));
        let next = filling.finish(once, self.header.batches);
        (Made::Set(next), removed)
    }

    /// As [`Array::without`], for the listener at `index`. The others are not looked at, unless it is
    /// called once at most.
    pub(super) fn without_one(&self, index: usize) -> (Made<S>, NonNull<Head<S>>) {
        let removed = &self.entries[index];
        removed.switch_off();
        if let [first, second] = &self.entries {
            let only = if index == 0 { second } else { first };
            return (Made::Listener(only.head), removed.head);
        }
        let mut filling = Filling::new(self.len() - 1);
        filling.copy(&self.entries[..index]);
        filling.copy(&self.entries[index + 1..]);
        let mut kept = self.entries[..index]
            .iter()
            .chain(&self.entries[index + 1..]);
        let once = if removed.meta().once {
            kept.any(|entry| entry.meta().once)
        } else {
            self.header.once
        };
        let next = filling.finish(once, self.header.batches);
        (Made::Set(next), removed.head)
    }

    /// Where the listener behind `token` stands.
    pub(crate) fn position(&self, token: Token) -> Option<usize> {
        let mut entries = self.entries.iter();
        entries.position(|entry| Token::of(entry.head) == token)
    }

    /// Switches the entries of `heads` off, where this array has them.
    pub(crate) fn switch_off(&self, heads: &[NonNull<Head<S>>]) {
        if let [head] = heads {
            let found = self.entries.iter().find(|entry| entry.head == *head);
            found.into_iter().for_each(Entry::switch_off);
        } else if !heads.is_empty() {
            let heads: HashSet<_> = heads.iter().copied().collect();
            let found = self
                .entries
                .iter()
                .filter(|entry| heads.contains(&entry.head));
            found.for_each(Entry::switch_off);
        }
    }

    /// Takes every listener, for a set that nobody uses any more.
    ///
    /// # Safety
    ///
    /// No walk follows any array of the set, no other array of it holds these listeners after
    /// this, and this is called once.
    pub(crate) unsafe fn take_listeners(&self) -> Vec<OwnedListener<S>> {
        let own = |entry: &Entry<S>| {
            // SAFETY: the caller's contract is this one's.
            unsafe { OwnedListener::from_head(entry.head) }
        };
        self.entries.iter().map(own).collect()
    }
}

/// An array that is being filled, in the memory that it will have.
struct Filling<S: Spec> {
    header: NonNull<Header>,
    len: usize,
    filled: usize,
    entries: PhantomData<Entry<S>>,
}

impl<S: Spec> Filling<S> {
    /// Memory for `len` entries.
    fn new(len: usize) -> Self {
        let entries = Layout::array::<Entry<S>>(len);
        let layout = entries.and_then(|entries| Layout::new::<Header>().extend(entries));
        // As many listeners are in memory already, each larger than its entry.
        let (layout, _) = layout.expect("arrays are smaller than what they list");
        let layout = layout.pad_to_align();
        // SAFETY: with its header an array is never empty.
        let memory = unsafe { alloc(layout) };
        let Some(header) = NonNull::new(memory.cast::<Header>()) else {
            handle_alloc_error(layout);
        };
        Self {
            header,
            len,
            filled: 0,
            entries: PhantomData,
        }
    }

    /// Where the next `more` entries go.
    fn room(&mut self, more: usize) -> *mut Entry<S> {
        assert!(more <= self.len - self.filled, "an array has its own size");
        let array = fat::<S>(self.header.as_ptr(), self.len);
        // SAFETY: the memory is that of an array of this length.
        let entries = unsafe { &raw mut (*array).entries };
        // SAFETY: what is asked for is inside.
        let next = unsafe { entries.cast::<Entry<S>>().add(self.filled) };
        self.filled += more;
        next
    }

    fn push(&mut self, entry: Entry<S>) {
        let next = self.room(1);
        // SAFETY: there is room for one.
        unsafe { next.write(entry) };
    }

    fn copy(&mut self, entries: &[Entry<S>]) {
        let mut next = self.room(entries.len());
        for entry in entries {
            // SAFETY: there is room for all of them.
            unsafe { next.write(entry.copy()) };
            // SAFETY: as above; behind the last one is the end of the memory at most.
            next = unsafe { next.add(1) };
        }
    }

    fn finish(self, once: bool, batches: bool) -> Box<Array<S>> {
        assert!(self.filled == self.len, "an array has its own size");
        let len = self.len;
        let header = Header::new(len, once, batches);
        // SAFETY: the memory is there and begins with a header.
        unsafe { self.header.write(header) };
        // SAFETY: header and entries have been written, into memory of the layout that such an array
        // has, which nobody else knows.
        unsafe { Box::from_raw(fat(self.header.as_ptr(), len)) }
    }
}

/// A pointer to the array of `len` entries that begins with this header.
#[inline(always)]
fn fat<S: Spec>(header: *mut Header, len: usize) -> *mut Array<S> {
    core::ptr::slice_from_raw_parts_mut(header, len) as *mut Array<S>
}

/// A pointer to an array in one word, which says in its two lowest bits whether the array has exactly
/// one listener, or none: then a walk need not look into it for what it is to do.
pub(super) struct Thin<S: Spec> {
    pointer: *mut Header,
    array: PhantomData<*mut Array<S>>,
}

// Room for the marks.
const _: () = assert!(align_of::<Header>() >= 4);

impl<S: Spec> Clone for Thin<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Spec> Copy for Thin<S> {}

impl<S: Spec> Thin<S> {
    /// The mark of an array with one listener.
    const ONE: usize = 1;
    /// The mark of one without.
    const NONE: usize = 2;

    /// Takes an array over, until [`Thin::into_box`].
    pub(super) fn of(made: Made<S>) -> Self {
        let (header, mark) = match made {
            Made::Listener(head) => (head.as_ptr().cast::<Header>(), Self::ONE),
            Made::Set(array) => {
                assert!(array.len() != 1, "a listener that is alone has an array");
                let mark = if array.len() == 0 { Self::NONE } else { 0 };
                (Box::into_raw(array).cast::<Header>(), mark)
            }
        };
        Self::from_word(header.map_addr(|address| address | mark))
    }

    /// A word that [`Thin::word`] gave.
    #[inline(always)]
    pub(super) fn from_word(pointer: *mut Header) -> Self {
        Self {
            pointer,
            array: PhantomData,
        }
    }

    #[inline(always)]
    pub(super) fn word(self) -> *mut Header {
        self.pointer
    }

    #[inline(always)]
    pub(super) fn is_one(self) -> bool {
        self.pointer.addr() & Self::ONE != 0
    }

    #[inline(always)]
    pub(super) fn is_none(self) -> bool {
        self.pointer.addr() & Self::NONE != 0
    }

    /// The pointer without the marks.
    #[inline(always)]
    fn header(self) -> *mut Header {
        let marks = Self::ONE | Self::NONE;
        self.pointer.map_addr(|address| address & !marks)
    }

    /// The array.
    ///
    /// # Safety
    ///
    /// It came from [`Thin::of`] and is alive for as long as the reference is used.
    #[inline(always)]
    pub(super) unsafe fn array<'a>(self) -> &'a Array<S> {
        let header = self.header();
        // SAFETY: the caller says that there is an array, and those begin with a header.
        let len = unsafe { (*header).len };
        // SAFETY: as above, and that is its length.
        unsafe { &*fat(header, len) }
    }

    /// The only listener of an array that has one.
    ///
    /// # Safety
    ///
    /// As [`Thin::array`], and [`Thin::is_one`] holds.
    #[inline(always)]
    pub(super) unsafe fn only<'a>(self) -> Only<'a, S> {
        // Subtracted, which costs nothing where whom to call is looked for behind it anyway.
        let head = self.pointer.map_addr(|address| address - Self::ONE);
        // SAFETY: the mark says that it is in a listener.
        let head = unsafe { NonNull::new_unchecked(head) }.cast();
        // SAFETY: the caller says that it is alive.
        unsafe { Only::new(head) }
    }

    /// The array, if the set owns it.
    ///
    /// # Safety
    ///
    /// As [`Thin::array`], and nobody uses the array afterwards in another way.
    pub(super) unsafe fn into_box(self) -> Option<Box<Array<S>>> {
        if self.is_one() {
            return None;
        }
        // SAFETY: the caller's contract is more than this one's.
        let len = unsafe { self.array() }.len();
        // SAFETY: the array came from a box, and the caller is the only one to use it.
        Some(unsafe { Box::from_raw(fat(self.header(), len)) })
    }
}
