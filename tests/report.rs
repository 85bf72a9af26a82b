//! What is said of an application, from facts alone: addresses, bindings, events, and nothing without a bound.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use microapp::app::{App, Applied, MicroserviceApp, Settings, Status, events::events, report};
use microapp::kit::agents::{Proof, Report, SecretDigests};
use microapp::kit::digest;
use microapp::kit::objects::Id;
use microapp::kit::observed::{Anchor, Facts, Observed, Record, Service, Workload};
use microapp::kit::problem::Problem;
use serde_json::{Value, json};

fn application(change: impl FnOnce(&mut Value)) -> MicroserviceApp {
    let mut app = json!({
        "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": { "name": "shop", "namespace": "acme", "uid": "u", "generation": 3 },
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
    observed.records.insert(Id { kind, name: name.into() }, Record { uid: "0b8f4a5e".into(), facts, ..Default::default() });
}

/// The anchor is there, and the provisioner runs.
fn observed() -> Observed {
    let mut observed = Observed::default();
    put(&mut observed, "ControllerRevision", "shop-database-data", Facts::Anchor(Anchor { engine: "PostgreSQL".into(), major: "18".into() }));
    put(&mut observed, "Deployment", "shop-provisioner", Facts::Workload(Workload { replicas: 1, ready: 1, observed: true, ..Default::default() }));
    observed
}

fn status(app: &MicroserviceApp, observed: &Observed) -> Status {
    let settings = Settings::default();
    let app = App::resolve(app, observed, &settings).unwrap_or_else(|problems| panic!("{problems:?}"));
    report::report(&app, &Applied::default(), &settings)
}

/// The provisioner's report on the plan that stands, with one proof.
fn told(app: &MicroserviceApp, observed: &mut Observed, proof: Proof) {
    let settings = Settings::default();
    let objects = App::resolve(app, observed, &settings).unwrap_or_else(|problems| panic!("{problems:?}")).build();
    let plan = objects.iter().find(|o| o.id().to_string() == "ConfigMap/shop-provisioner").unwrap().body["data"]["plan.json"].clone();
    let proof = Proof { service: "orders".into(), component: "database".into(), ..proof };
    observed.report = Some(Report { plan: digest::of_bytes(plan.as_str().unwrap().as_bytes()), proofs: vec![proof], ..Default::default() });
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
        (binding.proved, binding.reason)
    };
    let is = |proved: &str, reason: &str| (proved.to_owned(), reason.to_owned());
    let mut observed = observed();
    assert_eq!(bound(&observed), is("Unknown", "NotTriedYet"));
    told(&app, &mut observed, Proof { proved: true, reason: "LoggedIn".into(), ..Default::default() });
    assert_eq!(bound(&observed), is("True", "LoggedIn"));
    told(&app, &mut observed, Proof { reason: "LoginRefused".into(), ..Default::default() });
    assert_eq!(bound(&observed), is("False", "LoginRefused"));
    told(&app, &mut observed, Proof { reason: "ServerUnreachable".into(), ..Default::default() });
    assert_eq!(bound(&observed), is("Unknown", "ServerUnreachable"));
    told(&app, &mut observed, Proof { proved: true, reason: "LoggedIn".into(), ..Default::default() });
    put(&mut observed, "Deployment", "shop-provisioner", Facts::Workload(Workload { replicas: 1, ..Default::default() }));
    assert_eq!(bound(&observed), is("Unknown", "ProvisionerSilent"), "an old report of a provisioner that does not run");
}

#[test]
fn variables_that_people_replace_are_named() {
    let app = application(|app| app["spec"]["services"][0]["env"] = json!([{ "name": "DATABASE_URL", "value": "x" }, { "name": "DATABASES", "value": "y" }]));
    let binding = status(&app, &observed()).bindings.remove(0);
    assert_eq!((binding.reason.as_str(), binding.message.as_deref()), ("Overridden", Some("`env` of the service replaces DATABASE_URL")));
}

#[test]
fn what_a_forged_report_calls_a_digest_is_not_kept() {
    let app = application(|app| {
        app["spec"]["services"][0]["env"] = json!([{ "name": "KEY", "valueFrom": { "secretKeyRef": { "name": "stripe", "key": "apiKey" } } }]);
    });
    let seen = |digest: &str| {
        let mut observed = observed();
        told(&app, &mut observed, Proof::default());
        let digests = [("stripe/apiKey".to_owned(), digest.to_owned())].into();
        observed.report.as_mut().unwrap().secrets = Some(SecretDigests { key: "k".into(), digests, ..Default::default() });
        let settings = Settings::default();
        let objects = App::resolve(&app, &observed, &settings).unwrap_or_else(|problems| panic!("{problems:?}")).build();
        let orders = objects.into_iter().find(|o| o.id().to_string() == "Deployment/shop--orders").unwrap();
        orders.body["metadata"]["annotations"]["microapp.dev/secrets"].as_str().unwrap().to_owned()
    };
    assert!(seen("0123456789abcdef").contains("0123456789abcdef"));
    assert!(!seen(&"a".repeat(60_000)).contains("aaa"));
    assert!(!seen("0123456789abcde\"").contains("0123"));
}

#[test]
fn messages_have_a_bound() {
    let app = application(|_| ());
    let mut observed = observed();
    told(&app, &mut observed, Proof { reason: "LoginRefused".into(), message: "é".repeat(5000), ..Default::default() });
    let problems: Vec<Problem> = (0..100).map(|n| Problem::new(format!("spec.services[{n}].name"), "RouteConflict", "a long sentence")).collect();
    let refused = report::refusal(&app, &problems, &observed, &Settings::default());
    for status in [status(&app, &observed), refused] {
        let bindings = status.bindings.iter().filter_map(|b| b.message.as_ref());
        let longest = status.conditions.iter().map(|c| &c.message).chain(bindings).map(|m| m.chars().count()).max();
        assert!(longest.is_some_and(|longest| longest <= 1024), "{longest:?}");
    }
}

#[test]
fn a_new_wish_and_what_breaks_are_told_once() {
    let part = |ready: &str, reason: &str| json!({ "name": "database", "kind": "Component", "ready": ready, "reason": reason, "message": "0/1" });
    let status = |generation: i64, part: Value| serde_json::from_value::<Status>(json!({ "observedGeneration": generation, "parts": [part] })).unwrap();
    let told = |before: &Status, after: &Status| events(before, after, &Applied::default()).into_iter().map(|e| (e.reason, e.warning)).collect::<Vec<_>>();
    let (well, broken, rolling) = (status(3, part("True", "Ready")), status(3, part("False", "Unavailable")), status(3, part("False", "Progressing")));
    assert_eq!(told(&status(2, part("True", "Ready")), &well), [("SpecAccepted".to_owned(), false)]);
    assert_eq!(told(&well, &broken), [("ComponentUnavailable".to_owned(), true)]);
    assert_eq!(told(&well, &rolling), [], "what rolls is on its way");
    assert_eq!(told(&broken, &well), [("ComponentReady".to_owned(), false)]);
    for same in [&well, &broken] {
        assert_eq!(told(same, same), []);
    }
}
