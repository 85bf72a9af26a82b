//! What people see, compared with what they saw: `tests/golden/status` has an application for each state, and beside it
//! its tree (at 100 columns), what waiting for it says, and its pictures. `GOLDEN=write cargo test --test view` writes
//! them anew; read the difference before you commit it.

use std::path::{Path, PathBuf};

use microapp::app::MicroserviceApp;
use microapp::view::{Style, graph, mermaid, news, svg, text, tree};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/status")
}

fn cases() -> anyhow::Result<Vec<(PathBuf, MicroserviceApp)>> {
    let mut cases = vec![];
    for entry in std::fs::read_dir(folder())? {
        let file = entry?.path();
        if file.extension().is_some_and(|ending| ending == "yaml") {
            cases.push((file.clone(), serde_yaml::from_str(&std::fs::read_to_string(&file)?)?));
        }
    }
    assert!(cases.len() >= 6, "the cases are gone");
    Ok(cases)
}

fn same(file: &Path, ending: &str, seen: &str) -> anyhow::Result<()> {
    let file = file.with_extension(ending);
    if std::env::var_os("GOLDEN").is_some_and(|wish| wish == "write") {
        return Ok(std::fs::write(file, seen)?);
    }
    let golden = std::fs::read_to_string(&file)?;
    assert!(golden == seen, "{} is\n{golden}\nbut now it would be\n{seen}", file.display());
    Ok(())
}

#[test]
fn trees_are_as_they_were() -> anyhow::Result<()> {
    for (file, app) in cases()? {
        let style = Style { colour: false, width: Some(100) };
        let frame = tree::Frame {
            app: &app,
            now: "2026-11-23T12:30:00+00:00[UTC]".parse()?,
            program: "kubectl microapp",
            style,
        };
        same(&file, "tree.txt", &tree::tree(&frame))?;
    }
    Ok(())
}

#[test]
fn news_are_as_they_were() -> anyhow::Result<()> {
    let before: MicroserviceApp = serde_yaml::from_str(&std::fs::read_to_string(folder().join("waiting.yaml"))?)?;
    for (file, app) in cases()? {
        same(&file, "news.txt", &(news::news(Some(&before), &app).join("\n") + "\n"))?;
    }
    Ok(())
}

#[test]
fn pictures_are_as_they_were() -> anyhow::Result<()> {
    for (file, app) in cases()? {
        let graph = graph::graph(&app, true);
        same(&file, "svg", &svg::svg(&graph))?;
        same(&file, "mmd", &mermaid::mermaid(&graph))?;
        same(&file, "graph.txt", &text::text(&graph, &Style::default()))?;
    }
    Ok(())
}

#[test]
fn colour_changes_nothing_but_colour() -> anyhow::Result<()> {
    for (file, app) in cases()? {
        let draw = |colour| -> anyhow::Result<String> {
            let frame = tree::Frame {
                app: &app,
                now: "2026-11-23T12:30:00+00:00[UTC]".parse()?,
                program: "microapp",
                style: Style { colour, width: None },
            };
            Ok(tree::tree(&frame))
        };
        let coloured = draw(true)?;
        assert!(coloured.contains("\x1b["), "{}", file.display());
        let bare: String = coloured
            .split("\x1b[")
            .enumerate()
            .map(|(i, text)| if i == 0 { text } else { text.split_once('m').map_or("", |(_, rest)| rest) })
            .collect();
        assert_eq!(bare, draw(false)?);
    }
    Ok(())
}
