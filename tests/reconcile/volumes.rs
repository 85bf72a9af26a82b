//! Volumes: they grow, keep what cannot be changed, and are never replaced by empty ones.

use k8s_openapi::api::{
    core::v1::{PersistentVolumeClaim, Pod},
    storage::v1::StorageClass,
};
use kube::{Api, ResourceExt, api::PostParams};
use microapp::app::Status;
use serde_json::json;

use crate::Setup;
use crate::data::{CLAIM, claim, deleted, follow, ready};
use crate::support::space::{Space, is, message, reason, shop, shop_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_volume_grows_and_never_shrinks() {
    let sized = |size: &str| shop_with(|spec| spec["database"] = json!({ "storage": { "size": size } }));
    let Some(setup) = ready("growth", sized("1Gi")).await else { return };
    let space = &setup.space;
    let capacity = async || claim(space).await.status.unwrap().capacity.unwrap()["storage"].0.clone();
    space.apply(sized("2Gi")).await;
    space.eventually("the volume has grown", async || capacity().await == "2Gi").await;
    space.until_ready("shop").await;
    let volume = claim(space).await.metadata.uid;
    deleted(space).await;
    space.apply(sized("1Gi")).await;
    space.until("shop", "told of the size", |s| reason(s, "DataWarning") == "VolumeKeepsItsSize").await;
    space.until_ready("shop").await;
    assert_eq!(claim(space).await.metadata.uid, volume);
    assert_eq!(claim(space).await.spec.unwrap().resources.unwrap().requests.unwrap()["storage"].0, "2Gi");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_lost_volume_is_not_replaced_by_an_empty_one() {
    let Some(setup) = ready("vanished", shop()).await else { return };
    let space = &setup.space;
    setup.quiet().await;
    space.remove(&format!("PersistentVolumeClaim/{CLAIM}")).await;
    let status = space.until("shop", "warning", |s| reason(s, "DataWarning") == "VolumeBeingDeleted").await;
    assert!(is(&status, "Ready", "True"), "it still works");
    space
        .eventually("it is told", async || {
            space.events("shop").await.iter().any(|(reason, _)| reason == "VolumeBeingDeleted")
        })
        .await;
    space.api::<Pod>().delete("shop-database-0", &Default::default()).await.unwrap();
    let status = space
        .until("shop", "in want of its volume", |s| reason(s, "Ready") == "VolumeLost" && is(s, "Stalled", "True"))
        .await;
    setup.quiet().await;
    // The controller of StatefulSets goes on trying.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(
        space.get::<PersistentVolumeClaim>(CLAIM).await.is_none()
            && space.get::<Pod>("shop-database-0").await.is_none()
    );
    follow(space, message(&status, "Ready")).await;
    space.until_ready("shop").await;
}

/// A StorageClass of the test cluster's volumes that does not let them grow.
async fn rigid(space: &Space) {
    let provisioner = "cluster.microapp.dev/volumes";
    let class: StorageClass =
        serde_json::from_value(json!({ "metadata": { "name": "rigid" }, "provisioner": provisioner })).unwrap();
    drop(Api::<StorageClass>::all(space.client.clone()).create(&PostParams::default(), &class).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_growth_that_is_refused_stops_nothing_and_can_be_taken_back() {
    let sized = |size: &str, image: &str| {
        shop_with(|spec| {
            spec["database"] = json!({ "storage": { "size": size, "className": "rigid" }, "image": image })
        })
    };
    let Some(setup) = Setup::new("rigid").await else { return };
    let space = &setup.space;
    rigid(space).await;
    space.apply(sized("1Gi", "example.com/postgres:18.6")).await;
    space.until_ready("shop").await;
    space.apply(sized("2Gi", "example.com/postgres:18.7")).await;
    let rolled = |s: &Status| s.parts.iter().any(|p| p.image.as_deref() == Some("example.com/postgres:18.7"));
    let status = space.until("shop", "told", |s| reason(s, "DataWarning") == "VolumeNotResizable" && rolled(s)).await;
    assert!(message(&status, "DataWarning").contains(CLAIM));
    space.until_ready("shop").await;
    space.apply(sized("1Gi", "example.com/postgres:18.7")).await;
    space.until("shop", "as it was", |s| is(s, "Ready", "True") && reason(s, "DataWarning").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_class_that_is_not_there_can_be_corrected_as_told() {
    let of = |class: Option<&str>| {
        // Not an empty object, which an apply that takes the last field away leaves as null.
        shop_with(|spec| {
            spec["database"] =
                class.map_or(json!({ "engine": "PostgreSQL" }), |class| json!({ "storage": { "className": class } }))
        })
    };
    let Some(setup) = Setup::new("class").await else { return };
    let space = &setup.space;
    space.apply(of(Some("nowhere"))).await;
    space.eventually("the claim waits", async || space.get::<PersistentVolumeClaim>(CLAIM).await.is_some()).await;
    for corrected in [Some("also-nowhere"), None] {
        space.apply(of(corrected)).await;
        let status = space.until("shop", "told", |s| reason(s, "Ready") == "VolumeOfAnotherClass").await;
        follow(space, message(&status, "Ready")).await;
        space
            .eventually("it is made anew", async || {
                let class = space.get::<PersistentVolumeClaim>(CLAIM).await.and_then(|c| c.spec?.storage_class_name);
                class.is_some() && class.as_deref() != Some("nowhere")
            })
            .await;
    }
    space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn another_class_than_the_volume_has_is_told_and_ignored() {
    let Some(setup) = ready("other-class", shop()).await else { return };
    let space = &setup.space;
    let of = |class: &str| shop_with(|spec| spec["database"] = json!({ "storage": { "className": class } }));
    space.apply(of("other")).await;
    let status = space
        .until("shop", "told", |s| is(s, "Ready", "True") && reason(s, "DataWarning") == "VolumeKeepsItsClass")
        .await;
    let is = message(&status, "DataWarning").rsplit("className: ").next().unwrap().trim_end_matches('`').to_owned();
    space.apply(of(&is)).await;
    space
        .until("shop", "as told", |s| {
            crate::support::space::is(s, "Ready", "True") && reason(s, "DataWarning").is_empty()
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_claim_that_nobody_wrote_to_is_adopted() {
    let Some(setup) = Setup::new("made-before").await else { return };
    let space = &setup.space;
    let claim: PersistentVolumeClaim = serde_json::from_value(json!({
        "metadata": { "name": CLAIM, "labels": { "microapp.dev/app": "shop", "microapp.dev/part": "database" } },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Mi" } } },
    }))
    .unwrap();
    let made = space.api::<PersistentVolumeClaim>().create(&PostParams::default(), &claim).await.unwrap();
    space.apply(shop()).await;
    space.until_ready("shop").await;
    let adopted = self::claim(space).await;
    assert_eq!(adopted.uid(), made.uid());
    assert_eq!(adopted.labels()["microapp.dev/engine"], "PostgreSQL");
}
