//! A real Envoy on this machine, with the configuration that the operator renders; only addresses, ports and paths of
//! files are of this machine.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use microapp::app::{App, MicroserviceApp, Settings};
use microapp::kit::observed::Observed;
use serde_json::{Value, json};

/// The program; none where it cannot be had, which only people may overlook.
pub fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/hack/tools/envoy")).output().unwrap();
        let path = String::from_utf8(output.stdout).unwrap();
        if output.status.success() {
            return Some(PathBuf::from(path.trim()));
        }
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        let required = ["MICROAPP_REQUIRE_CLUSTER", "CI"].iter().any(|name| std::env::var_os(name).is_some());
        assert!(!required, "Envoy cannot be had: {why}");
        eprintln!("SKIPPED: Envoy cannot be had: {why}");
        None
    };
    PROGRAM.get_or_init(find).as_deref()
}

pub fn app(spec: &Value) -> MicroserviceApp {
    let metadata = json!({ "name": "shop", "namespace": "acme", "uid": "0b8f4a5e-0000-4000-8000-000000000001" });
    let app =
        json!({ "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": metadata, "spec": spec });
    serde_json::from_value(app).unwrap()
}

/// A service whose only field that matters is its routes.
pub fn service(name: &str, routes: Value) -> Value {
    json!({ "name": name, "image": "example.com/x:1", "routes": routes })
}

/// What the operator makes of the gateway: Envoy's configuration and the plan of its agent.
pub fn rendered(spec: &Value) -> (Value, Value) {
    let (app, observed, settings) = (app(spec), Observed::default(), Settings::default());
    let sound = App::resolve(&app, &settings).unwrap_or_else(|problems| panic!("{problems:?}"));
    let objects = sound.desired(&observed).objects;
    let map = objects.iter().find(|object| object.id().to_string() == "ConfigMap/shop-gateway").unwrap();
    let file = |key: &str| serde_json::from_str(map.body["data"][key].as_str().unwrap()).unwrap();
    (file("envoy.json"), file("plan.json"))
}

/// A port that nobody else of this process asks for.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 300) as u16 * 40;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::SeqCst);
        if TcpListener::bind(("::", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A folder for one Envoy, with an endpoint for each of its clusters.
pub struct Place {
    pub folder: PathBuf,
    pub http: u16,
    pub ready: u16,
    pub admin: u16,
}

impl Place {
    pub fn new() -> Self {
        let (http, ready, admin) = (free_port(), free_port(), free_port());
        let folder = std::env::temp_dir().join(format!("microapp-envoy-{}-{http}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder, http, ready, admin }
    }

    /// The configuration with what is of this machine. Every service has the one upstream.
    pub fn local(&self, mut config: Value, upstream: u16) -> Value {
        config["admin"]["address"]["socket_address"]["port_value"] = self.admin.into();
        for (listener, port) in [(0, self.http), (1, self.ready)] {
            config["static_resources"]["listeners"][listener]["address"]["socket_address"]["port_value"] = port.into();
        }
        for cluster in config["static_resources"]["clusters"].as_array_mut().unwrap() {
            if let Some(endpoint) =
                cluster.pointer_mut("/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address")
            {
                endpoint["port_value"] = self.admin.into();
                continue;
            }
            let name = cluster["name"].as_str().unwrap().to_owned();
            let file = self.folder.join(format!("{name}.json"));
            let address = json!({ "socket_address": { "address": "127.0.0.1", "port_value": upstream } });
            let assignment = json!({
                "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
                "cluster_name": name,
                "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
            });
            std::fs::write(&file, json!({ "resources": [assignment] }).to_string()).unwrap();
            cluster["eds_cluster_config"]["eds_config"]["path_config_source"]["path"] = file.to_str().unwrap().into();
        }
        config
    }

    fn write(&self, config: &Value) -> PathBuf {
        let path = self.folder.join("config_local.json");
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }
}

/// What Envoy has against a specification; empty if nothing.
pub fn complaint(program: &Path, spec: &Value) -> String {
    let place = Place::new();
    let path = place.write(&place.local(rendered(spec).0, 1));
    let output =
        Command::new(program).args(["--mode", "validate", "--log-level", "warn", "-c"]).arg(path).output().unwrap();
    std::fs::remove_dir_all(&place.folder).ok();
    if output.status.success() { String::new() } else { String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// A running Envoy.
pub struct Envoy {
    pub place: Place,
    process: Child,
}

impl Envoy {
    /// `change` is what a test shortens.
    pub fn start(program: &Path, spec: &Value, upstream: u16, change: impl FnOnce(&mut Value)) -> Self {
        let place = Place::new();
        let mut config = place.local(rendered(spec).0, upstream);
        change(&mut config);
        let path = place.write(&config);
        Self::with(program, place, &path)
    }

    pub fn with(program: &Path, place: Place, config: &Path) -> Self {
        let log = |name: &str| Stdio::from(std::fs::File::create(place.folder.join(name)).unwrap());
        let process = Command::new(program)
            .args([
                "--disable-hot-restart",
                "--concurrency",
                "1",
                "--log-level",
                "warn",
                "--file-flush-interval-msec",
                "50",
                "-c",
            ])
            .arg(config)
            .stdout(log("out"))
            .stderr(log("err"))
            .spawn()
            .unwrap();
        let envoy = Self { place, process };
        let begun = Instant::now();
        while !envoy.is_ready() {
            assert!(begun.elapsed() < Duration::from_secs(20), "Envoy is not ready: {}", envoy.read("err"));
            std::thread::sleep(Duration::from_millis(50));
        }
        envoy
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.place.folder.join(file)).unwrap()
    }

    /// What the kubelet and Prometheus are told.
    pub fn is_ready(&self) -> bool {
        try_exchange("127.0.0.1", self.place.ready, b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .is_some_and(|answer| answer.status == 200)
    }

    pub fn send(&self, request: &str) -> Answer {
        self.send_by("127.0.0.1", request)
    }

    pub fn send_by(&self, address: &str, request: &str) -> Answer {
        let answer = try_exchange(address, self.place.http, request.as_bytes());
        answer.unwrap_or_else(|| panic!("no answer to {request}: {}", self.read("err")))
    }

    /// A request with these lines of headers, on a connection of its own.
    pub fn request(&self, method: &str, path: &str, host: &str, headers: &[&str]) -> Answer {
        let more: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        self.send(&format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n"))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "x", &[])
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        std::fs::remove_dir_all(&self.place.folder).ok();
    }
}

/// What came back until the connection ended.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The first line of the request that the upstream saw: it answers with what it was sent.
    pub fn seen_path(&self) -> &str {
        self.body.split(' ').nth(1).unwrap_or_default()
    }

    /// All values of a header that the upstream saw.
    pub fn seen(&self, header: &str) -> BTreeSet<String> {
        let lines = self.body.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(name, _)| name.eq_ignore_ascii_case(header)).map(|(_, value)| value.to_owned()).collect()
    }
}

/// A body of a known length is there.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    length.is_some_and(|length| length > 0 && body.len() >= length)
}

pub fn try_exchange(address: &str, port: u16, request: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect((address, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all(request).ok()?;
    let (mut bytes, mut part) = (vec![], [0; 4096]);
    // While it drains, Envoy waits some seconds for clients to close connections.
    while !is_whole(&bytes) {
        match stream.read(&mut part) {
            Ok(n @ 1..) => bytes.extend_from_slice(&part[..n]),
            _ => break,
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.into(), body: body.into() })
}
