//! A namespace of its own for a test, and what tests ask of an application in it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, Resource, ResourceExt};
use microapp::app::{MicroserviceApp, Status};
use microapp::cluster::client::resource;
use microapp::kit::owned::{OWNED, Owned};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How long anything may take on a slow machine that does much else beside it.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A namespace of a test.
pub struct Space {
    pub client: Client,
    pub name: String,
}

impl Space {
    /// A fresh namespace. It is left to the end of the cluster: to delete it would keep the API server from the tests
    /// that run.
    pub async fn new(client: &Client, stem: &str) -> Self {
        let namespace: Namespace =
            serde_json::from_value(json!({ "metadata": { "generateName": format!("{stem}-"), "labels": {
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/warn": "restricted" } } }))
            .unwrap();
        let made =
            Api::all(client.clone()).create(&PostParams::default(), &namespace).await.expect("a namespace can be made");
        Self { client: client.clone(), name: made.name_any() }
    }

    pub fn api<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Applies a resource as a user would.
    pub async fn apply(&self, app: Value) -> MicroserviceApp {
        let name = app["metadata"]["name"].as_str().unwrap().to_owned();
        self.api::<MicroserviceApp>()
            .patch(&name, &PatchParams::apply("user").force(), &Patch::Apply(app))
            .await
            .expect("the resource is accepted")
    }

    pub async fn delete(&self, name: &str) {
        self.until_collected().await;
        self.api::<MicroserviceApp>().delete(name, &DeleteParams::default()).await.expect("it can be deleted");
    }

    /// Waits until the garbage collector hears of deletions of applications. It learns of a new kind within half a
    /// minute; what is deleted before that, it finds out ever more slowly.
    async fn until_collected(&self) {
        let (apps, maps) = (self.api::<MicroserviceApp>(), self.api::<ConfigMap>());
        let begun = Instant::now();
        for round in 0.. {
            let name = format!("probe-{round}");
            let owner = self
                .apply(json!({ "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp",
                "metadata": { "name": name }, "spec": {} }))
                .await;
            let metadata = ObjectMeta {
                name: Some(name.clone()),
                owner_references: Some(vec![owner.owner_ref(&()).unwrap()]),
                ..Default::default()
            };
            maps.create(&PostParams::default(), &ConfigMap { metadata, ..Default::default() }).await.unwrap();
            apps.delete(&name, &DeleteParams::default()).await.unwrap();
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(150)).await;
                if maps.get_opt(&name).await.unwrap().is_none() {
                    return;
                }
            }
            assert!(begun.elapsed() < PATIENCE, "the garbage collector does not know applications");
        }
    }

    /// Waits until something holds of an application, and says what was there if it does not.
    pub async fn until(&self, name: &str, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        // Read by its status alone: the specification may be one that this release cannot read.
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.name, &ApiResource::erase::<MicroserviceApp>(&()));
        let status = || async {
            api.get_opt(name)
                .await
                .ok()
                .flatten()
                .and_then(|app| serde_json::from_value(app.data["status"].clone()).ok())
                .unwrap_or_default()
        };
        let begun = Instant::now();
        loop {
            let status = status().await;
            if holds(&status) {
                return status;
            }
            if begun.elapsed() > PATIENCE {
                let status = serde_json::to_string_pretty(&Status { inventory: None, ..status }).unwrap();
                panic!(
                    "{}/{name} never became {what}; its status:\n{status}\nits pods:\n{}",
                    self.name,
                    self.pods().await
                );
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// Every pod with its state, a line each.
    async fn pods(&self) -> String {
        let line = |pod: &Pod| {
            let status = pod.status.clone().unwrap_or_default();
            let conditions: Vec<String> =
                status.conditions.iter().flatten().map(|c| format!("{}={}", c.type_, c.status)).collect();
            let state =
                status.container_statuses.iter().flatten().map(|c| format!("{:?}", c.state)).collect::<String>();
            format!(
                "{} {:?} {} {} {state}",
                pod.name_any(),
                status.phase,
                pod.metadata.creation_timestamp.as_ref().map(|t| t.0.to_string()).unwrap_or_default(),
                conditions.join(" ")
            )
        };
        self.api::<Pod>()
            .list(&ListParams::default())
            .await
            .expect("pods")
            .items
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Waits until an application is ready in its newest generation.
    pub async fn until_ready(&self, name: &str) -> Status {
        let generation = self.api::<MicroserviceApp>().get(name).await.expect("it is there").metadata.generation;
        self.until(name, "ready", |s| s.observed_generation == generation && is(s, "Ready", "True")).await
    }

    pub async fn get<
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    >(
        &self,
        name: &str,
    ) -> Option<K> {
        self.api::<K>().get_opt(name).await.expect("it can be asked for")
    }

    /// Waits until an object is there, or is not.
    pub async fn until_object<
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    >(
        &self,
        name: &str,
        holds: impl Fn(Option<&K>) -> bool,
    ) {
        let begun = Instant::now();
        while !holds(self.get::<K>(name).await.as_ref()) {
            assert!(begun.elapsed() < PATIENCE, "{} {}/{name}: not in time", K::kind(&()), self.name);
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// Waits until something holds that has to be asked for.
    pub async fn eventually<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) {
        let begun = Instant::now();
        while !holds().await {
            assert!(begun.elapsed() < PATIENCE, "{}: not in time: {what}", self.name);
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// Objects of a kind of ours.
    pub fn kind(&self, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.name, &resource(Owned::of(kind).expect("it is of ours")))
    }

    /// What items of a list do not say of themselves.
    pub fn kind_of(&self, kind: &str) -> kube::core::TypeMeta {
        let resource = resource(Owned::of(kind).expect("it is of ours"));
        kube::core::TypeMeta { api_version: resource.api_version, kind: resource.kind }
    }

    /// Changes an object of ours, by `Kind/name`, as somebody else would.
    pub async fn edit(&self, id: &str, change: Value) -> DynamicObject {
        let (kind, name) = id.split_once('/').unwrap();
        let params = PatchParams { field_manager: Some("mallory".into()), ..Default::default() };
        self.kind(kind)
            .patch(name, &params, &Patch::Merge(change))
            .await
            .unwrap_or_else(|e| panic!("{id} can be changed: {e}"))
    }

    /// Deletes an object of ours, by `Kind/name`.
    pub async fn remove(&self, id: &str) {
        let (kind, name) = id.split_once('/').unwrap();
        drop(
            self.kind(kind)
                .delete(name, &DeleteParams::background())
                .await
                .unwrap_or_else(|e| panic!("{id} can be deleted: {e}")),
        );
    }

    /// An object of ours, by `Kind/name`.
    pub async fn object(&self, id: &str) -> Option<DynamicObject> {
        let (kind, name) = id.split_once('/').unwrap();
        self.kind(kind).get_opt(name).await.expect("it can be asked for")
    }

    /// Every object of ours in the namespace, by `Kind/name`, complete.
    pub async fn objects(&self) -> BTreeMap<String, DynamicObject> {
        let mut all = BTreeMap::new();
        for row in OWNED {
            // Secrets are read by the test, never by the operator.
            let list =
                self.kind(row.kind).list(&ListParams::default().labels("microapp.dev/app")).await.expect("a list");
            all.extend(list.items.into_iter().map(|o| (format!("{}/{}", row.kind, o.name_any()), o)));
        }
        // The controller of StatefulSets keeps revisions of its own, with the labels of the pods.
        all.retain(|id, _| !id.starts_with("ControllerRevision/") || id.ends_with("-data"));
        all
    }

    /// Reasons of the events of an application, oldest first.
    pub async fn events(&self, name: &str) -> Vec<(String, String)> {
        let list = self
            .api::<Event>()
            .list(&ListParams::default().fields(&format!("involvedObject.name={name}")))
            .await
            .expect("events");
        let mut events: Vec<_> = list.items.into_iter().collect();
        events.sort_by_key(|e| e.metadata.creation_timestamp.clone());
        events.into_iter().map(|e| (e.reason.unwrap_or_default(), e.message.unwrap_or_default())).collect()
    }
}

/// Whether a condition has a status.
pub fn is(status: &Status, kind: &str, value: &str) -> bool {
    status.conditions.iter().any(|c| c.type_ == kind && c.status == value)
}

/// Reason of a condition.
pub fn reason<'a>(status: &'a Status, kind: &str) -> &'a str {
    status.conditions.iter().find(|c| c.type_ == kind).map_or("", |c| c.reason.as_str())
}

/// Message of a condition.
pub fn message<'a>(status: &'a Status, kind: &str) -> &'a str {
    status.conditions.iter().find(|c| c.type_ == kind).map_or("", |c| c.message.as_str())
}

/// What an object is, without what every write or every creation changes.
pub fn comparable(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap();
    for key in ["managedFields", "resourceVersion", "generation", "creationTimestamp", "uid"] {
        value["metadata"].as_object_mut().unwrap().remove(key);
    }
    // Items of a list do not say what they are.
    for key in ["status", "apiVersion", "kind"] {
        value.as_object_mut().unwrap().remove(key);
    }
    value
}

/// The identifiers of objects, by `Kind/name`.
pub fn uids(objects: &BTreeMap<String, DynamicObject>) -> BTreeMap<String, String> {
    objects.iter().map(|(id, object)| (id.clone(), object.uid().unwrap())).collect()
}

/// [`shop`] with another specification.
pub fn shop_with(change: impl FnOnce(&mut Value)) -> Value {
    let mut app = shop();
    change(&mut app["spec"]);
    app
}

/// The application that most tests use: a gateway, two services, a database.
pub fn shop() -> Value {
    json!({
        "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": { "name": "shop" },
        "spec": {
            "services": [
                { "name": "web", "image": "example.com/web:1", "replicas": 2, "routes": [{ "path": "/" }],
                    "calls": [{ "service": "orders" }] },
                { "name": "orders", "image": "example.com/orders:1", "replicas": 2, "routes": [{
                    "path": "/api/orders" }], "uses": [{ "component": "Database" }] },
            ],
            "gateway": {},
            "database": {},
        }
    })
}
