//! The bounds of a status, kept in one place: what the API server would refuse is never sent, so that one long text
//! cannot silence everything else.

use std::sync::OnceLock;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::Value;

use super::{crd, status::Status};
use crate::kit::{reason, text};

/// Bytes that a status may have beside the inventory.
const ROOM: usize = 64 * 1024;
/// Longest texts, in turn, until it fits.
const TEXTS: [u64; 4] = [1024, 256, 96, 32];

impl Status {
    /// The status as the API server takes it: texts at most as long, and lists at most as many, as the CRD says, no
    /// control characters, and all of it small. What was cut is said in the message of `Ready`.
    pub fn bounded(self) -> Self {
        let small = |status: &Self| {
            serde_json::to_vec(&Self { inventory: None, ..status.clone() }).is_ok_and(|json| json.len() <= ROOM)
        };
        let mut fitting = fitted(&self, TEXTS[0]);
        for longest in &TEXTS[1..] {
            if small(&fitting) {
                break;
            }
            fitting = fitted(&self, *longest);
        }
        fitting
    }

    /// The little that is said when the API server refused all of it.
    pub fn refused(self, previous: &Self, error: &str, now: Time) -> Self {
        let before = previous.conditions.iter().find(|c| c.type_ == "Ready" && c.status == "False");
        let ready = Condition {
            type_: "Ready".into(),
            status: "False".into(),
            reason: reason::STATUS_REFUSED.into(),
            message: format!("the API server refused the report, so nothing more can be said: {error}"),
            observed_generation: self.observed_generation,
            last_transition_time: before.map_or(now, |c| c.last_transition_time.clone()),
        };
        Self {
            observed_generation: self.observed_generation,
            operator_version: self.operator_version,
            conditions: vec![ready],
            ..Default::default()
        }
        .bounded()
    }
}

/// A status cut to the CRD, with no text but that of `Ready` longer than `longest` bytes.
fn fitted(status: &Status, longest: u64) -> Status {
    let Ok(mut json) = serde_json::to_value(status) else { return status.clone() };
    let mut cuts = vec![];
    cut(schema(), &mut json, longest, "", &mut cuts);
    let Ok(mut fitted) = serde_json::from_value::<Status>(json) else { return status.clone() };
    let ready = |all: &Condition| all.type_ == "Ready";
    if let Some((whole, ready)) =
        status.conditions.iter().find(|c| ready(c)).zip(fitted.conditions.iter_mut().find(|c| ready(c)))
    {
        let told = if cuts.is_empty() {
            String::new()
        } else {
            text::cut(&format!(". This report is cut: {}", cuts.join(", ")), 512)
        };
        ready.message = format!(
            "{}{told}",
            text::cut(&text::plain(&whole.message), (TEXTS[0] as usize).saturating_sub(told.len()))
        );
    }
    fitted
}

/// The part of the CRD that speaks of the status.
fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| crd::schema().map(|mut schema| schema["properties"]["status"].take()).unwrap_or_default())
}

fn cut(schema: &Value, value: &mut Value, longest: u64, path: &str, cuts: &mut Vec<String>) {
    match value {
        Value::String(it) => {
            // Bytes are never fewer than the characters that the API server counts. The memory of the operator is no
            // text.
            let memory = path.starts_with("inventory");
            let most = schema["maxLength"].as_u64().unwrap_or(longest).min(if memory { u64::MAX } else { longest });
            *it = text::cut(&text::plain(it), most as usize);
        }
        Value::Array(items) => {
            // Where texts have to be shorter, lists have to be, too, and lists within lists more so.
            let fair = if path.starts_with("inventory") {
                u64::MAX
            } else if path.contains('.') {
                longest / 8
            } else {
                longest * 8
            };
            if let Some(most) =
                schema["maxItems"].as_u64().map(|most| most.min(fair) as usize).filter(|most| items.len() > *most)
            {
                let told = format!("{most} of {} `{path}`", items.len());
                cuts.extend(Some(told).filter(|told| !cuts.contains(told)));
                items.truncate(most);
            }
            items.iter_mut().for_each(|item| cut(&schema["items"], item, longest, path, cuts));
        }
        Value::Object(fields) => fields.iter_mut().for_each(|(name, field)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            cut(&schema["properties"][name], field, longest, &path, cuts);
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{
        schema::Checker,
        status::{BindingStatus, Entry, Inventory, PartStatus, Retained},
    };
    use super::*;

    /// Longer and more of everything than the CRD allows.
    fn monster() -> Status {
        let long = |n: usize| format!("{n} \u{1b}[31m{}", "é".repeat(3000));
        let part = |n| PartStatus {
            name: long(n),
            kind: "Service".into(),
            ready: "False".into(),
            message: Some(long(n)),
            waiting_for: vec![long(n); 100],
            reason: long(n),
            ..Default::default()
        };
        let binding = |n| BindingStatus {
            service: format!("s{n}"),
            name: "database".into(),
            verified: "Unknown".into(),
            message: Some(long(n)),
            ..Default::default()
        };
        let time = || Time(jiff::Timestamp::UNIX_EPOCH);
        let condition = |n: usize| Condition {
            type_: if n == 0 { "Ready".into() } else { format!("C{n}") },
            status: "False".into(),
            reason: long(n),
            message: long(n),
            observed_generation: Some(1),
            last_transition_time: time(),
        };
        Status {
            url: Some(long(0)),
            parts: (0..200).map(part).collect(),
            bindings: (0..1000).map(binding).collect(),
            conditions: (0..30).map(condition).collect(),
            retained: (0..100).map(|n| Retained { anchor: long(n), since: Some(time()), purge: long(n) }).collect(),
            inventory: Some(Inventory {
                entries: (0..5000).map(|n| Entry { id: long(n), h: long(n), ..Default::default() }).collect(),
            }),
            ..Default::default()
        }
    }

    fn found(status: &Status) -> Vec<crate::kit::problem::Problem> {
        let app = json!({ "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": {
            "name": "shop" }, "spec": {}, "status": status });
        Checker::new().map(|checker| checker.judge(&app).1).unwrap_or_default()
    }

    #[test]
    fn whatever_is_to_be_said_the_api_server_takes_it() {
        assert!(!found(&monster()).is_empty());
        let bounded = monster().bounded();
        assert_eq!(found(&bounded), []);
        let ready =
            bounded.conditions.iter().find(|c| c.type_ == "Ready").map(|c| c.message.clone()).unwrap_or_default();
        assert!(ready.contains("of 1000 `bindings`"), "{ready}");
        let text = serde_json::to_string(&Status { inventory: None, ..bounded.clone() }).unwrap_or_default();
        assert!(text.len() <= ROOM && !text.contains("\\u001b"), "{} bytes", text.len());
        assert_eq!(bounded.clone().bounded(), bounded, "what fits is left alone");
    }

    #[test]
    fn a_refused_report_says_so_and_since_when() {
        let (epoch, later) = (
            Time(jiff::Timestamp::UNIX_EPOCH),
            Time(jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1)),
        );
        let first = monster().refused(&Status::default(), &"x".repeat(5000), epoch.clone());
        assert_eq!(found(&first), []);
        let again = monster().refused(&first, &"x".repeat(5000), later);
        assert_eq!((&again, again.conditions[0].reason.as_str()), (&first, "StatusRefused"));
    }
}
