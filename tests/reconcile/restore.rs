//! A restore from a backup: everything is found again, whatever the backup tool keeps of owners and managers.

use kube::ResourceExt;
use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};

use crate::Setup;
use crate::support::backup::{ANCHOR, Owners, Tool, backup, bring_back};
use crate::support::space::{Space, comparable, reason, shop};

const CLAIM: &str = "PersistentVolumeClaim/data-shop-database-0";

/// An application with data, backed up, and a namespace in which nothing is left of it.
async fn disaster(stem: &str) -> Option<(Setup, Vec<DynamicObject>)> {
    let setup = Setup::new(stem).await?;
    setup.space.apply(shop()).await;
    setup.space.until_ready("shop").await;
    // The anchor remembers that the claim held data.
    setup.quiet().await;
    let backup = backup(&setup.space).await;
    assert_eq!(backup.len(), 4, "an anchor, a claim, two Secrets");
    Setup::new(&format!("{stem}-again")).await.map(|setup| (setup, backup))
}

async fn secrets(space: &Space) -> Vec<(String, Value)> {
    let all = space.objects().await.into_iter().filter(|(id, _)| id.starts_with("Secret/shop-database-"));
    all.map(|(id, secret)| (id, comparable(&secret)["data"].clone())).collect()
}

async fn is_found_again(stem: &str, tool: Tool) {
    let Some((setup, backup)) = disaster(stem).await else { return };
    let space = &setup.space;
    bring_back(space, &backup, tool).await;
    let (before, claim) = (secrets(space).await, space.object(CLAIM).await.unwrap().uid());
    space.apply(shop()).await;
    let status = space.until_ready("shop").await;
    setup.quiet().await;
    assert_eq!(secrets(space).await, before, "the old passwords, and no others");
    let (now, anchor) =
        (space.object(CLAIM).await.unwrap(), space.object(&format!("ControllerRevision/{ANCHOR}")).await.unwrap());
    assert_eq!(now.uid(), claim, "the old volume");
    assert_eq!(
        now.owner_references().iter().map(|o| Some(o.uid.clone())).collect::<Vec<_>>(),
        [anchor.uid()],
        "which goes with its anchor again"
    );
    assert!(before[0].0.ends_with(anchor.data["data"]["id"].as_str().unwrap()), "{anchor:?}");
    assert!(status.conditions.iter().all(|c| c.type_ != "DataWarning"), "{:?}", status.conditions);
}

macro_rules! is_found_again {
    ($($test:ident: $managers:literal, $owners:ident, $anchor:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "needs an API server, which Go builds: `make test` runs it"]
        async fn $test() {
            let stem = stringify!($test).replace('_', "-");
            is_found_again(&stem, Tool { managers: $managers, owners: Owners::$owners, anchor: $anchor,
                volumes: false }).await;
        }
    )*};
}

is_found_again! {
    bare: false, Dropped, true;
    managed: true, Dropped, true;
    owned: false, Renewed, true;
    owned_and_managed: true, Renewed, true;
    without_anchor: false, Dropped, false;
    managed_without_anchor: true, Dropped, false;
}

/// Kubernetes itself deletes what names an owner that is not there. Nothing else is made worse by it, and bringing it
/// back the other way mends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn what_the_garbage_collector_took_can_be_brought_back() {
    let Some((setup, backup)) = disaster("dead-owners").await else { return };
    let space = &setup.space;
    bring_back(space, &backup, Tool { managers: true, owners: Owners::Old, anchor: true, volumes: false }).await;
    space
        .eventually("the garbage collector took them", async || {
            secrets(space).await.is_empty() && space.object(CLAIM).await.is_none()
        })
        .await;
    space.apply(shop()).await;
    space.until("shop", "in want of its volume", |s| reason(s, "Ready") == "VolumeLost").await;
    setup.quiet().await;
    assert!(
        secrets(space).await.is_empty()
            && space.object(CLAIM).await.is_none()
            && space.object("StatefulSet/shop-database").await.is_none()
    );
    let rest: Vec<_> = backup.into_iter().filter(|o| o.name_any() != ANCHOR).collect();
    bring_back(space, &rest, Tool { managers: true, owners: Owners::Dropped, anchor: false, volumes: false }).await;
    space.until_ready("shop").await;
}

/// An object that only has the name of an anchor is nobody's data: it is left alone, and nobody is told to throw it
/// away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn nobody_is_told_to_delete_an_anchor() {
    let Some(setup) = Setup::new("anchor").await else { return };
    let bare = json!({ "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": { "name": ANCHOR },
        "data": {}, "revision": 1 });
    setup
        .space
        .kind("ControllerRevision")
        .create(&PostParams::default(), &serde_json::from_value(bare).unwrap())
        .await
        .unwrap();
    setup.space.apply(shop()).await;
    let status = setup.space.until("shop", "in conflict", |s| reason(s, "Ready") == "NameConflict").await;
    let message = crate::support::space::message(&status, "Ready").to_lowercase();
    assert!(message.contains("labels") && !message.contains("delete") && !message.contains("rename"), "{message}");
}
