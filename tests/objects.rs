//! Everything that an application becomes: one file of objects for each accepted manifest and each sample.
//! `GOLDEN=write cargo test --test objects` writes them anew; read the difference before you commit it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Name of the golden file, and the manifest.
fn manifests() -> Vec<(String, PathBuf)> {
    let of = |folder: &str| {
        let files = fs::read_dir(root(folder)).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|it| it == "yaml"));
        let kind = folder.rsplit('/').next().unwrap().to_owned();
        let name = move |path: &Path| format!("{kind}-{}.yaml", path.file_stem().unwrap().to_string_lossy());
        files.map(|path| (name(&path), path)).collect::<Vec<_>>()
    };
    let mut all = [of("tests/accepted"), of("manifests/samples")].concat();
    all.sort();
    all
}

fn rendered(manifest: &Path) -> String {
    let program = Command::new(env!("CARGO_BIN_EXE_microapp")).arg("render").arg("-f").arg(manifest).output().unwrap();
    assert!(program.status.success(), "{}: {}", manifest.display(), String::from_utf8_lossy(&program.stderr));
    String::from_utf8(program.stdout).unwrap()
}

#[test]
fn every_object_is_as_it_was() {
    let (folder, write) = (root("tests/golden/objects"), std::env::var_os("GOLDEN").is_some_and(|it| it == "write"));
    fs::create_dir_all(&folder).unwrap();
    let mut known = BTreeSet::new();
    for (name, manifest) in manifests() {
        let (objects, golden) = (rendered(&manifest), folder.join(&name));
        assert_eq!(objects, rendered(&manifest), "{name}: rendered twice, and not alike");
        if write {
            fs::write(&golden, &objects).unwrap();
        }
        let before = fs::read_to_string(&golden).unwrap_or_default();
        let differs = before.lines().zip(objects.lines()).find(|(a, b)| a != b);
        assert!(
            before == objects,
            "{name} is not as it was, first in {differs:?}; if it is meant: GOLDEN=write cargo test --test objects"
        );
        known.insert(name);
    }
    let there = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = there.filter(|name| !known.contains(name)).collect();
    assert!(left.is_empty(), "of no manifest: {left:?}");
}
