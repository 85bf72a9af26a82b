//! What holds for every name.

use super::*;

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
    let objects = build(&app, &Settings::default());
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
