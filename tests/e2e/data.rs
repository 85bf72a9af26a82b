//! Data that survives: the application goes and comes, the rows stay; what cannot be opened is not overwritten.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::json;

use crate::load::{get, post};
use crate::place::{eventually, gateway, shop, space};
use crate::support::space::{Space, message, reason};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, and pods that really run: `make test` runs it"]
async fn rows_outlive_the_application_and_lost_passwords_are_not_replaced() {
    let Some(space) = space("data").await else { return };
    space.apply(shop(|_| ())).await;
    space.until_ready("shop").await;
    let made = post(&format!("{}/api/orders", gateway(&space).await), &json!({ "item": "kept" })).expect("an answer");
    let id = made.body["order"]["id"].clone();
    let volume = claim(&space).await.spec.and_then(|s| s.volume_name);

    gone(&space).await;
    space.apply(shop(|_| ())).await;
    space.until_ready("shop").await;
    let read = get(&format!("{}/api/orders/{id}", gateway(&space).await)).expect("an answer");
    assert_eq!((read.status, &read.body["order"]["item"]), (200, &json!("kept")), "{read:?}");
    assert_eq!(claim(&space).await.spec.and_then(|s| s.volume_name), volume, "the old volume was opened");

    gone(&space).await;
    let secrets: Api<Secret> = space.api();
    let admin = secrets
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .into_iter()
        .find(|s| s.name_any().starts_with("shop-database-admin-"))
        .expect("the administrator's Secret is kept");
    secrets.delete(&admin.name_any(), &DeleteParams::default()).await.unwrap();
    let before = claim(&space).await;
    space.apply(shop(|_| ())).await;
    let status = space.until("shop", "CredentialsLost", |s| reason(s, "Ready") == "CredentialsLost").await;
    assert!(message(&status, "Ready").contains(&admin.name_any()), "{}", message(&status, "Ready"));
    assert!(secrets.get_opt(&admin.name_any()).await.unwrap().is_none(), "no new password is made");
    assert!(space.get::<Pod>("shop-database-0").await.is_none(), "nothing is started");
    let after = claim(&space).await;
    assert_eq!((after.spec, after.metadata.uid), (before.spec, before.metadata.uid), "the volume is as it was");

    let mut restored = Secret { metadata: Default::default(), ..admin.clone() };
    restored.metadata.name = admin.metadata.name.clone();
    restored.metadata.labels = admin.metadata.labels.clone();
    restored.metadata.owner_references = admin.metadata.owner_references.clone();
    secrets.create(&PostParams::default(), &restored).await.unwrap();
    space.until_ready("shop").await;
    let read = get(&format!("{}/api/orders/{id}", gateway(&space).await)).expect("an answer");
    assert_eq!(read.status, 200, "{read:?}");
}

async fn claim(space: &Space) -> PersistentVolumeClaim {
    space.get("data-shop-database-0").await.expect("the claim is there")
}

/// Deletes the application and waits until its pods are gone.
async fn gone(space: &Space) {
    space.delete("shop").await;
    let pods: Api<Pod> = space.api();
    eventually(120, "every pod is gone", || crate::place::none(&pods)).await;
}
