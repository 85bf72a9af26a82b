//! A PostgreSQL server of the test's own: in a folder of its own, on a free port of loopback, as an ordinary user, with
//! passwords asked for.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, ensure};

pub const ADMIN: &str = "postgres";
pub const ADMIN_PASSWORD: &str = "admin-of-the-test";

pub struct Server {
    pub folder: PathBuf,
    pub port: u16,
    programs: PathBuf,
}

impl Server {
    /// None where no PostgreSQL is installed; with `CI` or `MICROAPP_REQUIRE_CLUSTER` set, that fails.
    pub fn start() -> anyhow::Result<Option<Self>> {
        let Some(programs) = programs() else {
            let required = ["CI", "MICROAPP_REQUIRE_CLUSTER"].iter().any(|v| std::env::var_os(v).is_some());
            ensure!(!required, "no PostgreSQL server on this machine (Debian: apt-get install postgresql)");
            eprintln!("skipped: no PostgreSQL server on this machine (Debian: apt-get install postgresql)");
            return Ok(None);
        };
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = std::env::temp_dir().join(format!(
            "microapp-postgresql-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(folder.join("server"))?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self { folder, port, programs };
        let password = server.folder.join("password");
        std::fs::write(&password, ADMIN_PASSWORD)?;
        if is_root()? {
            run(Command::new("chown").args(["-R", "nobody"]).arg(&server.folder))?;
        }
        let data = server.data();
        run(server
            .program("initdb")?
            .args(["--auth=scram-sha-256", "--no-sync", "--no-locale", "--encoding=UTF8"])
            .args(["-U", ADMIN])
            .arg("--pwfile")
            .arg(password)
            .arg("-D")
            .arg(&data))?;
        let settings = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c autovacuum=off -c \
                log_statement=all"
        );
        run(server
            .program("pg_ctl")?
            .args(["start", "-w", "-D"])
            .arg(&data)
            .arg("-l")
            .arg(server.log())
            .args(["-o", &settings]))?;
        Ok(Some(server))
    }

    pub fn stop(&self) -> anyhow::Result<()> {
        run(self.program("pg_ctl")?.args(["stop", "-m", "immediate", "-D"]).arg(self.data()))
    }

    /// Every statement that was sent, as the server has logged it.
    pub fn log(&self) -> PathBuf {
        self.folder.join("server/log")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("server/data")
    }

    /// The server refuses to run as root.
    fn program(&self, name: &str) -> anyhow::Result<Command> {
        let program = self.programs.join(name);
        if !is_root()? {
            return Ok(Command::new(program));
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
        Ok(command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            self.stop().ok();
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// The newest of those that Debian has installed, or the one on the path.
fn programs() -> Option<PathBuf> {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> =
        std::env::split_paths(&path).chain(versions).filter(|folder| folder.join("initdb").exists()).collect();
    found.sort();
    found.pop()
}

fn is_root() -> anyhow::Result<bool> {
    let id = Command::new("id").arg("-u").output()?;
    Ok(id.stdout.trim_ascii() == b"0")
}

/// What the programs say stays in the server's log: a pipe would be held open by the server, and never end.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
