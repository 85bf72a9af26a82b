//! From the first pass to the last: an application comes, changes and goes.

use crate::World;
use crate::support::space::{is, shop};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_becomes_ready() {
    let Some(world) = World::new("ready").await else { return };
    world.space.apply(shop()).await;
    let status = world.space.until_ready("shop").await;
    assert_eq!(status.summary.as_ref().map(|s| (s.components.as_str(), s.services.as_str())), Some(("2/2", "2/2")));
    assert!(is(&status, "DatabaseReady", "True") && is(&status, "GatewayReady", "True") && is(&status, "ServicesReady", "True"));
    assert!(!status.conditions.iter().any(|c| c.type_ == "Reconciling" || c.type_ == "Stalled"));
    assert_eq!(status.bindings.iter().map(|b| (b.service.as_str(), b.name.as_str(), b.proved.as_str())).collect::<Vec<_>>(), [("orders", "database", "True")]);
}
