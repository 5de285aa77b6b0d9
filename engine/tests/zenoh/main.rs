//! Publishers and receivers in one process: what is counted, what is a fault, and who waits.

mod faults;
mod life;
mod options;
mod pair;
mod queue;
#[cfg(any(feature = "prometheus", feature = "serde"))]
mod shown;
