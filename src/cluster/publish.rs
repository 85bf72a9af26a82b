//! Writes the status, whole, once a reconciliation, and only when it says something new; and tells events.

use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, PostParams},
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use serde_json::json;
use tokio::sync::mpsc;

use super::{Error, MANAGER, client::within};
use crate::app::{self, MicroserviceApp, Status};

/// Events that wait to be sent. More are dropped: they explain, and nothing depends on them.
const BACKLOG: usize = 256;

/// Writes a status, and answers the version that the resource has then. It is replaced as a whole, and only in the
/// version of the resource that it was made from: a leader that lost its place cannot overwrite its successor's word.
///
/// # Errors
/// When the API server says no, or nothing; a conflict means that a newer version of the resource will arrive.
pub async fn status(client: &Client, app: &MicroserviceApp, status: &Status) -> Result<u64, Error> {
    let resource = ApiResource::erase::<MicroserviceApp>(&());
    let (name, namespace) = (app.name_any(), app.namespace().unwrap_or_default());
    let mut body = DynamicObject::new(&name, &resource).within(&namespace).data(json!({ "status": status }));
    body.metadata.resource_version = app.resource_version();
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    within(api.replace_status(&name, &PostParams { field_manager: Some(MANAGER.into()), ..Default::default() }, &body))
        .await
        .map(|answer| answer.resource_version().and_then(|v| v.parse().ok()).unwrap_or_default())
}

/// Sends events from a task of its own, so that no reconciliation waits for one.
#[derive(Clone)]
pub struct Events(mpsc::Sender<(k8s_openapi::api::core::v1::ObjectReference, app::events::Event)>);

impl Events {
    /// Starts the task.
    pub fn start(client: Client, instance: Option<String>) -> Self {
        let (sender, mut receiver) =
            mpsc::channel::<(k8s_openapi::api::core::v1::ObjectReference, app::events::Event)>(BACKLOG);
        let reporter = Reporter { controller: MANAGER.into(), instance };
        tokio::spawn(async move {
            while let Some((about, event)) = receiver.recv().await {
                let type_ = if event.warning { EventType::Warning } else { EventType::Normal };
                let event = Event {
                    type_,
                    reason: event.reason,
                    note: Some(event.message.chars().take(1000).collect()),
                    action: "Reconcile".into(),
                    secondary: None,
                };
                // A recorder that lives on counts all events of one reason as one, in the words of the first. Ours
                // differ, and each tells of a change.
                let recorder = Recorder::new(client.clone(), reporter.clone());
                if let Err(error) = within(recorder.publish(&event, &about)).await {
                    tracing::debug!(%error, "event not sent");
                }
            }
        });
        Self(sender)
    }

    /// Tells events about an application.
    pub fn tell(&self, app: &MicroserviceApp, events: Vec<app::events::Event>) {
        for event in events {
            // A full queue drops the event, as said above.
            let _ = self.0.try_send((app.object_ref(&()), event));
        }
    }
}
