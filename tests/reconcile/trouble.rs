//! Writes that fail through no fault of what is written, and objects without their application.

use kube::api::{DeleteParams, PropagationPolicy};
use microapp::app::{MicroserviceApp, Status};

use crate::Setup;
use crate::support::space::{shop, shop_with};

fn web(status: &Status) -> Option<(&str, &str)> {
    let part = status.parts.iter().find(|part| part.name == "service/web")?;
    Some((part.reason.as_str(), part.message.as_deref().unwrap_or_default()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_write_that_fails_is_told_by_its_part_and_tried_again() {
    let Some(setup) = Setup::new("webhook").await else { return };
    setup.connection.break_writes(Some("/deployments/shop--web"));
    setup.space.apply(shop()).await;
    let told = |status: &Status| {
        web(status).is_some_and(|(reason, message)| reason == "ApplyFailed" && message.contains("images.example.com"))
    };
    setup.space.until("shop", "told", told).await;
    setup
        .space
        .until("shop", "the others go on", |s| {
            s.parts.iter().all(|part| part.ready == "True" || part.name == "service/web")
        })
        .await;
    setup.connection.break_writes(None);
    setup.space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn what_an_orphaning_deletion_left_is_taken_back_or_deleted() {
    let Some(setup) = Setup::new("orphan").await else { return };
    setup.space.apply(shop()).await;
    setup.space.until_ready("shop").await;
    let orphaning = DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..Default::default() };
    setup.space.api::<MicroserviceApp>().delete("shop", &orphaning).await.unwrap();
    setup
        .space
        .eventually("it is gone, and its objects are not", async || {
            let gone = setup.space.api::<MicroserviceApp>().get_opt("shop").await.unwrap().is_none();
            gone && setup
                .space
                .object("Deployment/shop--web")
                .await
                .is_some_and(|web| web.metadata.owner_references.is_none())
        })
        .await;
    let orders = setup.space.object("Deployment/shop--orders").await.unwrap().metadata.uid;
    setup
        .space
        .apply(shop_with(|spec| {
            spec["services"].as_array_mut().unwrap().remove(0);
        }))
        .await;
    setup.space.until_ready("shop").await;
    assert_eq!(setup.space.object("Deployment/shop--orders").await.unwrap().metadata.uid, orders, "taken back");
    setup
        .space
        .eventually("nobody wants web", async || setup.space.object("Deployment/shop--web").await.is_none())
        .await;
}
