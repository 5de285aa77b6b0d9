//! Prints this machine, what this process may use of it, and where a default
//! engine's workers would run. `taskset -c 1 …` shows how that narrows.

use corecast_affinity::{Cores, CpuSet, Placement, Topology, allowed_cpus};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let machine = Topology::detect();
    println!("{machine}");
    println!("this process may use: CPUs {}", allowed_cpus());

    let placement = Placement::plan(&machine, allowed_cpus(), &Cores::default(), 1)?;
    let workers: CpuSet = placement.workers().iter().copied().collect();
    print!("by default: workers on CPUs {workers}");
    match placement.spare().first() {
        Some(cpu) => println!(", CPU {cpu} for the emitter"),
        None => println!(", none left for the emitter"),
    }
    Ok(())
}
