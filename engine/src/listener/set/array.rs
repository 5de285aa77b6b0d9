//! The immutable array that a walk follows: a header and the entries, in one allocation, behind a
//! pointer of one word.
//!
//! | edge | release side | acquire side | protects | loom model |
//! | L1   | `ListenerSet::swap`: current, Release | `ListenerSet::find`: current, Acquire | the array and its listeners | listener_set::emit_against_subscribe, an_owned_emit_against_subscribe |
//!
//! There is one word that says which array is current, for both ways in: a thread that has found an
//! array through one handle finds no older one through another.
#![expect(unsafe_code, reason = "an array's length stands in its own memory")]

use super::entry::{Entry, Head, Outcome, OwnedListener, Token};
use super::{Handle, Spec};
use crate::listener::Meta;
use core::marker::PhantomData;
use core::ptr::NonNull;
use std::alloc::{Layout, alloc, handle_alloc_error};
use std::collections::HashSet;

/// What stands in front of an array's entries.
#[repr(C)]
pub(super) struct Header {
    len: usize,
    /// Entries that are called once at most, and may be spent.
    once: usize,
    /// Some listener may take whole runs (`Meta::batch`).
    batches: bool,
}

/// The immutable listener array that one emission walks: in call order, exact in size, one
/// allocation. (Immutable but for the removal switches.)
#[repr(C)]
pub(crate) struct Array<S: Spec> {
    header: Header,
    entries: [Entry<S>],
}

// SAFETY: an array holds pointers to listeners, whose closures are Send, and Sync where several
// walks may call them (the constructors of OwnedListener); meta data is Send and Sync.
unsafe impl<S: Spec> Send for Array<S> {}
// SAFETY: as above.
unsafe impl<S: Spec> Sync for Array<S> {}

impl<S: Spec> Array<S> {
    pub(crate) fn empty() -> Box<Self> {
        Filling::new(0).finish(0, false)
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
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
        if self.header.once == 0 {
            self.len()
        } else {
            self.metas().filter(|meta| meta.is_live()).count()
        }
    }

    pub(crate) fn has_spent(&self) -> bool {
        self.header.once > 0 && self.metas().any(|meta| !meta.is_live())
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
        &self.entries
    }

    /// A new array with `added` in their places: higher priority first, then the order of adding.
    pub(crate) fn with(&self, added: Vec<OwnedListener<S>>) -> Box<Self> {
        let mut added: Vec<_> = added.into_iter().rev().collect();
        added.sort_by_key(|listener| listener.meta().priority);
        let metas = || added.iter().map(OwnedListener::meta);
        let once = self.header.once + metas().filter(|meta| meta.once).count();
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
        filling.finish(once, batches)
    }

    /// A new array without the listeners for which `gone` holds, and those listeners' heads, whose
    /// entries here are switched off. Order is kept.
    pub(crate) fn without(
        &self,
        mut gone: impl FnMut(Token, &Meta<S::Item>) -> bool,
    ) -> (Box<Self>, Vec<NonNull<Head<S>>>) {
        let is_gone = |entry: &&Entry<S>| gone(Token::of(entry.head), entry.meta());
        let (removed, kept): (Vec<_>, Vec<_>) = self.entries.iter().partition(is_gone);
        let once = kept.iter().filter(|entry| entry.meta().once).count();
        let mut filling = Filling::new(kept.len());
        kept.into_iter()
            .for_each(|entry| filling.push(entry.copy()));
        let switch_off = |entry: &Entry<S>| {
            entry.switch_off();
            entry.head
        };
        (
            filling.finish(once, self.header.batches),
            removed.into_iter().map(switch_off).collect(),
        )
    }

    /// As [`Array::without`], for the listener at `index`. The others are not looked at.
    pub(crate) fn without_one(&self, index: usize) -> (Box<Self>, NonNull<Head<S>>) {
        let removed = &self.entries[index];
        let mut filling = Filling::new(self.len() - 1);
        filling.copy(&self.entries[..index]);
        filling.copy(&self.entries[index + 1..]);
        removed.switch_off();
        let once = self.header.once - usize::from(self.meta(index).once);
        (filling.finish(once, self.header.batches), removed.head)
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

    fn finish(self, once: usize, batches: bool) -> Box<Array<S>> {
        assert!(self.filled == self.len, "an array has its own size");
        let len = self.len;
        let header = Header { len, once, batches };
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

    pub(super) fn from_box(array: Box<Array<S>>) -> Self {
        let mark = match array.len() {
            0 => Self::NONE,
            1 => Self::ONE,
            _ => 0,
        };
        let header = Box::into_raw(array).cast::<Header>();
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
    /// It came from [`Thin::from_box`] and is alive for as long as the reference is used.
    #[inline(always)]
    pub(super) unsafe fn array<'a>(self) -> &'a Array<S> {
        let header = self.header();
        // SAFETY: the caller says that there is an array, and those begin with a header.
        let len = unsafe { (*header).len };
        // SAFETY: as above, and that is its length.
        unsafe { &*fat(header, len) }
    }

    /// The only entry of an array that has one.
    ///
    /// # Safety
    ///
    /// As [`Thin::array`], and [`Thin::is_one`] holds.
    #[inline(always)]
    pub(super) unsafe fn only<'a>(self) -> &'a Entry<S> {
        // Subtracted, which costs nothing where the entry is looked for behind it anyway.
        let header = self.pointer.map_addr(|address| address - Self::ONE);
        // SAFETY: the caller says that there is an array, and the mark that it has one entry.
        let array = unsafe { &*fat::<S>(header, 1) };
        &array.entries[0]
    }

    /// # Safety
    ///
    /// As [`Thin::array`], and nobody uses the array afterwards in another way.
    pub(super) unsafe fn into_box(self) -> Box<Array<S>> {
        // SAFETY: the caller's contract is more than this one's.
        let len = unsafe { self.array() }.len();
        // SAFETY: the array came from a box, and the caller is the only one to use it.
        unsafe { Box::from_raw(fat(self.header(), len)) }
    }
}
