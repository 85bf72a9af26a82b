//! What nobody wants any more goes; data stays until somebody means it.

use std::collections::{BTreeMap, BTreeSet};

use kube::{ResourceExt, api::PostParams};
use microapp::app::MicroserviceApp;
use microapp::cluster::{
    facts,
    index::{AppKey, Index},
    prune::prune,
};
use microapp::kit::objects::Id;
use serde_json::{Value, json};

use crate::Setup;
use crate::support::space::{is, shop, shop_with, uids};

/// The specification without its database, which stood last in the second service.
fn without_database(spec: &mut Value) {
    spec.as_object_mut().unwrap().remove("database");
    spec["services"][1].as_object_mut().unwrap().remove("uses");
}

fn is_data(id: &str) -> bool {
    ["ControllerRevision/", "PersistentVolumeClaim/", "Secret/"].iter().any(|kind| id.starts_with(kind))
}

async fn ready(stem: &str, app: Value) -> Option<(Setup, BTreeMap<String, String>)> {
    let setup = Setup::new(stem).await?;
    setup.space.apply(app).await;
    setup.space.until_ready("shop").await;
    let before = uids(&setup.space.objects().await);
    Some((setup, before))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_part_that_leaves_takes_its_objects_along() {
    let Some((setup, before)) = ready("part", shop()).await else { return };
    // Whoever restores a backup may set our labels; what the application does not own is not its to delete.
    let theirs = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "shop--web--theirs",
        "labels": { "microapp.dev/app": "shop" } } });
    setup
        .space
        .kind("ConfigMap")
        .create(&PostParams::default(), &serde_json::from_value(theirs).unwrap())
        .await
        .unwrap();
    setup
        .space
        .apply(shop_with(|spec| {
            spec.as_object_mut().unwrap().remove("gateway");
            spec["services"].as_array_mut().unwrap().remove(0);
            spec["services"][0].as_object_mut().unwrap().remove("routes");
        }))
        .await;
    setup.space.until_ready("shop").await;
    let gone = |id: &str| id.contains("/shop-gateway") || id.contains("/shop--web");
    let kept: BTreeMap<_, _> = before.into_iter().filter(|(id, _)| !gone(id)).collect();
    let mut there = uids(&setup.space.objects().await);
    assert!(there.remove("ConfigMap/shop--web--theirs").is_some(), "{there:#?}");
    assert_eq!(there, kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_database_that_leaves_leaves_its_data_and_finds_it_again() {
    leaves_and_comes_back("Retain").await;
}

/// Data goes with the application, not with a line of its specification.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_database_that_leaves_an_application_that_lives_leaves_its_data_whatever_the_policy() {
    leaves_and_comes_back("Delete").await;
}

async fn leaves_and_comes_back(policy: &str) {
    let with_policy = |spec: &mut Value| spec["dataRetention"] = policy.into();
    let Some((setup, before)) = ready("data", shop_with(with_policy)).await else { return };
    let without_database = |spec: &mut Value| {
        with_policy(spec);
        without_database(spec);
    };
    setup.space.apply(shop_with(without_database)).await;
    let status = setup.space.until_ready("shop").await;
    let data: BTreeMap<_, _> =
        before.iter().filter(|(id, _)| is_data(id)).map(|(id, uid)| (id.clone(), uid.clone())).collect();
    let there = uids(&setup.space.objects().await);
    assert!(!there.keys().any(|id| id.contains("shop-provisioner") || id.starts_with("StatefulSet/")), "{there:#?}");
    assert_eq!(there.into_iter().filter(|(id, _)| is_data(id)).collect::<BTreeMap<_, _>>(), data);
    assert_eq!(status.retained.iter().map(|kept| kept.anchor.as_str()).collect::<Vec<_>>(), ["shop-database-data"]);
    assert!(
        status.retained[0].since.is_some()
            && status.retained[0].purge.contains("delete controllerrevision shop-database-data")
    );
    setup
        .space
        .eventually("the event is there", async || {
            setup.space.events("shop").await.iter().any(|(reason, _)| reason == "DataRetained")
        })
        .await;
    setup.space.apply(shop_with(with_policy)).await;
    let status = setup.space.until_ready("shop").await;
    assert!(status.retained.is_empty());
    let there = uids(&setup.space.objects().await);
    assert_eq!(there.keys().collect::<BTreeSet<_>>(), before.keys().collect(), "the same names");
    assert_eq!(there.into_iter().filter(|(id, _)| is_data(id)).collect::<BTreeMap<_, _>>(), data, "the same data");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn nothing_is_deleted_by_an_old_plan() {
    let Some((mut setup, _)) = ready("old-plan", shop()).await else { return };
    setup.kill();
    let space = &setup.space;
    let old = space.api::<MicroserviceApp>().get("shop").await.unwrap();
    let new = space.apply(shop_with(|spec| spec["progressDeadlineSeconds"] = 60.into())).await;
    let id = Id { kind: "Service", name: "shop-gateway".into() };
    let record = facts::record(id.kind, &space.object("Service/shop-gateway").await.unwrap());
    let (index, _changes) = Index::new(0);
    let key = AppKey { namespace: space.name.clone(), name: "shop".into() };
    let unwanted = [(&id, &record)];
    assert!(!prune(&space.client, &index, &key, &old, &unwanted).await.unwrap());
    let another = MicroserviceApp {
        metadata: kube::core::ObjectMeta { uid: Some("another".into()), ..new.metadata.clone() },
        ..new.clone()
    };
    assert!(!prune(&space.client, &index, &key, &another, &unwanted).await.unwrap());
    let (unseen, _changes) = Index::new(1);
    assert!(!prune(&space.client, &unseen, &key, &new, &unwanted).await.unwrap());
    assert!(space.object("Service/shop-gateway").await.is_some());
    assert!(prune(&space.client, &index, &key, &new, &unwanted).await.unwrap());
    assert!(space.object("Service/shop-gateway").await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn retention_is_the_owner_of_the_anchor() {
    let Some((setup, before)) = ready("retention", shop()).await else { return };
    let owners =
        async || setup.space.object("ControllerRevision/shop-database-data").await.unwrap().owner_references().len();
    assert_eq!(owners().await, 0);
    for (policy, count) in [("Delete", 1), ("Retain", 0)] {
        setup.space.apply(shop_with(|spec| spec["dataRetention"] = policy.into())).await;
        setup.space.eventually(policy, async || owners().await == count).await;
    }
    setup.space.until_ready("shop").await;
    assert_eq!(uids(&setup.space.objects().await), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn deletion_needs_no_operator() {
    for policy in ["Retain", "Delete"] {
        let Some((mut setup, before)) =
            ready("deletion", shop_with(|spec| spec["dataRetention"] = policy.into())).await
        else {
            return;
        };
        setup.kill();
        setup.space.delete("shop").await;
        let left: BTreeMap<_, _> = before.into_iter().filter(|(id, _)| policy == "Retain" && is_data(id)).collect();
        setup.space.eventually(policy, async || uids(&setup.space.objects().await) == left).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn an_application_that_comes_again_finds_its_data() {
    let Some((setup, before)) = ready("again", shop()).await else { return };
    let data =
        |all: BTreeMap<String, String>| all.into_iter().filter(|(id, _)| is_data(id)).collect::<BTreeMap<_, _>>();
    setup.space.delete("shop").await;
    // At once: the garbage collector is still at work on the old objects.
    setup.space.apply(shop()).await;
    let status = setup.space.until_ready("shop").await;
    assert!(is(&status, "DatabaseReady", "True"));
    let there = setup.space.objects().await;
    assert_eq!(data(uids(&there)), data(before));
    let app = setup.space.api::<MicroserviceApp>().get("shop").await.unwrap();
    for (id, object) in there.iter().filter(|(id, _)| !is_data(id)) {
        assert_eq!(
            json!(object.owner_references().iter().map(|o| &o.uid).collect::<Vec<_>>()),
            json!([app.metadata.uid]),
            "{id}"
        );
    }
}
