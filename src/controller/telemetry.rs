//! What the operator counts of itself.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use crate::app::Applied;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Result_ {
    result: &'static str,
}

/// Counters, shared by all reconciliations.
#[derive(Clone)]
pub struct Telemetry(Arc<Inner>);

struct Inner {
    registry: Registry,
    reconciliations: Family<Outcome, Counter>,
    seconds: Histogram,
    objects: Family<Result_, Counter>,
}

impl Default for Telemetry {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("microapp");
        let reconciliations = Family::<Outcome, Counter>::default();
        registry.register("reconcile", "Reconciliations, by outcome", reconciliations.clone());
        let seconds = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        registry.register("reconcile_duration_seconds", "Duration of a reconciliation", seconds.clone());
        let objects = Family::<Result_, Counter>::default();
        registry.register("objects", "Objects, by what came of applying them", objects.clone());
        Self(Arc::new(Inner { registry, reconciliations, seconds, objects }))
    }
}

impl Telemetry {
    pub fn reconciled(&self, took: Duration, well: bool) {
        self.0.reconciliations.get_or_create(&Outcome { outcome: if well { "done" } else { "failed" } }).inc();
        self.0.seconds.observe(took.as_secs_f64());
    }

    pub fn writes(&self, applied: &Applied) {
        let counts = [
            ("applied", applied.written),
            ("repaired", applied.repaired.len()),
            ("conflict", applied.conflicts.len()),
            ("refused", applied.refused.len()),
            ("contested", applied.contested.len()),
        ];
        for (result, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            self.0.objects.get_or_create(&Result_ { result }).inc_by(count as u64);
        }
    }

    /// All of them in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }
}
