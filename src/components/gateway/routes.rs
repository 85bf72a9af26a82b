//! Which request goes where: Envoy's virtual hosts and routes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Gateway, ServiceRoute};

/// Segments `.` and `..`, however they are encoded and whatever ends them. Who sends them unresolved wants a service to
/// resolve them, which would lead out of its routes.
const DOT_SEGMENTS: &str = r"(?i).*(?:/|\\|%2f|%5c)(?:\.|%2e){1,2}(?:(?:/|\\|%2f|%5c|;|%3b).*)?";

/// Hosts that have the same routes, with the routes by index, in the order in which they are tried.
pub struct Group<'a> {
    hosts: Vec<&'a str>,
    routes: Vec<usize>,
}

/// Envoy looks only into the most specific of its virtual hosts, so everything that a host answers to stands in its
/// own. Hosts that answer alike share one.
pub fn groups<'a>(spec: &'a Gateway, routes: &'a [ServiceRoute]) -> Vec<Group<'a>> {
    let mut named: BTreeMap<&str, Vec<usize>> = spec.hosts.iter().map(|host| (host.as_str(), vec![])).collect();
    if spec.hosts.is_empty() {
        named.insert("*", vec![]);
    }
    for (index, route) in routes.iter().enumerate() {
        route.route.hosts.iter().for_each(|host| named.entry(host).or_default().push(index));
    }
    let anywhere: Vec<usize> = (0..routes.len()).filter(|index| routes[*index].route.hosts.is_empty()).collect();
    let mut groups: BTreeMap<Vec<usize>, Vec<&str>> = BTreeMap::new();
    for host in named.keys() {
        groups.entry(tried(host, &named, &anywhere, routes)).or_default().push(host);
    }
    let mut groups: Vec<Group<'_>> = groups.into_iter().map(|(routes, hosts)| Group { hosts, routes }).collect();
    groups.sort_by(|a, b| a.hosts.cmp(&b.hosts));
    groups
}

/// The routes of one host: its own, those of the wildcards above it, and those of any host. The first that matches
/// wins: exact before prefix, long before short, and of equal ones that of the more specific host.
fn tried(host: &str, named: &BTreeMap<&str, Vec<usize>>, anywhere: &[usize], routes: &[ServiceRoute]) -> Vec<usize> {
    let own = named.get_key_value(host).into_iter();
    let above = wildcards(host).filter_map(|wildcard| named.get_key_value(wildcard.as_str()));
    let mut all: BTreeMap<usize, usize> = anywhere.iter().map(|index| (*index, 0)).collect();
    for (name, indexes) in own.chain(above) {
        let specific = if *name == host { usize::MAX } else { name.len() };
        for index in indexes {
            let known = all.entry(*index).or_default();
            *known = specific.max(*known);
        }
    }
    let mut order: Vec<(usize, usize)> = all.into_iter().collect();
    order.sort_by_key(|(index, specific)| {
        let ServiceRoute { service, route } = &routes[*index];
        (Reverse(route.exact), Reverse(route.path.len()), &route.path, Reverse(*specific), service)
    });
    order.into_iter().map(|(index, _)| index).collect()
}

/// `*.example.com` and `*.com` for `a.example.com`; for a wildcard, those that are wider.
fn wildcards(host: &str) -> impl Iterator<Item = String> {
    let bare = host.trim_start_matches("*.");
    bare.match_indices('.').map(move |(dot, _)| format!("*{}", &bare[dot..]))
}

/// At least so many bytes come from these groups: cheap to say, before anything is rendered.
pub fn least_bytes(groups: &[Group<'_>]) -> usize {
    /// A route with the shortest of everything.
    const ROUTE: usize = 60;
    groups.iter().map(|group| group.routes.len() * ROUTE).sum()
}

/// Everything about requests and their routes. `retries` is what every route does.
pub fn virtual_hosts(groups: &[Group<'_>], routes: &[ServiceRoute], retries: &Value) -> Value {
    let refused = json!({ "match": { "safe_regex": { "regex": DOT_SEGMENTS } }, "direct_response": { "status": 400 } });
    let host = |group: &Group<'_>| {
        let list: Vec<Value> =
            [refused.clone()].into_iter().chain(group.routes.iter().map(|index| route(&routes[*index]))).collect();
        json!({ "name": group.hosts[0], "domains": group.hosts, "retry_policy": retries, "routes": list })
    };
    groups.iter().map(host).collect()
}

/// A stream that is silent for so long ends, unless its route allows more.
pub const SILENCE: i32 = 300;

fn route(it: &ServiceRoute) -> Value {
    let route = &it.route;
    let ends = route.path.ends_with('/');
    let matched = match (route.exact, ends) {
        (true, _) => json!({ "path": route.path }),
        (false, true) => json!({ "prefix": route.path }),
        (false, false) => json!({ "path_separated_prefix": route.path }),
    };
    let mut action = json!({ "cluster": it.service, "timeout": format!("{}s", route.timeout_seconds) });
    // The deadline of the route is the only one.
    if route.timeout_seconds == 0 || route.timeout_seconds > SILENCE {
        action["idle_timeout"] = action["timeout"].clone();
    }
    if let Some(rewrite) = &route.rewrite {
        let bare = rewrite.trim_end_matches('/');
        match (route.exact, ends, bare.len() == rewrite.len()) {
            // All of a path is replaced, or a prefix without a slash by another one, which leaves the slash that
            // follows.
            (true, ..) | (false, false, true) => action["prefix_rewrite"] = rewrite.as_str().into(),
            (false, true, _) => action["prefix_rewrite"] = format!("{bare}/").into(),
            (false, false, false) => {
                // The route has matched the prefix already, so its length says enough.
                let regex = format!("^.{{{}}}/?", route.path.len());
                action["regex_rewrite"] =
                    json!({ "pattern": { "regex": regex }, "substitution": format!("{}/", bare.replace('\\', r"\\")) });
            }
        }
    }
    json!({ "match": matched, "route": action })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::Route;

    fn of(path: &str) -> Route {
        Route { path: path.into(), timeout_seconds: 30, ..Default::default() }
    }

    fn to(service: &str, route: Route) -> ServiceRoute {
        ServiceRoute { service: service.into(), route }
    }

    fn web(path: &str) -> ServiceRoute {
        to("web", of(path))
    }

    fn on(service: &str, path: &str, hosts: &[&str]) -> ServiceRoute {
        to(service, Route { hosts: hosts.iter().map(|host| (*host).into()).collect(), ..of(path) })
    }

    fn rendered(it: Route) -> Value {
        route(&to("web", it))
    }

    /// For each host, what it answers to: path and service.
    fn tables(hosts: &[&str], routes: &[ServiceRoute]) -> Vec<(Vec<String>, Vec<String>)> {
        let spec = Gateway { hosts: hosts.iter().map(|host| (*host).into()).collect(), ..Default::default() };
        let told = |index: &usize| format!("{} {}", routes[*index].route.path, routes[*index].service);
        let table = |group: &Group<'_>| {
            (group.hosts.iter().map(|host| (*host).to_owned()).collect(), group.routes.iter().map(told).collect())
        };
        groups(&spec, routes).iter().map(table).collect()
    }

    fn row(hosts: &[&str], routes: &[&str]) -> (Vec<String>, Vec<String>) {
        let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        (own(hosts), own(routes))
    }

    #[test]
    fn a_prefix_matches_whole_segments() {
        let matched = |path: &str, exact| rendered(Route { exact, ..of(path) })["match"].clone();
        assert_eq!(matched("/api", false), json!({ "path_separated_prefix": "/api" }));
        assert_eq!(matched("/", false), json!({ "prefix": "/" }));
        assert_eq!(matched("/api/", false), json!({ "prefix": "/api/" }));
        assert_eq!(matched("/api", true), json!({ "path": "/api" }));
    }

    #[test]
    fn a_rewrite_leaves_one_slash() {
        let rewritten =
            |path: &str, rewrite: &str| rendered(Route { rewrite: Some(rewrite.into()), ..of(path) })["route"].clone();
        for (path, rewrite, prefix) in [
            ("/a", "/x", "/x"),
            ("/a/", "/x", "/x/"),
            ("/a/", "/x/", "/x/"),
            ("/", "/x", "/x/"),
            ("/a/", "/", "/"),
            ("/", "/", "/"),
        ] {
            assert_eq!(rewritten(path, rewrite)["prefix_rewrite"], prefix, "{path} {rewrite}");
        }
        for (path, rewrite, regex, substitution) in
            [("/a.b/c", "/", "^.{6}/?", "/"), ("/a", r"/x\1/", "^.{2}/?", r"/x\\1/")]
        {
            let wanted = json!({ "pattern": { "regex": regex }, "substitution": substitution });
            assert_eq!(rewritten(path, rewrite)["regex_rewrite"], wanted, "{path} {rewrite}");
        }
        let exact = Route { exact: true, rewrite: Some("/x/".into()), ..of("/a") };
        assert_eq!(rendered(exact)["route"]["prefix_rewrite"], "/x/");
    }

    #[test]
    fn silence_ends_no_stream_earlier_than_its_route() {
        let idle = |timeout_seconds| rendered(Route { timeout_seconds, ..of("/") })["route"]["idle_timeout"].clone();
        assert_eq!([idle(0), idle(30), idle(300), idle(301)], [json!("0s"), Value::Null, Value::Null, json!("301s")]);
    }

    #[test]
    fn the_most_specific_route_comes_first_in_every_host() {
        let health = to("web", Route { exact: true, ..of("/health") });
        let routes = [web("/"), web("/api/orders"), on("web", "/api", &["a.example"]), health];
        let expected = [
            row(&["*"], &["/health web", "/api/orders web", "/ web"]),
            row(&["a.example"], &["/health web", "/api/orders web", "/api web", "/ web"]),
        ];
        assert_eq!(tables(&[], &routes), expected);
    }

    #[test]
    fn only_named_hosts_are_answered_and_those_that_answer_alike_share() {
        assert_eq!(tables(&["b.example", "a.example"], &[web("/")]), [row(&["a.example", "b.example"], &["/ web"])]);
    }

    #[test]
    fn wildcards_answer_for_the_hosts_below_them() {
        let hosts = ["*.example.com", "*.b.example.com", "a.example.com", "x.b.example.com", "example.com"];
        let routes = [
            on("wide", "/", &["*.example.com"]),
            on("only", "/only", &["a.example.com"]),
            on("own", "/", &["x.b.example.com"]),
            on("near", "/", &["*.b.example.com"]),
        ];
        let expected = [
            row(&["*.b.example.com"], &["/ near", "/ wide"]),
            row(&["*.example.com"], &["/ wide"]),
            row(&["a.example.com"], &["/only only", "/ wide"]),
            row(&["example.com"], &[]),
            row(&["x.b.example.com"], &["/ own", "/ near", "/ wide"]),
        ];
        assert_eq!(tables(&hosts, &routes), expected);
        assert_eq!(
            tables(&[], &[web("/"), on("own", "/", &["a.example"])])[1],
            row(&["a.example"], &["/ own", "/ web"]),
            "a host is more than any host"
        );
    }
}
