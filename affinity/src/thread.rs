//! Threads that are named and pinned before they run.

use std::sync::mpsc;
use std::thread::{self, JoinHandle, Thread};

use crate::cpu_set::{CpuId, CpuSet};
use crate::error::{PinError, ThreadError};
use crate::pin::{self, PinCheck, PinStatus, Pinning};
use crate::sched::{self, ThreadId};

/// What a [`PinnedThread`] is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadConfig {
    name: String,
    cpu: Option<CpuId>,
    pinning: Pinning,
}

impl ThreadConfig {
    /// A thread of this name, on no particular CPU.
    ///
    /// Linux shows the first 15 bytes of a name; [`PinnedThread::name`] and
    /// panic messages keep all of it.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            cpu: None,
            pinning: Pinning::default(),
        }
    }

    /// The CPU to pin the thread to.
    #[must_use]
    pub fn cpu(mut self, cpu: impl Into<CpuId>) -> Self {
        self.cpu = Some(cpu.into());
        self
    }

    /// How much the pin matters; [`Pinning::BestEffort`] unless set.
    #[must_use]
    pub fn pinning(mut self, pinning: Pinning) -> Self {
        self.pinning = pinning;
        self
    }
}

/// A running thread, and what became of its pin.
///
/// Dropping it detaches the thread, as with [`JoinHandle`].
///
/// ```
/// use corecast_affinity::{PinnedThread, Pinning, ThreadConfig, allowed_cpus};
///
/// let cpu = allowed_cpus().last().expect("a process has a CPU");
/// let config = ThreadConfig::new("worker-0").cpu(cpu).pinning(Pinning::BestEffort);
/// let worker = PinnedThread::spawn(config, |status| format!("running, {status}"))?;
/// println!("{}: {}", worker.name(), worker.pin_status());
/// println!("{}", worker.join().expect("the closure does not panic"));
/// # Ok::<(), corecast_affinity::ThreadError>(())
/// ```
#[derive(Debug)]
pub struct PinnedThread<T> {
    name: String,
    id: ThreadId,
    status: PinStatus,
    handle: JoinHandle<Result<T, PinError>>,
}

impl<T: Send + 'static> PinnedThread<T> {
    /// Starts a thread, pins it, and then has it run `f`.
    ///
    /// The new thread pins itself and reads its mask back before it calls `f`,
    /// and this returns once the outcome is known. A thread that is not pinned
    /// runs where its parent may; if the parent was pinned by this crate, where
    /// the parent might have run before.
    ///
    /// # Errors
    ///
    /// [`ThreadError::NulInName`] for a name with a NUL byte;
    /// [`ThreadError::NoCpu`] for a required pin to no CPU;
    /// [`ThreadError::Spawn`] if the system starts no more threads;
    /// [`ThreadError::Pin`] if a required pin fails: the thread has then ended
    /// without running `f`.
    ///
    /// # Complexity
    ///
    /// Blocking: waits for the thread to start and pin itself. Allocates.
    pub fn spawn<F>(config: ThreadConfig, f: F) -> Result<Self, ThreadError>
    where
        F: FnOnce(&PinStatus) -> T + Send + 'static,
    {
        let ThreadConfig { name, cpu, pinning } = config;
        if name.contains('\0') {
            return Err(ThreadError::NulInName { name });
        }
        if cpu.is_none() && pinning == Pinning::Required {
            return Err(ThreadError::NoCpu { name });
        }
        let cpu = cpu.filter(|_| pinning != Pinning::Off);
        let unpinned_mask = pin::mask_for_children();
        let (report, outcome) = mpsc::sync_channel(1);
        let body = move || {
            let status = settle(cpu, pinning, unpinned_mask)?;
            // The parent waits for this, so it cannot have gone away.
            let _ = report.send((ThreadId::current(), status.clone()));
            drop(report);
            Ok(f(&status))
        };
        let builder = thread::Builder::new().name(name.clone());
        let handle = match builder.spawn(body) {
            Ok(handle) => handle,
            Err(error) => {
                let os_error = error.raw_os_error();
                return Err(ThreadError::Spawn { name, os_error });
            }
        };
        match outcome.recv() {
            Ok((id, status)) => Ok(Self {
                name,
                id,
                status,
                handle,
            }),
            // The thread ended without a report.
            Err(mpsc::RecvError) => Err(match handle.join() {
                Ok(Err(source)) => ThreadError::Pin { name, source },
                Ok(Ok(_)) | Err(_) => ThreadError::Died { name },
            }),
        }
    }
}

impl<T> PinnedThread<T> {
    /// Waits for the thread to end.
    ///
    /// # Errors
    ///
    /// The payload of the panic that ended it.
    pub fn join(self) -> thread::Result<T> {
        let result = self.handle.join()?;
        // Only a thread that has run its closure is ever handed out.
        result.map_err(|error| Box::new(error) as _)
    }

    /// Whether the closure has returned or panicked.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// The name, in full.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The standard library's handle, to unpark the thread by.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        self.handle.thread()
    }

    /// What became of the pin when the thread started.
    #[must_use]
    pub fn pin_status(&self) -> &PinStatus {
        &self.status
    }

    /// Whether the pin still holds.
    ///
    /// # Complexity
    ///
    /// One system call; allocates.
    #[must_use]
    pub fn check(&self) -> PinCheck {
        let Some(cpu) = self.status.cpu() else {
            return PinCheck::NotPinned;
        };
        let now = pin::check(self.id, cpu);
        // Asked afterwards: had the thread ended before, its number might be
        // another thread's by now, and the answer about that one.
        if self.is_finished() {
            return PinCheck::Finished;
        }
        now
    }
}

/// On the new thread: lets it off its parent's CPU, then pins it if asked to.
fn settle(
    cpu: Option<CpuId>,
    pinning: Pinning,
    unpinned_mask: Option<CpuSet>,
) -> Result<PinStatus, PinError> {
    if let Some(mask) = unpinned_mask {
        // Refused only if the cpuset has lost every CPU of it since; the
        // inherited mask is then as good as any.
        let _ = sched::set_mask(&mask);
    }
    let Some(cpu) = cpu else {
        return Ok(PinStatus::NotRequested);
    };
    let pinned = pin::pin_current(cpu).map(|pin| pin.status().clone());
    match (pinned, pinning) {
        (Ok(PinStatus::Unverified(cpu)), Pinning::Required) => Err(PinError::Unverified { cpu }),
        (Err(reason), Pinning::BestEffort) => Ok(PinStatus::Unpinned { reason }),
        (outcome, _) => outcome,
    }
}
