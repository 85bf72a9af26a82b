//! A real API server for the tests of one binary: started by the first that asks, ended with the binary, however it
//! ends.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use kube::config::{Config, KubeConfigOptions, Kubeconfig};

/// The program that starts clusters.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hack/cluster/cluster");

/// A simulated cluster: the control plane is real, pods are played.
pub struct Cluster {
    pub kubeconfig: PathBuf,
    pub dir: PathBuf,
    _end: Child,
}

/// The cluster of this test binary. `None` when this machine cannot have one, which is said aloud; with `CI` or
/// `MICROAPP_REQUIRE_CLUSTER` set, that fails.
pub fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    CLUSTER.get_or_init(|| possible().then(Cluster::start)).as_ref()
}

fn possible() -> bool {
    let possible = Command::new("go").arg("version").output().is_ok_and(|o| o.status.success());
    let required = ["CI", "MICROAPP_REQUIRE_CLUSTER"].iter().any(|v| std::env::var_os(v).is_some());
    assert!(possible || !required, "a cluster is required here, and Go, which builds it, is not installed");
    if !possible {
        // Not `eprintln!`, which the test harness hides.
        drop(writeln!(
            std::io::stderr(),
            "SKIPPED: every test on a real API server: Go, which builds it, is not installed"
        ));
    }
    possible
}

impl Cluster {
    fn start() -> Self {
        let dir = std::env::temp_dir().join(format!("microapp-test-{}", std::process::id()));
        let end = ender(&dir);
        let up = Command::new(PROGRAM)
            .args(["up", "--simulated", "--nodes", "1", "--dir"])
            .arg(&dir)
            .stderr(Stdio::inherit()) // a build of minutes must show
            .output()
            .expect("hack/cluster/cluster must be executable");
        assert!(up.status.success(), "the cluster does not start");
        let kubeconfig =
            String::from_utf8_lossy(&up.stdout).lines().last().map(PathBuf::from).expect("`up` prints a path");
        Self { kubeconfig, dir, _end: end }
    }

    /// A client as the administrator. Each test makes its own: connections belong to the runtime of the test.
    pub async fn client(&self) -> kube::Client {
        let config = Kubeconfig::read_from(&self.kubeconfig).expect("the kubeconfig can be read");
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
            .await
            .expect("the kubeconfig is complete");
        kube::Client::try_from(config).expect("a client can be made")
    }
}

/// A process that ends the cluster as soon as this one is gone: by then nobody holds the other end of its standard
/// input.
fn ender(dir: &PathBuf) -> Child {
    Command::new("sh")
        .args(["-c", r#"cat; exec "$0" down --simulated --dir "$1""#, PROGRAM])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0) // an interrupt at the keyboard is for the tests alone
        .spawn()
        .expect("there is a shell")
}
