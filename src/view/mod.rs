//! How things look: pure pictures of an application and its status.

pub mod graph;
mod layout;
pub mod manual;
mod measure;
pub mod mermaid;
pub mod news;
mod outline;
mod style;
pub mod svg;
pub mod text;
pub mod tree;
mod xml;

pub use style::{Style, Tone};

use crate::app::{MicroserviceApp, Status, status::PartStatus};
use crate::kit::reason;

/// How something fares: always told by a word or a shape, too, never by colour alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nobody has said anything of it yet.
    #[default]
    Planned,
    Ready,
    /// Progressing.
    Busy,
    Failed,
}

impl State {
    /// The state of a part.
    pub fn of(part: &PartStatus) -> Self {
        let is_busy = || reason::BUSY.iter().any(|busy| part.reason == *busy);
        match part.ready == "True" {
            true => Self::Ready,
            false if is_busy() => Self::Busy,
            false => Self::Failed,
        }
    }

    pub fn tone(self) -> Tone {
        match self {
            Self::Planned => Tone::Soft,
            Self::Ready => Tone::Good,
            Self::Busy => Tone::Busy,
            Self::Failed => Tone::Bad,
        }
    }
}

/// The state of a whole application: one word, one sentence, and whether they speak of the resource as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub state: State,
    pub word: String,
    pub message: String,
    /// Waiting does not help.
    pub stalled: bool,
}

/// What the operator says of an application.
pub fn verdict(app: &MicroserviceApp) -> Verdict {
    let status = app.status.clone().unwrap_or_default();
    let (generation, seen) = (app.metadata.generation, status.observed_generation);
    let Some(ready) = condition(&status, "Ready") else {
        let message = "it has not been reconciled yet";
        return Verdict { state: State::Planned, word: "Unknown".into(), message: message.into(), stalled: false };
    };
    if seen != generation {
        let message = format!(
            "the status is of generation {}, and the resource is at {}",
            seen.unwrap_or_default(),
            generation.unwrap_or_default()
        );
        return Verdict { state: State::Busy, word: "NotCurrent".into(), message, stalled: false };
    }
    let stalled = condition(&status, "Stalled").is_some_and(|c| c.status == "True");
    let broken = ready.reason.ends_with(reason::UNAVAILABLE.name()) || ready.reason == reason::BINDING_FAILED;
    let state = match ready.status.as_str() {
        "True" => State::Ready,
        _ if stalled || broken => State::Failed,
        _ => State::Busy,
    };
    // "Ready" reads better than the reason for it.
    let word = if state == State::Ready { "Ready".into() } else { ready.reason.clone() };
    Verdict { state, word, message: ready.message.clone(), stalled }
}

fn condition<'a>(
    status: &'a Status,
    name: &str,
) -> Option<&'a k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    status.conditions.iter().find(|condition| condition.type_ == name)
}

/// `2/2 components  2/2 services`
fn counts(status: &Status, between: &str) -> String {
    status
        .summary
        .as_ref()
        .map(|s| format!("{} components{between}{} services", s.components, s.services))
        .unwrap_or_default()
}

/// What a part is made with: `PostgreSQL 18.6`; of a service, the version of its image.
fn made_with(part: &PartStatus) -> String {
    let version =
        part.version.as_deref().or_else(|| crate::kit::images::version(part.image.as_deref()?)).unwrap_or_default();
    match part.kind.as_str() {
        "Service" => version.to_owned(),
        _ => format!("{} {version}", part.engine.as_deref().unwrap_or_default()).trim().to_owned(),
    }
}

/// `1/2`
fn pods(part: &PartStatus) -> Option<String> {
    part.replicas.map(|wanted| format!("{}/{wanted}", part.ready_replicas.unwrap_or_default()))
}
