//! A service: it answers with what it was sent, and misbehaves where its path says so.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long `/silent` says nothing.
pub const SILENCE: Duration = Duration::from_secs(3);

pub struct Upstream {
    pub port: u16,
    /// How often each path was asked for.
    seen: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Upstream {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(BTreeMap::new()));
        let counts = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counts = counts.clone();
                std::thread::spawn(move || serve(stream, &counts));
            }
        });
        Self { port, seen }
    }

    pub fn asked_for(&self, path: &str) -> u32 {
        self.seen.lock().unwrap().get(path).copied().unwrap_or_default()
    }
}

fn serve(stream: TcpStream, seen: &Mutex<BTreeMap<String, u32>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    for turn in 1.. {
        let head = head(&mut reader)?;
        let path = head.split(' ').nth(1)?.to_owned();
        *seen.lock().unwrap().entry(path.clone()).or_default() += 1;
        match path.as_str() {
            // As a server that ends an idle connection just when the next request comes.
            "/race" if turn > 1 => return None,
            "/dies" => return None,
            "/slow" => std::thread::sleep(SILENCE),
            "/silent" => {
                writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nbegi").ok()?;
                std::thread::sleep(SILENCE);
                writer.write_all(b"nend").ok()?;
                continue;
            }
            "/socket" => {
                writer
                    .write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
                    .ok()?;
                let mut byte = [0];
                reader.read_exact(&mut byte).ok()?;
                return writer.write_all(&byte).ok();
            }
            _ => {}
        }
        writer.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len()).as_bytes()).ok()?;
    }
    None
}

/// The lines of a request, without its body: tests send none.
fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" && !head.is_empty() {
            return Some(head);
        }
        head.push_str(line.trim_start_matches("\r\n"));
    }
}
