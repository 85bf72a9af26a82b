//! What the operator may write: everything that it makes, and nothing that would lend it more.

use serde_json::{Value, json};

use super::*;

/// Sets what is at a JSON pointer, making what is on the way; null removes it.
pub fn set(object: &mut Value, pointer: &str, value: Value) {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let mut node = object;
    for key in parent.split('/').skip(1) {
        node = match key.parse::<usize>() {
            Ok(index) => &mut node[index],
            Err(_) => &mut node[key.replace("~1", "/")],
        };
    }
    match (node, last) {
        (Value::Array(list), "-") => list.push(value),
        (node, key) if value.is_null() => drop(node.as_object_mut().unwrap().remove(&key.replace("~1", "/"))),
        (node, key) => match key.parse::<usize>() {
            Ok(index) => node[index] = value,
            Err(_) => node[key.replace("~1", "/")] = value,
        },
    }
}

/// Pod templates: what the policy says, what is changed of a good one, and to what.
pub fn templates() -> Vec<(&'static str, &'static str, Value)> {
    let security = |more: Value| {
        let mut context = json!({ "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] },
            "allowPrivilegeEscalation": false });
        more.as_object().unwrap().iter().for_each(|(key, value)| context[key] = value.clone());
        context
    };
    let volume = |source: Value| {
        let mut volume = json!({ "name": "more" });
        source.as_object().unwrap().iter().for_each(|(key, value)| volume[key] = value.clone());
        volume
    };
    const CONTAINER: &str = "/containers/0/securityContext";
    vec![
        ("hostNetwork", "/hostNetwork", json!(true)),
        ("hostPID", "/hostPID", json!(true)),
        ("hostIPC", "/hostIPC", json!(true)),
        ("hostPort", "/containers/0/ports/0/hostPort", json!(8080)),
        ("nodeName", "/nodeName", json!("simulated-1")),
        ("hostUsers", "/hostUsers", json!(true)),
        ("shareProcessNamespace", "/shareProcessNamespace", json!(true)),
        ("runtimeClassName", "/runtimeClassName", json!("lesser")),
        ("schedulerName", "/schedulerName", json!("mine")),
        ("resourceClaims", "/resourceClaims", json!([{ "name": "gpu", "resourceClaimName": "gpu" }])),
        ("priorityClassName", "/priorityClassName", json!("system-node-critical")),
        ("priorityClassName", "/priorityClassName", json!("system-cluster-critical")),
        ("serviceAccountName", "/serviceAccountName", json!("default")),
        ("serviceAccountName", "/serviceAccountName", json!("shop-gateway")),
        ("serviceAccountName", "/serviceAccountName", json!("shop-gateway.microapp")),
        ("serviceAccountName", "/serviceAccountName", json!("shop--orders")),
        ("serviceAccountName", "/serviceAccountName", json!("shop-database")),
        ("serviceAccountName", "/serviceAccountName", Value::Null),
        ("automountServiceAccountToken", "/automountServiceAccountToken", json!(true)),
        ("automountServiceAccountToken", "/automountServiceAccountToken", Value::Null),
        ("volumes must", "/volumes/-", volume(json!({ "hostPath": { "path": "/" } }))),
        ("volumes must", "/volumes/-", volume(json!({ "nfs": { "server": "192.0.2.9", "path": "/" } }))),
        ("volumes must", "/volumes/-", volume(json!({ "csi": { "driver": "example.test" } }))),
        ("volumes must", "/volumes/-", volume(json!({ "image": { "reference": "example.test/data:1" } }))),
        (
            "volumes must",
            "/volumes/-",
            volume(json!({ "iscsi": { "targetPortal": "192.0.2.9", "iqn": "iqn.2001-04.com.example:a", "lun": 0 } })),
        ),
        (
            "volumes must",
            "/volumes/-",
            volume(json!({ "ephemeral": { "volumeClaimTemplate": { "spec": { "accessModes": ["ReadWriteOnce"],
                    "resources": { "requests": { "storage": "1Gi" } } } } } })),
        ),
        ("runAsNonRoot", "/securityContext/runAsNonRoot", json!(false)),
        ("runAsNonRoot", "/securityContext/runAsNonRoot", Value::Null),
        ("runAsNonRoot", "/containers/0/securityContext/runAsNonRoot", json!(false)),
        ("runAsUser", "/securityContext/runAsUser", json!(0)),
        ("runAsUser", "/containers/0/securityContext/runAsUser", json!(0)),
        ("seccompProfile", "/securityContext/seccompProfile/type", json!("Unconfined")),
        ("seccompProfile", "/securityContext/seccompProfile", Value::Null),
        ("seccompProfile", "/containers/0/securityContext/seccompProfile", json!({ "type": "Unconfined" })),
        (
            "seccompProfile",
            "/containers/0/securityContext/seccompProfile",
            json!({ "type": "Localhost", "localhostProfile": "any.json" }),
        ),
        ("of the pod", "/securityContext/seLinuxOptions", json!({ "type": "spc_t" })),
        ("of the pod", "/securityContext/windowsOptions", json!({ "runAsUserName": "ContainerAdministrator" })),
        ("of the pod", "/securityContext/sysctls", json!([{ "name": "kernel.msgmax", "value": "65536" }])),
        ("of the pod", "/securityContext/appArmorProfile", json!({ "type": "Unconfined" })),
        ("of every container", "/containers/0/securityContext/appArmorProfile", json!({ "type": "Unconfined" })),
        ("of every container", "/containers/0/securityContext/seLinuxOptions", json!({ "user": "system_u" })),
        (
            "of every container",
            "/containers/0/securityContext/windowsOptions",
            json!({ "runAsUserName": "ContainerAdministrator" }),
        ),
        (
            "allowPrivilegeEscalation",
            CONTAINER,
            security(json!({ "privileged": true, "allowPrivilegeEscalation": true })),
        ),
        ("allowPrivilegeEscalation", CONTAINER, security(json!({ "allowPrivilegeEscalation": true }))),
        ("allowPrivilegeEscalation", CONTAINER, security(json!({ "allowPrivilegeEscalation": null }))),
        ("allowPrivilegeEscalation", CONTAINER, Value::Null),
        ("capabilities", CONTAINER, security(json!({ "capabilities": null }))),
        ("capabilities", CONTAINER, security(json!({ "capabilities": { "drop": ["NET_RAW"] } }))),
        (
            "capabilities",
            CONTAINER,
            security(json!({ "capabilities": { "drop": ["ALL"], "add": ["NET_BIND_SERVICE"] } })),
        ),
        ("readOnlyRootFilesystem", CONTAINER, security(json!({ "readOnlyRootFilesystem": false }))),
        (
            "readOnlyRootFilesystem",
            "/initContainers",
            json!([{ "name": "first", "image": "example.test/first:1", "securityContext": security(json!({
                "readOnlyRootFilesystem": null })) }]),
        ),
        (
            "capabilities",
            "/initContainers",
            json!([{ "name": "first", "image": "example.test/first:1", "securityContext": security(json!({
                "capabilities": null })) }]),
        ),
        ("name a host", "/containers/0/livenessProbe", json!({ "httpGet": { "host": "192.0.2.9", "port": 80 } })),
        ("name a host", "/containers/0/readinessProbe", json!({ "tcpSocket": { "host": "192.0.2.9", "port": 80 } })),
        (
            "name a host",
            "/containers/0/lifecycle",
            json!({ "preStop": { "httpGet": { "host": "192.0.2.9", "port": 80 } } }),
        ),
    ]
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn forbidden_pod_templates_are_refused() {
    let Some(cluster) = installed() else { return };
    namespace(cluster, "templates").await;
    let operator = operator(cluster).await;
    for (kind, name) in [("Deployment", "shop--orders"), ("StatefulSet", "shop-database")] {
        let good = built(kind, name);
        let answer = try_create(&operator, "templates", &good).await;
        assert!(answer.ok(), "the good {kind}: {answer:?}");
        for (words, pointer, value) in templates() {
            let mut bad = good.clone();
            set(&mut bad, &format!("/spec/template/spec{pointer}"), value.clone());
            let answer = try_create(&operator, "templates", &bad).await;
            assert!(answer.refused_by("operator-pods", words), "{kind} with {pointer} {value}: {answer:?}");
        }
        let mut bad = good.clone();
        let container = good["spec"]["template"]["spec"]["containers"][0]["name"].as_str().unwrap();
        bad["spec"]["template"]["metadata"]["annotations"]
            [format!("container.apparmor.security.beta.kubernetes.io/{container}")] = json!("unconfined");
        let answer = try_create(&operator, "templates", &bad).await;
        assert!(answer.refused_by("operator-pods", "AppArmor"), "{kind}: {answer:?}");
    }
}

/// Other objects: the policy and what it says, a good object, what is changed of it, and to what.
fn others() -> Vec<(&'static str, &'static str, Value, &'static str, Value)> {
    let role = built("Role", "shop-provisioner");
    let binding = built("RoleBinding", "shop-gateway");
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s", "labels": {
        "microapp.dev/app": "shop" } }, "type": "Opaque", "immutable": true });
    let (service, budget) = (built("Service", "shop-gateway"), built("PodDisruptionBudget", "shop--web"));
    let secret_without_label = secret.clone();
    let account = built("ServiceAccount", "shop-gateway.microapp");
    let rule = |group: &str, resource: &str, verb: &str| {
        json!([{ "apiGroups": [group], "resources": [resource],
        "verbs": [verb] }])
    };
    vec![
        ("operator-roles", "nothing else", role.clone(), "/rules", rule("", "configmaps", "patch")),
        ("operator-roles", "nothing else", role.clone(), "/rules", rule("", "configmaps", "get")),
        ("operator-roles", "nothing else", role.clone(), "/rules", rule("", "pods", "delete")),
        ("operator-roles", "nothing else", role.clone(), "/rules", rule("", "secrets", "create")),
        ("operator-roles", "nothing else", role.clone(), "/rules", rule("apps", "deployments", "create")),
        ("operator-roles", "nothing else", role.clone(), "/rules/0/resourceNames", json!(["other-report"])),
        ("operator-roles", "nothing else", role.clone(), "/rules/0/verbs", json!(["patch", "get"])),
        ("operator-roles", "nothing else", role, "/rules/-", rule("", "pods", "list")[0].clone()),
        (
            "operator-rolebindings",
            "binding's own name",
            binding.clone(),
            "/roleRef",
            json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "microapp" }),
        ),
        ("operator-rolebindings", "own name and namespace", binding.clone(), "/subjects/0/name", json!("default")),
        ("operator-rolebindings", "own name and namespace", binding.clone(), "/subjects/0/name", json!("shop-gateway")),
        ("operator-rolebindings", "own name and namespace", binding.clone(), "/subjects/0/namespace", json!("default")),
        (
            "operator-rolebindings",
            "own name and namespace",
            binding.clone(),
            "/subjects/0",
            json!({ "kind": "User", "name": "shop-gateway.microapp", "apiGroup": "rbac.authorization.k8s.io" }),
        ),
        (
            "operator-rolebindings",
            "own name and namespace",
            binding,
            "/subjects/-",
            json!({ "kind": "Group", "name": "system:authenticated", "apiGroup": "rbac.authorization.k8s.io" }),
        ),
        ("operator-secrets", "Opaque", secret.clone(), "/type", json!("example.test/any")),
        (
            "operator-secrets",
            "Opaque",
            {
                let mut token = secret.clone();
                set(&mut token, "/metadata/annotations", json!({ "kubernetes.io/service-account.name": "default" }));
                token
            },
            "/type",
            json!("kubernetes.io/service-account-token"),
        ),
        ("operator-secrets", "immutable", secret.clone(), "/immutable", json!(false)),
        ("operator-secrets", "immutable", secret, "/immutable", Value::Null),
        (
            "operator-services",
            "ExternalName",
            service.clone(),
            "/spec",
            json!({ "type": "ExternalName", "externalName": "example.test" }),
        ),
        ("operator-services", "selector", service.clone(), "/spec/selector", json!({ "app": "theirs" })),
        ("operator-services", "selector", service.clone(), "/spec/selector", Value::Null),
        ("operator-services", "selector", service.clone(), "/spec/selector/microapp.dev~1app", json!("other")),
        ("operator", "selector", budget.clone(), "/spec/selector", json!({})),
        ("operator", "selector", budget.clone(), "/spec/selector", json!({ "matchLabels": { "app": "theirs" } })),
        ("operator", "without the label", service.clone(), "/metadata/labels", Value::Null),
        ("operator", "without the label", budget, "/metadata/labels/microapp.dev~1app", Value::Null),
        ("operator", "without the label", secret_without_label, "/metadata/labels", Value::Null),
        ("operator-services", "externalIPs", service, "/spec/externalIPs", json!(["192.0.2.9"])),
        ("operator-accounts", "ends in .microapp", account.clone(), "/metadata/name", json!("jenkins")),
        (
            "operator-accounts",
            "automountServiceAccountToken",
            account.clone(),
            "/automountServiceAccountToken",
            json!(true),
        ),
        (
            "operator-accounts",
            "automountServiceAccountToken",
            account.clone(),
            "/automountServiceAccountToken",
            Value::Null,
        ),
        ("operator-accounts", "Secrets: any", account.clone(), "/secrets", json!([{ "name": "any" }])),
        ("operator-accounts", "imagePullSecrets: any", account, "/imagePullSecrets", json!([{ "name": "any" }])),
    ]
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn forbidden_objects_are_refused() {
    let Some(cluster) = installed() else { return };
    let admin = namespace(cluster, "writes").await;
    let operator = operator(cluster).await;
    // A binding is looked at only if its Role is there.
    let made = create(&admin, "writes", &unowned("Role", "shop-gateway")).await;
    assert!(made.ok(), "{made:?}");
    // The API server learns of a Role from its own watch.
    let mut binding = built("RoleBinding", "shop-gateway");
    binding["subjects"][0]["namespace"] = json!("writes");
    for _ in 0..100 {
        if try_create(&operator, "writes", &binding).await.ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for (policy, words, good, pointer, value) in others() {
        let mut good = good;
        if good["kind"] == "RoleBinding" {
            good["subjects"][0]["namespace"] = json!("writes");
        }
        let mut bad = good.clone();
        set(&mut bad, pointer, value.clone());
        let (kind, good, bad) =
            (&good["kind"], try_create(&operator, "writes", &good).await, try_create(&operator, "writes", &bad).await);
        assert!(good.ok(), "the good {kind}: {good:?}");
        assert!(bad.refused_by(policy, words), "{kind} with {pointer} {value}: {bad:?}");
    }
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn system_namespaces_and_its_own_are_closed() {
    let Some(cluster) = installed() else { return };
    let operator = operator(cluster).await;
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "any" } });
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "any" }, "immutable": true });
    for namespace in ["kube-system", "kube-public", "kube-node-lease", HOME] {
        for object in [&map, &secret, &built("Deployment", "shop--orders"), &built("Role", "shop-gateway")] {
            let answer = try_create(&operator, namespace, object).await;
            assert!(
                answer.refused_by("operator", "may write nothing in"),
                "{} in {namespace}: {answer:?}",
                object["kind"]
            );
        }
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/kube-root-ca.crt?dryRun=All");
        for (method, body) in [("DELETE", Value::Null), ("PATCH", json!({ "data": { "ca.crt": "mine" } }))] {
            let answer = ask(&operator, method, &path, &body).await;
            assert!(answer.refused_by("operator", "may write nothing in"), "{method} in {namespace}: {answer:?}");
        }
    }
    let lease = json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": "microapp" } });
    let answer = try_create(&operator, HOME, &lease).await;
    assert!(answer.ok(), "its Lease: {answer:?}");
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn its_role_names_everything() {
    let Some(cluster) = installed() else { return };
    let role =
        ask(&cluster.client().await, "GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/microapp", &Value::Null)
            .await;
    let role: Value = serde_json::from_str(&role.text).unwrap();
    assert!(
        role["rules"].as_array().is_some_and(|rules| rules.len() > 10) && !role["rules"].to_string().contains('*'),
        "{role}"
    );
}

/// The API server checks expressions against the kinds that they are for.
#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn every_expression_fits_its_kinds() {
    let Some(cluster) = installed() else { return };
    let (client, begin) = (cluster.client().await, std::time::Instant::now());
    loop {
        let all =
            ask(&client, "GET", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", &Value::Null)
                .await;
        let all: Value = serde_json::from_str(&all.text).unwrap();
        let policies = all["items"].as_array().unwrap();
        assert!(policies.len() > 2);
        if policies.iter().all(|policy| policy["status"]["typeChecking"].is_object()) {
            let warned: Vec<_> = policies
                .iter()
                .filter(|policy| !policy["status"]["typeChecking"]["expressionWarnings"].is_null())
                .collect();
            assert!(warned.is_empty(), "{warned:?}");
            return;
        }
        assert!(begin.elapsed().as_secs() < 30, "not checked: {all}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
