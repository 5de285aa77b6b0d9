//! The CPU time that this process's threads have used.

use std::fs;
use std::io;
use std::time::Duration;

/// What each thread of the process had used at one moment.
///
/// Read from `schedstat`, which counts nanoseconds; the other accounts of the kernel count in ticks
/// of up to 10 ms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuTime {
    threads: Vec<Thread>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Thread {
    id: u64,
    /// The first fifteen bytes of its name: the kernel keeps no more.
    name: String,
    used_ns: u64,
}

impl CpuTime {
    /// Reads the account of every thread there is. One that ends meanwhile is left out.
    ///
    /// # Errors
    ///
    /// The kernel keeps no such account: it is not Linux, or was built without it.
    pub fn now() -> io::Result<Self> {
        let mut threads = Vec::new();
        for task in fs::read_dir("/proc/self/task")? {
            let task = task?;
            let id = task.file_name().to_str().and_then(|id| id.parse().ok());
            let read = |file| fs::read_to_string(task.path().join(file));
            let (account, name) = match (read("schedstat"), read("comm")) {
                (Ok(account), Ok(name)) => (account, name),
                // It has ended since, unless its directory is still there.
                (Err(error), _) | (_, Err(error)) if task.path().exists() => return Err(error),
                _ => continue,
            };
            let used = account.split_whitespace().next();
            let used = used.and_then(|used| used.parse().ok());
            if let (Some(id), Some(used_ns)) = (id, used) {
                threads.push(Thread {
                    id,
                    name: name.trim_end().to_owned(),
                    used_ns,
                });
            }
        }
        Ok(Self { threads })
    }

    /// What the threads whose names begin with `prefix` have used since `earlier`: all threads if
    /// it is empty. Threads that have ended in between do not count.
    #[must_use]
    pub fn since(&self, earlier: Self, prefix: &str) -> Duration {
        let named = |thread: &&Thread| thread.name.starts_with(prefix);
        let used = self.threads.iter().filter(named).map(|thread| {
            let before = earlier.threads.iter().find(|one| one.id == thread.id);
            thread
                .used_ns
                .saturating_sub(before.map_or(0, |one| one.used_ns))
        });
        Duration::from_nanos(used.sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(threads: &[(u64, &str, u64)]) -> CpuTime {
        let thread = |&(id, name, used_ns): &(u64, &str, u64)| Thread {
            id,
            name: name.to_owned(),
            used_ns,
        };
        CpuTime {
            threads: threads.iter().map(thread).collect(),
        }
    }

    #[test]
    fn what_was_used_before_does_not_count_and_names_tell_threads_apart() {
        let earlier = account(&[(1, "main", 500), (2, "tune-0", 40)]);
        let later = account(&[(1, "main", 600), (2, "tune-0", 70), (3, "tune-1", 9)]);
        assert_eq!(
            later.since(earlier.clone(), ""),
            Duration::from_nanos(100 + 30 + 9)
        );
        assert_eq!(later.since(earlier, "tune"), Duration::from_nanos(30 + 9));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_busy_thread_is_charged() {
        let before = CpuTime::now().expect("the kernel keeps the account");
        let begun = std::time::Instant::now();
        // The account of a running thread is brought up to date at the latest at each tick.
        loop {
            let now = CpuTime::now().expect("the kernel keeps the account");
            if now.since(before.clone(), "") > Duration::from_millis(1) {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{now:?}");
        }
    }
}
