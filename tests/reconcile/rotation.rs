//! A Secret that people named changes: the pods that use it begin anew, once, and nobody else's.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Secret,
};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::Setup;
use crate::support::{provisioner::Behaviour, space::Space};

const SECRETS: &str = "microapp.dev/secrets";

/// Two services without a database: one uses a key of `stripe` and all of `common`, the other nothing.
fn app() -> Value {
    json!({
        "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": { "name": "pay" },
        "spec": { "services": [
            {
                "name": "cards", "image": "example.com/cards:1",
                "env": [{ "name": "KEY", "valueFrom": { "secretKeyRef": { "name": "stripe", "key": "apiKey" } } }],
                "configFiles": [{ "name": "files", "secretRef": { "name": "common" } }],
            },
            { "name": "web", "image": "example.com/web:1" },
        ] }
    })
}

async fn put(space: &Space, name: &str, data: Value) {
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": data });
    space.api::<Secret>().patch(name, &PatchParams::apply("user").force(), &Patch::Apply(secret)).await.unwrap();
}

/// Deletes a Secret, and leaves the provisioner time to miss it.
async fn remove(space: &Space, name: &str) {
    space.api::<Secret>().delete(name, &DeleteParams::default()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// What the Deployment remembers, and the mark of its pods.
async fn remembered(space: &Space) -> (Value, Option<String>) {
    let live = space.get::<Deployment>("pay--cards").await.unwrap();
    let seen = live
        .metadata
        .annotations
        .unwrap_or_default()
        .get(SECRETS)
        .map(|seen| serde_json::from_str(seen).unwrap())
        .unwrap_or_default();
    (seen, live.spec.unwrap().template.metadata.unwrap().annotations.unwrap_or_default().get(SECRETS).cloned())
}

/// What each Deployment's pods are made of.
async fn templates(space: &Space) -> BTreeMap<String, Value> {
    let objects = space.objects().await.into_iter().filter(|(id, _)| id.starts_with("Deployment/"));
    objects.map(|(id, object)| (id, object.data["spec"]["template"].clone())).collect()
}

/// How often the pods of `cards` were made of something else.
async fn replica_sets(space: &Space) -> usize {
    space
        .api::<ReplicaSet>()
        .list(&ListParams::default().labels("microapp.dev/part=service.cards"))
        .await
        .unwrap()
        .items
        .len()
}

async fn until_seen(space: &Space, holds: impl Fn(&Value) -> bool) -> Value {
    space.eventually("the Secrets are seen", async || holds(&remembered(space).await.0)).await;
    remembered(space).await.0
}

/// Waits until a change is seen, and answers what it changed.
async fn rolled(setup: &Setup, change: impl AsyncFnOnce(&Space)) -> Vec<String> {
    let space = &setup.space;
    let (before, seen) = (templates(space).await, remembered(space).await.0);
    change(space).await;
    until_seen(space, |now| *now != seen).await;
    setup.quiet().await;
    let after = templates(space).await;
    after.into_iter().filter(|(id, template)| before[id] != *template).map(|(id, _)| id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_changed_secret_rolls_the_pods_that_use_it_once() {
    let Some(mut setup) = Setup::new("rotation").await else { return };
    put(&setup.space, "stripe", json!({ "apiKey": "sk_1", "other": "a" })).await;
    put(&setup.space, "common", json!({ "a": "1" })).await;
    setup.space.apply(app()).await;
    setup.space.until_ready("pay").await;
    until_seen(&setup.space, |seen| seen["digests"].as_object().is_some_and(|digests| digests.len() == 2)).await;
    setup.quiet().await;
    assert_eq!(replica_sets(&setup.space).await, 1, "to see them first rolls nothing");

    let only_cards = ["Deployment/pay--cards"];
    assert_eq!(rolled(&setup, async |space| put(space, "stripe", json!({ "apiKey": "sk_2" })).await).await, only_cards);
    let (seen, mark) = remembered(&setup.space).await;
    assert!(mark.is_some());
    let told = async || setup.space.events("pay").await;
    setup
        .space
        .eventually("the event is there", async || {
            told()
                .await
                .iter()
                .any(|(reason, message)| reason == "SecretChanged" && message.starts_with("stripe/apiKey changed"))
        })
        .await;

    // What is not used, and what comes back as it was, is no change; neither is a new operator.
    put(&setup.space, "stripe", json!({ "other": "b" })).await;
    remove(&setup.space, "common").await;
    put(&setup.space, "common", json!({ "a": "1" })).await;
    setup.start();
    setup.quiet().await;
    assert_eq!(remembered(&setup.space).await, (seen, mark.clone()));

    let renewed = async |space: &Space| {
        remove(space, "common").await;
        put(space, "common", json!({ "a": "2" })).await;
    };
    assert_eq!(rolled(&setup, renewed).await, only_cards);
    assert_ne!(remembered(&setup.space).await.1, mark, "each change has a mark of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_secret_that_is_named_later_rolls_the_pods_once_and_not_twice() {
    let Some(setup) = Setup::new("named").await else { return };
    put(&setup.space, "stripe", json!({ "apiKey": "sk_1" })).await;
    let mut first = app();
    first["spec"]["services"][0].as_object_mut().unwrap().remove("configFiles");
    setup.space.apply(first).await;
    setup.space.until_ready("pay").await;
    until_seen(&setup.space, |seen| seen["digests"]["stripe/apiKey"].is_string()).await;
    // It is not there yet: its pods wait for it, and its coming is no change.
    setup.space.apply(app()).await;
    setup.quiet().await;
    put(&setup.space, "common", json!({ "a": "1" })).await;
    until_seen(&setup.space, |seen| seen["digests"]["common"].is_string()).await;
    setup.quiet().await;
    assert_eq!(replica_sets(&setup.space).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_lost_key_is_made_anew_and_rolls_nothing() {
    let Some(setup) = Setup::new("digest-key").await else { return };
    put(&setup.space, "stripe", json!({ "apiKey": "sk_1" })).await;
    put(&setup.space, "common", json!({ "a": "1" })).await;
    setup.space.apply(app()).await;
    setup.space.until_ready("pay").await;
    let seen = until_seen(&setup.space, |seen| seen["digests"]["stripe/apiKey"].is_string()).await;
    setup.provisioner.behave(Behaviour::Keyless);
    let next = seen["key"].as_str().unwrap().replace("-v1-", "-v2-");
    let now = until_seen(&setup.space, |seen| seen["key"] == next.as_str()).await;
    assert_ne!(now["digests"], seen["digests"], "digests of two keys have nothing in common");
    setup.quiet().await;
    assert_eq!(replica_sets(&setup.space).await, 1);
    let keys: Api<Secret> = setup.space.api();
    assert!(keys.get(&next).await.unwrap().immutable == Some(true));
    // Under the new key changes are seen as before.
    assert_eq!(
        rolled(&setup, async |space| put(space, "stripe", json!({ "apiKey": "sk_2" })).await).await,
        ["Deployment/pay--cards"]
    );
}
