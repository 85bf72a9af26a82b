//! The status tree: an application, its parts, and what they are bound to.

use jiff::{Timestamp, Zoned};

use super::{State, Style, Tone, Verdict, counts, made_with, outline, pods, style, verdict};
use crate::app::{
    DataRetention, MicroserviceApp, Status,
    status::{BindingStatus, PartStatus},
    unobserved,
};
use crate::components::{Purpose, services};
use crate::kit::{part, reason};

/// What a tree is drawn of.
pub struct Frame<'a> {
    pub app: &'a MicroserviceApp,
    /// The reader's time.
    pub now: Zoned,
    /// How the reader calls this program.
    pub program: &'a str,
    pub style: Style,
}

/// The whole tree, with the next steps below it.
pub fn tree(frame: &Frame<'_>) -> String {
    let status = frame.app.status.clone().unwrap_or_default();
    let verdict = verdict(frame.app);
    let mut lines = head(frame, &status, &verdict);
    lines.extend(parts(frame, &status));
    for kept in &status.retained {
        let since =
            kept.since.as_ref().map(|since| format!(" since {}", time(&frame.now, since.0))).unwrap_or_default();
        lines.push(format!("Retained {}{since}; to delete it: {}", kept.anchor, kept.purge));
    }
    lines.push(format!("Next   {}", next(frame, &status, &verdict)));
    lines.join("\n") + "\n"
}

fn head(frame: &Frame<'_>, status: &Status, verdict: &Verdict) -> Vec<String> {
    let name = frame.app.metadata.name.as_deref().unwrap_or_default();
    let generation = frame.app.metadata.generation.unwrap_or_default();
    let age =
        frame.app.metadata.creation_timestamp.as_ref().map(|at| format!("age {}", age(frame.now.timestamp(), at.0)));
    let facts = [counts(status, "   "), format!("generation {generation}"), age.unwrap_or_default()];
    let facts: Vec<String> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    let style = &frame.style;
    let mut lines = vec![format!(
        "{}   {}   {}",
        style.paint(Tone::Strong, name),
        style.paint(verdict.state.tone(), &verdict.word),
        facts.join("   ")
    )];
    lines.extend(status.url.iter().map(|url| format!("URL    {url}")));
    if verdict.state != State::Ready {
        let text = style.wrap(&verdict.message, 7);
        lines.extend(
            text.iter().enumerate().map(|(i, line)| format!("{}{line}", if i == 0 { "Cause  " } else { "       " })),
        );
    }
    lines
}

fn parts(frame: &Frame<'_>, status: &Status) -> Vec<String> {
    let rows: Vec<[String; 6]> = status.parts.iter().map(|part| row(frame, part)).collect();
    let widths: Vec<usize> =
        (0..6).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()).collect();
    let mut branches = vec![];
    for (part, row) in status.parts.iter().zip(&rows) {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (text, width))| {
            let padded = format!("{text:width$}");
            if column == 1 { frame.style.paint(State::of(part).tone(), &padded) } else { padded }
        });
        // Columns that no part fills take no room.
        let filled: Vec<String> = cells.zip(&widths).filter(|(_, width)| **width > 0).map(|(cell, _)| cell).collect();
        let line = filled.join("  ").trim_end().to_owned();
        branches.push(outline::Branch { line, leaves: leaves(frame, status, part) });
    }
    outline::draw(&branches)
}

/// Name, state, what it is made with, pods, address, and what else is worth knowing.
fn row(frame: &Frame<'_>, part: &PartStatus) -> [String; 6] {
    let note = match part::service_of(&part.name) {
        Some(name) => frame.app.spec.services.iter().find(|s| s.name == name).map(routes).unwrap_or_default(),
        None if !keeps_data(frame.app, &part.name) => String::new(),
        None if frame.app.spec.data_retention == Some(DataRetention::Delete) => "data goes with the application".into(),
        None => "keeps data on delete".into(),
    };
    let state = part.reason.clone();
    [
        part.name.clone(),
        state,
        made_with(part),
        pods(part).unwrap_or_default(),
        part.address.clone().unwrap_or_default(),
        note,
    ]
}

fn keeps_data(app: &MicroserviceApp, part: &str) -> bool {
    let (scope, _) = unobserved(app);
    app.spec.parts().iter().filter_map(|it| it.store(&scope)).any(|store| store.part.to_string() == part)
}

/// The paths that lead to a service.
fn routes(service: &services::Service) -> String {
    let paths: Vec<&str> = service.routes.iter().map(|route| route.path.as_str()).collect();
    match paths.as_slice() {
        [first, second, _, ..] => format!("{first} {second} and {} more", paths.len() - 2),
        few => few.join(" "),
    }
}

fn leaves(frame: &Frame<'_>, status: &Status, part: &PartStatus) -> Vec<String> {
    let style = &frame.style;
    let mut leaves = vec![];
    if let Some(message) = part.message.as_deref().filter(|_| part.ready != "True") {
        leaves.extend(style.wrap(message, 6).iter().map(|line| style.paint(State::of(part).tone(), line)));
    }
    let Some(name) = part::service_of(&part.name) else { return leaves };
    let own = status.bindings.iter().filter(|binding| binding.service == name);
    leaves.extend(own.map(|binding| bound(frame, binding)));
    let (_, wiring) = unobserved(frame.app);
    let user = part::PartName::service(name);
    let calls = wiring.of(&user).filter(|it| matches!(it.purpose, Purpose::Call { .. }));
    let called: Vec<&str> = calls.map(|it| it.target.short()).collect();
    let calls = style.wrap(&called.join(", "), 12);
    leaves.extend(
        calls
            .iter()
            .filter(|_| !called.is_empty())
            .enumerate()
            .map(|(index, line)| format!("{}{line}", if index == 0 { "calls " } else { "      " })),
    );
    leaves
}

/// `-> database  verified: logged in as orders since 12:04`
fn bound(frame: &Frame<'_>, binding: &BindingStatus) -> String {
    let since = binding.since.as_ref().map(|since| format!(" since {}", time(&frame.now, since.0))).unwrap_or_default();
    let said = binding.message.as_deref().filter(|message| !message.is_empty()).unwrap_or(&binding.reason);
    let (tone, text) = match (binding.verified.as_str(), &binding.identity) {
        // What was verified is not what the service is given.
        _ if binding.reason == reason::OVERRIDDEN => (Tone::Soft, format!("overridden: {said}")),
        ("True", Some(identity)) => (Tone::Good, format!("verified: logged in as {identity}{since}")),
        ("True", None) => (Tone::Good, format!("verified{since}")),
        ("False", _) => (Tone::Bad, format!("broken{since}: {said}")),
        _ => (Tone::Soft, format!("not verified{since}: {said}")),
    };
    let room = frame.style.width.map_or(usize::MAX, |width| width.saturating_sub(binding.name.len() + 12));
    format!("-> {}  {}", binding.name, frame.style.paint(tone, &style::cut(&text, room)))
}

/// What to do now: look at the picture, wait, or see what the part that is to blame says.
fn next(frame: &Frame<'_>, status: &Status, verdict: &Verdict) -> String {
    let (app, program) = (frame.app.metadata.name.as_deref().unwrap_or_default(), frame.program);
    let namespace = frame.app.metadata.namespace.as_deref().unwrap_or("default");
    let running =
        |part: &&PartStatus| State::of(part) == State::Failed && part.replicas.is_some_and(|wanted| wanted > 0);
    match status.parts.iter().find(running) {
        _ if verdict.state == State::Ready => format!("{program} graph {app} -n {namespace} -o svg > {app}.svg"),
        Some(part) => {
            let label = part::label(&part.name);
            format!(
                "kubectl -n {namespace} logs -l microapp.dev/app={app},microapp.dev/part={label} --all-containers \
                    --prefix --tail 20"
            )
        }
        None if verdict.state == State::Planned => "kubectl -n microapp-system get pods".into(),
        None if verdict.state == State::Failed => format!("kubectl -n {namespace} events --for microserviceapp/{app}"),
        None => format!("{program} wait {app} -n {namespace}"),
    }
}

/// A moment as the reader's clock shows it; with its date if that is not today.
fn time(now: &Zoned, moment: Timestamp) -> String {
    let moment = moment.to_zoned(now.time_zone().clone());
    moment.strftime(if moment.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" }).to_string()
}

/// How long ago, in its largest unit, as `kubectl` says it.
fn age(now: Timestamp, then: Timestamp) -> String {
    match now.as_second() - then.as_second() {
        seconds @ ..120 => format!("{}s", seconds.max(0)),
        seconds @ ..7200 => format!("{}m", seconds / 60),
        seconds @ ..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86400),
    }
}
