//! The scheduler's own calls: a thread's mask, read and written.
#![expect(unsafe_code, reason = "affinity masks are reached through libc alone")]

use std::io;
use std::mem;

use libc::{c_ulong, cpu_set_t, pid_t};

use crate::cpu_set::{CpuId, CpuSet};

/// One thread, by the kernel's number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThreadId(pid_t);

/// CPUs that a `cpu_set_t` has room for; `core_affinity` takes no higher number.
pub(crate) const CPU_SET_SIZE: u32 = libc::CPU_SETSIZE as u32;

/// Masks stop growing here: eight times what any kernel is built for.
const MAX_MASK_CPUS: u32 = 1 << 16;

const WORD_BITS: u32 = c_ulong::BITS;

impl ThreadId {
    /// The calling thread.
    pub(crate) fn current() -> Self {
        // SAFETY: takes nothing, changes nothing and cannot fail.
        Self(unsafe { libc::gettid() })
    }

    /// The thread that runs `main`, whose number is the process's.
    pub(crate) fn main() -> io::Result<Self> {
        pid_t::try_from(std::process::id())
            .map(Self)
            .map_err(io::Error::other)
    }

    /// The CPUs that this thread may run on now.
    pub(crate) fn mask(self) -> io::Result<CpuSet> {
        let mut words = vec![0; mem::size_of::<cpu_set_t>() / mem::size_of::<c_ulong>()];
        while let Err(error) = read_mask(self.0, &mut words) {
            // EINVAL: the kernel's own mask is longer than the buffer.
            let longer = words.len() * 2;
            if error.raw_os_error() != Some(libc::EINVAL)
                || longer > (MAX_MASK_CPUS / WORD_BITS) as usize
            {
                return Err(error);
            }
            words.resize(longer, 0);
        }
        let bits = (0..).zip(&words).flat_map(|(index, word)| {
            (0..WORD_BITS)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| CpuId::new(index * WORD_BITS + bit))
        });
        Ok(bits.collect())
    }
}

/// Lets the calling thread run on `cpus` and nowhere else.
pub(crate) fn set_mask(cpus: &CpuSet) -> io::Result<()> {
    let too_large = || io::Error::from_raw_os_error(libc::EINVAL);
    let last = cpus.last().ok_or_else(too_large)?.get();
    if last >= MAX_MASK_CPUS {
        return Err(too_large());
    }
    let mut words = vec![0; (last / WORD_BITS) as usize + 1];
    for cpu in cpus {
        words[(cpu.get() / WORD_BITS) as usize] |= 1 << (cpu.get() % WORD_BITS);
    }
    write_mask(&words)
}

fn read_mask(thread: pid_t, words: &mut [c_ulong]) -> io::Result<()> {
    let (bytes, mask) = (mem::size_of_val(words), words.as_mut_ptr());
    // SAFETY: `mask` points to `bytes` writable bytes that `words` borrows
    // exclusively for the whole call, and libc and the kernel write no more
    // than `bytes`. A `cpu_set_t` is an array of `c_ulong`, so the alignment
    // is the same, and no reference to a whole `cpu_set_t` is made.
    let result = unsafe { libc::sched_getaffinity(thread, bytes, mask.cast::<cpu_set_t>()) };
    outcome(result)
}

fn write_mask(words: &[c_ulong]) -> io::Result<()> {
    let (bytes, mask) = (mem::size_of_val(words), words.as_ptr());
    // SAFETY: `mask` points to `bytes` readable bytes that `words` borrows for
    // the whole call, and nothing is written through it. Alignment as above.
    let result = unsafe { libc::sched_setaffinity(0, bytes, mask.cast::<cpu_set_t>()) };
    outcome(result)
}

fn outcome(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calling_thread_has_a_mask_and_may_set_it_again() {
        let mask = ThreadId::current().mask().expect("the mask can be read");
        assert!(!mask.is_empty());
        set_mask(&mask).expect("the mask in force is accepted");
        assert_eq!(ThreadId::current().mask().expect("read again"), mask);
    }

    #[test]
    fn masks_that_name_no_possible_cpu_are_refused() {
        for list in ["", "65535", "65536", "4294967295"] {
            let cpus = list.parse().expect("a well-formed list");
            let error = set_mask(&cpus).expect_err(list);
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{list}");
        }
    }

    #[test]
    fn thread_that_does_not_exist_has_no_mask() {
        let error = ThreadId(pid_t::MAX).mask().expect_err("no such thread");
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }
}
