//! Envoy's configuration, from routes: <https://www.envoyproxy.io/docs/envoy/latest/api-v3/api>.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Gateway, RouteEdge};
use crate::components::Wiring;
use crate::kit::agents::endpoints_file;

/// Ports of the container: requests; readiness and metrics; administration, on loopback only.
pub const HTTP_PORT: i32 = 8080;
pub const READY_PORT: i32 = 9902;
pub const ADMIN_PORT: i32 = 9901;

const EXTENSIONS: &str = "type.googleapis.com/envoy.extensions";

/// The whole configuration of one Envoy.
pub fn bootstrap(spec: &Gateway, wiring: &Wiring) -> Value {
    let services: BTreeSet<&str> = wiring.routes.iter().map(|route| route.service.as_str()).collect();
    let clusters: Vec<Value> = services.into_iter().map(cluster).chain([admin_cluster()]).collect();
    json!({
        // Without a name Envoy takes no endpoints from files.
        "node": { "id": "gateway", "cluster": "microapp" },
        "admin": { "address": address("127.0.0.1", ADMIN_PORT) },
        "static_resources": {
            "listeners": [listener("gateway", HTTP_PORT, public(virtual_hosts(spec, &wiring.routes))), listener("ready", READY_PORT, readiness())],
            "clusters": clusters,
        },
    })
}

fn address(host: &str, port: i32) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

fn listener(name: &str, port: i32, mut manager: Value) -> Value {
    manager["@type"] = format!("{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager").into();
    manager["stat_prefix"] = name.into();
    manager["http_filters"] =
        json!([{ "name": "envoy.filters.http.router", "typed_config": { "@type": format!("{EXTENSIONS}.filters.http.router.v3.Router") } }]);
    json!({
        "name": name,
        "address": address("0.0.0.0", port),
        "per_connection_buffer_limit_bytes": 1_048_576,
        "filter_chains": [{ "filters": [{ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager }] }],
    })
}

/// The listener for requests. It faces strangers: paths are normalised before they are compared, and nobody may hold a connection by sending nothing.
fn public(virtual_hosts: Value) -> Value {
    json!({
        "use_remote_address": true,
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
        "strip_any_host_port": true,
        "server_header_transformation": "PASS_THROUGH",
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "300s",
        "common_http_protocol_options": { "idle_timeout": "3600s", "headers_with_underscores_action": "REJECT_REQUEST" },
        "upgrade_configs": [{ "upgrade_type": "websocket" }],
        "access_log": [{ "name": "envoy.access_loggers.stdout", "typed_config": { "@type": format!("{EXTENSIONS}.access_loggers.stream.v3.StdoutAccessLog") } }],
        "route_config": { "name": "gateway", "virtual_hosts": virtual_hosts },
    })
}

/// The listener for the kubelet and for Prometheus: two paths of the administration interface and nothing else of it.
fn readiness() -> Value {
    let route = |path: &str| json!({ "match": { "path": path }, "route": { "cluster": "admin" } });
    json!({ "route_config": { "name": "ready", "virtual_hosts": [{ "name": "ready", "domains": ["*"], "routes": [route("/ready"), route("/stats/prometheus")] }] } })
}

/// One virtual host for each host that is named, and one for the rest. Envoy looks only into the most specific, so routes for any host stand in each.
fn virtual_hosts(spec: &Gateway, routes: &[RouteEdge]) -> Value {
    let named: BTreeSet<&str> = spec.hosts.iter().chain(routes.iter().flat_map(|route| &route.hosts)).map(String::as_str).collect();
    let mut hosts: BTreeMap<&str, Vec<&RouteEdge>> = named.into_iter().map(|host| (host, vec![])).collect();
    if spec.hosts.is_empty() {
        hosts.insert("*", vec![]);
    }
    for (host, list) in &mut hosts {
        list.extend(routes.iter().filter(|route| route.hosts.is_empty() || route.hosts.iter().any(|wanted| wanted == host)));
        // The first that matches wins: exact before prefix, long before short; ties go by name, so that the order is the same every time.
        list.sort_by(|a, b| (b.exact, b.path.len(), &a.path, &a.service).cmp(&(a.exact, a.path.len(), &b.path, &b.service)));
    }
    let host =
        |(host, routes): (&str, Vec<&RouteEdge>)| json!({ "name": host, "domains": [host], "routes": routes.into_iter().map(route).collect::<Vec<_>>() });
    hosts.into_iter().map(host).collect()
}

fn route(edge: &RouteEdge) -> Value {
    let bare = edge.path.trim_end_matches('/');
    let matched = match (edge.exact, bare.is_empty(), bare.len() == edge.path.len()) {
        (true, ..) => json!({ "path": edge.path }),
        (false, false, true) => json!({ "path_separated_prefix": edge.path }),
        _ => json!({ "prefix": edge.path }),
    };
    let mut action = json!({
        "cluster": edge.service,
        "timeout": format!("{}s", edge.timeout_seconds),
        // Only what the service cannot have seen is sent again, and to another pod if there is one.
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset-before-request",
            "num_retries": 3,
            "retry_host_predicate": [{ "name": "envoy.retry_host_predicates.previous_hosts", "typed_config": { "@type": format!("{EXTENSIONS}.retry.host.previous_hosts.v3.PreviousHostsPredicate") } }],
            "host_selection_retry_max_attempts": 5,
        },
    });
    match edge.rewrite.as_deref() {
        // A plain prefix rewrite to `/` would leave two slashes.
        Some("/") if !edge.exact && !bare.is_empty() => {
            action["regex_rewrite"] = json!({ "pattern": { "regex": format!("^{}/?", escaped(bare)) }, "substitution": "/" });
        }
        Some(rewrite) => action["prefix_rewrite"] = rewrite.into(),
        None => {}
    }
    json!({ "match": matched, "route": action })
}

/// A literal text as a regular expression.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| (c.is_ascii() && !c.is_ascii_alphanumeric()).then_some('\\').into_iter().chain([c])).collect()
}

/// The pods of one service. A pod that refuses or resets connections is left out for a while; half of them at most, for a bad pod is better than none.
fn cluster(service: &str) -> Value {
    let limits = json!({ "max_connections": 16384, "max_pending_requests": 16384, "max_requests": 16384, "max_retries": 64 });
    json!({
        "name": service,
        "type": "EDS",
        "eds_cluster_config": { "eds_config": { "path_config_source": { "path": endpoints_file(service) } } },
        "connect_timeout": "1s",
        "ignore_health_on_host_removal": true,
        "circuit_breakers": { "thresholds": [limits] },
        "outlier_detection": {
            "consecutive_5xx": 0,
            "consecutive_gateway_failure": 3,
            "enforcing_consecutive_gateway_failure": 100,
            "split_external_local_origin_errors": true,
            "consecutive_local_origin_failure": 2,
            "interval": "2s",
            "base_ejection_time": "5s",
            "max_ejection_percent": 50,
        },
    })
}

fn admin_cluster() -> Value {
    let endpoint = json!({ "endpoint": { "address": address("127.0.0.1", ADMIN_PORT) } });
    json!({ "name": "admin", "type": "STATIC", "connect_timeout": "1s", "load_assignment": { "cluster_name": "admin", "endpoints": [{ "lb_endpoints": [endpoint] }] } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(path: &str, exact: bool) -> RouteEdge {
        RouteEdge { service: "web".into(), path: path.into(), exact, timeout_seconds: 30, ..Default::default() }
    }

    #[test]
    fn a_prefix_matches_whole_segments() {
        assert_eq!(route(&edge("/api", false))["match"], json!({ "path_separated_prefix": "/api" }));
        assert_eq!(route(&edge("/", false))["match"], json!({ "prefix": "/" }));
        assert_eq!(route(&edge("/api/", false))["match"], json!({ "prefix": "/api/" }));
        assert_eq!(route(&edge("/api", true))["match"], json!({ "path": "/api" }));
    }

    #[test]
    fn a_rewrite_to_the_root_leaves_one_slash() {
        let to_root = route(&RouteEdge { rewrite: Some("/".into()), ..edge("/a.b/c", false) });
        assert_eq!(to_root["route"]["regex_rewrite"]["pattern"]["regex"], r"^\/a\.b\/c/?");
        let other = route(&RouteEdge { rewrite: Some("/x".into()), ..edge("/a", false) });
        assert_eq!(other["route"]["prefix_rewrite"], "/x");
    }

    #[test]
    fn the_most_specific_route_comes_first_in_every_host() {
        let routes =
            [edge("/", false), edge("/api/orders", false), RouteEdge { hosts: vec!["a.example".into()], ..edge("/api", false) }, edge("/health", true)];
        let hosts = virtual_hosts(&Gateway::default(), &routes);
        let paths = |host: &Value| host["routes"].as_array().into_iter().flatten().map(|r| r["match"].to_string()).collect::<Vec<_>>();
        assert_eq!(hosts[0]["name"], "*");
        assert_eq!(paths(&hosts[0]), [r#"{"path":"/health"}"#, r#"{"path_separated_prefix":"/api/orders"}"#, r#"{"prefix":"/"}"#]);
        assert_eq!(hosts[1]["name"], "a.example");
        assert_eq!(paths(&hosts[1]).len(), 4);
    }

    #[test]
    fn only_named_hosts_are_answered() {
        let spec = Gateway { hosts: vec!["a.example".into()], ..Default::default() };
        let hosts = virtual_hosts(&spec, &[edge("/", false)]);
        assert_eq!(hosts.as_array().map(Vec::len), Some(1));
        assert_eq!(hosts[0]["domains"], json!(["a.example"]));
    }
}
