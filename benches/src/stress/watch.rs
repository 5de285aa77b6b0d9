//! The watchdog: a configuration that makes no progress is a hang, and is named.

use std::io::{self, Write};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How often it looks, at least so many times before it barks.
const LOOKS: u32 = 8;

/// Is told of progress.
#[derive(Debug, Default)]
pub struct Watch {
    beats: AtomicU64,
    hung: AtomicBool,
    doing: Mutex<String>,
}

impl Watch {
    /// Something has been done.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// What is done from now on.
    pub fn begin(&self, what: String) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = what;
        self.beat();
    }

    fn doing(&self) -> String {
        self.doing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A watchdog that lives as long as this.
#[derive(Debug)]
pub struct Watchdog {
    _leash: mpsc::Sender<()>,
}

impl Watchdog {
    /// Calls `bark` with what is being done when there was no progress for `patience`.
    ///
    /// # Errors
    ///
    /// No thread could be started.
    pub fn start(
        watch: &Arc<Watch>,
        patience: Duration,
        bark: impl Fn(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let (leash, let_go) = mpsc::channel::<()>();
        let watch = Arc::clone(watch);
        thread::Builder::new()
            .name("stress-watchdog".to_owned())
            .spawn(move || {
                let (mut beats, mut idle) = (0, 0);
                while let Err(RecvTimeoutError::Timeout) = let_go.recv_timeout(patience / LOOKS) {
                    let now = watch.beats.load(Ordering::Relaxed);
                    idle = if now == beats { idle + 1 } else { 0 };
                    beats = now;
                    if idle > LOOKS && !watch.hung.swap(true, Ordering::Relaxed) {
                        bark(&watch.doing());
                    }
                }
            })?;
        Ok(Self { _leash: leash })
    }
}

/// Reports a hang and ends the process: whoever hangs cannot be asked to.
pub fn bite(what: &str) {
    let _unseen = writeln!(io::stderr(), "corecast: hang: no progress in {what}");
    process::exit(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_progress_is_named() {
        let watch = Arc::new(Watch::default());
        watch.begin("nothing at all".to_owned());
        let (barked, heard) = mpsc::channel();
        let bark = move |what: &str| {
            let _nobody_listens = barked.send(what.to_owned());
        };
        let _dog = Watchdog::start(&watch, Duration::from_millis(8), bark).unwrap();
        assert_eq!(heard.recv().as_deref(), Ok("nothing at all"));
    }
}
