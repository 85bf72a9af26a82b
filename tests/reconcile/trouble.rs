//! Writes that fail through no fault of what is written, and objects without their application.

use kube::api::{DeleteParams, PropagationPolicy};
use microapp::app::{MicroserviceApp, Status};

use crate::World;
use crate::support::space::{shop, shop_with};

fn web(status: &Status) -> Option<(&str, &str)> {
    let part = status.parts.iter().find(|part| part.name == "service/web")?;
    Some((part.reason.as_str(), part.message.as_deref().unwrap_or_default()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_write_that_fails_is_told_by_its_part_and_tried_again() {
    let Some(world) = World::new("webhook").await else { return };
    world.wire.break_writes(Some("/deployments/shop--web"));
    world.space.apply(shop()).await;
    let told = |status: &Status| {
        web(status).is_some_and(|(reason, message)| reason == "ApplyFailed" && message.contains("images.example.com"))
    };
    world.space.until("shop", "told", told).await;
    world
        .space
        .until("shop", "the others go on", |s| {
            s.parts.iter().all(|part| part.ready == "True" || part.name == "service/web")
        })
        .await;
    world.wire.break_writes(None);
    world.space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn what_an_orphaning_deletion_left_is_taken_back_or_deleted() {
    let Some(world) = World::new("orphan").await else { return };
    world.space.apply(shop()).await;
    world.space.until_ready("shop").await;
    let orphaning = DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..Default::default() };
    world.space.api::<MicroserviceApp>().delete("shop", &orphaning).await.unwrap();
    world
        .space
        .eventually("it is gone, and its objects are not", async || {
            let gone = world.space.api::<MicroserviceApp>().get_opt("shop").await.unwrap().is_none();
            gone && world
                .space
                .object("Deployment/shop--web")
                .await
                .is_some_and(|web| web.metadata.owner_references.is_none())
        })
        .await;
    let orders = world.space.object("Deployment/shop--orders").await.unwrap().metadata.uid;
    world
        .space
        .apply(shop_with(|spec| {
            spec["services"].as_array_mut().unwrap().remove(0);
        }))
        .await;
    world.space.until_ready("shop").await;
    assert_eq!(world.space.object("Deployment/shop--orders").await.unwrap().metadata.uid, orders, "taken back");
    world
        .space
        .eventually("nobody wants web", async || world.space.object("Deployment/shop--web").await.is_none())
        .await;
}
