//! `microapp check`: the verdict of the API server and of the operator, without a cluster.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::input::Document;
use super::{FINDINGS, OK, UNUSABLE, hints, input};
use crate::app::schema::Checker;
use crate::app::{MicroserviceApp, problems};
use crate::kit::problem::Problem;

const API_VERSION: &str = "microapp.dev/v1alpha1";
const KIND: &str = "MicroserviceApp";

/// Say what is wrong with a MicroserviceApp, without a cluster
#[derive(Args, Debug)]
pub struct Check {
    /// File to check; `-` reads standard input. Can be given several times
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    filenames: Vec<PathBuf>,
    /// How to print the result
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    #[default]
    Text,
    Json,
}

/// The result for one resource.
#[derive(Serialize)]
struct Verdict {
    file: String,
    name: String,
    valid: bool,
    services: usize,
    components: usize,
    errors: Vec<Finding>,
    hints: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    line: Option<u64>,
    path: String,
    reason: &'static str,
    message: String,
}

/// Exits with 0 when all is well, 1 when something is wrong with a resource, 2 when there is none to check.
pub fn run(args: &Check) -> ExitCode {
    match verdicts(&args.filenames) {
        Ok(verdicts) => {
            match args.output {
                Output::Text => verdicts.iter().for_each(Verdict::print),
                Output::Json => println!("{}", serde_json::json!({ "applications": verdicts })),
            }
            ExitCode::from(if verdicts.iter().all(|v| v.valid) { OK } else { FINDINGS })
        }
        Err(message) => {
            eprintln!("microapp: {message}");
            ExitCode::from(UNUSABLE)
        }
    }
}

fn verdicts(files: &[PathBuf]) -> Result<Vec<Verdict>, String> {
    let checker = Checker::new().map_err(|e| e.to_string())?;
    let mut verdicts = vec![];
    for file in files {
        let shown = shown(file);
        for document in input::read(file).map_err(|e| format!("{shown}: {e}"))? {
            let kind = document.value["kind"].as_str().unwrap_or_default();
            if kind == KIND {
                verdicts.push(judge(&checker, &document, &shown));
            } else {
                let line = document.line("").unwrap_or_default();
                eprintln!("{shown}:{line}: skipped: its `kind` is '{kind}', not '{KIND}'");
            }
        }
    }
    if verdicts.is_empty() { Err(format!("there is no {KIND} to check")) } else { Ok(verdicts) }
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() }
}

fn judge(checker: &Checker, document: &Document, file: &str) -> Verdict {
    let (sent, mut errors) = checker.judge(&document.value);
    if document.value["apiVersion"].is_string() && document.value["apiVersion"] != API_VERSION {
        errors.push(Problem::new("apiVersion", "UnknownVersion", format!("must be '{API_VERSION}'")));
    }
    let mut noted = vec![];
    hints::nulls(&document.value["spec"], &mut "spec".to_owned(), &mut noted);
    noted.extend(hints::misread(document.surprises()));
    match serde_json::from_value::<MicroserviceApp>(sent) {
        Ok(app) => {
            errors.extend(problems::problems(&app));
            noted.extend(hints::hints(&app));
        }
        // Whatever cannot be decoded has been found by the schema. Should the two ever disagree, say so.
        Err(error) if errors.is_empty() => errors.push(Problem::new("spec", "InvalidSpec", error.to_string())),
        Err(_) => {}
    }
    let place = |problems: Vec<Problem>| {
        let place = |p: Problem| Finding { line: document.line(&p.path), path: p.path, reason: p.reason, message: p.message };
        let mut findings: Vec<Finding> = problems.into_iter().map(place).collect();
        findings.sort_by_key(|f| f.line);
        findings
    };
    let spec = &document.value["spec"];
    Verdict {
        file: file.to_owned(),
        name: document.value["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        valid: errors.is_empty(),
        services: spec["services"].as_array().map_or(0, Vec::len),
        components: hints::COMPONENTS.iter().filter(|c| spec[**c].is_object()).count(),
        errors: place(errors),
        hints: place(noted),
    }
}

impl Verdict {
    fn print(&self) {
        for finding in &self.errors {
            println!("{}: {}", self.place(finding), finding.text());
        }
        for finding in &self.hints {
            println!("{}: hint: {}", self.place(finding), finding.text());
        }
        let result = match self.errors.len() {
            0 => format!("valid ({}, {})", count(self.services, "service"), count(self.components, "component")),
            n => count(n, "error"),
        };
        println!("{}: {KIND} {}: {result}", self.file, self.name);
    }

    fn place(&self, finding: &Finding) -> String {
        finding.line.map_or_else(|| self.file.clone(), |line| format!("{}:{line}", self.file))
    }
}

impl Finding {
    fn text(&self) -> String {
        format!("{}: {}", self.path, self.message)
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
