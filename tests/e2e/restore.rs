//! A disaster: the namespace is gone, and everything is brought back from a backup, with what the volume holds.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::load::{get, post};
use crate::place::{eventually, gateway, shop, space};
use crate::support::backup::{Owners, Tool, backup, bring_back};
use crate::support::space::Space;

async fn change(volumes: &Api<PersistentVolume>, name: &str, change: Value) {
    volumes.patch(name, &PatchParams::default(), &Patch::Merge(change)).await.expect("the volume can be changed");
}

/// Deletes the namespace, and makes it again, empty but for the volume that waits for a claim of the old name.
async fn disaster(space: &Space, volume: &str) {
    let volumes: Api<PersistentVolume> = Api::all(space.client.clone());
    change(&volumes, volume, json!({ "spec": { "persistentVolumeReclaimPolicy": "Retain" } })).await;
    let namespaces: Api<Namespace> = Api::all(space.client.clone());
    let mut namespace = namespaces.get(&space.name).await.unwrap();
    namespaces.delete(&space.name, &DeleteParams::default()).await.unwrap();
    eventually(180, "the namespace is gone", async || namespaces.get_opt(&space.name).await.unwrap().is_none()).await;
    change(&volumes, volume, json!({ "spec": { "claimRef": { "uid": null, "resourceVersion": null } } })).await;
    namespace.metadata = kube::core::ObjectMeta {
        name: Some(space.name.clone()),
        labels: namespace.metadata.labels,
        ..Default::default()
    };
    (namespace.spec, namespace.status) = (None, None);
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, and pods that really run: `make test` runs it"]
async fn rows_outlive_the_namespace() {
    let Some(space) = space("restore").await else { return };
    space.apply(shop(|_| ())).await;
    space.until_ready("shop").await;
    let made = post(&format!("{}/api/orders", gateway(&space).await), &json!({ "item": "kept" })).expect("an answer");
    let id = made.body["order"]["id"].clone();
    for (managers, owners, anchor) in [
        (false, Owners::Dropped, true),
        (true, Owners::Renewed, true),
        (true, Owners::Dropped, false),
        (false, Owners::Renewed, true),
    ] {
        let tool = Tool { managers, owners, anchor, volumes: true };
        let claim: PersistentVolumeClaim = space.get("data-shop-database-0").await.expect("the claim is there");
        let volume = claim.spec.and_then(|spec| spec.volume_name).expect("it is bound");
        let (kept, names) = (backup(&space).await, secrets(&space).await);
        disaster(&space, &volume).await;
        bring_back(&space, &kept, tool).await;
        space.apply(shop(|_| ())).await;
        space.until_ready("shop").await;
        let read = get(&format!("{}/api/orders/{id}", gateway(&space).await)).expect("an answer");
        assert_eq!((read.status, &read.body["order"]["item"]), (200, &json!("kept")), "{tool:?}: {read:?}");
        assert_eq!(secrets(&space).await, names, "{tool:?}: the old passwords, and no others");
    }
}

/// The Secrets of the database, with what is in them.
async fn secrets(space: &Space) -> BTreeMap<String, Value> {
    let all = space.objects().await.into_iter().filter(|(id, _)| id.starts_with("Secret/shop-database-"));
    all.map(|(id, secret)| (id, secret.data["data"].clone())).collect()
}
