//! What holds for every object.

use super::*;

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
        let later = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24);
        let hashes = |now, settings: &Settings| {
            let observed = Observed { now, ..Default::default() };
            let app = App::resolve(&app, settings).unwrap_or_else(|it| panic!("{it:?}"));
            app.desired(&observed).objects.iter().map(|o| (o.id(), o.hash())).collect::<Vec<_>>()
        };
        let first = hashes(jiff::Timestamp::UNIX_EPOCH, &Settings::default());
        assert_eq!(first, hashes(later, &Settings::default()), "{name}");
        let newer = Settings { version: "99.0.0".into(), ..Settings::default() };
        assert_eq!(first, hashes(later, &newer), "{name}: an object tells the operator's version");
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
            return ensure(object.secret.as_ref().is_some_and(|s| s.form.keys() == ["password"]), || {
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
fn workloads_remember_what_their_part_depends_on() {
    let (settings, observed) = (Settings::default(), Observed::default());
    let mut seen = 0;
    for (name, spec) in specs() {
        let app = application(&spec);
        let sound = App::resolve(&app, &settings).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        let desired = sound.desired(&observed);
        for object in desired.objects.iter().filter(|object| object.is_workload()) {
            let whole = object.part.role().map_or_else(|| object.part.clone(), PartName::component);
            let known = desired.wiring.part(&whole).dependencies.join(",");
            let noted = &object.body["spec"]["template"]["metadata"]["annotations"]["microapp.dev/dependencies"];
            assert_eq!(noted.as_str().unwrap_or_default(), known, "{name}: {}", object.id());
            seen += usize::from(!known.is_empty());
        }
    }
    assert!(seen > 0, "no workload depends on anything");
}
