//! Envoy's configuration: <https://www.envoyproxy.io/docs/envoy/latest/api-v3/api>. Clusters are called as services
//! are; a name of ours that stands beside theirs has an underscore, which no service can have.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Gateway, ServiceRoute, routes};
use crate::kit::agents::{GATEWAY_STATS, endpoints_file};

/// Ports of the container: requests; readiness and metrics; administration, on loopback only.
pub const HTTP_PORT: i32 = 8080;
pub const READY_PORT: i32 = 9902;
pub const ADMIN_PORT: i32 = 9901;

const EXTENSIONS: &str = "type.googleapis.com/envoy.extensions";
/// The cluster of the administration interface. Clusters of services are called as they are.
const ADMIN: &str = "envoy_admin";
/// More clients than this are not let in; the kubelet always is.
const CONNECTIONS: u32 = 16384;

/// The whole configuration of one Envoy. `name` is what a request is for that names no host, as HTTP/1.0 allows.
pub fn bootstrap(spec: &Gateway, routes: &[ServiceRoute], name: &str) -> Value {
    let services: BTreeSet<&str> = routes.iter().map(|route| route.service.as_str()).collect();
    let clusters: Vec<Value> = services.into_iter().map(cluster).chain([admin_cluster()]).collect();
    let host = spec.hosts.iter().find(|host| !host.starts_with('*')).map_or(name, String::as_str);
    let hosts = routes::virtual_hosts(&routes::groups(spec, routes), routes, &retries());
    let mut ready = listener("ready", READY_PORT, readiness());
    ready["ignore_global_conn_limit"] = true.into();
    json!({
        // Without a name Envoy takes no endpoints from files.
        "node": { "id": "gateway", "cluster": "microapp" },
        "admin": { "address": address("127.0.0.1", ADMIN_PORT) },
        "overload_manager": { "resource_monitors": [
            extension("envoy.resource_monitors.global_downstream_max_connections",
            "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig", json!({
                "max_active_downstream_connections": CONNECTIONS }))] },
        // Envoy refuses expressions larger than 100, which is less than a path.
        "layered_runtime": { "layers": [{ "name": "static", "static_layer": {
            "re2.max_program_size.error_level": 1000 } }] },
        "static_resources": {
            "listeners": [listener(GATEWAY_STATS, HTTP_PORT, public(hosts, host,
                spec.trusted_proxy_hops.unwrap_or_default())), ready],
            "clusters": clusters,
        },
    })
}

fn address(host: &str, port: i32) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

/// An extension of Envoy with its settings.
fn extension(name: &str, kind: &str, mut settings: Value) -> Value {
    settings["@type"] = format!("{EXTENSIONS}.{kind}").into();
    json!({ "name": name, "typed_config": settings })
}

/// Both families of addresses at one port. The agent knows what to do where the kernel has but one.
fn listener(name: &str, port: i32, mut manager: Value) -> Value {
    manager["stat_prefix"] = name.into();
    let filters = manager["http_filters"].as_array().cloned().unwrap_or_default();
    let router = extension("envoy.filters.http.router", "filters.http.router.v3.Router", json!({}));
    manager["http_filters"] = filters.into_iter().chain([router]).collect();
    let mut address = address("::", port);
    address["socket_address"]["ipv4_compat"] = true.into();
    let kind = "filters.network.http_connection_manager.v3.HttpConnectionManager";
    json!({
        "name": name,
        "address": address,
        "per_connection_buffer_limit_bytes": 1_048_576,
        "filter_chains": [{ "filters": [extension("envoy.filters.network.http_connection_manager", kind, manager)] }],
    })
}

/// The listener for requests. It faces strangers, whoever they are: an address of the cluster's network makes nobody
/// trusted. Paths are left as they came.
fn public(virtual_hosts: Value, default_host: &str, trusted_hops: i32) -> Value {
    let mut manager = json!({
        "use_remote_address": true,
        "xff_num_trusted_hops": trusted_hops,
        "internal_address_config": { "cidr_ranges": [{ "address_prefix": "0.0.0.0", "prefix_len": 32 }] },
        "preserve_external_request_id": trusted_hops > 0,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "strip_trailing_host_dot": true,
        "server_header_transformation": "PASS_THROUGH",
        "request_headers_timeout": "10s",
        "stream_idle_timeout": format!("{}s", routes::SILENCE),
        "common_http_protocol_options": { "idle_timeout": "3600s" },
        "http_protocol_options": { "accept_http_10": true, "default_host_for_http_10": default_host },
        "http2_protocol_options": { "max_concurrent_streams": 100, "initial_stream_window_size": 65_536,
            "initial_connection_window_size": 1_048_576 },
        "upgrade_configs": [{ "upgrade_type": "websocket" }],
        "access_log": [access_log()],
        "http_filters": [repetition()],
        "route_config": { "name": GATEWAY_STATS, "virtual_hosts": virtual_hosts, "ignore_port_in_host_matching": true },
    });
    if trusted_hops == 0 {
        let direct = json!({ "key": "x-forwarded-for", "value": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%" });
        manager["route_config"]["request_headers_to_add"] =
            json!([{ "header": direct, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD" }]);
        manager["route_config"]["request_headers_to_remove"] = json!(CLAIMS);
    }
    manager
}

/// What a client could claim about itself and its way here. Envoy writes X-Forwarded-Proto by itself.
const CLAIMS: [&str; 8] = [
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-real-ip",
];

/// One line for each request, without what stands behind `?`: people put tokens there.
fn access_log() -> Value {
    let line = json!({
        "time": "%START_TIME%",
        "method": "%REQ(:METHOD)%",
        "host": "%REQ(:AUTHORITY)%",
        "path": "%PATH(NQ:ORIG_OR_PATH)%",
        "protocol": "%PROTOCOL%",
        "status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "milliseconds": "%DURATION%",
        "bytesReceived": "%BYTES_RECEIVED%",
        "bytesSent": "%BYTES_SENT%",
        "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "service": "%UPSTREAM_CLUSTER%",
        "upstream": "%UPSTREAM_HOST%",
        "requestId": "%REQ(X-REQUEST-ID)%",
    });
    extension(
        "envoy.access_loggers.stdout",
        "access_loggers.stream.v3.StdoutAccessLog",
        json!({ "log_format": { "json_format": line } }),
    )
}

/// What every route sends again, to another pod if there is one: only what the service cannot have seen.
fn retries() -> Value {
    let predicate = extension(
        "envoy.retry_host_predicates.previous_hosts",
        "retry.host.previous_hosts.v3.PreviousHostsPredicate",
        json!({}),
    );
    json!({
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 3,
        "retry_host_predicate": [predicate],
        "host_selection_retry_max_attempts": 5,
    })
}

/// Safe methods are sent again once when the connection ends before an answer: a server may have closed it just then.
/// Retries go by route, not by method, so a filter asks for this one in a header, which Envoy takes off again; it takes
/// it off strangers' requests, too.
fn repetition() -> Value {
    let header = |key: &str, value: &str| {
        json!({ "append": { "header": { "key": key, "value": value },
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD" } })
    };
    let mutations = json!({ "mutations": { "request_mutations": [header("x-envoy-retry-on", "reset"),
        header("x-envoy-max-retries", "1")] } });
    let method = json!({ "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
        "header_name": ":method" });
    let safe = json!({ "single_predicate": {
        "input": { "name": "method", "typed_config": method },
        "value_match": { "safe_regex": { "google_re2": {}, "regex": "GET|HEAD|OPTIONS|TRACE" } },
    } });
    let skip = extension("skip", "filters.common.matcher.action.v3.SkipFilter", json!({}));
    let matcher = json!({ "matcher_list": { "matchers": [{ "predicate": { "not_matcher": safe }, "on_match": {
        "action": skip } }] } });
    let inner =
        extension("envoy.filters.http.header_mutation", "filters.http.header_mutation.v3.HeaderMutation", mutations);
    extension(
        "repetition",
        "common.matching.v3.ExtensionWithMatcher",
        json!({ "extension_config": inner, "xds_matcher": matcher }),
    )
}

/// The listener for the kubelet and for Prometheus: two paths of the administration interface and nothing else of it.
fn readiness() -> Value {
    let route = |path: &str| json!({ "match": { "path": path }, "route": { "cluster": ADMIN } });
    json!({ "route_config": { "name": "ready", "virtual_hosts": [{ "name": "ready", "domains": ["*"], "routes": [
        route("/ready"), route("/stats/prometheus")] }] } })
}

/// The pods of one service. A pod that refuses or resets connections is left out for a while; half of them at most, for
/// a bad pod is better than none. Idle connections end before the server ends them: Node waits 5 seconds, others
/// longer.
fn cluster(service: &str) -> Value {
    let limits =
        json!({ "max_connections": 16384, "max_pending_requests": 16384, "max_requests": 16384, "max_retries": 64 });
    let protocol = json!({
        "@type": format!("{EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions"),
        "common_http_protocol_options": { "idle_timeout": "4s" },
        "explicit_http_config": { "http_protocol_options": {} },
    });
    json!({
        "name": service,
        "type": "EDS",
        "eds_cluster_config": { "eds_config": { "path_config_source": { "path": endpoints_file(service) } } },
        "connect_timeout": "1s",
        "ignore_health_on_host_removal": true,
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol },
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
    json!({ "name": ADMIN, "type": "STATIC", "connect_timeout": "1s", "load_assignment": { "cluster_name": ADMIN,
        "endpoints": [{ "lb_endpoints": [endpoint] }] } })
}
