//! `microapp check`: the verdict of the API server and of the operator, without a cluster.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::input::Document;
use super::{FINDINGS, OK, UNUSABLE, changes, hints, input};
use crate::app::schema::Checker;
use crate::app::{App, MicroserviceApp, ROLES, Settings};
use crate::kit::{observed::Observed, problem::Problem, reason};

const API_VERSION: &str = "microapp.dev/v1alpha1";
/// Bytes that etcd takes of one object.
const STORED: usize = 1536 * 1024;
const KIND: &str = "MicroserviceApp";

/// Say what is wrong with a MicroserviceApp, without a cluster
#[derive(Args, Debug)]
pub struct Check {
    /// File to check; `-` reads standard input. Can be given several times
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    filenames: Vec<PathBuf>,
    /// What is there now, as `kubectl get -o yaml` prints it: judges the change, and says what data cannot follow; `-`
    /// reads standard input
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
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
    /// Whether it was judged as a change of what is there.
    change: bool,
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
    match verdicts(args) {
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

fn verdicts(args: &Check) -> Result<Vec<Verdict>, String> {
    let stdin = args.filenames.iter().chain(&args.against).filter(|file| is_stdin(file)).count();
    if stdin > 1 {
        return Err("standard input can be read once only; give the other one as a file".to_owned());
    }
    let checker = Checker::new().map_err(|e| e.to_string())?;
    let before = args.against.as_deref().map(apps).transpose()?;
    let mut verdicts = vec![];
    for file in &args.filenames {
        for document in apps(file)? {
            let name = &document.value["metadata"]["name"];
            let old = before.iter().flatten().find(|old| old.value["metadata"]["name"] == *name);
            let mut verdict = judge(&checker, &document, old.map(|old| &old.value), &shown(file));
            if args.against.is_some() && old.is_none() {
                let text = format!("{name} is not in the file of `--against`; it was judged as a new application");
                verdict.hints.push(Finding {
                    line: document.line("metadata.name"),
                    path: "metadata.name".into(),
                    reason: reason::NOT_THERE.name(),
                    message: text,
                });
            }
            verdicts.push(verdict);
        }
    }
    if verdicts.is_empty() { Err(format!("there is no {KIND} to check")) } else { Ok(verdicts) }
}

/// The applications of a file; what else stands there is skipped aloud.
fn apps(file: &Path) -> Result<Vec<Document>, String> {
    let shown = shown(file);
    let mut documents = input::read(file).map_err(|e| format!("{shown}: {e}"))?;
    documents.retain(|document| {
        let kind = document.value["kind"].as_str().unwrap_or_default();
        if kind != KIND {
            let line = document.line("").unwrap_or_default();
            eprintln!("{shown}:{line}: skipped: its `kind` is '{kind}', not '{KIND}'");
        }
        kind == KIND
    });
    Ok(documents)
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

fn shown(file: &Path) -> String {
    if is_stdin(file) { "stdin".to_owned() } else { file.display().to_string() }
}

fn judge(checker: &Checker, document: &Document, old: Option<&Value>, file: &str) -> Verdict {
    let (sent, mut errors) = checker.judge_change(&document.value, old);
    errors.extend(whole(document, &sent));
    let mut noted = vec![];
    hints::nulls(&document.value["spec"], &mut "spec".to_owned(), &mut noted);
    noted.extend(hints::misread(document.surprises()));
    match serde_json::from_value::<MicroserviceApp>(sent) {
        Ok(app) => {
            errors.extend(operator(&app));
            noted.extend(hints::hints(&app));
            let before = old.and_then(|old| serde_json::from_value(checker.judge(old).0).ok());
            noted.extend(before.into_iter().flat_map(|before| changes::changes(&before, &app)));
        }
        // Whatever cannot be decoded has been found by the schema. Should the two ever disagree, say so.
        Err(error) if errors.is_empty() => errors.push(Problem::new("spec", reason::INVALID_SPEC, error.to_string())),
        Err(_) => {}
    }
    let spec = &document.value["spec"];
    Verdict {
        file: file.to_owned(),
        name: document.value["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        change: old.is_some(),
        valid: errors.is_empty(),
        services: spec["services"].as_array().map_or(0, Vec::len),
        components: ROLES.iter().filter(|role| spec[role.name()].is_object()).count(),
        errors: placed(document, errors),
        hints: placed(document, noted),
    }
}

/// What is wrong with the resource as a whole.
fn whole(document: &Document, sent: &Value) -> Vec<Problem> {
    let mut errors = vec![];
    if sent.to_string().len() > STORED {
        let text = format!(
            "the resource has more than {STORED} bytes, which no API server stores; move texts into ConfigMaps"
        );
        errors.push(Problem::new("spec", reason::TOO_LARGE, text));
    }
    if document.value["apiVersion"].is_string() && document.value["apiVersion"] != API_VERSION {
        errors.push(Problem::new("apiVersion", reason::UNKNOWN_VERSION, format!("must be '{API_VERSION}'")));
    }
    errors
}

/// Problems with their lines, in the order of the file.
fn placed(document: &Document, problems: Vec<Problem>) -> Vec<Finding> {
    let finding = |p: Problem| Finding {
        line: document.line(&p.path),
        path: p.path,
        reason: p.reason.name(),
        message: p.message,
    };
    let mut findings: Vec<Finding> = problems.into_iter().map(finding).collect();
    findings.sort_by_key(|f| f.line);
    findings
}

/// What the operator would refuse of an application that is not there yet.
fn operator(app: &MicroserviceApp) -> Vec<Problem> {
    match App::resolve(app, &Settings::default()) {
        Ok(app) => app.desired(&Observed::default()).obstacles.into_iter().map(|(_, problem)| problem).collect(),
        Err(problems) => problems,
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
