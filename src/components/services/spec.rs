//! What a user says of one service.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::fields::{KeyRef, NamedRef, Resources, Scheduling};
use crate::kit::forms::{self, IMAGE_TEXT, REQUEST_PATH, REQUEST_PATH_TEXT, ROUTE_PATH_TEXT, VARIABLE, VARIABLE_TEXT};

/// The port a service listens on when nothing else is said.
pub const DEFAULT_PORT: i32 = 8080;
/// The user a service runs as when nothing else is said.
pub const DEFAULT_USER: i64 = 10001;

/// One of your services: an image, how it is reached and what it uses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.protocol) || self.protocol != 'None' || !has(self.port)")
    .message("`port` may not be set when `protocol` is 'None'; a worker that is connected to wants \
        `protocol: TCP`").field_path(".port"))]
#[x_kube(validation = Rule::new("!has(self.routes) || size(self.routes) == 0 || !has(self.protocol) || self.protocol \
    == 'HTTP'").message("`routes` need `protocol` 'HTTP'; remove them, or the `protocol`").field_path(".routes"))]
#[x_kube(validation = Rule::new("!has(self.protocol) || self.protocol != 'None' || !has(self.health) || \
    has(self.ports) && size(self.ports) > 0 || (has(self.health.probe) ? self.health.probe == 'None' : \
    !has(self.health.readinessPath) && !has(self.health.livenessPath))").message("a probe needs a port, and \
    `protocol` 'None' without `ports` has none; remove `health`").field_path(".health"))]
#[x_kube(validation = Rule::new("!has(self.ports) || has(self.protocol) && self.protocol == 'None' || \
    self.ports.all(p, p.port != (has(self.port) ? self.port : 8080))").message("`ports` may not repeat `port`, \
    which is 8080 unless it is set").field_path(".ports"))]
#[x_kube(validation = Rule::new("!has(self.calls) || self.calls.all(c, c.service != self.name)").message("a service \
    may not call itself; remove its own name from `calls`").field_path(".calls"))]
pub struct Service {
    /// Its name: at most 24 characters of a-z, 0-9 and single dashes, beginning with a letter. Other services reach it
    /// as `<app>--<name>`.
    #[schemars(length(min = 1, max = 24))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z][a-z0-9]*(-[a-z0-9]+)*$')").message("`name` must be made of \
        a-z, 0-9 and single dashes, and begin with a letter"))]
    pub name: String,
    /// The image to run. Give a full reference; a digest is best.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(forms::image()).message(IMAGE_TEXT))]
    pub image: String,
    /// The port that it listens on; injected as `PORT`. Default: 8080.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// What `port` speaks. `HTTP` (default), `TCP`, or `None` for a worker: no port, no Service, no routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Further ports that other pods may connect to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[x_kube(validation = Rule::new("self.all(p, self.exists_one(q, q.port == p.port))").message("two of the `ports` \
        have the same number; remove one of them"))]
    pub ports: Vec<ExtraPort>,
    /// How many pods. Default: 1, or 2 when `availability` is `HighlyAvailable`. 0 is legal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: Option<i32>,
    /// Replaces the image's entry point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Replaces the image's arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub args: Vec<String>,
    /// Numeric user that it runs as. Default: 10001. Always set, so images of root or of a named user start too. The
    /// root file system is read-only, `/tmp` is writable and holds up to 1Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub run_as_user: Option<i64>,
    /// What the gateway sends to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self.all(r, self.exists_one(q, q.path == r.path && (has(q.match) ? q.match : \
        'Prefix') == (has(r.match) ? r.match : 'Prefix')))").message("two of the `routes` have the same `path` and \
        `match`; remove one of them"))]
    pub routes: Vec<Route>,
    /// The components that it uses. Each gives it an address, a login of its own and the variables that carry them.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["component".into()]))]
    pub uses: Vec<Use>,
    /// The services that it calls. Each gives it `<SERVICE>_URL`, `_HOST`, `_PORT` and `_HOSTPORT`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["service".into()]))]
    pub calls: Vec<Call>,
    /// How Kubernetes learns whether it is ready and alive. Default: it is ready when `port` accepts connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// CPU and memory of each pod. Default: requests of 50m and 64Mi, no limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Environment variables. They stand after ours, so `$(DATABASE_HOST)` works in a `value`. One with the name of one
    /// of ours takes its place: `DATABASE_URL` is then made from your `DATABASE_HOST`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<Variable>,
    /// Whole ConfigMaps or Secrets as environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env_from: Vec<Source>,
    /// Whole ConfigMaps or Secrets as read-only files at `/etc/microapp/<name>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub config_files: Vec<Source>,
    /// Where the pods may run. Default: anywhere, spread over nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<Scheduling>,
    /// Any change of this text rolls the pods once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub restart_token: Option<String>,
}

impl Service {
    /// What its main port speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol.unwrap_or_default()
    }

    /// Its main port; none for a worker.
    pub fn main_port(&self) -> Option<i32> {
        (self.protocol() != Protocol::None).then(|| self.port.unwrap_or(DEFAULT_PORT))
    }

    /// The port that others find under `<SERVICE>_PORT`: the main one, or a worker's first further one.
    pub fn called_port(&self) -> Option<i32> {
        self.main_port().or_else(|| self.ports.first().map(|p| p.port))
    }
}

/// What a service's main port speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    #[default]
    HTTP,
    TCP,
    None,
}

/// What a further port speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PortProtocol {
    #[default]
    HTTP,
    TCP,
}

/// A further port of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtraPort {
    /// Its name: at most 15 characters.
    #[schemars(length(min = 1, max = 15))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]([a-z0-9]*(-[a-z0-9]+)*)$') && self != 'main'")
        .message("`name` must be made of a-z, 0-9 and single dashes, begin with a letter, and may not be 'main'"))]
    pub name: String,
    /// The number that the service listens on.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// What it speaks. Default: `HTTP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<PortProtocol>,
}

/// One route of the gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Path of the request, beginning with `/`. `/api/orders` means itself and what stands below it.
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(validation = Rule::new(REQUEST_PATH).message(ROUTE_PATH_TEXT))]
    pub path: String,
    /// `Prefix` (default) or `Exact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#match: Option<PathMatch>,
    /// Host names that it answers to, each one of `gateway.hosts`. Default: all of them. Of two equal paths that of the
    /// more specific host is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("items" = forms::host_pattern()))]
    pub hosts: Vec<String>,
    /// What replaces `path` before the service sees the request; one slash stands between it and the rest. Default: the
    /// path arrives as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(validation = Rule::new(REQUEST_PATH).message(ROUTE_PATH_TEXT))]
    pub rewrite: Option<String>,
    /// Seconds until the gateway gives up with 504. Default: 30. 0 means never, for streams and WebSockets; those of
    /// other routes end when they are silent for 300 seconds, or for `timeoutSeconds` if that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub timeout_seconds: Option<i32>,
}

impl Route {
    /// Seconds that a request may take; 0: as long as it likes.
    pub fn timeout(&self) -> i32 {
        self.timeout_seconds.unwrap_or(30)
    }
}

/// How a route's path is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PathMatch {
    #[default]
    Prefix,
    Exact,
}

/// A component that a service uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.databaseName) || self.component == 'Database'").message("`databaseName` is \
    of 'Database' alone; remove it").field_path(".databaseName"))]
pub struct Use {
    /// Which one. The application must declare it.
    pub component: UsedComponent,
    /// Name of the database inside the server. Default: the service's name. Two services may name the same. It is kept
    /// when the service is renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 55))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z][a-z0-9]*([-_][a-z0-9]+)*$')").message("`databaseName` must \
        be made of a-z, 0-9 and single '-' or '_', and begin with a letter"))]
    pub database_name: Option<String>,
    /// `ReadWrite` (default) or `ReadOnly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
}

/// A component that services can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UsedComponent {
    Database,
    Cache,
}

/// What a login may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Access {
    #[default]
    ReadWrite,
    ReadOnly,
}

/// A service that a service calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Name of a service of this application.
    #[schemars(length(min = 1, max = 24))]
    pub service: String,
    /// `None` (default), or `Ready`: pods of the caller are made only once this one is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_for: Option<WaitFor>,
}

/// What a caller waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WaitFor {
    #[default]
    None,
    Ready,
}

/// How Kubernetes learns whether a service is ready and alive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.probe) || self.probe != 'HTTP' || has(self.readinessPath)")
    .message("`readinessPath` must be set when `probe` is 'HTTP'"))]
#[x_kube(validation = Rule::new("!has(self.probe) || self.probe == 'HTTP' || !has(self.readinessPath) && \
    !has(self.livenessPath)").message("`readinessPath` and `livenessPath` need `probe` 'HTTP'; remove `probe` or \
    the paths"))]
pub struct Health {
    /// How it is asked: `HTTP` (default when a path is set), `TCP` (default otherwise), or `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// Path on `port` that answers 200 when the service can take requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(validation = Rule::new(REQUEST_PATH).message(REQUEST_PATH_TEXT))]
    pub readiness_path: Option<String>,
    /// Path on `port` that answers 200 unless the service must be restarted. Default: it is restarted only when it
    /// ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(validation = Rule::new(REQUEST_PATH).message(REQUEST_PATH_TEXT))]
    pub liveness_path: Option<String>,
    /// Seconds that a start may take before the pod is restarted. Default: 120.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub startup_timeout_seconds: Option<i32>,
}

/// How a service is asked for its health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Probe {
    HTTP,
    TCP,
    None,
}

/// An environment variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.value) != has(self.valueFrom)").message("exactly one of `value` and \
    `valueFrom` must be set"))]
pub struct Variable {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(VARIABLE).message(VARIABLE_TEXT))]
    pub name: String,
    /// Its value. `$(NAME)` takes the value of a variable that stands before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
    /// One key of a Secret or ConfigMap as its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ValueFrom>,
}

/// Where the value of a variable comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretKeyRef) != has(self.configMapKeyRef)").message("exactly one of \
    `secretKeyRef` and `configMapKeyRef` must be set"))]
pub struct ValueFrom {
    /// One key of a Secret. A change of its content rolls the pods within about two minutes. The operator never reads
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeyRef>,
    /// One key of a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeyRef>,
}

/// A whole ConfigMap or Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretRef) != has(self.configMapRef)").message("exactly one of `secretRef` \
    and `configMapRef` must be set"))]
pub struct Source {
    /// Your name for it.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]+(-[a-z0-9]+)*$')").message("`name` must be made of a-z, \
        0-9 and single dashes"))]
    pub name: String,
    /// The Secret. A change of its content rolls the pods within about two minutes. The operator never reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<NamedRef>,
    /// The ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<NamedRef>,
}
