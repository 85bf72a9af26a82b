//! What holds for every pod.

use super::*;

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
            // What runs to its end before all else has nothing to be asked.
            let ends = container["restartPolicy"] != "Always"
                && pod["initContainers"].as_array().is_some_and(|init| init.contains(container));
            ensure(
                ends || silent || container["readinessProbe"].is_object() || container["startupProbe"].is_object(),
                || format!("{name} is not probed"),
            )?;
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
fn files_of_bindings_are_those_that_the_pod_is_made_for() {
    let files = |port: i32| {
        let spec = json!({ "services": [
            { "name": "web", "image": "example.com/web:1", "calls": [{ "service": "orders" }] },
            { "name": "orders", "image": "example.com/orders:1", "port": port },
        ] });
        let app = application(&spec);
        let objects = build(&app, &Settings::default());
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
