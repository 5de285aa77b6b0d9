//! What the kernel says of this process: memory, CPU time, sleeps.

use std::fs;
use std::time::Duration;

/// Bytes of memory in use; `None` where it cannot be read.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    // In kilobytes whatever the page size, unlike statm.
    Some(field(&status, "VmRSS:")? * 1024)
}

/// CPU time of the threads that are alive; `None` where it cannot be read.
#[must_use]
pub fn cpu_time() -> Option<Duration> {
    let mut total = 0;
    for task in fs::read_dir("/proc/self/task").ok()? {
        // Nanoseconds, where /proc/self/stat has ticks of ten milliseconds.
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        total += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(total))
}

/// How often the calling thread has gone to sleep; `None` where it cannot be read.
#[must_use]
pub fn sleeps() -> Option<u64> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    field(&status, "voluntary_ctxt_switches:")
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "nonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t5\nVmRSS:\t  12 kB\n";
        assert_eq!(field(text, "voluntary_ctxt_switches:"), Some(5));
        assert_eq!(field(text, "VmRSS:"), Some(12));
        assert_eq!(field(text, "VmHWM:"), None);
    }
}
