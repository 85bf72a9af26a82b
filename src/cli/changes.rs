//! What a change of an application does that data cannot follow: allowed, and worth a word before it happens.

use std::collections::BTreeSet;

use crate::app::{DataRetention, MicroserviceApp, unobserved};
use crate::components::Wiring;
use crate::kit::{part::PartName, problem::Problem, reason};

/// All of it, in the order of the specification.
pub fn changes(old: &MicroserviceApp, new: &MicroserviceApp) -> Vec<Problem> {
    let mut told = retention(old, new);
    told.extend(names(old, new));
    told.extend(servers(old, new));
    told
}

fn retention(old: &MicroserviceApp, new: &MicroserviceApp) -> Vec<Problem> {
    let goes = |app: &MicroserviceApp| app.spec.data_retention.unwrap_or_default() == DataRetention::Delete;
    let text = "from now on data is deleted with the application, what has been kept until now included";
    if goes(new) && !goes(old) { vec![Problem::new("spec.dataRetention", reason::DATA_WILL_GO, text)] } else { vec![] }
}

/// What is used inside a server: where it is said, its name, who uses it, the field and the noun for it.
struct Used {
    path: String,
    name: String,
    user: String,
    field: &'static str,
    noun: &'static str,
}

/// All that has a name of its own inside a server.
fn used(app: &MicroserviceApp, wiring: &Wiring) -> Vec<Used> {
    let parts = app.spec.parts();
    let uses = wiring.dependencies.iter().filter_map(|it| Some((it, it.request()?)));
    let named = uses.filter_map(|(it, request)| {
        let names = parts.iter().find(|part| part.name() == it.target)?.names();
        let field = if request.resource.is_some() { format!(".{}", names.field) } else { String::new() };
        let (path, name, user) = (format!("{}{field}", it.path), it.resource(), it.user.short().to_owned());
        (!names.field.is_empty()).then_some(Used { path, name, user, field: names.field, noun: names.noun })
    });
    named.collect()
}

/// Data inside a server goes by its name: a service under another name begins with nothing.
fn names(old: &MicroserviceApp, new: &MicroserviceApp) -> Vec<Problem> {
    let (before, after) = (used(old, &unobserved(old).1), used(new, &unobserved(new).1));
    let mut told = vec![];
    for Used { path, name, user, field, noun } in &after {
        if before.iter().any(|there| there.name == *name) {
            continue;
        }
        if let Some(Used { name: left, .. }) = before.iter().find(|there| there.user == *user) {
            let text = format!(
                "'{user}' begins with the empty {noun} '{name}'; its data stays in '{left}': write `{field}: {left}` \
                 to keep it"
            );
            told.push(Problem::new(path.as_str(), reason::DATABASE_CHANGES, text));
        }
    }
    let still: BTreeSet<&str> = new.spec.services.iter().map(|s| s.name.as_str()).collect();
    let unused = |it: &&Used| after.iter().all(|there| there.name != it.name) && !still.contains(it.user.as_str());
    for Used { name, user, field, noun, .. } in before.iter().filter(unused) {
        let text = format!(
            "nobody uses the {noun} '{name}' of '{user}' any more; it is kept, and `{field}: {name}` gives it to \
             another service"
        );
        told.push(Problem::new("spec.services", reason::DATABASE_UNUSED, text));
    }
    told
}

/// What the volumes of components cannot follow.
fn servers(old: &MicroserviceApp, new: &MicroserviceApp) -> Vec<Problem> {
    let after = new.spec.parts();
    let mut told = vec![];
    for before in old.spec.parts() {
        let (Some(role), Some(was)) = (before.name().role(), before.stored()) else { continue };
        let Some(is) = after.iter().find(|part| part.name() == PartName::component(role)).and_then(|it| it.stored())
        else {
            let text = format!(
                "the {role} ends; its data and passwords are kept until its anchor is deleted, and `{role}: {{}}` \
                 starts it again on them"
            );
            told.push(Problem::new("spec", reason::DATABASE_ENDS, text));
            continue;
        };
        let major = |version: &Option<String>| version.as_ref().and_then(|v| v.split('.').next().map(str::to_owned));
        if let Some((from, to)) = major(&was.version).zip(major(&is.version)).filter(|(from, to)| from != to) {
            let text = format!(
                "the data is of version {from}, which {to} does not open: nothing starts until `version` is {from} \
                    again"
            );
            told.push(Problem::new(format!("spec.{role}.version"), reason::DATA_OF_ANOTHER_VERSION, text));
        }
        let class = |storage: Option<&crate::kit::fields::Storage>| storage.and_then(|it| it.class_name.clone());
        if class(was.storage) != class(is.storage) {
            let text = "the volume stays in the StorageClass that it was made in";
            told.push(Problem::new(format!("spec.{role}.storage.className"), reason::VOLUME_STAYS, text));
        }
    }
    told
}
