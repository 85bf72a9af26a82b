//! What people write stands in what is made of it: the fields of `tests/accepted/full.yaml`, where Kubernetes and Envoy
//! read them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use serde_json::{Value, json};

const FULL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/accepted/full.yaml");
/// Its name, with which all names of objects begin.
const APP: &str = "a23456789-123456789-1234";

/// Exit code, standard output and standard error of `microapp render`.
fn render(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_microapp")).arg("render").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn objects(args: &[&str]) -> Vec<Value> {
    let (code, out, err) = render(&[&["-f", FULL, "-o", "json"], args].concat());
    assert_eq!(code, 0, "{err}");
    let mut list: Value = serde_json::from_str(&out).unwrap();
    list["items"].as_array_mut().unwrap().drain(..).collect()
}

/// The object of that kind, by its name without the application's.
fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    objects
        .iter()
        .find(|o| o["kind"] == kind && o["metadata"]["name"] == format!("{APP}{name}"))
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// Every difference from what should stand at these places of an object.
fn compare(object: &Value, wanted: &[(&str, Value)]) {
    for (pointer, wanted) in wanted {
        let there = object.pointer(pointer).unwrap_or(&Value::Null);
        assert_eq!(there, wanted, "{} {} at {pointer}", object["kind"], object["metadata"]["name"]);
    }
}

/// The file of that name in a ConfigMap.
fn file(objects: &[Value], map: &str, key: &str) -> Value {
    serde_json::from_str(object(objects, "ConfigMap", map)["data"][key].as_str().unwrap()).unwrap()
}

#[test]
fn fields_of_a_service_arrive() {
    let objects = objects(&[]);
    let web = object(&objects, "Deployment", "--web");
    compare(
        web,
        &[
            ("/spec/replicas", json!(0)),
            (
                "/spec/template/metadata/annotations/acme.example~1note",
                json!("anything: {{ goes }} here, ${too} \" ' \\"),
            ),
            ("/spec/template/metadata/annotations/microapp.dev~1restart-token", json!("2026-11-23")),
        ],
    );
    let pod = &web["spec"]["template"]["spec"];
    compare(
        pod,
        &[
            ("/securityContext/runAsUser", json!(65535)),
            ("/imagePullSecrets", json!([{ "name": "corp" }, { "name": "corp2" }])),
            ("/nodeSelector", json!({ "kubernetes.io/arch": "amd64" })),
            ("/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/0/weight", json!(100)),
            ("/containers/0/image", json!("localhost:5000/web")),
            ("/containers/0/imagePullPolicy", json!("IfNotPresent")),
            ("/containers/0/command", json!(["node"])),
            ("/containers/0/args", json!(["server.js", "$(DATABASE_URL)", "line\nbreak", ""])),
            (
                "/containers/0/envFrom",
                json!([{ "configMapRef": { "name": "team-env" } }, { "secretRef": { "name": "team" } }]),
            ),
            ("/containers/0/readinessProbe/httpGet", json!({ "path": "/ready", "port": 3000 })),
            ("/containers/0/livenessProbe/httpGet", json!({ "path": "/live", "port": 3000 })),
            ("/containers/0/startupProbe/failureThreshold", json!(3600)),
            ("/containers/0/resources", json!({ "limits": { "cpu": "0.5" } })),
            ("/containers/0/lifecycle/preStop/sleep/seconds", json!(5)),
            (
                "/containers/0/volumeMounts/0",
                json!({ "name": "files-config", "mountPath": "/etc/microapp/config", "readOnly": true }),
            ),
            ("/volumes/0", json!({ "name": "files-config", "configMap": { "name": "web-config" } })),
        ],
    );
    let env = pod["containers"][0]["env"].as_array().unwrap();
    let users = json!([
        { "name": "lower.case-and_more", "value": "5" },
        { "name": "KEY", "valueFrom": { "secretKeyRef": { "name": "stripe", "key": "api.key" } } },
        { "name": "MODE", "valueFrom": { "configMapKeyRef": { "name": "modes", "key": "web" } } },
    ]);
    assert_eq!(json!(env[env.len() - 3..]), users);
    let orders = json!([
        { "name": "ORDERS_HOST", "value": format!("{APP}--orders") },
        { "name": "ORDERS_PORT", "value": "8080" },
        { "name": "ORDERS_HOSTPORT", "value": "$(ORDERS_HOST):$(ORDERS_PORT)" },
        { "name": "ORDERS_URL", "value": "http://$(ORDERS_HOST):$(ORDERS_PORT)" },
    ]);
    assert!(env.windows(4).any(|four| json!(four) == orders), "{env:?}");
    let ports = json!([{ "name": "main", "port": 3000, "targetPort": "main", "appProtocol": "http" }, {
        "name": "admin", "port": 9090, "targetPort": "admin" }]);
    compare(object(&objects, "Service", "--web"), &[("/spec/ports", ports)]);
    let mailer = &object(&objects, "Deployment", "--mailer")["spec"]["template"]["spec"]["containers"][0];
    compare(
        mailer,
        &[("/readinessProbe", Value::Null), ("/startupProbe", Value::Null), ("/ports/0/containerPort", json!(8080))],
    );
}

#[test]
fn fields_of_components_arrive() {
    let objects = objects(&[]);
    compare(
        object(&objects, "Service", "-gateway"),
        &[
            ("/spec/type", json!("LoadBalancer")),
            ("/metadata/annotations/service.beta.kubernetes.io~1aws-load-balancer-type", json!("nlb")),
        ],
    );
    compare(
        object(&objects, "Deployment", "-gateway"),
        &[
            ("/spec/replicas", json!(20)),
            (
                "/spec/template/spec/containers/0/image",
                json!("envoyproxy/envoy@sha256:0f6d1c4a3b7e5f8d9c2b1a0e4d3c6b5a8f7e9d0c1b2a3f4e5d6c7b8a9f0e1d2c"),
            ),
            ("/spec/template/spec/containers/0/resources", json!({ "requests": { "cpu": "1", "memory": "1Gi" } })),
            ("/spec/template/spec/containers/0/livenessProbe/httpGet", json!({ "path": "/ready", "port": 9902 })),
            ("/spec/template/metadata/annotations/traffic.sidecar.istio.io~1excludeInboundPorts", json!("9902,9903")),
            ("/spec/template/metadata/annotations/config.linkerd.io~1skip-inbound-ports", json!("9902,9903")),
            ("/spec/template/spec/initContainers/0/imagePullPolicy", json!("IfNotPresent")),
            ("/spec/template/spec/tolerations/0/tolerationSeconds", json!(3600)),
        ],
    );
    compare(
        object(&objects, "StatefulSet", "-database"),
        &[
            ("/spec/template/spec/containers/0/image", json!("registry.corp.example:5000/postgres:18.6")),
            ("/spec/template/spec/containers/0/resources/requests", json!({ "cpu": "250m", "memory": "512Mi" })),
            ("/spec/template/spec/priorityClassName", json!("high")),
        ],
    );
    let claim = objects.iter().find(|o| o["kind"] == "PersistentVolumeClaim").unwrap();
    compare(
        claim,
        &[("/spec/resources/requests/storage", json!("20Gi")), ("/spec/storageClassName", json!("fast.ssd-1"))],
    );
    // Two of them would work against each other, and the image is one that we choose, so it comes from the mirror.
    let provisioner = object(&objects, "Deployment", "-provisioner");
    compare(provisioner, &[("/spec/strategy/type", json!("Recreate"))]);
    let image = provisioner["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap();
    assert!(image.starts_with("registry.corp.example:5000/mirror/microapp-dev/microapp:"), "{image}");
    let plan = file(&objects, "-provisioner", "plan.json");
    let logins: Vec<_> = plan["provisions"][0]["logins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| (&l["service"], &l["database"], &l["readOnly"]))
        .collect();
    assert_eq!(json!(logins), json!([["orders", "my_orders", true], ["mailer", "my_orders", false]]));
}

#[test]
fn every_container_that_is_added_has_the_resources_of_agents() {
    let objects = objects(&[]);
    let pods = objects.iter().filter_map(|object| object.pointer("/spec/template/spec"));
    let list = |pod: &Value, key: &str| pod[key].as_array().cloned().unwrap_or_default();
    // Whatever stands beside a main container is ours, and so is what runs our program.
    let ours = |container: &Value| container["args"][0] == "agent";
    let added: Vec<Value> = pods
        .flat_map(|pod| {
            let containers = list(pod, "containers");
            let beside = containers.iter().enumerate().filter(|(index, container)| *index > 0 || ours(container));
            list(pod, "initContainers")
                .into_iter()
                .chain(beside.map(|(_, container)| container.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    let names: Vec<_> = added.iter().filter_map(|container| container["name"].as_str()).collect();
    assert_eq!(names, ["discover", "provisioner", "users"]);
    for container in &added {
        let resources = json!({ "requests": { "cpu": "20m" }, "limits": { "cpu": "100m", "memory": "64Mi" } });
        compare(container, &[("/resources", resources)]);
    }
}

#[test]
fn the_agent_of_the_gateway_is_told_which_configuration_is_its_own() {
    let objects = objects(&[]);
    let template = &object(&objects, "Deployment", "-gateway")["spec"]["template"];
    let data = &object(&objects, "ConfigMap", "-gateway")["data"];
    let digest = microapp::kit::agents::configuration_digest(
        data["plan.json"].as_str().unwrap(),
        data["envoy.json"].as_str().unwrap(),
    );
    compare(template, &[("/spec/initContainers/0/args", json!(["agent", "discover", "--configuration", digest]))]);
}

#[test]
fn fields_of_routes_arrive_and_strangers_are_kept_out() {
    let objects = objects(&[]);
    let envoy = file(&objects, "-gateway", "envoy.json");
    compare(&envoy, &[("/admin/address/socket_address/address", json!("127.0.0.1"))]);
    let manager = envoy.pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config").unwrap();
    compare(
        manager,
        &[
            ("/use_remote_address", json!(true)),
            ("/xff_num_trusted_hops", json!(2)),
            ("/request_headers_timeout", json!("10s")),
            ("/http_protocol_options/default_host_for_http_10", json!("shop.example.com")),
        ],
    );
    let hosts = manager.pointer("/route_config/virtual_hosts").unwrap().as_array().unwrap();
    let host = |name: &str| hosts.iter().find(|host| host["name"] == name).unwrap_or_else(|| panic!("no host {name}"));
    assert_eq!(hosts.len(), 3);
    compare(
        host("shop.example.com"),
        &[
            ("/retry_policy/num_retries", json!(3)),
            ("/routes/0/direct_response/status", json!(400)),
            ("/routes/1/match", json!({ "path": "/" })),
            ("/routes/1/route/cluster", json!("web")),
            ("/routes/1/route/prefix_rewrite", json!("/index.html")),
            ("/routes/1/route/timeout", json!("0s")),
            ("/routes/2/match", json!({ "path_separated_prefix": "/a%20b/c;d=1/~x/:id/@y/$z" })),
            ("/routes/2/route/timeout", json!("30s")),
            ("/routes/3/match", json!({ "prefix": "/" })),
        ],
    );
    assert_eq!(
        host("*.example.org")["routes"].as_array().unwrap().len(),
        2,
        "only the route that is for all hosts, and the refusal"
    );
    let plan = file(&objects, "-gateway", "plan.json");
    let deployment = object(&objects, "Deployment", "-gateway");
    let hook = ("/spec/template/spec/containers/0/lifecycle/preStop/httpGet/path", plan["drainPath"].clone());
    // A route that never gives up is waited for as long as any.
    compare(deployment, &[hook, ("/spec/template/spec/terminationGracePeriodSeconds", json!(135))]);
    assert_eq!((&plan["drainSeconds"], &plan["graceSeconds"]), (&json!(120), &json!(135)));
    assert!(plan["drainPath"].as_str().is_some_and(|path| path.len() == "/drain/".len() + 16));
    assert_eq!(plan["clusters"], json!([{ "name": "web", "service": format!("{APP}--web"), "portName": "main" }]));
}

#[test]
fn one_part_is_rendered_alone() {
    let parts: Vec<String> = objects(&["--part", "service/cache"])
        .iter()
        .map(|o| format!("{}{}", o["kind"], o["metadata"]["name"]))
        .collect();
    assert!(parts.len() == 4 && parts.iter().all(|id| id.contains("--cache")), "{parts:?}");
    let (code, out, err) = render(&["-f", FULL, "--part", "broker"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("no part 'broker'") && err.contains("service/cache"), "{err}");
    let (code, out, err) = render(&["-f", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rejected/037-port-zero.yaml")]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("spec.services[0].port: ") && err.contains("1 error"), "{err}");
}
