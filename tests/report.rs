//! What is said of an application, from facts alone: addresses, bindings, events, and nothing without a bound.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use microapp::app::applied::Failure;
use microapp::app::{App, Applied, MicroserviceApp, Settings, Status, events::events, report};
use microapp::kit::agents::{Proof, Report, SecretDigests};
use microapp::kit::digest;
use microapp::kit::objects::{Id, Object};
use microapp::kit::observed::{Anchor, Claim, Facts, Observed, Record, Service, Workload};
use microapp::kit::problem::Problem;
use serde_json::{Value, json};

fn application(change: impl FnOnce(&mut Value)) -> MicroserviceApp {
    let mut app = json!({
        "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": { "name": "shop",
            "namespace": "acme", "uid": "u", "generation": 3 },
        "spec": {
            "services": [{ "name": "orders", "image": "example.com/orders:1", "uses": [{ "component": "Database" }] }],
            "gateway": {},
            "database": {},
        }
    });
    change(&mut app);
    serde_json::from_value(app).unwrap()
}

fn put(observed: &mut Observed, kind: &'static str, name: &str, facts: Facts) {
    observed
        .records
        .insert(Id { kind, name: name.into() }, Record { uid: "0b8f4a5e".into(), facts, ..Default::default() });
}

/// The anchor is there, and the provisioner runs.
fn observed() -> Observed {
    let mut observed = Observed::default();
    put(
        &mut observed,
        "ControllerRevision",
        "shop-database-data",
        Facts::Anchor(Anchor { engine: "PostgreSQL".into(), id: "0b8f4a5e".into(), ..Default::default() }),
    );
    put(
        &mut observed,
        "Deployment",
        "shop-provisioner",
        Facts::Workload(Workload { replicas: 1, ready: 1, observed: true, ..Default::default() }),
    );
    observed
}

fn status(app: &MicroserviceApp, observed: &Observed) -> Status {
    report_on(app, observed, &Applied::default())
}

fn report_on(app: &MicroserviceApp, observed: &Observed, applied: &Applied) -> Status {
    let settings = Settings::default();
    let app = App::resolve(app, &settings).unwrap_or_else(|problems| panic!("{problems:?}"));
    report::report(&app, &app.desired(observed), applied, observed)
}

fn objects(app: &MicroserviceApp, observed: &Observed) -> Vec<Object> {
    let settings = Settings::default();
    App::resolve(app, &settings).unwrap_or_else(|problems| panic!("{problems:?}")).desired(observed).objects
}

/// The provisioner's report on the plan that stands, with one proof.
fn told(app: &MicroserviceApp, observed: &mut Observed, proof: Proof) {
    let objects = objects(app, observed);
    let plan =
        objects.iter().find(|o| o.id().to_string() == "ConfigMap/shop-provisioner").unwrap().body["data"]["plan.json"]
            .clone();
    let proof = Proof { service: "orders".into(), component: "database".into(), ..proof };
    observed.report = Some(Report {
        plan: digest::of_bytes(plan.as_str().unwrap().as_bytes()),
        proofs: vec![proof],
        ..Default::default()
    });
}

#[test]
fn the_address_is_where_the_gateway_answers() {
    let url = |exposure: &str, hosts: &[&str], service: Service| {
        let app = application(|app| app["spec"]["gateway"] = json!({ "exposure": exposure, "hosts": hosts }));
        let mut observed = observed();
        put(&mut observed, "Service", "shop-gateway", Facts::Service(service));
        status(&app, &observed).url
    };
    let balanced = Service { ingress: Some("192.0.2.1".into()), node_ports: [("http".to_owned(), 30080)].into() };
    assert_eq!(url("ClusterIP", &[], balanced.clone()).as_deref(), Some("http://shop-gateway.acme.svc"));
    assert_eq!(url("NodePort", &[], balanced.clone()).as_deref(), Some("http://<node>:30080"));
    assert_eq!(url("LoadBalancer", &[], balanced.clone()).as_deref(), Some("http://192.0.2.1"));
    let hosts = ["*.example.com", "shop.example.com"];
    assert_eq!(url("ClusterIP", &hosts, balanced.clone()).as_deref(), Some("http://shop.example.com"));
    assert_eq!(url("NodePort", &hosts, balanced.clone()).as_deref(), Some("http://shop.example.com:30080"));
    assert_eq!(url("LoadBalancer", &hosts, balanced.clone()).as_deref(), Some("http://shop.example.com"));
    for exposure in ["ClusterIP", "NodePort", "LoadBalancer"] {
        assert_eq!(url(exposure, &["*.example.com"], balanced.clone()), None, "nothing answers to a star");
    }
    assert_eq!(url("LoadBalancer", &["shop.example.com"], Service::default()), None, "nobody has given an address yet");
}

#[test]
fn a_binding_is_believed_only_while_somebody_tries_it() {
    let app = application(|_| ());
    let bound = |observed: &Observed| {
        let binding = status(&app, observed).bindings.remove(0);
        (binding.verified, binding.reason)
    };
    let is = |proved: &str, reason: &str| (proved.to_owned(), reason.to_owned());
    let mut observed = observed();
    assert_eq!(bound(&observed), is("Unknown", "NotChecked"));
    told(&app, &mut observed, Proof { proved: true, reason: "LoggedIn".into(), ..Default::default() });
    assert_eq!(bound(&observed), is("True", "LoggedIn"));
    told(&app, &mut observed, Proof { reason: "LoginRefused".into(), ..Default::default() });
    assert_eq!(bound(&observed), is("False", "LoginRefused"));
    told(&app, &mut observed, Proof { reason: "ServerUnreachable".into(), ..Default::default() });
    assert_eq!(bound(&observed), is("Unknown", "ServerUnreachable"));
    told(&app, &mut observed, Proof { proved: true, reason: "LoggedIn".into(), ..Default::default() });
    put(
        &mut observed,
        "Deployment",
        "shop-provisioner",
        Facts::Workload(Workload { replicas: 1, ..Default::default() }),
    );
    assert_eq!(
        bound(&observed),
        is("Unknown", "ProvisionerNotReady"),
        "an old report of a provisioner that does not run"
    );
}

#[test]
fn variables_that_people_replace_are_named() {
    let app = application(|app| {
        app["spec"]["services"][0]["env"] =
            json!([{ "name": "DATABASE_URL", "value": "x" }, { "name": "DATABASES", "value": "y" }])
    });
    let binding = status(&app, &observed()).bindings.remove(0);
    assert_eq!(
        (binding.reason.as_str(), binding.message.as_deref()),
        ("Overridden", Some("`env` of the service replaces DATABASE_URL"))
    );
}

#[test]
fn what_a_forged_report_calls_a_digest_is_not_kept() {
    let app = application(|app| {
        app["spec"]["services"][0]["env"] =
            json!([{ "name": "KEY", "valueFrom": { "secretKeyRef": { "name": "stripe", "key": "apiKey" } } }]);
    });
    let seen = |digest: &str| {
        let mut observed = observed();
        told(&app, &mut observed, Proof::default());
        let digests = [("stripe/apiKey".to_owned(), digest.to_owned())].into();
        observed.report.as_mut().unwrap().secrets =
            Some(SecretDigests { key: "k".into(), digests, ..Default::default() });
        let objects = objects(&app, &observed);
        let orders = objects.into_iter().find(|o| o.id().to_string() == "Deployment/shop--orders").unwrap();
        orders.body["metadata"]["annotations"]["microapp.dev/secrets"].as_str().unwrap().to_owned()
    };
    assert!(seen("0123456789abcdef").contains("0123456789abcdef"));
    assert!(!seen(&"a".repeat(60_000)).contains("aaa"));
    assert!(!seen("0123456789abcde\"").contains("0123"));
}

/// Every workload is there and serves, and so does the address of a load balancer if there is one.
fn serving(app: &MicroserviceApp) -> Observed {
    let mut observed = observed();
    let objects = objects(app, &observed);
    for object in objects.iter().filter(|o| ["Deployment", "StatefulSet"].contains(&o.kind.kind)) {
        put(&mut observed, object.kind.kind, &object.name, Facts::Workload(whole()));
    }
    observed
}

fn whole() -> Workload {
    Workload { replicas: 1, ready: 1, updated: 1, current: 1, observed: true, ..Default::default() }
}

fn without_database() -> MicroserviceApp {
    application(|app| {
        app["spec"] = json!({ "services": [{ "name": "orders", "image": "example.com/orders:1" }], "gateway": {} })
    })
}

fn ready(status: &Status) -> (&str, &str, &str) {
    let ready = status.conditions.iter().find(|c| c.type_ == "Ready").unwrap();
    (&ready.status, &ready.reason, &ready.message)
}

#[test]
fn a_paused_application_with_anything_to_do_is_not_ready() {
    let mut app = without_database();
    app.spec.reconciliation = Some(microapp::app::Reconciliation::Paused);
    let observed = serving(&app);
    let told = |pending: &[(&'static str, &str)]| {
        let pending = pending.iter().map(|(kind, name)| Id { kind, name: (*name).into() }).collect();
        let status = report_on(&app, &observed, &Applied { pending, ..Default::default() });
        let (status, reason, message) = ready(&status);
        format!("{status} {reason} {message}")
    };
    assert!(told(&[]).starts_with("True Paused"), "{}", told(&[]));
    for (kind, name) in [
        ("Service", "shop-gateway"),
        ("ConfigMap", "shop-gateway"),
        ("Role", "shop-gateway"),
        ("Deployment", "shop--orders"),
    ] {
        let told = told(&[(kind, name)]);
        assert!(
            told.starts_with("False Paused") && told.contains(&format!("{kind}/{name} is not applied yet")),
            "{told}"
        );
    }
}

#[test]
fn one_failure_to_delete_takes_nothing_away() {
    let app = application(|app| app["spec"] = json!({ "gateway": {} }));
    let observed = serving(&app);
    let reason = |times| {
        let failed = Some(Failure { message: "no answer within 30s".into(), times });
        let status = report_on(&app, &observed, &Applied { failed, ..Default::default() });
        ready(&status).1.to_owned()
    };
    assert_eq!([reason(1), reason(2), reason(3)], ["AllReady", "AllReady", "ClusterUnavailable"]);
}

#[test]
fn a_load_balancer_without_an_address_is_waited_for() {
    let app = application(|app| app["spec"] = json!({ "gateway": { "exposure": "LoadBalancer" } }));
    let mut observed = serving(&app);
    put(&mut observed, "Service", "shop-gateway", Facts::Service(Service::default()));
    let waiting = status(&app, &observed);
    let (is, reason, message) = ready(&waiting);
    assert_eq!((is, reason), ("False", "WaitingForAddress"));
    assert!(message.contains("shop-gateway has no address yet"), "{message}");
    put(
        &mut observed,
        "Service",
        "shop-gateway",
        Facts::Service(Service { ingress: Some("192.0.2.1".into()), ..Default::default() }),
    );
    assert_eq!(ready(&status(&app, &observed)).0, "True");
}

#[test]
fn what_rolls_while_all_wanted_pods_serve_is_not_unavailable() {
    let mut app = without_database();
    let mut observed = serving(&app);
    app.status = Some(status(&app, &observed));
    assert_eq!(ready(app.status.as_ref().unwrap()).0, "True");
    let mut reason = |live: Workload| {
        put(&mut observed, "Deployment", "shop--orders", Facts::Workload(live));
        status(&app, &observed).parts.into_iter().find(|p| p.name == "service/orders").unwrap().reason
    };
    assert_eq!(reason(Workload { updated: 0, current: 2, ..whole() }), "Progressing");
    assert_eq!(reason(Workload { observed: false, ..whole() }), "Progressing");
    assert_eq!(reason(Workload { ready: 0, ..whole() }), "Unavailable");
}

#[test]
fn what_keeps_pods_from_being_made_is_told() {
    let app = without_database();
    let mut observed = serving(&app);
    let none = Workload { replicas: 1, observed: true, ..Default::default() };
    let mut message = |kind, name: &str, live: Workload| {
        put(&mut observed, kind, name, Facts::Workload(live));
        status(&app, &observed).parts.into_iter().find(|p| p.name == "service/orders").unwrap().message.unwrap()
    };
    let refused =
        message("Deployment", "shop--orders", Workload { failure: Some("exceeded quota: cpu".into()), ..none.clone() });
    assert!(
        refused
            .ends_with("0/1 pods ready, 0/1 of the newest revision: no further pod can be made: exceeded quota: cpu"),
        "{refused}"
    );
    let paused = message("Deployment", "shop--orders", Workload { paused: true, ready: 1, current: 1, ..none.clone() });
    assert!(paused.ends_with("`kubectl -n acme rollout resume deployment shop--orders` lets it go on"), "{paused}");
    let app = application(|_| ());
    let mut observed = serving(&app);
    put(&mut observed, "StatefulSet", "shop-database", Facts::Workload(none));
    let database = status(&app, &observed).parts.into_iter().find(|p| p.name == "database").unwrap().message.unwrap();
    assert!(database.contains("`kubectl -n acme describe statefulset shop-database` says why"), "{database}");
}

#[test]
fn a_dependency_of_which_no_pod_is_wanted_is_there() {
    let service = |name: &str, more: Value| {
        let mut service = json!({ "name": name, "image": "example.com/x:1" });
        service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        service
    };
    let services = json!([
        service("a", json!({ "replicas": 0 })),
        service("b", json!({ "calls": [{ "service": "a", "waitFor": "Ready" }] }))
    ]);
    let app = application(|app| app["spec"] = json!({ "services": services }));
    let mut observed = Observed::default();
    let mut waiting = |live: Workload| {
        put(&mut observed, "Deployment", "shop--a", Facts::Workload(live));
        status(&app, &observed).parts.into_iter().find(|p| p.name == "service/b").unwrap().waiting_for
    };
    assert_eq!(
        waiting(Workload { replicas: 1, observed: true, ..Default::default() }),
        ["service/a: it is not ready yet"]
    );
    assert_eq!(waiting(Workload { observed: true, ..Default::default() }), [""; 0]);
}

#[test]
fn messages_have_a_bound() {
    let app = application(|_| ());
    let mut observed = observed();
    let long = Proof { reason: "LoginRefused".into(), message: "é".repeat(5000), ..Default::default() };
    told(&app, &mut observed, long);
    let problems: Vec<Problem> = (0..100)
        .map(|n| {
            Problem::new(format!("spec.services[{n}].name"), microapp::kit::reason::ROUTE_CONFLICT, "a long sentence")
        })
        .collect();
    let refused = report::refusal(&app, &problems, &observed, &Settings::default());
    for status in [status(&app, &observed), refused].map(Status::bounded) {
        let bindings = status.bindings.iter().filter_map(|b| b.message.as_ref());
        let longest = status.conditions.iter().map(|c| &c.message).chain(bindings).map(|m| m.chars().count()).max();
        assert!(longest.is_some_and(|longest| longest <= 1024), "{longest:?}");
    }
}

#[test]
fn a_new_wish_and_what_breaks_are_told_once() {
    let part = |ready: &str, reason: &str| {
        json!({ "name": "database", "kind": "Component", "ready": ready,
        "reason": reason, "message": "0/1" })
    };
    let status = |generation: i64, part: Value| {
        serde_json::from_value::<Status>(json!({ "observedGeneration": generation, "parts": [part] })).unwrap()
    };
    let told = |before: &Status, after: &Status| {
        events(before, after, &Applied::default()).into_iter().map(|e| (e.reason, e.warning)).collect::<Vec<_>>()
    };
    let (well, broken, rolling) = (
        status(3, part("True", "Ready")),
        status(3, part("False", "Unavailable")),
        status(3, part("False", "Progressing")),
    );
    assert_eq!(told(&status(2, part("True", "Ready")), &well), [("SpecAccepted".to_owned(), false)]);
    assert_eq!(told(&well, &broken), [("ComponentUnavailable".to_owned(), true)]);
    assert_eq!(told(&well, &rolling), [], "what rolls is on its way");
    assert_eq!(told(&broken, &well), [("ComponentReady".to_owned(), false)]);
    for same in [&well, &broken] {
        assert_eq!(told(same, same), []);
    }
}

/// The logins that the database is to have, when so much was made and the report says that this Secret is missing.
fn logins(made: &[&str], reason: &str, secret: &str) -> Vec<String> {
    let app = application(|_| ());
    let mut observed = observed();
    observed.now = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(9);
    observed.secrets = made.iter().map(|name| ((*name).to_owned(), jiff::Timestamp::UNIX_EPOCH)).collect();
    told(&app, &mut observed, Proof { reason: reason.into(), secret: secret.into(), ..Default::default() });
    let objects = objects(&app, &observed);
    objects.into_iter().filter(|o| o.name.contains("-login-")).map(|o| o.name).collect()
}

#[test]
fn only_the_login_in_use_and_only_by_one_gets_a_new_version() {
    let name = |version: u32| format!("shop-database-login-orders-v{version}-0b8f4a5e");
    let (first, second) = (name(1), name(2));
    assert_eq!(logins(&[&first], "SecretMissing", &first), std::slice::from_ref(&second));
    assert_eq!(logins(&[&first, &second], "SecretMissing", &first), [second], "an old report");
    assert_eq!(logins(&[&first], "SecretMissing", &name(998)), std::slice::from_ref(&first), "a forged one");
    assert_eq!(
        logins(&[], "SecretMissing", &first),
        std::slice::from_ref(&first),
        "it was never made: somebody refuses it"
    );
    for reason in ["AdministratorMissing", "ServerUnreachable", "LoginRefused"] {
        assert_eq!(logins(&[&first], reason, &first), std::slice::from_ref(&first), "{reason}");
    }
}

/// What keeps the database from its data, or is only said of it, with such an anchor and such a claim.
fn said(database: Value, anchor: Option<Anchor>, claim: Option<Claim>) -> (Vec<&'static str>, Vec<&'static str>) {
    let app = application(|app| app["spec"]["database"] = database);
    let mut observed = Observed::default();
    anchor
        .into_iter()
        .for_each(|anchor| put(&mut observed, "ControllerRevision", "shop-database-data", Facts::Anchor(anchor)));
    claim
        .into_iter()
        .for_each(|claim| put(&mut observed, "PersistentVolumeClaim", "data-shop-database-0", Facts::Claim(claim)));
    let settings = Settings::default();
    let app = App::resolve(&app, &settings).unwrap_or_else(|problems| panic!("{problems:?}"));
    let desired = app.desired(&observed);
    (
        desired.obstacles.iter().map(|(_, problem)| problem.reason.name()).collect(),
        desired.hints.iter().map(|problem| problem.reason.name()).collect(),
    )
}

#[test]
fn what_is_asked_of_data_is_compared_with_what_is_there() {
    let claim = || Claim {
        bound: true,
        request: "2Gi".into(),
        class: Some("fast".into()),
        engine: "PostgreSQL".into(),
        major: "18".into(),
        ..Default::default()
    };
    let anchor = || Anchor {
        engine: "PostgreSQL".into(),
        major: "18".into(),
        volumes: vec!["data-shop-database-0".into()],
        ..Default::default()
    };
    let of = |class: &str, size: &str| json!({ "storage": { "className": class, "size": size } });
    let (well, blocked, hint) = ((vec![], vec![]), |reason| (vec![reason], vec![]), |reason| (vec![], vec![reason]));
    let rows = [
        (json!({}), None, None, well.clone()),
        (of("fast", "2Gi"), Some(anchor()), Some(claim()), well.clone()),
        (of("fast", "1Gi"), Some(anchor()), Some(claim()), hint("VolumeKeepsItsSize")),
        (of("slow", "3Gi"), Some(anchor()), Some(claim()), hint("VolumeKeepsItsClass")),
        (of("fast", "2Gi"), Some(anchor()), Some(Claim { deleting: true, ..claim() }), hint("VolumeBeingDeleted")),
        (json!({ "version": 17 }), Some(anchor()), Some(claim()), blocked("VolumeOfAnotherEngine")),
        (
            json!({}),
            Some(anchor()),
            Some(Claim { engine: "MySQL".into(), ..claim() }),
            blocked("VolumeOfAnotherEngine"),
        ),
        (json!({}), Some(Anchor { engine: "MySQL".into(), ..anchor() }), None, blocked("VolumeOfAnotherEngine")),
        (json!({}), Some(anchor()), None, blocked("VolumeLost")),
        (json!({}), Some(anchor()), Some(Claim { bound: false, lost: true, ..claim() }), blocked("VolumeLost")),
        (json!({}), Some(Anchor { volumes: vec![], ..anchor() }), None, well.clone()),
        (json!({}), Some(Anchor { deleting: true, ..anchor() }), Some(claim()), blocked("DataBeingDeleted")),
        (json!({}), Some(Anchor { app: Some("dead".into()), ..anchor() }), Some(claim()), blocked("DataBeingDeleted")),
        (json!({}), Some(Anchor { app: Some("u".into()), ..anchor() }), Some(claim()), well.clone()),
        (json!({}), None, Some(Claim { deleting: true, ..claim() }), blocked("DataBeingDeleted")),
        (json!({}), None, Some(Claim { anchor: Some("gone".into()), ..claim() }), blocked("DataBeingDeleted")),
        (
            json!({}),
            Some(anchor()),
            Some(Claim { anchor: Some("gone".into()), ..claim() }),
            blocked("DataBeingDeleted"),
        ),
        (json!({}), Some(anchor()), Some(Claim { anchor: Some("0b8f4a5e".into()), ..claim() }), well.clone()),
        (json!({}), None, Some(claim()), well.clone()),
        (json!({}), None, Some(Claim { engine: String::new(), major: String::new(), ..claim() }), well.clone()),
    ];
    for (index, (database, anchor, claim, wanted)) in rows.into_iter().enumerate() {
        assert_eq!(said(with_size(database), anchor, claim), wanted, "row {index}");
    }
    // A claim that waits holds nothing, unless it names where its data comes from or held some before.
    let waiting = Claim { bound: false, ..claim() };
    let first = || Some(Anchor { volumes: vec![], ..anchor() });
    for (anchor, claim, wanted) in [
        (first(), waiting.clone(), blocked("VolumeOfAnotherClass")),
        (first(), Claim { named: true, ..waiting.clone() }, hint("VolumeKeepsItsClass")),
        (Some(anchor()), waiting.clone(), hint("VolumeKeepsItsClass")),
    ] {
        assert_eq!(said(of("slow", "2Gi"), anchor, Some(claim)), wanted);
    }
    assert_eq!(
        said(with_size(json!({})), first(), Some(Claim { class_is_ours: true, ..waiting.clone() })),
        blocked("VolumeOfAnotherClass")
    );
    assert_eq!(said(with_size(json!({ "version": 17 })), first(), Some(waiting)), well, "nobody wrote to it");
}

/// As large as the claim.
fn with_size(mut database: Value) -> Value {
    if database.get("storage").is_none() {
        database["storage"] = json!({ "size": "2Gi" });
    }
    database
}

#[test]
fn a_database_that_cannot_be_started_keeps_no_cache_from_its_users() {
    let app = application(|app| app["spec"]["cache"] = json!({}));
    let mut observed = observed();
    let other = Claim { bound: true, engine: "MySQL".into(), ..Default::default() };
    put(&mut observed, "PersistentVolumeClaim", "data-shop-database-0", Facts::Claim(other));
    let of = |observed: &Observed, id: &str| objects(&app, observed).into_iter().find(|o| o.id().to_string() == id);
    let plan = of(&observed, "ConfigMap/shop-provisioner").unwrap().body["data"]["plan.json"].to_string();
    assert!(plan.contains("shop-cache") && !plan.contains("shop-database"), "{plan}");
    assert!(!of(&observed, "Deployment/shop-provisioner").unwrap().is_held());
    // A server that runs goes on, and nothing new is asked of it.
    put(&mut observed, "StatefulSet", "shop-database", Facts::Workload(Workload::default()));
    assert!(of(&observed, "Deployment/shop-provisioner").unwrap().is_held());
}

#[test]
fn a_cache_that_kept_nothing_changes_its_engine_and_is_opened_by_any_password() {
    let app = application(|app| app["spec"]["cache"] = json!({ "engine": "Redis", "storage": {} }));
    let mut observed = observed();
    // It was Valkey, and kept nothing; what an anchor was made with cannot be changed.
    let anchor = Anchor { engine: "Valkey".into(), id: "0b8f4a5e".into(), major: "9".into(), ..Default::default() };
    put(&mut observed, "ControllerRevision", "shop-cache-data", Facts::Anchor(anchor));
    let claim = Claim { bound: true, engine: "Redis".into(), major: "8".into(), ..Default::default() };
    for claim in [None, Some(claim)] {
        if let Some(claim) = claim {
            put(&mut observed, "PersistentVolumeClaim", "data-shop-cache-0", Facts::Claim(claim));
        }
        let made = objects(&app, &observed);
        let of = |id: &str| made.iter().find(|object| object.id().to_string() == id).unwrap();
        assert!(!of("StatefulSet/shop-cache").is_held());
        assert_eq!(of("ControllerRevision/shop-cache-data").body["data"]["engine"], "Valkey");
        let admin = made.iter().find(|object| object.name.starts_with("shop-cache-admin-")).unwrap();
        assert_eq!(admin.secret.as_ref().unwrap().opens, [""; 0], "each start takes the password that there is");
    }
}
