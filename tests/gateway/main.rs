//! What a route promises, kept by a real Envoy: each test sends requests through the configuration that the operator
//! renders.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod drain;
mod envoy;
mod upstream;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use envoy::{Envoy, app, complaint, program, rendered, service, try_exchange};
use microapp::app::problems::problems;
use serde_json::{Value, json};
use upstream::{SILENCE, Upstream};

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

fn one(routes: Value) -> Value {
    json!({ "gateway": {}, "services": [service("web", routes)] })
}

fn values(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
#[ignore = "needs an Envoy: `make test` runs it"]
fn paths_arrive_as_they_came_and_dot_segments_not_at_all() {
    let Some(program) = program() else { return };
    let upstream = Upstream::start();
    let envoy = Envoy::start(
        program,
        &one(json!([{ "path": "/" }, { "path": "/x/", "rewrite": "/y" }])),
        upstream.port,
        |_| (),
    );
    for path in
        ["/a%2Fb", "/a//b", "//a", "/a%2fb/%7Euser/%41?q=%2F/../x", "/..a/b..", "/a;b=1/...", "/a%5Cb", "/%252e%252e/a"]
    {
        let answer = envoy.get(path);
        assert_eq!((answer.status, answer.seen_path()), (200, path));
    }
    assert_eq!(envoy.get("/x//a%2Fb").seen_path(), "/y//a%2Fb", "a rewrite leaves the rest as it came");
    for path in [
        "/..",
        "/.",
        "/a/../b",
        "/a/./b",
        "/a/..",
        "/a/%2e%2E/b",
        "/a/.%2e",
        "/a/..;/b",
        "/a%2F..%2fb",
        "/a\\..\\b",
        "/a%5c..%5Cb",
        "/a/../b?x",
    ] {
        assert_eq!(envoy.get(path).status, 400, "{path}");
    }
}

#[test]
#[ignore = "needs an Envoy: `make test` runs it"]
fn rewrites_leave_one_slash() {
    let Some(program) = program() else { return };
    let upstream = Upstream::start();
    let routes = |rows: &[(&str, &str)]| {
        rows.iter().map(|(path, rewrite)| json!({ "path": path, "rewrite": rewrite })).collect::<Value>()
    };
    let more = routes(&[
        ("/a", "/x"),
        ("/b/", "/x"),
        ("/c/", "/x/"),
        ("/d.e", "/"),
        ("/f", "/x/"),
        ("/g/", "/"),
        ("/", "/v1"),
    ]);
    let exact = |path: &str, rewrite: &str| json!({ "path": path, "match": "Exact", "rewrite": rewrite });
    let exact = service("exact", json!([exact("/e", "/x/y"), exact("/old/", "/new")]));
    let envoy = Envoy::start(
        program,
        &json!({ "gateway": {}, "services": [service("web", more), exact] }),
        upstream.port,
        |_| (),
    );
    for (path, seen) in [
        ("/a", "/x"),
        ("/a/", "/x/"),
        ("/a/1?q=/a/2", "/x/1?q=/a/2"),
        ("/b/1", "/x/1"),
        ("/b/", "/x/"),
        ("/c/1", "/x/1"),
        ("/d.e", "/"),
        ("/d.e/", "/"),
        ("/d.e/1", "/1"),
        ("/d.e?q", "/?q"),
        ("/dxe/1", "/v1/dxe/1"),
        ("/f", "/x/"),
        ("/f/1", "/x/1"),
        ("/g/1", "/1"),
        ("/", "/v1/"),
        ("/x?q", "/v1/x?q"),
        ("/e?q", "/x/y?q"),
        ("/old/", "/new"),
        ("/ab", "/v1/ab"),
    ] {
        assert_eq!(envoy.get(path).seen_path(), seen, "{path}");
    }
}

#[test]
#[ignore = "needs an Envoy: `make test` runs it"]
fn hosts_are_matched_without_port_and_dot_and_arrive_with_their_port() {
    let Some(program) = program() else { return };
    let upstream = Upstream::start();
    let on = |path: &str, hosts: &[&str], rewrite: &str| json!([{ "path": path, "hosts": hosts, "rewrite": rewrite }]);
    let spec = json!({
        "gateway": { "hosts": ["*.example.com", "a.example.com", "*.b.example.com", "c.b.example.com"] },
        "services": [
            service("wide", on("/", &["*.example.com"], "/wide/")),
            service("only", on("/only", &["a.example.com"], "/only/")),
            service("near", on("/", &["*.b.example.com"], "/near/")),
            service("all", json!([{ "path": "/all", "match": "Exact" }])),
        ],
    });
    let envoy = Envoy::start(program, &spec, upstream.port, |_| ());
    for (host, path, seen) in [
        ("a.example.com", "/", "/wide/"),
        ("a.example.com", "/only", "/only/"),
        ("A.Example.com:30234", "/only", "/only/"),
        ("a.example.com.", "/only", "/only/"),
        ("x.example.com", "/only", "/wide/only"),
        ("x.example.com.:80", "/", "/wide/"),
        ("x.b.example.com", "/", "/near/"),
        ("c.b.example.com", "/", "/near/"),
        ("c.b.example.com", "/all", "/all"),
    ] {
        let answer = envoy.request("GET", path, host, &[]);
        assert_eq!((answer.status, answer.seen_path()), (200, seen), "{host}{path}");
    }
    assert_eq!(envoy.request("GET", "/", "a.example.com:30234", &[]).seen("host"), values(&["a.example.com:30234"]));
    for host in ["example.com", "example.org", "127.0.0.1"] {
        assert_eq!(envoy.request("GET", "/all", host, &[]).status, 404, "{host}");
    }
}

#[test]
#[ignore = "needs an Envoy: `make test` runs it"]
fn what_strangers_say_of_themselves_is_believed_only_from_trusted_proxies() {
    let Some(program) = program() else { return };
    let upstream = Upstream::start();
    let claims = [
        "X-Forwarded-For: 203.0.113.7",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Port: 444",
        "Forwarded: for=203.0.113.7;proto=https",
        "X-Real-IP: 203.0.113.7",
        "X-Request-Id: 42",
        "x-envoy-upstream-rq-timeout-ms: 1",
        "x-envoy-retry-on: 5xx",
        "x_under_score: 1",
    ];
    let names =
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "forwarded", "x-real-ip"];
    let seen = |answer: &envoy::Answer| names.map(|name| answer.seen(name).into_iter().collect::<Vec<_>>().join("|"));
    let untrusted = Envoy::start(program, &one(json!([{ "path": "/" }])), upstream.port, |_| ());
    let answer = untrusted.request("GET", "/slow", "x", &claims);
    assert_eq!(answer.status, 200, "a stranger sets no deadlines");
    assert_eq!(seen(&answer), ["127.0.0.1", "http", "", "", "", ""]);
    assert_ne!(answer.seen("x-request-id"), values(&["42"]));
    assert_eq!(answer.seen("x_under_score"), values(&["1"]), "names with underscores pass");
    for name in ["x-envoy-retry-on", "x-envoy-max-retries", "x-envoy-upstream-rq-timeout-ms", "x-envoy-internal"] {
        assert_eq!(answer.seen(name), values(&[]), "{name}");
    }
    let mut spec = one(json!([{ "path": "/" }]));
    spec["gateway"]["trustedProxyHops"] = json!(1);
    let trusting = Envoy::start(program, &spec, upstream.port, |_| ());
    let answer = trusting.request("GET", "/", "x", &claims);
    let mut told = seen(&answer);
    // What follows is the proxy itself, by an address of this machine.
    assert_eq!(told[0].split_once(',').map(|(client, _)| client.to_owned()), Some("203.0.113.7".into()), "{told:?}");
    told[0].truncate("203.0.113.7".len());
    let forwarded = ["203.0.113.7", "https", "evil.example", "444", "for=203.0.113.7;proto=https", "203.0.113.7"];
    assert_eq!((told, answer.seen("x-request-id")), (forwarded.map(str::to_owned), values(&["42"])));
}

#[test]
#[ignore = "needs an Envoy: `make test` runs it"]
fn old_clients_and_both_families_are_answered() {
    let Some(program) = program() else { return };
    let upstream = Upstream::start();
    let envoy = Envoy::start(program, &one(json!([{ "path": "/" }])), upstream.port, |_| ());
    let old = envoy.send("GET /old HTTP/1.0\r\n\r\n");
    assert_eq!((old.status, old.seen_path()), (200, "/old"));
    assert_eq!(old.seen("host"), values(&["shop-gateway.acme.svc"]));
    assert_eq!(envoy.send("GET / HTTP/1.0\r\nHost: a.example\r\n\r\n").seen("host"), values(&["a.example"]));
    let six = envoy.send_by("::1", "GET /six HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!((six.status, six.seen("x-forwarded-for")), (200, values(&["::1"])));
    assert_eq!(envoy.get("/four").seen("x-forwarded-for"), values(&["127.0.0.1"]));
    let probe = try_exchange("::1", envoy.place.ready, b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(probe.map(|answer| answer.status), Some(200));
}

#[test]
#[ignore = "needs an Envoy: `make test` runs it"]
fn safe_methods_survive_a_connection_that_ends_and_others_are_not_repeated() {
    let Some(program) = program() else { return };
    let upstream = Upstream::start();
    let envoy = Envoy::start(program, &one(json!([{ "path": "/" }])), upstream.port, |config| {
        // What fails on purpose must not be left out.
        config["static_resources"]["clusters"][0]["outlier_detection"]["max_ejection_percent"] = json!(0);
    });
    let codes = |method: &str, path: &str| {
        (0..4).map(|_| envoy.request(method, path, "x", &[]).status).collect::<BTreeSet<_>>()
    };
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert_eq!(codes(method, "/race"), [200].into(), "{method}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        assert_eq!(codes(method, "/race"), [200, 503].into(), "{method}");
    }
    assert_eq!((envoy.get("/dies").status, upstream.asked_for("/dies")), (503, 2), "once more, and no more");
    assert_eq!((envoy.request("POST", "/dies", "x", &[]).status, upstream.asked_for("/dies")), (503, 3));
}

#[test]
fn idle_connections_to_services_end_before_theirs_do() {
    let clusters = rendered(&one(json!([{ "path": "/" }]))).0["static_resources"]["clusters"].clone();
    let options = "/0/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions/\
        common_http_protocol_options/idle_timeout";
    assert_eq!(clusters.pointer(options), Some(&json!("4s")), "Node ends them after 5 seconds");
}

#[test]
#[ignore = "needs an Envoy: `make test` runs it"]
fn the_deadline_of_a_route_is_the_only_one() {
    let Some(program) = program() else { return };
    let upstream = Upstream::start();
    let never = |path: &str| json!({ "path": path, "timeoutSeconds": 0 });
    let routes = json!([never("/silent"), never("/socket"), never("/slow"), { "path": "/", "timeoutSeconds": 1 }, {
        "path": "/short", "rewrite": "/slow", "timeoutSeconds": 1 }]);
    let envoy = Envoy::start(program, &one(routes), upstream.port, |config| {
        config.pointer_mut(MANAGER).unwrap()["stream_idle_timeout"] = json!("1s");
    });
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let answer = envoy.get("/silent");
            assert_eq!((answer.status, answer.body.as_str()), (200, "beginend"));
        });
        scope.spawn(|| assert_eq!(envoy.get("/slow").status, 200));
        scope.spawn(|| {
            let begun = Instant::now();
            assert_eq!(envoy.get("/short").status, 504);
            assert!(begun.elapsed() < SILENCE);
        });
        scope.spawn(|| {
            let mut socket = TcpStream::connect(("127.0.0.1", envoy.place.http)).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            socket
                .write_all(b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
                .unwrap();
            let mut head = [0; 12];
            socket.read_exact(&mut head).unwrap();
            assert_eq!(&head, b"HTTP/1.1 101");
            std::thread::sleep(SILENCE);
            socket.write_all(b"!").unwrap();
            let mut rest = vec![];
            socket.read_to_end(&mut rest).unwrap();
            assert_eq!(rest.last(), Some(&b'!'));
        });
    });
}

#[test]
#[ignore = "needs an Envoy: `make test` runs it"]
fn the_log_says_what_was_asked_for_without_its_query() {
    let Some(program) = program() else { return };
    let upstream = Upstream::start();
    let envoy = Envoy::start(program, &one(json!([{ "path": "/", "rewrite": "/v1" }])), upstream.port, |_| ());
    for path in ["/cart?token=s3cret", "/a/../b?token=s3cret", "/x?a=1#s3cret"] {
        envoy.request(
            "GET",
            path,
            "shop.example",
            &["Referer: http://x/?t=s3cret", "Authorization: s3cret", "Cookie: s3cret"],
        );
    }
    let begun = Instant::now();
    while envoy.read("out").lines().count() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(5), "{}", envoy.read("out"));
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = envoy.read("out") + &envoy.read("err");
    assert!(!log.contains("s3cret"), "{log}");
    let line: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    let told = ["method", "host", "path", "status", "service", "client"].map(|key| line[key].clone());
    assert_eq!(json!(told), json!(["GET", "shop.example", "/cart", 200, "web", "127.0.0.1"]));
}

#[test]
#[ignore = "needs an Envoy: `make test` runs it"]
fn too_many_clients_are_sent_away_and_the_kubelet_is_not() {
    let Some(program) = program() else { return };
    let upstream = Upstream::start();
    let envoy = Envoy::start(program, &one(json!([{ "path": "/" }])), upstream.port, |config| {
        let limit = "/overload_manager/resource_monitors/0/typed_config/max_active_downstream_connections";
        assert_eq!(config.pointer(limit), Some(&json!(16384)));
        *config.pointer_mut(limit).unwrap() = json!(2);
    });
    let held: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(("127.0.0.1", envoy.place.http)).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        try_exchange("127.0.0.1", envoy.place.http, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .is_none()
    );
    assert!(envoy.is_ready());
    drop(held);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(envoy.get("/").status, 200);
}

/// Names that mean something to Envoy or to us.
const NAMES: [&str; 16] = [
    "admin",
    "gateway",
    "ready",
    "envoy",
    "envoy-admin",
    "discover",
    "default",
    "local",
    "microapp",
    "http",
    "envoy-bootstrap",
    "plan",
    "xds",
    "a23456789-a23456789-a234",
    "self",
    "x",
];

#[test]
#[ignore = "needs an Envoy: `make test` runs it"]
fn any_name_of_a_service_and_of_a_host_is_taken() {
    let services: Vec<Value> =
        NAMES.iter().map(|name| service(name, json!([{ "path": format!("/{name}") }]))).collect();
    let hosts = ["admin", "gateway", "ready", "envoy", "localhost", "*.com", "*.gateway"];
    let specs = [
        json!({ "gateway": {}, "services": services }),
        json!({ "gateway": { "hosts": hosts }, "services": services }),
    ];
    for spec in &specs {
        let config = rendered(spec).0;
        let clusters = config["static_resources"]["clusters"].as_array().unwrap();
        let ours: Vec<&str> = clusters
            .iter()
            .map(|cluster| cluster["name"].as_str().unwrap())
            .filter(|name| !NAMES.contains(name))
            .collect();
        assert_eq!(
            (ours.as_slice(), clusters.len()),
            (["envoy_admin"].as_slice(), NAMES.len() + 1),
            "no service has an underscore"
        );
        if let Some(program) = program() {
            assert_eq!(complaint(program, spec), "");
        }
    }
}

/// As much as the schema allows; `hosts` says which hosts a route is for.
fn largest(hosts: impl Fn(usize) -> Vec<usize>) -> Value {
    let names: Vec<String> =
        (0..16).map(|n| format!("{n:0>61}.{}.example", vec!["a".repeat(60); 3].join("."))).collect();
    let routes = |s: usize| {
        let route = |r: usize| {
            let index = s * 16 + r;
            let own: Vec<&String> = hosts(index).into_iter().map(|h| &names[h]).collect();
            json!({ "path": format!("/{index:.>199}"), "rewrite": format!("/{index:.>198}/"),
                "timeoutSeconds": 86400, "hosts": own })
        };
        (0..16).map(route).collect::<Value>()
    };
    let services: Vec<Value> = (0..50).map(|s| service(&format!("a23456789-b23456789-c2{s:0>2}"), routes(s))).collect();
    json!({ "gateway": { "hosts": names }, "services": services })
}

#[test]
#[ignore = "needs an Envoy: `make test` runs it"]
fn the_largest_configuration_can_be_stored() {
    for spec in [largest(|_| vec![]), largest(|_| (0..16).collect())] {
        let (config, plan) = rendered(&spec);
        let bytes = config.to_string().len() + plan.to_string().len();
        println!("{bytes} bytes");
        assert!(bytes < 1_048_576, "{bytes}");
        if let Some(program) = program() {
            assert_eq!(complaint(program, &spec), "");
        }
    }
}

#[test]
fn what_cannot_be_stored_is_said_with_what_helps() {
    let found = problems(&app(&largest(|index| (0..16).filter(|host| (index + host) % 5 != 0).collect())));
    assert_eq!((found.len(), found[0].path.as_str(), found[0].reason.name()), (1, "spec.gateway", "GatewayTooLarge"));
    assert!(found[0].message.contains("5 different lists of routes; leave `hosts` out"), "{}", found[0].message);
}
