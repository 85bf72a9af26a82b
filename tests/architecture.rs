//! The laws of `docs/architecture.md`, kept by reading the source. Each is seen failing below.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

/// A source file: its path below `src/`, and its text without tests and comments.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
        Self { path: path.into(), text: lines.collect::<Vec<_>>().join("\n") }
    }

    /// The room that it belongs to: the first folder, or the file itself.
    fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.text.split(|c: char| !c.is_alphanumeric() && c != '_')
    }

    /// Paths that begin in this crate, as in `crate::kit::scope`, groups taken apart one level deep.
    fn paths(&self) -> Vec<String> {
        let mut paths = vec![];
        for after in self.text.split("crate::").skip(1).chain(self.text.split("microapp::").skip(1)) {
            match after.strip_prefix('{') {
                Some(group) => paths
                    .extend(group.split('}').next().unwrap_or_default().split(',').map(|path| path.trim().to_owned())),
                None => paths.push(
                    after
                        .split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                ),
            }
        }
        paths
    }
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<Source>) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => walk(&entry, root, found),
                false
                    if entry.extension().is_some_and(|e| e == "rs")
                        && entry.file_stem().is_none_or(|stem| stem != "tests") =>
                {
                    found.push(Source::new(
                        &entry.strip_prefix(root).unwrap().to_string_lossy(),
                        &std::fs::read_to_string(&entry).unwrap(),
                    ));
                }
                false => {}
            }
        }
    }
    let (root, mut found) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), vec![]);
    walk(&root, &root, &mut found);
    assert!(found.len() > 50, "the source was not found");
    found
}

/// Rooms that may wait for something, and speak to a cluster.
const IO_ROOMS: [&str; 5] = ["cluster", "controller", "agent", "cli", "main.rs"];

fn io(source: &Source) -> Vec<String> {
    let forbidden = |word: &&str| ["async", "await", "Client", "Api", "SystemTime", "Instant", "rand"].contains(word);
    match IO_ROOMS.contains(&source.room()) {
        true => vec![],
        false => source
            .words()
            .filter(forbidden)
            .map(|word| format!("{}: `{word}` belongs into a room of {IO_ROOMS:?}", source.path))
            .collect(),
    }
}

/// Who may know whom: never upward, never sideways.
const KNOWS: [(&str, &[&str]); 10] = [
    ("main.rs", &["cli"]),
    ("cli", &["agent", "controller", "cluster", "view", "app", "components", "kit"]),
    ("view", &["app", "components", "kit"]),
    ("controller", &["cluster", "app", "kit"]),
    ("cluster", &["app", "kit"]),
    ("agent", &["kit"]),
    ("app", &["components", "kit"]),
    ("components", &["kit"]),
    ("kit", &[]),
    ("lib.rs", &[]),
];

fn imports(source: &Source) -> Vec<String> {
    let Some((_, known)) = KNOWS.iter().find(|(room, _)| *room == source.room()) else {
        return vec![format!("{}: a room that no law speaks of", source.path)];
    };
    let may = |path: &String| {
        let room = path.split("::").next().unwrap_or_default();
        room == source.room() || known.contains(&room)
    };
    let upward = paths_outside(source);
    source
        .paths()
        .into_iter()
        .filter(|path| !may(path))
        .chain(upward)
        .map(|path| format!("{}: may not know `{path}`", source.path))
        .collect()
}

/// What a component may not know although it lives in the same room: other components.
fn paths_outside(source: &Source) -> Vec<String> {
    let mut folders = source.path.split('/');
    let (Some("components"), Some(component), Some(_)) = (folders.next(), folders.next(), folders.next()) else {
        return vec![];
    };
    let sibling = |path: &str| {
        path.strip_prefix("components::")
            .is_some_and(|rest| rest.starts_with(char::is_lowercase) && rest.split("::").next() != Some(component))
    };
    let climbs = source.text.matches("super::super").map(str::to_owned);
    source.paths().into_iter().filter(|path| sibling(path)).chain(climbs).collect()
}

/// Lines of a file, tests apart, and of an engine.
const FILE: usize = 300;
const ENGINE: usize = 150;
/// Files that may be longer, and why.
const EXCUSED: [(&str, &str); 5] = [
    ("components/services/spec.rs", "one field after the other, each with its page of the manual"),
    ("app/schema.rs", LONGER),
    ("cli/input/yaml.rs", LONGER),
    ("cluster/apply.rs", LONGER),
    ("view/svg.rs", LONGER),
];
const LONGER: &str = "it became longer when lines became shorter, and is to be divided";

fn size(source: &Source) -> Vec<String> {
    let lines = source.text.trim_end().lines().count();
    let engine = source.text.contains("impl Engine<");
    let limit = if engine { ENGINE } else { FILE };
    let excused = EXCUSED.iter().any(|(path, _)| *path == source.path);
    if lines > limit && !excused { vec![format!("{}: {lines} lines, at most {limit}", source.path)] } else { vec![] }
}

/// Lints are for everybody.
fn exceptions(source: &Source) -> Vec<String> {
    ["allow(", "expect("]
        .iter()
        .filter(|attribute| source.text.contains(&format!("[{attribute}")))
        .map(|attribute| format!("{}: `{attribute}…)` excuses itself from a lint", source.path))
        .collect()
}

const DENIED: [&str; 7] = ["unsafe_code", "unwrap_used", "expect_used", "panic", "todo", "dbg_macro", "unimplemented"];

fn lints(manifest: &str) -> Vec<String> {
    DENIED
        .iter()
        .filter(|lint| !manifest.lines().any(|line| line == format!("{lint} = \"deny\"")))
        .map(|lint| format!("Cargo.toml: `{lint}` is not denied"))
        .collect()
}

fn all(law: fn(&Source) -> Vec<String>) {
    let broken: Vec<String> = sources().iter().flat_map(law).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn only_some_rooms_wait_and_speak_to_a_cluster() {
    all(io);
}

#[test]
fn nobody_knows_who_stands_above_or_beside_him() {
    all(imports);
}

#[test]
fn files_are_small() {
    all(size);
    let present: Vec<String> = sources().into_iter().map(|source| source.path).collect();
    assert!(
        EXCUSED.iter().all(|(path, _)| present.iter().any(|there| there == path)),
        "an excuse for a file that is gone"
    );
}

#[test]
fn lints_are_denied_and_nobody_is_excused() {
    all(exceptions);
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    assert_eq!(lints(&manifest), [""; 0]);
}

#[test]
fn every_law_is_seen_failing() {
    let broken = |law: fn(&Source) -> Vec<String>, path: &str, text: &str| !law(&Source::new(path, text)).is_empty();
    assert!(broken(io, "app/resolve.rs", "pub async fn resolve() {}"));
    assert!(broken(io, "kit/scope.rs", "use kube::{Api, Resource};"));
    assert!(!broken(io, "cluster/apply.rs", "pub async fn apply() {}"));
    assert!(!broken(io, "app/resolve.rs", "// async\nfn f() {}\n#[cfg(test)]\nmod tests { async fn f() {} }"));
    for (path, text) in [
        ("kit/scope.rs", "use crate::app::App;"),
        ("app/report.rs", "use crate::{kit::scope, cluster::client};"),
        ("agent/mod.rs", "fn f() { crate::components::gateway::url() }"),
        ("cluster/apply.rs", "use crate::controller::Context;"),
        ("components/gateway/envoy.rs", "use crate::components::database::Database;"),
        ("components/gateway/envoy.rs", "use super::super::database::Database;"),
        ("main.rs", "use microapp::app::crd;"),
        ("attic/mod.rs", ""),
    ] {
        assert!(broken(imports, path, text), "{path}: {text}");
    }
    assert!(!broken(
        imports,
        "components/gateway/envoy.rs",
        "use crate::components::{Component, Engine};\nuse crate::kit::pod;\nuse super::Gateway;"
    ));
    assert!(
        broken(size, "app/report.rs", &"x\n".repeat(FILE + 1)) && !broken(size, "app/report.rs", &"x\n".repeat(FILE))
    );
    assert!(broken(
        size,
        "components/cache/valkey.rs",
        &format!("impl Engine<Cache> for Valkey {{}}\n{}", "x\n".repeat(ENGINE))
    ));
    assert!(broken(exceptions, "app/report.rs", "#[allow(clippy::panic)]"));
    assert_eq!(lints("panic = \"deny\"").len(), DENIED.len() - 1);
}
