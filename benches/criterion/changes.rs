//! Subscribing and unsubscribing beside listeners that stay.

use std::hint::black_box;
use std::sync::Arc;

use arc_swap::ArcSwap;
use criterion::Criterion;
use parking_lot::RwLock;

use crate::Group;
use crate::setup::{Desk, Taken, signal};

const COUNTS: [usize; 3] = [1, 10, 1000];

/// A listener as the classic designs have it.
type Shared = Arc<dyn Fn(&u64) + Send + Sync>;

fn ignore(event: &u64) {
    black_box(event);
}

/// Times one addition and one removal.
fn pair<R>(group: &mut Group<'_>, case: &str, listeners: usize, mut change: impl FnMut() -> R) {
    group.bench_function(format!("{case}/listeners={listeners}"), |bencher| {
        bencher.iter(&mut change);
    });
}

pub(crate) fn subscribe(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("subscribe");
    for count in COUNTS {
        let list = || {
            (0..count)
                .map(|_| Arc::new(ignore) as Shared)
                .collect::<Vec<_>>()
        };
        let locked = RwLock::new(list());
        pair(&mut group, "rwlock", count, || {
            locked.write().push(Arc::new(ignore));
            locked.write().pop()
        });
        let swapped = ArcSwap::from_pointee(list());
        pair(&mut group, "arc-swap", count, || {
            swapped.rcu(|list| {
                let mut longer = Vec::with_capacity(list.len() + 1);
                longer.extend(list.iter().cloned());
                longer.push(Arc::new(ignore));
                longer
            });
            swapped.rcu(|list| list[..list.len() - 1].to_vec())
        });
        let sync = signal(count);
        pair(&mut group, "sync", count, || {
            sync.subscribe(ignore).unsubscribe()
        });
        // An emitter makes a removal look for walks that are under way.
        let mut emitter = sync.emitter();
        emitter.emit(&0);
        pair(&mut group, "sync-with-emitter", count, || {
            sync.subscribe(ignore).unsubscribe()
        });
        let desk = Desk::new(1, count, Taken::Singly);
        pair(&mut group, "async", count, || {
            let removed = desk.signal.subscribe(ignore).unsubscribe();
            // The worker drops what was removed.
            (removed, desk.drain())
        });
    }
    group.finish();
}
