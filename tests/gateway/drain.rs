//! How a pod of the gateway ends, and that nobody but the kubelet ends it: the agent beside a real Envoy.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::envoy::{Envoy, Place, free_port, program, rendered, try_exchange};
use crate::one;
use crate::upstream::Upstream;

struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The agent as its pod runs it, but that it follows no EndpointSlices; it writes the configuration that Envoy starts
/// with.
fn start(upstream: u16, grace_seconds: u64) -> Option<(Agent, Envoy, u16, String)> {
    let (program, place, port) = (program()?, Place::new(), free_port());
    let (config, mut plan) = rendered(&one(json!([{ "path": "/" }])));
    plan["clusters"] = json!([]);
    plan["envoyAdmin"] = json!(format!("127.0.0.1:{}", place.admin));
    plan["graceSeconds"] = json!(grace_seconds);
    let (source, target) = (place.folder.join("plan"), place.folder.join("envoy_bootstrap.json"));
    std::fs::create_dir_all(&source).unwrap();
    std::fs::write(source.join("envoy.json"), place.local(config, upstream).to_string()).unwrap();
    std::fs::write(source.join("plan.json"), plan.to_string()).unwrap();
    let agent = Command::new(env!("CARGO_BIN_EXE_microapp"))
        .args(["agent", "discover", "--plan", source.join("plan.json").to_str().unwrap()])
        .args([
            "--endpoints",
            place.folder.to_str().unwrap(),
            "--bootstrap",
            target.to_str().unwrap(),
            "--listen",
            &format!("127.0.0.1:{port}"),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let agent = Agent(agent);
    let begun = Instant::now();
    while ask(port, "/readyz") != Some(200) {
        assert!(begun.elapsed() < Duration::from_secs(10), "the agent is not ready");
        std::thread::sleep(Duration::from_millis(50));
    }
    Some((agent, Envoy::with(program, place, &target), port, plan["drainPath"].as_str().unwrap().to_owned()))
}

fn ask(port: u16, path: &str) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    try_exchange("127.0.0.1", port, request.as_bytes()).map(|answer| answer.status)
}

#[test]
#[ignore = "needs an Envoy: `make test` runs it"]
fn a_drain_waits_for_requests_alone_and_is_taken_back_if_nobody_meant_it() {
    let upstream = Upstream::start();
    let Some((_agent, envoy, port, path)) = start(upstream.port, 12) else { return };
    for wrong in ["/drain", "/drain/", "/drain/0000000000000000"] {
        assert_eq!(ask(port, wrong), Some(404), "{wrong}");
    }
    assert!(envoy.is_ready(), "nobody drains who does not know how");
    // A client that keeps its connection and asks nothing.
    let mut idle = TcpStream::connect(("127.0.0.1", envoy.place.http)).unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 512]).unwrap() > 0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| ask(port, &path));
        std::thread::sleep(Duration::from_secs(2));
        assert!(!envoy.is_ready());
        let answer = envoy.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(answer.status == 200 && answer.head.to_lowercase().contains("connection: close"), "{answer:?}");
        assert_eq!(drained.join().unwrap(), Some(200));
    });
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(10) && took < Duration::from_secs(13), "{took:?}");
    while !envoy.is_ready() {
        assert!(begun.elapsed() < Duration::from_secs(25), "it never comes back");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(begun.elapsed() >= Duration::from_secs(12), "its grace period was not over");
    let answer = envoy.get("/");
    assert_eq!(answer.status, 200);
}
