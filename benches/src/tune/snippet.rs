//! A configuration as the code that builds it.

use corecast_affinity::Cores;
use corecast_ring::WaitStrategy;

use super::configuration::Configuration;

/// The statements that build an engine and a signal of this configuration, to be pasted. `Event` is
/// the reader's.
#[must_use]
pub fn builder_code(configuration: &Configuration, cores: Option<&Cores>) -> String {
    let Configuration {
        workers_per_core,
        wait,
        capacity,
        batch,
    } = configuration;
    let names = match cores {
        None => "Engine, Overflow, WaitStrategy",
        Some(_) => "Cores, Engine, Overflow, WaitStrategy",
    };
    let cores = cores.map_or(String::new(), |cores| {
        format!("    .cores({})\n", cores_code(cores))
    });
    format!(
        "use corecast::{{{names}}};\n\
         \n\
         let engine = Engine::builder()\n\
         {cores}    .workers_per_core({workers_per_core})\n    \
             .wait({})\n    \
             .build()?;\n\
         let events = engine\n    \
             .signal::<Event>(\"events\")\n    \
             .capacity({capacity})\n    \
             .batch({batch})\n    \
             .overflow(Overflow::Wait)\n    \
             .build()?;\n",
        wait_code(*wait)
    )
}

fn wait_code(wait: WaitStrategy) -> String {
    // The command line's names are the constructors', with dashes.
    format!("WaitStrategy::{}()", wait.name().replace('-', "_"))
}

fn cores_code(cores: &Cores) -> String {
    match cores.to_string().as_str() {
        "all" => "Cores::all()".to_owned(),
        "physical" => "Cores::physical()".to_owned(),
        list => format!("Cores::list([{}])", list.replace(',', ", ")),
    }
}
