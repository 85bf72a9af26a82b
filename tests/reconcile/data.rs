//! Data is never opened by the wrong hands, and never lost by ours.

use k8s_openapi::api::{
    apps::v1::ControllerRevision,
    core::v1::{PersistentVolumeClaim, Secret},
};
use kube::{
    ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use microapp::app::MicroserviceApp;
use serde_json::{Value, json};

use crate::Setup;
use crate::support::provisioner::Behaviour;
use crate::support::space::{Space, is, message, reason, shop, shop_with, uids};

pub(super) const CLAIM: &str = "data-shop-database-0";

pub(super) async fn ready(stem: &str, app: Value) -> Option<Setup> {
    let setup = Setup::new(stem).await?;
    setup.space.apply(app).await;
    setup.space.until_ready("shop").await;
    Some(setup)
}

/// Deletes the application and waits until only its data is left.
pub(super) async fn deleted(space: &Space) {
    space.delete("shop").await;
    space
        .eventually("only data is left", async || {
            space.objects().await.keys().all(|id| {
                ["ControllerRevision/", "PersistentVolumeClaim/", "Secret/"].iter().any(|kind| id.starts_with(kind))
            })
        })
        .await;
}

pub(super) async fn claim(space: &Space) -> PersistentVolumeClaim {
    space.get(CLAIM).await.unwrap()
}

async fn admin(space: &Space) -> Option<Secret> {
    let secrets = space.api::<Secret>().list(&ListParams::default()).await.unwrap();
    secrets.items.into_iter().find(|s| s.name_any().starts_with("shop-database-admin-"))
}

/// The names of the database's Secrets.
async fn secrets(space: &Space) -> Vec<String> {
    let all = space.api::<Secret>().list(&ListParams::default()).await.unwrap().items;
    all.iter().map(ResourceExt::name_any).filter(|name| name.starts_with("shop-database-")).collect()
}

/// Follows the advice of a message to the letter: what stands in it as a command of kubectl.
pub(super) async fn follow(space: &Space, told: &str) {
    let commands = told
        .split("kubectl -n ")
        .skip(1)
        .map(|rest| rest.split_whitespace().take_while(|word| !["&&", "or", "and"].contains(word)).collect::<Vec<_>>());
    let mut followed = 0;
    for words in commands {
        let [namespace, verb, kind, name, rest @ ..] = words.as_slice() else { panic!("{words:?}") };
        let (kind, name) = (
            if *kind == "persistentvolumeclaim" { "PersistentVolumeClaim" } else { "ControllerRevision" },
            name.trim_end_matches(['.', ';']),
        );
        assert_eq!(*namespace, space.name);
        match *verb {
            "annotate" => {
                let (key, value) = rest[0].split_once('=').unwrap();
                space.edit(&format!("{kind}/{name}"), json!({ "metadata": { "annotations": { key: value } } })).await;
            }
            "delete" => space.remove(&format!("{kind}/{name}")).await,
            other => panic!("{other}"),
        }
        followed += 1;
    }
    assert!(followed > 0, "no advice in: {told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_volume_whose_password_is_gone_is_not_opened() {
    let Some(setup) = ready("lost", shop()).await else { return };
    let space = &setup.space;
    deleted(space).await;
    let (volume, secret) = (claim(space).await, admin(space).await.unwrap());
    for name in secrets(space).await {
        space.remove(&format!("Secret/{name}")).await;
    }
    space.apply(shop()).await;
    let status = space.until("shop", "in want of its password", |s| reason(s, "Ready") == "CredentialsLost").await;
    assert!(is(&status, "Stalled", "True"));
    setup.quiet().await;
    assert_eq!(secrets(space).await, [] as [String; 0], "while it says so it makes none");
    assert!(space.object("StatefulSet/shop-database").await.is_none());
    assert_eq!(claim(space).await.spec, volume.spec);
    // As from a backup: with neither its old uid nor its version.
    let mut restored =
        Secret { metadata: kube::core::ObjectMeta { name: Some(secret.name_any()), ..Default::default() }, ..secret };
    restored.metadata.labels = None;
    space.api::<Secret>().create(&PostParams::default(), &restored).await.unwrap();
    space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_volume_of_another_major_is_left_alone() {
    let Some(setup) = ready("engine", shop()).await else { return };
    let space = &setup.space;
    let major =
        space.object(&format!("PersistentVolumeClaim/{CLAIM}")).await.unwrap().labels()["microapp.dev/major"].clone();
    let relabel = async |major: &str| {
        drop(
            space
                .edit(
                    &format!("PersistentVolumeClaim/{CLAIM}"),
                    json!({ "metadata": { "labels": { "microapp.dev/major": major } } }),
                )
                .await,
        )
    };
    // While it runs: it is said, and nothing of what runs is touched.
    let before = uids(&space.objects().await);
    relabel("17").await;
    space.until("shop", "refused", |s| reason(s, "Ready") == "VolumeOfAnotherEngine" && is(s, "Stalled", "True")).await;
    setup.quiet().await;
    assert_eq!(uids(&space.objects().await), before);
    // When it comes again: nothing starts.
    deleted(space).await;
    space.apply(shop()).await;
    space.until("shop", "refused", |s| reason(s, "Ready") == "VolumeOfAnotherEngine").await;
    setup.quiet().await;
    assert!(space.object("StatefulSet/shop-database").await.is_none());
    relabel(&major).await;
    space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_secret_is_one_credential_for_ever() {
    let Some(setup) = ready("secrets", shop()).await else { return };
    let api = setup.space.api::<Secret>();
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
    let everything: Vec<DynamicObject> =
        setup.space.objects().await.into_iter().filter(|(id, _)| !id.starts_with("Secret/")).map(|(_, o)| o).collect();
    let text = serde_json::to_string(&everything).unwrap();
    for secret in &secrets {
        let password = String::from_utf8(secret.data.as_ref().unwrap()["password"].0.clone()).unwrap();
        assert!(!text.contains(&password), "a password stands outside its Secret");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_lost_administrator_makes_no_secret_and_is_told() {
    let Some(setup) = ready("locked-out", shop()).await else { return };
    let space = &setup.space;
    let before = secrets(space).await;
    space.remove(&format!("Secret/{}", admin(space).await.unwrap().name_any())).await;
    setup.provisioner.behave(Behaviour::LockedOut);
    let status = space.until("shop", "locked out", |s| reason(s, "Ready") == "CredentialsLost").await;
    assert!(is(&status, "Stalled", "True") && message(&status, "DatabaseReady").contains("shop-database-admin-v1-"));
    setup.quiet().await;
    assert_eq!(secrets(space).await, before.into_iter().filter(|name| !name.contains("-admin-")).collect::<Vec<_>>());
    setup.provisioner.behave(Behaviour::Honest);
    space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_version_can_be_taken_back_and_data_thrown_away_as_told() {
    let at = |version: u32| shop_with(|spec| spec["database"] = json!({ "version": version }));
    let Some(setup) = ready("versions", at(17)).await else { return };
    let space = &setup.space;
    let (before, old) = (uids(&space.objects().await), secrets(space).await);
    space.apply(at(18)).await;
    let status = space.until("shop", "refused", |s| reason(s, "Ready") == "VolumeOfAnotherEngine").await;
    assert!(message(&status, "Ready").contains("write `version: '17'`"), "{}", message(&status, "Ready"));
    space.apply(at(17)).await;
    space.until_ready("shop").await;
    assert_eq!(uids(&space.objects().await), before, "nothing was touched");
    space.apply(at(18)).await;
    let status = space.until("shop", "refused again", |s| reason(s, "Ready") == "VolumeOfAnotherEngine").await;
    follow(space, message(&status, "Ready")).await;
    let status = space.until_ready("shop").await;
    assert!(
        status.parts.iter().any(|p| p.name == "database" && p.version.as_deref().is_some_and(|v| v.starts_with("18"))),
        "{:?}",
        status.parts
    );
    space
        .eventually("the old passwords are gone", async || secrets(space).await.iter().all(|name| !old.contains(name)))
        .await;
    assert_eq!(secrets(space).await.len(), 2);
    assert_ne!(claim(space).await.uid().as_ref(), before.get(&format!("PersistentVolumeClaim/{CLAIM}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn data_that_goes_with_an_application_is_not_taken_over_by_the_next() {
    let fleeting = || shop_with(|spec| spec["dataRetention"] = "Delete".into());
    let Some(setup) = ready("fleeting", fleeting()).await else { return };
    let space = &setup.space;
    let before = uids(&space.objects().await);
    let before_app = space.api::<MicroserviceApp>().get("shop").await.unwrap().uid().unwrap();
    // Something that looks at data before it goes, such as a backup, keeps it for a while.
    let anchors = space.api::<ControllerRevision>();
    let finalizers = async |finalizers: Value| {
        let patch = Patch::Merge(json!({ "metadata": { "finalizers": finalizers } }));
        anchors.patch("shop-database-data", &PatchParams::default(), &patch).await.unwrap()
    };
    finalizers(json!(["backup.example.com/wait"])).await;
    space.delete("shop").await;
    space.apply(fleeting()).await;
    space.until("shop", "told of the old data", |s| reason(s, "Ready") == "DataBeingDeleted").await;
    setup.quiet().await;
    let anchor = finalizers(json!(null)).await;
    assert_eq!(
        (&anchor.uid().unwrap(), &anchor.owner_references()[0].uid),
        (&before["ControllerRevision/shop-database-data"], &before_app,)
    );
    space.until_ready("shop").await;
    setup.quiet().await;
    let after = uids(&space.objects().await);
    for id in ["ControllerRevision/shop-database-data".to_owned(), format!("PersistentVolumeClaim/{CLAIM}")] {
        assert_ne!(before[&id], after[&id], "{id}");
    }
}
