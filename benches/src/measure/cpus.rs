//! Which CPUs to measure on, and pinning the measuring threads to them.

use corecast_affinity::{CpuId, CurrentPin, PinError, Topology, allowed_cpus, pin_current};
use serde::{Serialize, Serializer};

/// The two CPUs of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CpuPair {
    /// Where events are emitted, and where single-threaded rows run.
    #[serde(serialize_with = "number")]
    pub emitter: CpuId,
    /// Where events arrive. The same as `emitter` when the process may use one CPU only.
    #[serde(serialize_with = "number")]
    pub worker: CpuId,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn number<S: Serializer>(cpu: &CpuId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(cpu.get())
}

impl CpuPair {
    /// The two highest-numbered CPUs that this process may use and that are not threads of one
    /// core, if there are such two; else two threads of a core; else one CPU twice.
    ///
    /// High numbers, because the first CPUs take most interrupts.
    #[must_use]
    pub fn choose() -> Self {
        let allowed = allowed_cpus();
        let worker = allowed.last().unwrap_or(CpuId::new(0));
        let topology = Topology::detect();
        let mut others: Vec<CpuId> = allowed.iter().filter(|&cpu| cpu != worker).collect();
        others.reverse();
        let apart = |cpu: &&CpuId| {
            let core = topology.core_of(worker);
            core.is_none() || core != topology.core_of(**cpu)
        };
        let emitter = others.iter().find(apart).or(others.first()).copied();
        Self {
            emitter: emitter.unwrap_or(worker),
            worker,
        }
    }

    /// Whether emitter and worker have a CPU each.
    #[must_use]
    pub fn is_two(&self) -> bool {
        self.emitter != self.worker
    }
}

/// The calling thread, pinned to one CPU until this is dropped; then it has its old mask again.
#[derive(Debug)]
#[must_use = "the thread goes back to its old CPUs when this is dropped"]
pub struct Pinned(Option<CurrentPin>);

impl Pinned {
    /// Pins the calling thread to `cpu`.
    ///
    /// # Errors
    ///
    /// [`PinError`], naming the CPU; the thread's mask is then what it was.
    pub fn to(cpu: CpuId) -> Result<Self, PinError> {
        pin_current(cpu).map(|pin| Self(Some(pin)))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(pin) = self.0.take() {
            // The mask was in force a moment ago. Should the kernel refuse it now, the thread stays
            // where it is, which harms no measurement.
            let _refused = pin.restore();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_holds_until_its_guard_is_dropped() {
        use corecast_affinity::{PinCheck, check_current};

        let cpu = CpuPair::choose().worker;
        let before = check_current(cpu);
        let pinned = Pinned::to(cpu).expect("an allowed CPU");
        assert!(matches!(
            check_current(cpu),
            PinCheck::Held | PinCheck::Unverified
        ));
        drop(pinned);
        assert_eq!(check_current(cpu), before);
    }

    #[test]
    fn a_cpu_that_does_not_exist_is_named() {
        let error = Pinned::to(CpuId::new(123_456)).expect_err("no such CPU");
        assert!(error.to_string().contains("123456"), "{error}");
    }

    #[test]
    fn chosen_cpus_are_allowed_and_two_where_there_are_two() {
        let pair = CpuPair::choose();
        assert!(allowed_cpus().contains(pair.emitter) && allowed_cpus().contains(pair.worker));
        assert_eq!(pair.is_two(), allowed_cpus().len() > 1);
    }
}
