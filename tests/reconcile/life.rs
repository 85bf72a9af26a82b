//! From the first pass to the last: an application comes, pauses, stalls and is seen through.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, Patch, PatchParams};
use microapp::app::MicroserviceApp;
use microapp::cluster::publish;
use serde_json::json;

use crate::World;
use crate::support::{
    provisioner::Mood,
    space::{Space, is, message, reason, shop, shop_with},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn an_application_becomes_ready() {
    let Some(world) = World::new("ready").await else { return };
    world.space.apply(shop()).await;
    let status = world.space.until_ready("shop").await;
    assert_eq!(status.summary.as_ref().map(|s| (s.components.as_str(), s.services.as_str())), Some(("2/2", "2/2")));
    assert!(
        is(&status, "DatabaseReady", "True")
            && is(&status, "GatewayReady", "True")
            && is(&status, "ServicesReady", "True")
    );
    assert!(!status.conditions.iter().any(|c| c.type_ == "Reconciling" || c.type_ == "Stalled"));
    assert_eq!(
        status.bindings.iter().map(|b| (b.service.as_str(), b.name.as_str(), b.verified.as_str())).collect::<Vec<_>>(),
        [("orders", "database", "True")]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_paused_application_is_only_reported_on() {
    let Some(world) = World::new("paused").await else { return };
    let space = &world.space;
    let only_status = || world.wire.writes().iter().all(|write| write.contains("/shop/status"));
    space.apply(shop_with(|spec| spec["reconciliation"] = "Paused".into())).await;
    space.until("shop", "paused", |s| reason(s, "Ready") == "Paused").await;
    world.quiet().await;
    assert!(only_status() && space.objects().await.is_empty());
    space.apply(shop()).await;
    space.until_ready("shop").await;

    let paused = shop_with(|spec| {
        spec["reconciliation"] = "Paused".into();
        spec["services"].as_array_mut().unwrap().remove(0);
    });
    space.apply(paused.clone()).await;
    let status =
        space.until("shop", "paused", |s| reason(s, "Ready") == "Paused" && s.observed_generation == Some(3)).await;
    assert!(!status.conditions.iter().any(|c| c.type_ == "Reconciling" || c.type_ == "Stalled"));
    world.quiet().await;
    world.wire.clear();
    space.remove("Service/shop-gateway").await;
    world.quiet().await;
    assert!(only_status(), "{:#?}", world.wire.writes());
    assert!(
        space.object("Service/shop-gateway").await.is_none() && space.object("Deployment/shop--web").await.is_some()
    );

    let mut resumed = paused;
    resumed["spec"].as_object_mut().unwrap().remove("reconciliation");
    space.apply(resumed).await;
    space.until_ready("shop").await;
    assert!(
        space.object("Service/shop-gateway").await.is_some() && space.object("Deployment/shop--web").await.is_none()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn without_progress_it_stalls_and_names_the_pod() {
    for (steer, trouble) in [
        ("never-ready", "pods ready"),
        ("image", "ImagePullBackOff"),
        ("crash", "CrashLoopBackOff"),
        ("missing-secret", "CreateContainerConfigError"),
    ] {
        let Some(world) = World::new("stalled").await else { return };
        world.space.apply(shop_with(|spec| spec["progressDeadlineSeconds"] = 3.into())).await;
        world.space.until_ready("shop").await;
        // Steers the pods that come: an annotation of others, which stays.
        let pods = |value: Option<&str>| {
            json!({ "spec": { "template": { "metadata": { "annotations": {
            format!("simulated.microapp.dev/{steer}"): value } } } } })
        };
        world.space.meddle("Deployment/shop--web", pods(Some("true"))).await;
        let status = world
            .space
            .until("shop", trouble, |s| {
                reason(s, "Stalled") == "ProgressDeadlineExceeded" && message(s, "Ready").contains(trouble)
            })
            .await;
        assert!(is(&status, "Ready", "False") && is(&status, "Stalled", "True"));
        assert!(!status.conditions.iter().any(|c| c.type_ == "Reconciling"));
        world
            .space
            .eventually("the event is there", async || {
                world.space.events("shop").await.iter().any(|(reason, _)| reason == "ProgressDeadlineExceeded")
            })
            .await;
        // Whoever mends it sees it move.
        world.space.meddle("Deployment/shop--web", pods(None)).await;
        world.space.until_ready("shop").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_binding_that_breaks_and_mends_is_told() {
    let Some(world) = World::new("binding").await else { return };
    let space = &world.space;
    space.apply(shop()).await;
    space.until_ready("shop").await;
    world.provisioner.feel(Mood::Refusing("orders".into()));
    let status = space.until("shop", "without its binding", |s| reason(s, "Ready") == "BindingFailed").await;
    assert_eq!((status.bindings[0].verified.as_str(), status.bindings[0].reason.as_str()), ("False", "LoginRefused"));
    world.provisioner.feel(Mood::Honest);
    space.until_ready("shop").await;
    let told = async |reason: &str| {
        space.events("shop").await.iter().any(|(told, text)| told == reason && text.starts_with("orders -> database"))
    };
    for reason in ["BindingFailed", "BindingRepaired"] {
        space.eventually(reason, async || told(reason).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_report_that_is_too_long_is_not_read() {
    let Some(world) = World::new("long-report").await else { return };
    world.space.apply(shop()).await;
    world.space.until_ready("shop").await;
    world.provisioner.feel(Mood::Stalled);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut report = world.space.object("ConfigMap/shop-provisioner-report").await.unwrap().data["data"]["report.json"]
        .as_str()
        .unwrap()
        .to_owned();
    // Blanks change nothing of what it says.
    report.push_str(&" ".repeat(microapp::kit::agents::REPORT_LIMIT));
    world.space.meddle("ConfigMap/shop-provisioner-report", json!({ "data": { "report.json": report } })).await;
    world
        .space
        .until("shop", "without a report", |s| {
            s.bindings[0].verified == "Unknown" && reason(s, "Ready") == "BindingUnverified"
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn an_old_report_does_not_replace_a_newer_one() {
    let Some(world) = World::new("stale").await else { return };
    world.space.apply(shop()).await;
    let old = world.space.api::<MicroserviceApp>().get("shop").await.unwrap();
    let status = world.space.until_ready("shop").await;
    let refused = publish::status(&world.space.client, &old, &old.status.clone().unwrap_or_default()).await;
    assert!(refused.is_err_and(|error| error.is_conflict()));
    assert_eq!(world.space.until_ready("shop").await.conditions, status.conditions);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_pass_that_panics_harms_no_other_application() {
    let Some(world) = World::new("panic").await else { return };
    world.wire.panic_at("/shop/status");
    let mut other = shop();
    other["metadata"]["name"] = "other".into();
    world.space.apply(shop()).await;
    world.space.until_object::<k8s_openapi::api::apps::v1::Deployment>("shop-gateway", |d| d.is_some()).await;
    world.space.apply(other).await;
    world.space.until_ready("other").await;
    world.wire.panic_at("nothing");
    // A new wish is not made to wait for the failures of the last one.
    world.space.apply(shop_with(|spec| spec["progressDeadlineSeconds"] = 60.into())).await;
    world.space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn the_second_operator_takes_over_when_the_first_is_gone() {
    let Some(mut world) = World::without_operator("leader").await else { return };
    world.options.lease_namespace = Some(world.space.name.clone());
    world.options.identity = "first".into();
    world.start();
    world.space.apply(shop()).await;
    world.space.until_ready("shop").await;
    assert_eq!(holder(&world.space).await.as_deref(), Some("first"));
    let wire = crate::support::fault::Wire::default();
    let options = microapp::controller::Options { identity: "second".into(), ..world.options.clone() };
    let _second = crate::support::operator::Operator::start(wire.client(&world.space.client), options);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(wire.writes(), [""; 0], "the second only waits");
    drop(world.operator.take());
    let begun = std::time::Instant::now();
    world.space.apply(shop_with(|spec| spec["services"][0]["replicas"] = 3.into())).await;
    world.space.eventually("the second leads", async || holder(&world.space).await.as_deref() == Some("second")).await;
    assert!(
        begun.elapsed() < Duration::from_secs(27),
        "{:?}: a term of 15 s, seen and looked at every 5 s",
        begun.elapsed()
    );
    world.space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn who_ends_gives_the_lease_back_and_who_loses_it_ends() {
    let Some(mut world) = led("lease").await else { return };
    world.operator.take().unwrap().stop().await;
    assert_eq!(holder(&world.space).await, None, "the next one need not wait");

    world.options.identity = "second".into();
    world.start();
    world.space.eventually("the second leads", async || holder(&world.space).await.as_deref() == Some("second")).await;
    let taken = Patch::Merge(json!({ "spec": { "holderIdentity": "third" } }));
    world.space.api::<Lease>().patch("microapp", &PatchParams::default(), &taken).await.unwrap();
    world.operator.as_mut().unwrap().ended(Duration::from_secs(20)).await;
    assert_eq!(holder(&world.space).await.as_deref(), Some("third"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn who_cannot_renew_the_lease_ends() {
    let Some(mut world) = led("mute").await else { return };
    let lease = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/microapp", world.space.name);
    world.wire.answer(&lease, Some("not a Lease".into()));
    // Two thirds of its term, and what it had begun.
    world.operator.as_mut().unwrap().ended(Duration::from_secs(60)).await;
}

/// A world whose operator, `first`, leads.
async fn led(stem: &str) -> Option<World> {
    let mut world = World::without_operator(stem).await?;
    world.options.lease_namespace = Some(world.space.name.clone());
    world.options.identity = "first".into();
    world.start();
    world.space.eventually("the first leads", async || holder(&world.space).await.as_deref() == Some("first")).await;
    Some(world)
}

/// Who leads.
async fn holder(space: &Space) -> Option<String> {
    space.get::<Lease>("microapp").await.and_then(|lease| lease.spec?.holder_identity)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_resource_of_a_newer_definition_is_reported_and_left_alone() {
    let Some(world) = World::new("newer").await else { return };
    let space = &world.space;
    space.apply(shop()).await;
    space.until_ready("shop").await;
    let before = crate::support::space::uids(&space.objects().await);
    store_unknown_value(&world).await;
    let status = space.until("shop", "unreadable", |s| s.observed_generation == Some(2)).await;
    assert_eq!(reason(&status, "Ready"), "InvalidSpec");
    assert!(
        message(&status, "Ready").contains("spec.availability") && is(&status, "Stalled", "True"),
        "{}",
        message(&status, "Ready")
    );
    assert_eq!(crate::support::space::uids(&space.objects().await), before);
    space
        .api::<MicroserviceApp>()
        .patch("shop", &PatchParams::default(), &Patch::Merge(json!({ "spec": { "availability": null } })))
        .await
        .unwrap();
    space.until_ready("shop").await;
}

/// Stores a value that this release does not know, as a definition of the next one would allow.
async fn store_unknown_value(world: &World) {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
    let api: Api<CustomResourceDefinition> = Api::all(world.space.client.clone());
    let values = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/availability/enum";
    let path = values.split('/').skip(1).map(Into::into).collect::<Vec<String>>().join("/");
    let loosen = |operations| Patch::Json::<()>(serde_json::from_value(operations).unwrap());
    api.patch(
        "microserviceapps.microapp.dev",
        &PatchParams::default(),
        &loosen(json!([{ "op": "add", "path": format!("/{path}/-"), "value": "Planetary" }])),
    )
    .await
    .unwrap();
    let apps = world.space.api::<MicroserviceApp>();
    let newer = Patch::Merge(json!({ "spec": { "availability": "Planetary" } }));
    // The definition takes a moment to be in force.
    world
        .space
        .eventually("it is stored", async || match apps.patch("shop", &PatchParams::default(), &newer).await {
            Ok(_) => true,
            Err(kube::Error::Api(status)) => status.code != 422,
            Err(_) => true, // stored, and this test's own types cannot read the answer
        })
        .await;
    crate::support::crd::install(&world.space.client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn under_an_older_definition_it_is_not_ready_and_does_nothing() {
    const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/microserviceapps.microapp.dev";
    let Some(mut world) = World::without_operator("older").await else { return };
    let mut older = serde_json::to_value(microapp::app::crd::definition().unwrap()).unwrap();
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    drop(older.pointer_mut(spec).unwrap().as_object_mut().unwrap().remove("reconciliation"));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.options.health_address = Some(port);
    let wire = crate::support::fault::Wire::default();
    wire.answer(PATH, Some(older));
    world.start_over(wire);
    world.space.apply(shop()).await;
    world.quiet().await;
    assert_eq!(ready(port).await, 503);
    assert_eq!(world.wire.writes(), [""; 0]);
    world.wire.answer(PATH, None);
    world.space.until_ready("shop").await;
    assert_eq!(ready(port).await, 200);
}

/// The code that `/readyz` answers with.
async fn ready(address: std::net::SocketAddr) -> u16 {
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    let client: Client<_, axum::body::Body> = Client::builder(TokioExecutor::new()).build_http();
    client.get(format!("http://{address}/readyz").parse().unwrap()).await.expect("it answers").status().as_u16()
}

/// What a policy says may be longer than a status may be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_policy_that_refuses_with_a_long_text_is_told() {
    use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
    let Some(world) = World::new("long").await else { return };
    world.space.apply(shop()).await;
    world.space.until_ready("shop").await;
    let name = world.space.name.clone();
    let text = format!("'not this image: {}'", "long ".repeat(240));
    let only = json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } },
        "resourceRules": [{ "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
            "resources": ["deployments"] }] });
    let rule = json!({ "expression": "object.spec.template.spec.containers[0].image != 'example.com/web:2'",
        "messageExpression": text });
    let objects = [
        (
            "ValidatingAdmissionPolicy",
            json!({ "failurePolicy": "Fail", "matchConstraints": only, "validations": [rule] }),
        ),
        ("ValidatingAdmissionPolicyBinding", json!({ "policyName": name, "validationActions": ["Deny"] })),
    ];
    for (kind, spec) in objects {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind));
        let api: Api<DynamicObject> = Api::all_with(world.space.client.clone(), &resource);
        api.create(&PostParams::default(), &DynamicObject::new(&name, &resource).data(json!({ "spec": spec })))
            .await
            .unwrap();
    }
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let other = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "web",
        "image": "example.com/web:2" }] } } } });
    let refuses = async || {
        world.space.kind("Deployment").patch("shop--web", &dry, &Patch::Strategic(other.clone())).await.is_err()
    };
    world.space.eventually("the policy refuses", refuses).await;
    world.space.apply(shop_with(|spec| spec["services"][0]["image"] = "example.com/web:2".into())).await;
    let status = world.space.until("shop", "refused", |s| reason(s, "Ready") == "ApplyRefused").await;
    assert!(message(&status, "Ready").contains("not this image: long long"), "{}", message(&status, "Ready"));
}
