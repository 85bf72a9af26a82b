//! Whatever stands in a file, reading and judging it ends: soon, without a panic, in bounded memory.
//! `MICROAPP_FUZZ_SECONDS` says for how long mutants are tried, `MICROAPP_SEED` which; what fails is printed with its
//! seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use microapp::app::schema::Checker;
use microapp::app::{MicroserviceApp, problems::problems};
use microapp::cli::input;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// Time of computing, whatever else the machine does: much more than any input needs without optimisation.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nothing waits for anything, so what takes so long waits for ever.
const LONGEST: Duration = Duration::from_secs(900);
/// Address space of the process that reads, in KiB: the program itself, and a few hundred times the largest input.
const MEMORY: u64 = 2 * 1024 * 1024;
/// The largest file that is read.
const LARGEST: usize = 3 * 1024 * 1024;

/// What `microapp check` does with a file.
fn judge(checker: &Checker, bytes: &[u8]) {
    let Ok(documents) = input::documents(bytes) else { return };
    for document in documents {
        let (sent, found) = checker.judge(&document.value);
        let lines: Vec<_> = found.iter().map(|p| document.line(&p.path)).collect();
        assert!(lines.iter().all(Option::is_some) && document.surprises().len() <= 100);
        drop(serde_json::from_value::<MicroserviceApp>(sent).map(|app| problems(&app)));
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Runs one of the tests below in a process of its own that may use only so much memory.
fn bounded(test: &str) {
    let script = format!("ulimit -v {MEMORY} && exec \"$0\" --ignored --exact --nocapture {test}");
    let output = Command::new("sh").args(["-c", &script]).arg(std::env::current_exe().unwrap()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{}",
        said.chars().rev().take(4000).collect::<Vec<_>>().iter().rev().collect::<String>()
    );
}

/// Ends the process when one input takes too long, for nobody else could.
struct Watch(Arc<Mutex<Option<Begun>>>);

/// When an input was begun, by the clock and by what this process had computed, and which.
type Begun = (Instant, Duration, String);

/// What this process has computed so far, in the kernel's hundredths of a second.
fn computed() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

impl Watch {
    fn begin() -> Self {
        let now: Arc<Mutex<Option<Begun>>> = Arc::default();
        let watched = now.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(200));
                let too_long = |(since, before, _): &&Begun| {
                    computed().saturating_sub(*before) > PATIENCE || since.elapsed() > LONGEST
                };
                if let Some((_, _, what)) = watched.lock().unwrap().as_ref().filter(too_long) {
                    eprintln!("does not end: {what}");
                    std::process::exit(3);
                }
            }
        });
        Self(now)
    }

    fn over<T>(&self, what: impl Into<String>, work: impl FnOnce() -> T) -> T {
        *self.0.lock().unwrap() = Some((Instant::now(), computed(), what.into()));
        let result = work();
        *self.0.lock().unwrap() = None;
        result
    }
}

#[test]
fn every_input_ends() {
    bounded("repeated");
    bounded("mutants");
}

/// Pieces of YAML and JSON, alone and over and over.
#[rustfmt::skip]
const PIECES: [&str; 44] = [
    "[", "]", "{", "}", "- ", "? ", ": ", ",", "a: ", "a,", "&a ", "*a ", "!a ", "!!str ", "#", "# a\n", "'", "\"",
    "\\", "|\n", ">\n", "\t", " ", "\n", "\r", "---\n", "...\n", "%a\n", "\u{feff}", "\u{85}", "\0", "é", "a", "~",
    "- - ", "? ? ", "{a: ", "[a, ", "a: &a [*a]\n", "<<: *a\n", "{}\n", "{\"a\":1}\n", "{\"", "- &a a\n- *a\n",
];

#[test]
#[ignore = "run by every_input_ends, with bounded memory"]
fn repeated() {
    let (checker, watch) = (Checker::new().unwrap(), Watch::begin());
    let app = "apiVersion: microapp.dev/v1alpha1\nkind: MicroserviceApp\nmetadata: {name: shop}\nspec:\n";
    for piece in PIECES {
        for (begin, indent) in [("", ""), (app, "  "), ("a: &a ", ""), ("a: \"", ""), ("a: |\n", " ")] {
            let mut text = begin.to_owned();
            // Alone in the largest file; behind something a third of it shows as well what grows faster than its input.
            while text.len() < (if begin.is_empty() { LARGEST } else { LARGEST / 3 }) - 10 {
                text.push_str(indent);
                text.push_str(piece);
            }
            watch.over(format!("{begin:?} and {piece:?} repeated"), || judge(&checker, text.as_bytes()));
        }
    }
    let keys: String = (0..100_000).map(|n| format!("  k{n}: [~, {{~: 1}}]\n")).collect();
    watch.over("unknown fields", || judge(&checker, format!("{app}{keys}").as_bytes()));
    let nulls: String = (0..100_000).map(|n| format!("  k{n}:\n")).collect();
    watch.over("nulls", || judge(&checker, format!("{app}{nulls}").as_bytes()));
    let deep = format!("{app}  {}: [{}]\n", "k".repeat(1000), "0777, ~, ".repeat(50_000));
    watch.over("long keys", || judge(&checker, deep.as_bytes()));
}

/// Manifests, which mutants are made of.
fn corpus() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["tests/accepted", "tests/rejected", "manifests/samples"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let mut corpus: Vec<(std::path::PathBuf, Vec<u8>)> =
        files.map(|f| f.unwrap().path()).map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    corpus.sort();
    corpus.into_iter().map(|(_, bytes)| bytes).collect()
}

#[test]
#[ignore = "run by every_input_ends, with bounded memory"]
fn mutants() {
    let (checker, watch, corpus) = (Checker::new().unwrap(), Watch::begin(), corpus());
    let budget = Duration::from_secs(setting("MICROAPP_FUZZ_SECONDS").unwrap_or(5));
    let first = setting("MICROAPP_SEED").unwrap_or_else(|| rand::rng().random_range(0..1 << 40));
    let begin = Instant::now();
    for seed in first.. {
        let mutant = mutant(&corpus, &mut StdRng::seed_from_u64(seed));
        let what = format!("MICROAPP_SEED={seed}, {} bytes: {:.2000?}", mutant.len(), String::from_utf8_lossy(&mutant));
        let judged =
            watch.over(what, || std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge(&checker, &mutant))));
        assert!(judged.is_ok(), "MICROAPP_SEED={seed}: {:?}", String::from_utf8_lossy(&mutant));
        if begin.elapsed() > budget {
            println!("{} mutants, from MICROAPP_SEED={first} on", seed - first + 1);
            break;
        }
    }
}

/// A manifest with a few accidents.
fn mutant(corpus: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = corpus.choose(random).unwrap().clone();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=bytes.len());
        let end = (at + random.random_range(0..40)).min(bytes.len());
        let some = bytes[at..end].to_vec();
        let piece = PIECES.choose(random).unwrap().as_bytes();
        match random.random_range(0..9) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 => drop(bytes.splice(at..at, piece.repeat(random.random_range(1..200)))),
            3 => drop(bytes.splice(at..at, some.repeat(random.random_range(1..200)))),
            4 if at < bytes.len() => bytes[at] = random.random(),
            5 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            6 => {
                let other = corpus.choose(random).unwrap();
                let from = random.random_range(0..other.len());
                drop(bytes.splice(at..end, other[from..(from + 200).min(other.len())].to_vec()));
            }
            _ => drop(bytes.splice(at..at, piece.to_vec())),
        }
    }
    bytes
}
