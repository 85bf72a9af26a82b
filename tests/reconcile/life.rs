//! From the first pass to the last: an application comes, pauses, stalls and is seen through.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, Patch, PatchParams};
use microapp::app::MicroserviceApp;
use microapp::cluster::publish;
use serde_json::json;

use crate::Setup;
use crate::support::{
    provisioner::Behaviour,
    space::{Space, is, message, reason, shop, shop_with},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn an_application_becomes_ready() {
    let Some(setup) = Setup::new("ready").await else { return };
    setup.space.apply(shop()).await;
    let status = setup.space.until_ready("shop").await;
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
    let Some(setup) = Setup::new("paused").await else { return };
    let space = &setup.space;
    let only_status = || setup.connection.writes().iter().all(|write| write.contains("/shop/status"));
    space.apply(shop_with(|spec| spec["reconciliation"] = "Paused".into())).await;
    space.until("shop", "paused", |s| reason(s, "Ready") == "Paused").await;
    setup.quiet().await;
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
    setup.quiet().await;
    setup.connection.clear();
    space.remove("Service/shop-gateway").await;
    setup.quiet().await;
    assert!(only_status(), "{:#?}", setup.connection.writes());
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
        let Some(setup) = Setup::new("stalled").await else { return };
        setup.space.apply(shop_with(|spec| spec["progressDeadlineSeconds"] = 3.into())).await;
        setup.space.until_ready("shop").await;
        // Steers the pods that come: an annotation of others, which stays.
        let pods = |value: Option<&str>| {
            json!({ "spec": { "template": { "metadata": { "annotations": {
            format!("simulated.microapp.dev/{steer}"): value } } } } })
        };
        setup.space.edit("Deployment/shop--web", pods(Some("true"))).await;
        let status = setup
            .space
            .until("shop", trouble, |s| {
                reason(s, "Stalled") == "ProgressDeadlineExceeded" && message(s, "Ready").contains(trouble)
            })
            .await;
        assert!(is(&status, "Ready", "False") && is(&status, "Stalled", "True"));
        assert!(!status.conditions.iter().any(|c| c.type_ == "Reconciling"));
        setup
            .space
            .eventually("the event is there", async || {
                setup.space.events("shop").await.iter().any(|(reason, _)| reason == "ProgressDeadlineExceeded")
            })
            .await;
        // Whoever mends it sees it move.
        setup.space.edit("Deployment/shop--web", pods(None)).await;
        setup.space.until_ready("shop").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_binding_that_breaks_and_mends_is_told() {
    let Some(setup) = Setup::new("binding").await else { return };
    let space = &setup.space;
    space.apply(shop()).await;
    space.until_ready("shop").await;
    setup.provisioner.behave(Behaviour::Refusing("orders".into()));
    let status = space.until("shop", "without its binding", |s| reason(s, "Ready") == "BindingFailed").await;
    assert_eq!((status.bindings[0].verified.as_str(), status.bindings[0].reason.as_str()), ("False", "LoginRefused"));
    setup.provisioner.behave(Behaviour::Honest);
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
    let Some(setup) = Setup::new("long-report").await else { return };
    setup.space.apply(shop()).await;
    setup.space.until_ready("shop").await;
    setup.provisioner.behave(Behaviour::Stalled);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut report = setup.space.object("ConfigMap/shop-provisioner-report").await.unwrap().data["data"]["report.json"]
        .as_str()
        .unwrap()
        .to_owned();
    // Blanks change nothing of what it says.
    report.push_str(&" ".repeat(microapp::kit::agents::REPORT_LIMIT));
    setup.space.edit("ConfigMap/shop-provisioner-report", json!({ "data": { "report.json": report } })).await;
    setup
        .space
        .until("shop", "without a report", |s| {
            s.bindings[0].verified == "Unknown" && reason(s, "Ready") == "BindingUnverified"
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn an_old_report_does_not_replace_a_newer_one() {
    let Some(setup) = Setup::new("stale").await else { return };
    setup.space.apply(shop()).await;
    let old = setup.space.api::<MicroserviceApp>().get("shop").await.unwrap();
    let status = setup.space.until_ready("shop").await;
    let refused = publish::status(&setup.space.client, &old, &old.status.clone().unwrap_or_default()).await;
    assert!(refused.is_err_and(|error| error.is_conflict()));
    assert_eq!(setup.space.until_ready("shop").await.conditions, status.conditions);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_pass_that_panics_harms_no_other_application() {
    let Some(setup) = Setup::new("panic").await else { return };
    setup.connection.panic_at("/shop/status");
    let mut other = shop();
    other["metadata"]["name"] = "other".into();
    setup.space.apply(shop()).await;
    setup.space.until_object::<k8s_openapi::api::apps::v1::Deployment>("shop-gateway", |d| d.is_some()).await;
    setup.space.apply(other).await;
    setup.space.until_ready("other").await;
    setup.connection.panic_at("nothing");
    // A new wish is not made to wait for the failures of the last one.
    setup.space.apply(shop_with(|spec| spec["progressDeadlineSeconds"] = 60.into())).await;
    setup.space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn the_second_operator_takes_over_when_the_first_is_gone() {
    let Some(mut setup) = Setup::without_operator("leader").await else { return };
    setup.options.lease_namespace = Some(setup.space.name.clone());
    setup.options.identity = "first".into();
    setup.start();
    setup.space.apply(shop()).await;
    setup.space.until_ready("shop").await;
    assert_eq!(holder(&setup.space).await.as_deref(), Some("first"));
    let connection = crate::support::fault::Connection::default();
    let options = microapp::controller::Options { identity: "second".into(), ..setup.options.clone() };
    let _second = crate::support::operator::Operator::start(connection.client(&setup.space.client), options);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(connection.writes(), [""; 0], "the second only waits");
    drop(setup.operator.take());
    let begun = std::time::Instant::now();
    setup.space.apply(shop_with(|spec| spec["services"][0]["replicas"] = 3.into())).await;
    setup.space.eventually("the second leads", async || holder(&setup.space).await.as_deref() == Some("second")).await;
    assert!(
        begun.elapsed() < Duration::from_secs(27),
        "{:?}: a term of 15 s, seen and looked at every 5 s",
        begun.elapsed()
    );
    setup.space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn who_ends_gives_the_lease_back_and_who_loses_it_ends() {
    let Some(mut setup) = led("lease").await else { return };
    setup.operator.take().unwrap().stop().await;
    assert_eq!(holder(&setup.space).await, None, "the next one need not wait");

    setup.options.identity = "second".into();
    setup.start();
    setup.space.eventually("the second leads", async || holder(&setup.space).await.as_deref() == Some("second")).await;
    let taken = Patch::Merge(json!({ "spec": { "holderIdentity": "third" } }));
    setup.space.api::<Lease>().patch("microapp", &PatchParams::default(), &taken).await.unwrap();
    setup.operator.as_mut().unwrap().ended(Duration::from_secs(20)).await;
    assert_eq!(holder(&setup.space).await.as_deref(), Some("third"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn who_cannot_renew_the_lease_ends() {
    let Some(mut setup) = led("mute").await else { return };
    let lease = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/microapp", setup.space.name);
    setup.connection.answer(&lease, Some("not a Lease".into()));
    // Two thirds of its term, and what it had begun.
    setup.operator.as_mut().unwrap().ended(Duration::from_secs(60)).await;
}

/// A setup whose operator, `first`, leads.
async fn led(stem: &str) -> Option<Setup> {
    let mut setup = Setup::without_operator(stem).await?;
    setup.options.lease_namespace = Some(setup.space.name.clone());
    setup.options.identity = "first".into();
    setup.start();
    setup.space.eventually("the first leads", async || holder(&setup.space).await.as_deref() == Some("first")).await;
    Some(setup)
}

/// Who leads.
async fn holder(space: &Space) -> Option<String> {
    space.get::<Lease>("microapp").await.and_then(|lease| lease.spec?.holder_identity)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_resource_of_a_newer_definition_is_reported_and_left_alone() {
    let Some(setup) = Setup::new("newer").await else { return };
    let space = &setup.space;
    space.apply(shop()).await;
    space.until_ready("shop").await;
    let before = crate::support::space::uids(&space.objects().await);
    store_unknown_value(&setup).await;
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
async fn store_unknown_value(setup: &Setup) {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
    let api: Api<CustomResourceDefinition> = Api::all(setup.space.client.clone());
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
    let apps = setup.space.api::<MicroserviceApp>();
    let newer = Patch::Merge(json!({ "spec": { "availability": "Planetary" } }));
    // The definition takes a moment to be in force.
    setup
        .space
        .eventually("it is stored", async || match apps.patch("shop", &PatchParams::default(), &newer).await {
            Ok(_) => true,
            Err(kube::Error::Api(status)) => status.code != 422,
            Err(_) => true, // stored, and this test's own types cannot read the answer
        })
        .await;
    crate::support::crd::install(&setup.space.client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn under_an_older_definition_it_is_not_ready_and_does_nothing() {
    const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/microserviceapps.microapp.dev";
    let Some(mut setup) = Setup::without_operator("older").await else { return };
    let mut older = serde_json::to_value(microapp::app::crd::definition().unwrap()).unwrap();
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    drop(older.pointer_mut(spec).unwrap().as_object_mut().unwrap().remove("reconciliation"));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    setup.options.health_address = Some(port);
    let connection = crate::support::fault::Connection::default();
    connection.answer(PATH, Some(older));
    setup.start_over(connection);
    setup.space.apply(shop()).await;
    setup.quiet().await;
    assert_eq!(ready(port).await, 503);
    assert_eq!(setup.connection.writes(), [""; 0]);
    setup.connection.answer(PATH, None);
    setup.space.until_ready("shop").await;
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
    let Some(setup) = Setup::new("long").await else { return };
    setup.space.apply(shop()).await;
    setup.space.until_ready("shop").await;
    let name = setup.space.name.clone();
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
        let api: Api<DynamicObject> = Api::all_with(setup.space.client.clone(), &resource);
        api.create(&PostParams::default(), &DynamicObject::new(&name, &resource).data(json!({ "spec": spec })))
            .await
            .unwrap();
    }
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let other = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "web",
        "image": "example.com/web:2" }] } } } });
    let refuses = async || {
        setup.space.kind("Deployment").patch("shop--web", &dry, &Patch::Strategic(other.clone())).await.is_err()
    };
    setup.space.eventually("the policy refuses", refuses).await;
    setup.space.apply(shop_with(|spec| spec["services"][0]["image"] = "example.com/web:2".into())).await;
    let status = setup.space.until("shop", "refused", |s| reason(s, "Ready") == "ApplyRefused").await;
    assert!(message(&status, "Ready").contains("not this image: long long"), "{}", message(&status, "Ready"));
}
