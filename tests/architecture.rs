//! The laws of `docs/architecture.md`, kept by reading the source. Each is seen failing below.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::BTreeSet, path::Path};

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

/// Every Rust file below a folder.
fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|it| it == "rs"));
    files.chain(folders.iter().flat_map(|folder| rust_files(folder))).collect()
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&root).into_iter().filter(|path| path.file_stem().is_none_or(|stem| stem != "tests"));
    let found: Vec<Source> = files
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            Source::new(&path.strip_prefix(&root).unwrap().to_string_lossy(), &text)
        })
        .collect();
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
const EXCUSED: [(&str, &str); 1] =
    [("components/services/spec.rs", "one field after the other, each with its page of the manual")];

fn size(source: &Source) -> Vec<String> {
    let lines = source.text.trim_end().lines().count();
    let engine = source.text.contains("impl Engine<");
    let limit = if engine { ENGINE } else { FILE };
    let excused = EXCUSED.iter().any(|(path, _)| *path == source.path);
    if lines > limit && !excused { vec![format!("{}: {lines} lines, at most {limit}", source.path)] } else { vec![] }
}

/// Lines of a function, and columns of a line.
const FUNCTION: usize = 40;
const COLUMNS: usize = 120;

fn functions(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_function = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().take(5).collect();
        words.iter().position(|word| *word == "fn").is_some_and(|at| {
            words[..at].iter().all(|word| word.starts_with("pub") || ["async", "const", "unsafe"].contains(word))
        })
    };
    let mut long = vec![];
    for (begin, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
        let ends = |other: &&str| {
            indent(other) == indent(line) && (other.trim_start().starts_with('}') || other.ends_with(';'))
        };
        let length = lines[begin..].iter().position(ends).map_or(0, |end| end + 1);
        if length > FUNCTION {
            long.push(format!("{}: {} has {length} lines, at most {FUNCTION}", source.path, line.trim()));
        }
    }
    long
}

/// An address cannot be broken.
fn columns(path: &str, text: &str) -> Vec<String> {
    let wide = |line: &&str| line.chars().count() > COLUMNS && line.split_whitespace().count() > 2;
    text.lines().filter(wide).map(|line| format!("{path}: longer than {COLUMNS} columns: {line}")).collect()
}

/// Folders below `components/` that are components; services are the other side of them.
fn components() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/components");
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let names = folders.map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    names.filter(|name| name != "services").collect()
}

/// Where a component may be named although it is not at home there, and why.
const SAYS: [(&str, &str, &str); 7] = [
    ("app/spec.rs", "", "the one list"),
    ("components/mod.rs", "", "declares the folders"),
    ("components/services/", "", "`uses` names components"),
    ("controller/telemetry.rs", "registry", "of metrics"),
    ("app/resolve.rs", "registry", "of images"),
    ("kit/agents/", "", "one file for each server"),
    ("agent/", "", "inside a server, or beside it"),
];

/// Only its own folder and the one list know a component, by its module or by its type.
fn names_of_components(source: &Source) -> Vec<String> {
    let texts_out: String = source.text.split('"').step_by(2).collect();
    let words: BTreeSet<String> =
        texts_out.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_lowercase).collect();
    let excused = |name: &str| {
        SAYS.iter().any(|(path, said, _)| source.path.starts_with(path) && (said.is_empty() || *said == name))
    };
    components()
        .into_iter()
        .filter(|name| words.contains(name) && !source.path.starts_with(&format!("components/{name}/")))
        .filter(|name| !excused(name))
        .map(|name| format!("{}: names `{name}`; only its own folder and app/spec.rs may", source.path))
        .collect()
}

/// Who depends on whom is read from the specification in one place.
fn dependencies(source: &Source) -> Vec<String> {
    let reads = [".uses.iter", ".calls.iter", "&service.uses", "&service.calls", ".flat_map(|s| &s.calls)"];
    let found = reads.iter().filter(|read| source.text.contains(**read) && source.path != "app/graph.rs");
    found.map(|read| format!("{}: `{read}` belongs into app/graph.rs", source.path)).collect()
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

/// Words with a standard one, which `docs/glossary.md` and the API use: word, and what to write.
const WORDS: [(&str, &str); 13] = [
    ("anew", "again, restart"),
    ("wish", "desired state, specification"),
    ("wished", "desired"),
    ("mend", "repair, fix"),
    ("mended", "repaired, fixed"),
    ("played", "simulated"),
    ("unproved", "unverified"),
    ("edge", "dependency"),
    ("edges", "dependencies"),
    ("fences", "guardrails, admission policies"),
    ("he", "they"),
    ("him", "them"),
    ("his", "their"),
];
/// Where such a word is meant as it stands.
/// `hold-by-edge` is the name of a file.
const MEANT: [(&str, &str); 2] = [("src/agent/provision/postgresql", "unproved"), ("docs/architecture.md", "edge")];

fn words(path: &str, text: &str) -> Vec<String> {
    let line = |(number, line): (usize, &str)| {
        let words: Vec<String> = line.split(|c: char| !c.is_alphabetic()).map(str::to_lowercase).collect();
        let wrong = WORDS.iter().filter(|(word, _)| words.iter().any(|it| it == word));
        let wrong = wrong.filter(|(word, _)| !MEANT.iter().any(|(at, it)| path.contains(at) && it == word));
        wrong.map(|(word, other)| format!("{path}:{}: '{word}'; write {other}", number + 1)).collect::<Vec<_>>()
    };
    text.lines().enumerate().flat_map(line).collect()
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
fn functions_and_lines_are_short() {
    all(functions);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let long: Vec<String> = ["src", "tests"]
        .iter()
        .flat_map(|folder| rust_files(&root.join(folder)))
        .flat_map(|path| columns(&path.to_string_lossy(), &std::fs::read_to_string(&path).unwrap()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn words_are_the_fields_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "charts/microapp/README.md"].map(|it| root.join(it));
    let texts = docs.filter(|path| path.extension().is_some_and(|it| it == "md")).chain(pages);
    let wrong: Vec<String> = texts
        .chain(rust_files(&root.join("src")))
        .flat_map(|path| words(&path.to_string_lossy(), &std::fs::read_to_string(&path).unwrap()))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_their_folders_and_the_one_list_name_components() {
    all(names_of_components);
}

#[test]
fn who_depends_on_whom_is_read_in_one_place() {
    all(dependencies);
}

#[test]
fn the_walkthrough_leads_through_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/walkthrough.md")).unwrap();
    let named: Vec<&str> = text.split('`').filter(|word| word.starts_with("src/")).collect();
    assert!(named.len() > 10, "{named:?}");
    let missing: Vec<&&str> = named.iter().filter(|path| !root.join(path).is_file()).collect();
    assert!(missing.is_empty(), "{missing:?}");
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
    let long = format!("    pub async fn f() {{\n{}    }}", "        x;\n".repeat(FUNCTION));
    assert!(broken(functions, "app/report.rs", &long));
    assert!(!broken(functions, "app/report.rs", &long.replacen("        x;\n", "", 2)));
    assert!(!columns("x.rs", &format!("let a = {};", "b".repeat(COLUMNS))).is_empty());
    assert_eq!(words("docs/a.md", "It begins.\nIt is made anew."), ["docs/a.md:2: 'anew'; write again, restart"]);
    assert!(words("docs/a.md", "the whole, renewed").is_empty());
    assert!(broken(names_of_components, "app/report.rs", "use crate::components::database::Database;"));
    assert!(!broken(names_of_components, "components/database/mod.rs", "impl Component for Database {}"));
    assert!(!broken(names_of_components, "view/tree.rs", "let a = \"the database\";"));
    assert!(broken(dependencies, "app/problems.rs", "for call in &service.calls {}"));
    assert!(broken(exceptions, "app/report.rs", "#[allow(clippy::panic)]"));
    assert_eq!(lints("panic = \"deny\"").len(), DENIED.len() - 1);
}
