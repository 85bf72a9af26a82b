//! What holds for every object of every component, engine and specification, without a cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use microapp::app::{App, MicroserviceApp, Settings};
use microapp::kit::{
    objects::{Id, Object},
    observed::{Anchor, Facts, Observed, Record},
};
use serde_json::{Value, json};

const UID: &str = "0b8f4a5e-0000-4000-8000-000000000001";
const ANCHOR_UID: &str = "3fa9c1d2-0000-4000-8000-000000000002";

/// One application of the matrix, and its objects.
struct Case {
    name: String,
    app: MicroserviceApp,
    objects: Vec<Object>,
}

/// Every component alone, by engine, once as small and once as rich as it can be; and everything at once.
fn specs() -> Vec<(String, Value)> {
    // kubectl, too, sends a whole number for this one.
    let full: Value = serde_yaml::from_str(&include_str!("accepted/full.yaml").replace("1e9", "1000000000")).unwrap();
    let (service, worker) = (
        json!({ "name": "web", "image": "example.com/web:1" }),
        json!({ "name": "worker", "image": "example.com/worker:1", "protocol": "None" }),
    );
    let mut specs = vec![
        ("empty".to_owned(), json!({})),
        ("registry Kubernetes minimal".into(), json!({ "registry": {} })),
        ("registry Kubernetes full".into(), json!({ "registry": full["spec"]["registry"] })),
        ("database PostgreSQL minimal".into(), json!({ "database": {} })),
        ("database PostgreSQL full".into(), json!({ "database": full["spec"]["database"] })),
        ("service minimal".into(), json!({ "services": [service] })),
        ("service without a port".into(), json!({ "services": [worker] })),
        ("full".into(), full["spec"].clone()),
    ];
    for exposure in ["ClusterIP", "NodePort", "LoadBalancer"] {
        let mut gateway = full["spec"]["gateway"].clone();
        gateway["exposure"] = exposure.into();
        specs.push((format!("gateway Envoy {exposure} minimal"), json!({ "gateway": { "exposure": exposure } })));
        specs.push((format!("gateway Envoy {exposure} full"), json!({ "gateway": gateway })));
    }
    for service in full["spec"]["services"].as_array().unwrap() {
        let mut alone = service.clone();
        ["calls", "routes", "uses"].iter().for_each(|key| drop(alone.as_object_mut().unwrap().remove(*key)));
        specs.push((format!("service {} full", service["name"]), json!({ "services": [alone] })));
    }
    for choice in [
        json!({ "availability": "HighlyAvailable" }),
        json!({ "dataRetention": "Delete" }),
        json!({ "labels": { "app.example/team": "x" } }),
    ] {
        let mut spec = full["spec"].clone();
        ["availability", "dataRetention", "labels"]
            .iter()
            .for_each(|key| drop(spec.as_object_mut().unwrap().remove(*key)));
        spec.as_object_mut().unwrap().extend(choice.as_object().unwrap().clone());
        specs.push((format!("full, {choice}"), spec));
    }
    specs
}

fn application(spec: &Value) -> MicroserviceApp {
    let metadata = json!({ "name": "a23456789-123456789-1234", "namespace": "acme", "uid": UID });
    serde_json::from_value(
        json!({ "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": metadata, "spec": spec }),
    )
    .unwrap()
}

/// What is known once the anchor of the data is there.
fn observed(app: &MicroserviceApp) -> Observed {
    let id =
        Id { kind: "ControllerRevision", name: format!("{}-database-data", app.metadata.name.as_deref().unwrap()) };
    let anchor = Anchor { engine: "PostgreSQL".into(), id: "3fa9c1d2".into(), ..Default::default() };
    Observed {
        records: BTreeMap::from([(
            id,
            Record { uid: ANCHOR_UID.into(), facts: Facts::Anchor(anchor), ..Default::default() },
        )]),
        ..Default::default()
    }
}

fn build(app: &MicroserviceApp, observed: &Observed, settings: &Settings) -> Vec<Object> {
    App::resolve(app, settings).unwrap_or_else(|problems| panic!("{problems:?}")).desired(observed).objects
}

fn cases() -> Vec<Case> {
    let case = |(name, spec): (String, Value)| {
        let app = application(&spec);
        let objects = build(&app, &observed(&app), &Settings::default());
        Case { name, objects, app }
    };
    specs().into_iter().map(case).collect()
}

/// Checks something of every object of every case.
fn each(check: impl Fn(&Case, &Object) -> Result<(), String>) {
    let mut wrong = vec![];
    let mut seen = 0;
    for case in &cases() {
        for object in &case.objects {
            seen += 1;
            wrong.extend(check(case, object).err().map(|what| format!("{}: {}: {what}", case.name, object.id())));
        }
    }
    assert!(seen > 200, "only {seen} objects");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Checks something of every pod of every case.
fn each_pod(check: impl Fn(&Case, &Value, &Value) -> Result<(), String>) {
    each(|case, object| match object.body.pointer("/spec/template") {
        Some(template) => check(case, template, &template["spec"]),
        None => Ok(()),
    });
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn containers(pod: &Value) -> Vec<&Value> {
    ["initContainers", "containers"].iter().filter_map(|key| pod[*key].as_array()).flatten().collect()
}

fn is_anchor(object: &Object) -> bool {
    object.kind.kind == "ControllerRevision"
}

/// The key of digests: the one Secret that opens nothing.
fn is_key(object: &Object) -> bool {
    object.kind.kind == "Secret" && object.name.contains("-provisioner-key-v")
}

fn outlives(object: &Object) -> bool {
    is_anchor(object) || ["Secret", "PersistentVolumeClaim"].contains(&object.kind.kind) && !is_key(object)
}

#[test]
fn kinds_are_owned_and_in_the_order_of_applying() {
    each(|_, object| {
        let (kind, version) = (&object.body["kind"], &object.body["apiVersion"]);
        ensure(kind == object.kind.kind && *version == object.kind.api_version(), || {
            format!("says that it is {kind} of {version}")
        })
    });
    for case in cases() {
        let ranks: Vec<u8> = case.objects.iter().map(|o| o.kind.rank).collect();
        assert!(ranks.is_sorted(), "{}", case.name);
    }
}

#[test]
fn names_are_unique_and_legal() {
    for case in cases() {
        let ids: BTreeSet<Id> = case.objects.iter().map(Object::id).collect();
        assert_eq!(ids.len(), case.objects.len(), "{}", case.name);
    }
    each(|case, object| {
        // A StatefulSet's pods carry its name, a dash and a digest of ten in a label.
        let limit = if object.kind.kind == "StatefulSet" {
            52
        } else if object.kind.kind == "Service" {
            63
        } else {
            253
        };
        let name = &object.name;
        let legal = name.len() <= limit
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric());
        // An account's name ends as nobody else's does.
        let stem =
            if object.kind.kind == "ServiceAccount" { name.strip_suffix(".microapp").unwrap_or("?") } else { name };
        ensure(legal && stem.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), || {
            "not a name".into()
        })?;
        ensure(
            object.body["metadata"]["name"] == name.as_str() && object.body["metadata"]["namespace"] == "acme",
            || "not where it should be".into(),
        )?;
        ensure(name.contains(case.app.metadata.name.as_deref().unwrap()), || {
            "does not carry the application's name".into()
        })
    });
}

#[test]
fn labels_say_whose_it_is() {
    each(|case, object| {
        let labels = object.body["metadata"]["labels"].as_object().unwrap();
        ensure(labels["microapp.dev/app"] == case.app.metadata.name.as_deref().unwrap(), || {
            "not labelled with its application".into()
        })?;
        ensure(labels.contains_key("microapp.dev/part") != is_anchor(object), || "the part's label".into())?;
        ensure(case.app.spec.labels.iter().all(|(key, value)| labels[key] == value.as_str()), || {
            "lacks the user's labels".into()
        })?;
        ensure(labels.values().all(|value| value.as_str().unwrap().len() <= 63), || "a label is too long".into())?;
        ensure(!outlives(object) || labels.keys().all(|key| !key.contains("kubernetes.io")), || {
            "carries labels by which others prune".into()
        })
    });
}

#[test]
fn everything_has_the_one_owner_that_it_goes_with() {
    each(|case, object| {
        let owners: Vec<&str> = object.body["metadata"]["ownerReferences"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|o| o["uid"].as_str().unwrap())
            .collect();
        let deletes = case.app.spec.data_retention == Some(microapp::app::DataRetention::Delete);
        let wanted: &[&str] = match () {
            () if is_anchor(object) && !deletes => &[],
            () if outlives(object) && !is_anchor(object) => &[ANCHOR_UID],
            () => &[UID],
        };
        ensure(owners == wanted, || format!("owned by {owners:?}"))
    });
}

#[test]
fn pods_are_restricted() {
    each_pod(|_, _, pod| {
        let security = &pod["securityContext"];
        ensure(
            security["runAsNonRoot"] == true
                && security["runAsUser"].as_i64() > Some(0)
                && security["seccompProfile"]["type"] == "RuntimeDefault",
            || format!("{security}"),
        )?;
        ensure(["hostNetwork", "hostPID", "hostIPC"].iter().all(|key| pod.get(key).is_none()), || "the host's".into())?;
        for volume in pod["volumes"].as_array().into_iter().flatten() {
            let kind = volume.as_object().unwrap().keys().find(|key| *key != "name").unwrap();
            ensure(
                ["configMap", "secret", "projected", "emptyDir", "persistentVolumeClaim"].contains(&kind.as_str()),
                || format!("{volume}"),
            )?;
            ensure(kind != "emptyDir" || volume["emptyDir"]["sizeLimit"].is_string(), || {
                format!("unbounded: {volume}")
            })?;
        }
        for container in containers(pod) {
            let security = &container["securityContext"];
            ensure(
                security["allowPrivilegeEscalation"] == false
                    && security["readOnlyRootFilesystem"] == true
                    && security["capabilities"] == json!({ "drop": ["ALL"] }),
                || format!("{}: {security}", container["name"]),
            )?;
            ensure(security.get("privileged").is_none() && security.get("runAsUser").is_none(), || {
                format!("{}: {security}", container["name"])
            })?;
        }
        Ok(())
    });
}

#[test]
fn pods_are_probed_bounded_and_ended_in_time() {
    each_pod(|case, template, pod| {
        ensure(pod["terminationGracePeriodSeconds"].as_i64() >= Some(5), || "no time to end".into())?;
        for container in containers(pod) {
            let name = container["name"].as_str().unwrap();
            let service = case.app.spec.services.iter().find(|s| s.name == name);
            let silent = service.is_some_and(|s| {
                s.called_port().is_none()
                    || s.health.as_ref().is_some_and(|h| h.probe == Some(microapp::components::services::Probe::None))
            });
            ensure(silent || container["readinessProbe"].is_object() || container["startupProbe"].is_object(), || {
                format!("{name} is not probed")
            })?;
            ensure(
                container["resources"]["requests"].is_object() || container["resources"]["limits"].is_object(),
                || format!("{name} asks for nothing"),
            )?;
            ensure(container["image"].as_str().is_some_and(|image| !image.is_empty()), || {
                format!("{name} has no image")
            })?;
        }
        let labels = template["metadata"]["labels"].as_object().unwrap();
        ensure(labels.contains_key("app.kubernetes.io/name"), || "dashboards do not know it".into())
    });
}

#[test]
fn pods_get_an_account_of_their_own_and_no_token() {
    each_pod(|case, _, pod| {
        let account = pod["serviceAccountName"].as_str().unwrap_or_default();
        ensure(
            case.objects.iter().any(|o| {
                o.kind.kind == "ServiceAccount" && o.name == account && o.body["automountServiceAccountToken"] == false
            }),
            || format!("account '{account}'"),
        )?;
        ensure(account.ends_with(".microapp"), || format!("'{account}' may be somebody else's"))?;
        ensure(pod["automountServiceAccountToken"] == false && pod["enableServiceLinks"] == false, || {
            "gets a token or service links".into()
        })
    });
}

#[test]
fn selectors_are_ours_alone_and_never_change() {
    let app =
        |object: &Object| object.body.pointer("/spec/selector").map(|s| s.get("matchLabels").unwrap_or(s).clone());
    each(|_, object| {
        let Some(selector) = app(object) else { return Ok(()) };
        ensure(
            selector.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>()
                == ["microapp.dev/app", "microapp.dev/part"],
            || selector.to_string(),
        )?;
        let Some(labels) = object.body.pointer("/spec/template/metadata/labels") else { return Ok(()) };
        ensure(selector.as_object().unwrap().iter().all(|(key, value)| labels.get(key) == Some(value)), || {
            "selects other pods".into()
        })
    });
    // The anchor of the data must not be taken for a revision of its StatefulSet.
    for case in cases() {
        let labels: Vec<&Value> =
            case.objects.iter().filter(|o| is_anchor(o)).map(|o| &o.body["metadata"]["labels"]).collect();
        let caught = |selector: &Value| {
            labels
                .iter()
                .any(|labels| selector.as_object().unwrap().iter().all(|(key, value)| labels.get(key) == Some(value)))
        };
        assert!(!case.objects.iter().filter_map(app).any(|selector| caught(&selector)), "{}", case.name);
    }
    // One name, one selector, whatever the rest of the specification says.
    let mut known: BTreeMap<Id, Value> = BTreeMap::new();
    for object in cases().iter().flat_map(|case| &case.objects) {
        if let Some(selector) = app(object) {
            assert_eq!(*known.entry(object.id()).or_insert_with(|| selector.clone()), selector, "{}", object.id());
        }
    }
}

#[test]
fn files_of_bindings_are_those_that_the_pod_is_made_for() {
    let files = |port: i32| {
        let spec = json!({ "services": [
            { "name": "web", "image": "example.com/web:1", "calls": [{ "service": "orders" }] },
            { "name": "orders", "image": "example.com/orders:1", "port": port },
        ] });
        let app = application(&spec);
        let objects = build(&app, &observed(&app), &Settings::default());
        let of = |kind: &str, end: &str| {
            objects.iter().find(|o| o.kind.kind == kind && o.name.ends_with(end)).unwrap().body.clone()
        };
        let volumes = of("Deployment", "--web")["spec"]["template"]["spec"]["volumes"].clone();
        let items = volumes.as_array().unwrap().iter().find(|v| v["name"] == "bindings").unwrap()["projected"][
            "sources"][0]["configMap"]["items"].clone();
        let wanted: BTreeSet<String> =
            items.as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap().to_owned()).collect();
        let there: BTreeSet<String> =
            of("ConfigMap", "--web--bindings")["data"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(wanted, there);
        wanted
    };
    assert!(
        files(8080).is_disjoint(&files(8081)),
        "an older content has other keys, so that no pod of the new one can mount it"
    );
}

#[test]
fn every_stateful_set_has_a_headless_service_by_which_its_pods_find_each_other() {
    for case in cases() {
        for set in case.objects.iter().filter(|object| object.kind.kind == "StatefulSet") {
            let peers = format!("{}-peers", set.name);
            assert_eq!(set.body["spec"]["serviceName"], *peers, "{}: it can never be changed", case.name);
            let service = case
                .objects
                .iter()
                .find(|object| object.kind.kind == "Service" && object.name == peers)
                .expect("the Service is built");
            assert_eq!(
                (&service.body["spec"]["clusterIP"], &service.body["spec"]["publishNotReadyAddresses"]),
                (&json!("None"), &json!(true))
            );
        }
    }
}

#[test]
fn the_same_inputs_give_the_same_objects() {
    for (name, spec) in specs() {
        let app = application(&spec);
        let (first, mut later) = (observed(&app), observed(&app));
        later.now = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24);
        let hashes = |observed: &Observed| {
            build(&app, observed, &Settings::default()).iter().map(|o| (o.id(), o.hash())).collect::<Vec<_>>()
        };
        assert_eq!(hashes(&first), hashes(&later), "{name}");
        let newer = Settings { version: "99.0.0".into(), ..Settings::default() };
        let release = build(&app, &first, &newer).iter().map(|o| (o.id(), o.hash())).collect::<Vec<_>>();
        assert_eq!(hashes(&first), release, "{name}: an object tells the operator's version");
    }
}

#[test]
fn no_object_holds_a_secret() {
    each(|_, object| {
        if object.kind.kind == "Secret" {
            let keys = |key: &str| {
                object.body[key].as_object().map(|map| map.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
            };
            let named: &[&str] = if is_key(object) { &[] } else { &["username"] };
            ensure(keys("data").is_empty() && keys("stringData") == named && object.body["immutable"] == true, || {
                "more than a user name".into()
            })?;
            return ensure(object.secret.as_ref().is_some_and(|s| s.key == "password"), || {
                "no password is made".into()
            });
        }
        ensure(object.secret.is_none(), || "is treated as a Secret".into())
    });
    each_pod(|_, _, pod| {
        let env = containers(pod).into_iter().flat_map(|c| c["env"].as_array().into_iter().flatten());
        let mut secret = env.filter(|v| {
            v["name"].as_str().unwrap().contains("PASSWORD") || v["name"].as_str().unwrap().ends_with("USERNAME")
        });
        secret.try_for_each(|variable| {
            ensure(variable["valueFrom"]["secretKeyRef"].is_object(), || format!("{variable}"))
        })
    });
}

#[test]
fn what_a_pod_mounts_is_there_before_it_or_the_users() {
    each_pod(|case, _, pod| {
        let ours = |name: &str| name.starts_with(case.app.metadata.name.as_deref().unwrap());
        let there =
            |kind: &str, name: &str| !ours(name) || case.objects.iter().any(|o| o.kind.kind == kind && o.name == name);
        let texts = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
        for volume in pod["volumes"].as_array().into_iter().flatten() {
            let sources: Vec<&Value> = volume["projected"]["sources"]
                .as_array()
                .map(|all| all.iter().collect())
                .unwrap_or_else(|| vec![volume]);
            for source in sources {
                let maps = texts(&source["configMap"], "name").is_none_or(|name| there("ConfigMap", &name));
                let secrets = texts(&source["secret"], "name")
                    .or(texts(&source["secret"], "secretName"))
                    .is_none_or(|name| there("Secret", &name));
                ensure(maps && secrets, || format!("{source}"))?;
            }
        }
        for variable in containers(pod).into_iter().flat_map(|c| c["env"].as_array().into_iter().flatten()) {
            ensure(
                texts(&variable["valueFrom"]["secretKeyRef"], "name").is_none_or(|name| there("Secret", &name)),
                || format!("{variable}"),
            )?;
        }
        Ok(())
    });
}

/// Words of ours that stand in pods, environments, folders and configurations. None of them is reserved: any may be the
/// name of a service, a port or a file.
const OURS: [&str; 24] = [
    "admin",
    "agent",
    "bindings",
    "cache",
    "config",
    "data",
    "database",
    "database-data",
    "discover",
    "endpoints",
    "envoy",
    "files",
    "gateway",
    "http",
    "logins",
    "microapp",
    "plan",
    "port",
    "postgresql",
    "provisioner",
    "registry",
    "server",
    "tmp",
    "token",
];

/// A pod in which two things have one name is refused, or is another one than was meant.
#[test]
fn no_name_of_ours_meets_one_of_the_users() {
    let port = |name: &str, n: usize| json!({ "name": if name.len() > 15 { "p" } else { name }, "port": 9100 + n });
    let service = |(n, name): (usize, &&str)| {
        let calls: Vec<Value> =
            OURS.iter().filter(|other| *other != name).take(20).map(|other| json!({ "service": other })).collect();
        let files = json!([{ "name": name, "configMapRef": { "name": "theirs" } }]);
        json!({ "name": name, "image": "example.com/x:1", "calls": calls, "configFiles": files, "ports": [port(name,
            n)], "routes": [{ "path": format!("/{name}") }] })
    };
    let mut services: Vec<Value> = OURS.iter().enumerate().map(service).collect();
    // Who uses the database and calls a service of that name is told so, by a test of its own.
    services.push(json!({ "name": "web", "image": "example.com/x:1", "uses": [{ "component": "Database" }],
        "calls": [{ "service": "admin" }] }));
    let app = application(&json!({ "services": services, "gateway": {}, "database": {} }));
    let objects = build(&app, &observed(&app), &Settings::default());
    let twice = |names: Vec<String>| {
        let mut seen = BTreeSet::new();
        names.into_iter().filter(|name| !seen.insert(name.clone())).collect::<Vec<_>>()
    };
    let named = |list: &Value, key: &str| {
        list.as_array()
            .into_iter()
            .flatten()
            .map(|item| item[key].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let mut pods = 0;
    for object in &objects {
        let Some(pod) = object.body.pointer("/spec/template/spec") else { continue };
        pods += 1;
        let all = containers(pod);
        let mut lists =
            vec![all.iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect(), named(&pod["volumes"], "name")];
        for container in all {
            lists.extend([
                named(&container["env"], "name"),
                named(&container["volumeMounts"], "mountPath"),
                named(&container["ports"], "name"),
            ]);
        }
        for volume in pod["volumes"].as_array().unwrap() {
            let sources = volume["projected"]["sources"].as_array().into_iter().flatten();
            let items = sources
                .flat_map(|source| [&source["configMap"], &source["secret"]])
                .flat_map(|source| named(&source["items"], "path"));
            lists.push(items.collect());
        }
        for list in lists {
            assert_eq!(twice(list), [""; 0], "{}", object.id());
        }
    }
    assert!(pods > OURS.len(), "only {pods} pods");
    let ids: BTreeSet<Id> = objects.iter().map(Object::id).collect();
    assert_eq!(ids.len(), objects.len());
}
