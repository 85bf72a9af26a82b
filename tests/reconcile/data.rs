//! Data is never opened by the wrong hands, and never lost by ours.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::{
    ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::World;
use crate::support::space::{Space, is, reason, shop, shop_with, uids};

const CLAIM: &str = "data-shop-database-0";

async fn ready(stem: &str, app: Value) -> Option<World> {
    let world = World::new(stem).await?;
    world.space.apply(app).await;
    world.space.until_ready("shop").await;
    Some(world)
}

/// Deletes the application and waits until only its data is left.
async fn deleted(space: &Space) {
    space.delete("shop").await;
    space
        .eventually("only data is left", async || {
            space.objects().await.keys().all(|id| ["ControllerRevision/", "PersistentVolumeClaim/", "Secret/"].iter().any(|kind| id.starts_with(kind)))
        })
        .await;
}

async fn claim(space: &Space) -> PersistentVolumeClaim {
    space.get(CLAIM).await.unwrap()
}

async fn admin(space: &Space) -> Option<Secret> {
    let secrets = space.api::<Secret>().list(&ListParams::default()).await.unwrap();
    secrets.items.into_iter().find(|s| s.name_any().starts_with("shop-database-admin-"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_whose_password_is_gone_is_not_opened() {
    let Some(world) = ready("lost", shop()).await else { return };
    let space = &world.space;
    deleted(space).await;
    let (volume, secret) = (claim(space).await, admin(space).await.unwrap());
    space.remove(&format!("Secret/{}", secret.name_any())).await;
    space.apply(shop()).await;
    let status = space.until("shop", "in want of its password", |s| reason(s, "Ready") == "CredentialsLost").await;
    assert!(is(&status, "Stalled", "True"));
    world.quiet().await;
    assert!(admin(space).await.is_none() && space.object("StatefulSet/shop-database").await.is_none());
    assert_eq!(claim(space).await, volume);
    // As from a backup: with neither its old uid nor its version.
    let mut restored = Secret { metadata: kube::core::ObjectMeta { name: Some(secret.name_any()), ..Default::default() }, ..secret };
    restored.metadata.labels = None;
    space.api::<Secret>().create(&PostParams::default(), &restored).await.unwrap();
    space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_of_another_major_is_left_alone() {
    let Some(world) = ready("engine", shop()).await else { return };
    let space = &world.space;
    let major = space.object(&format!("PersistentVolumeClaim/{CLAIM}")).await.unwrap().labels()["microapp.dev/major"].clone();
    let relabel = async |major: &str| {
        drop(space.meddle(&format!("PersistentVolumeClaim/{CLAIM}"), json!({ "metadata": { "labels": { "microapp.dev/major": major } } })).await)
    };
    // While it runs: it is said, and nothing of what runs is touched.
    let before = uids(&space.objects().await);
    relabel("17").await;
    space.until("shop", "refused", |s| reason(s, "Ready") == "VolumeOfAnotherEngine" && is(s, "Stalled", "True")).await;
    world.quiet().await;
    assert_eq!(uids(&space.objects().await), before);
    // When it comes again: nothing starts.
    deleted(space).await;
    space.apply(shop()).await;
    space.until("shop", "refused", |s| reason(s, "Ready") == "VolumeOfAnotherEngine").await;
    world.quiet().await;
    assert!(space.object("StatefulSet/shop-database").await.is_none());
    relabel(&major).await;
    space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_grows_and_never_shrinks() {
    let sized = |size: &str| shop_with(|spec| spec["database"] = json!({ "storage": { "size": size } }));
    let Some(world) = ready("growth", sized("1Gi")).await else { return };
    let space = &world.space;
    let capacity = async || claim(space).await.status.unwrap().capacity.unwrap()["storage"].0.clone();
    space.apply(sized("2Gi")).await;
    space.eventually("the volume has grown", async || capacity().await == "2Gi").await;
    space.until_ready("shop").await;
    let volume = claim(space).await.metadata.uid;
    deleted(space).await;
    space.apply(sized("1Gi")).await;
    space.until_ready("shop").await;
    assert_eq!(claim(space).await.metadata.uid, volume);
    assert_eq!(claim(space).await.spec.unwrap().resources.unwrap().requests.unwrap()["storage"].0, "2Gi");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_one_credential_for_ever() {
    let Some(world) = ready("secrets", shop()).await else { return };
    let api = world.space.api::<Secret>();
    let secrets = api.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(secrets.len(), 2, "one for the administrator, one for the service that uses the database");
    for secret in &secrets {
        let key = |key: &str| String::from_utf8(secret.data.as_ref().unwrap()[key].0.clone()).unwrap();
        let password = key("password");
        assert!(password.len() == 32 && password.chars().all(|c| c.is_ascii_alphanumeric()));
        assert!(["postgres", "orders"].contains(&key("username").as_str()));
        let change = Patch::Merge(json!({ "stringData": { "password": "changed" } }));
        let answer = api.patch(&secret.name_any(), &PatchParams::default(), &change).await;
        assert!(answer.is_err_and(|e| e.to_string().contains("immutable")));
    }
    assert_ne!(secrets[0].data.as_ref().unwrap()["password"], secrets[1].data.as_ref().unwrap()["password"]);
    let everything: Vec<DynamicObject> = world.space.objects().await.into_iter().filter(|(id, _)| !id.starts_with("Secret/")).map(|(_, o)| o).collect();
    let text = serde_json::to_string(&everything).unwrap();
    for secret in &secrets {
        let password = String::from_utf8(secret.data.as_ref().unwrap()["password"].0.clone()).unwrap();
        assert!(!text.contains(&password), "a password stands outside its Secret");
    }
}
