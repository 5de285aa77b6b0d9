use crate::scene::{expected, scene};
use corecast::recorder;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A recorder that keeps what it is told, as any exporter does.
#[derive(Default)]
struct Kept {
    values: Mutex<BTreeMap<Key, Cell>>,
    help: Mutex<BTreeMap<String, String>>,
}

#[derive(Clone, Default)]
struct Cell(Arc<Mutex<f64>>);

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        *self.0.lock().unwrap() += value as f64;
    }

    fn absolute(&self, value: u64) {
        let mut kept = self.0.lock().unwrap();
        *kept = kept.max(value as f64);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, value: f64) {
        *self.0.lock().unwrap() += value;
    }

    fn decrement(&self, value: f64) {
        *self.0.lock().unwrap() -= value;
    }

    fn set(&self, value: f64) {
        *self.0.lock().unwrap() = value;
    }
}

impl Kept {
    fn cell(&self, key: &Key) -> Arc<Cell> {
        Arc::new(
            self.values
                .lock()
                .unwrap()
                .entry(key.clone())
                .or_default()
                .clone(),
        )
    }

    fn describe(&self, name: &KeyName, help: &SharedString) {
        let mut all = self.help.lock().unwrap();
        all.insert(name.as_str().to_owned(), help.to_string());
    }

    fn value(&self, name: &str, labels: &[(&str, String)]) -> Option<f64> {
        let labels: Vec<_> = labels
            .iter()
            .map(|(name, value)| metrics::Label::new((*name).to_owned(), value.clone()))
            .collect();
        let values = self.values.lock().unwrap();
        values
            .get(&Key::from_parts(name.to_owned(), labels))
            .map(|cell| *cell.0.lock().unwrap())
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("no histograms are recorded: {name:?}");
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("no histograms are recorded: {key}");
    }
}

#[test]
fn recorder_is_told_every_value_of_the_snapshots_and_nothing_else() {
    let scene = scene();
    let kept = Kept::default();
    metrics::with_local_recorder(&kept, || {
        // Twice: a second record replaces the first.
        for _ in 0..2 {
            recorder::record_engine("main", &scene.engine);
            recorder::record_signal(&scene.orders);
            recorder::record_breaker(&scene.breaker);
        }
    });
    let expected = expected(&scene);
    for (name, labels, value) in &expected {
        let recorded = kept.value(name, labels);
        assert_eq!(recorded, Some(*value), "{name} {labels:?}");
        assert!(
            kept.help.lock().unwrap().contains_key(name),
            "{name} is described"
        );
    }
    assert_eq!(kept.values.lock().unwrap().len(), expected.len());
}

#[cfg(feature = "limits")]
#[test]
fn rate_limits_are_recorded() {
    let limit = corecast::RateLimit::new(1, std::time::Duration::from_secs(3600)).unwrap();
    let signal = corecast::SyncSignal::<()>::new();
    let mut out = corecast::Limited::new(signal.emitter(), limit.clone());
    for _ in 0..3 {
        let _ = out.emit(&());
    }
    let kept = Kept::default();
    metrics::with_local_recorder(&kept, || {
        recorder::record_rate_limit("venue", &limit.metrics())
    });
    let label = [("limit", "venue".to_owned())];
    assert_eq!(
        kept.value("corecast_rate_limit_admitted_total", &label),
        Some(1.0)
    );
    assert_eq!(
        kept.value("corecast_rate_limit_refused_total", &label),
        Some(2.0)
    );
}

#[test]
fn without_a_recorder_nothing_happens() {
    recorder::record_engine("main", &scene().engine);
}
