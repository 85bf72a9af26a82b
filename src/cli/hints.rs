//! What is allowed and yet probably not meant.

use serde_json::Value;

use super::frameworks;
use crate::app::{MicroserviceApp, ROLES, schema::closest, unobserved};
use crate::components::{
    Dependency, Part, Purpose, Wiring,
    services::{Protocol, Service},
};
use crate::kit::{images, part::PartName, problem::Problem, reason};

/// As many forgotten values as are told.
const NULLS: usize = 100;

/// Fields whose value was forgotten: the API server takes them for absent.
pub fn nulls(value: &Value, path: &mut String, hints: &mut Vec<Problem>) {
    let begin = path.len();
    match value {
        _ if hints.len() >= NULLS => {}
        Value::Null => {
            let field = path.rsplit('.').next().unwrap_or(path);
            let value = if ROLES.iter().any(|role| role.name() == field) {
                format!("`{field}: {{}}`")
            } else {
                "a value".to_owned()
            };
            let remedy = format!("is null, which means absent; write {value}, or remove it");
            hints.push(Problem::new(path.as_str(), reason::NULL, remedy));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                nulls(item, path, hints);
                path.truncate(begin);
            }
        }
        Value::Object(fields) => {
            for (name, child) in fields {
                path.push('.');
                path.push_str(name);
                nulls(child, path, hints);
                path.truncate(begin);
            }
        }
        _ => {}
    }
}

/// Plain scalars of the specification that are sent as something else than people mean: path, what is sent, the text.
pub fn misread(surprises: Vec<(String, Value, String)>) -> Vec<Problem> {
    let hint = |(path, sent, text): (String, Value, String)| {
        Problem::new(
            path,
            reason::MISREAD,
            format!("is read as {sent}, not as the text '{text}'; put it in quotes if the text is meant"),
        )
    };
    surprises.into_iter().filter(|(path, ..)| path.starts_with("spec.")).map(hint).collect()
}

/// What the specification says and hardly means.
pub fn hints(app: &MicroserviceApp) -> Vec<Problem> {
    let services = &app.spec.services;
    let (_, wiring) = unobserved(app);
    let called = |name: &PartName| {
        wiring.dependencies.iter().any(|it| it.target == *name && matches!(it.purpose, Purpose::Call { .. }))
    };
    let mut hints = frameworks::hints(app);
    for (index, service) in services.iter().enumerate() {
        let path = format!("spec.services[{index}]");
        if floating(&service.image) {
            let text = format!(
                "'{}' can be another image tomorrow; give it a tag other than 'latest', or a digest",
                service.image
            );
            hints.push(Problem::new(format!("{path}.image"), reason::FLOATING_IMAGE, text));
        }
        if service.protocol() != Protocol::None
            && service.routes.is_empty()
            && !called(&PartName::service(&*service.name))
        {
            let text = format!(
                "nothing routes to '{}' and nothing calls it; give it `routes`, or `protocol: None` if it is a worker",
                service.name
            );
            hints.push(Problem::new(path.clone(), reason::UNREACHABLE, text));
        }
    }
    hints.extend(unknown_services(services, &wiring));
    hints.extend(templates(services));
    hints.extend(unnamed_version(app));
    hints
}

/// Calls of services that there are not.
fn unknown_services(services: &[Service], wiring: &Wiring) -> Vec<Problem> {
    let names = || services.iter().map(|service| service.name.as_str());
    let is_unknown = |it: &&Dependency| matches!(&it.target, PartName::Service(name) if names().all(|n| n != name));
    let told = wiring.dependencies.iter().filter(is_unknown).map(|it| {
        let name = it.target.short();
        let close = closest(name, names()).map(|c| format!("; did you mean '{c}'?")).unwrap_or_default();
        let text = format!("there is no service '{name}'{close}");
        Problem::new(format!("{}.service", it.path), reason::UNKNOWN_SERVICE, text)
    });
    told.collect()
}

/// A segment such as `:id` is a template elsewhere; here it is what it is.
fn templates(services: &[Service]) -> Vec<Problem> {
    let routes = services
        .iter()
        .enumerate()
        .flat_map(|(s, service)| service.routes.iter().enumerate().map(move |(r, route)| (s, r, route)));
    let told = routes.filter(|(.., route)| route.path.contains("/:")).map(|(s, r, route)| {
        let text = format!("'{}' is compared as it stands, ':' too; a prefix covers all paths below it", route.path);
        Problem::new(format!("spec.services[{s}].routes[{r}].path"), reason::TEMPLATE, text)
    });
    told.collect()
}

/// An image of one's own without a word on its version: data would be recorded as of the newest that we know.
fn unnamed_version(app: &MicroserviceApp) -> Vec<Problem> {
    let one = |part: &&dyn Part| {
        let (role, stored) = (part.name().role()?, part.stored().filter(|stored| stored.version.is_none())?);
        let tag = images::version(stored.image?)?;
        let major = tag.split(|c: char| !c.is_ascii_digit()).next().filter(|major| !major.is_empty())?;
        let text = format!(
            "the image seems to be of version {major}, which data is only recorded with if it is said; write \
             `version: {major}`"
        );
        Some(Problem::new(format!("spec.{role}.image"), reason::VERSION_UNNAMED, text))
    };
    app.spec.parts().iter().filter_map(one).collect()
}

/// Whether a reference has neither a digest nor a tag that says more than "the newest".
fn floating(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    !name.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{floating, misread};

    #[test]
    fn a_plain_yes_is_told_where_it_is_specified() {
        let surprise = |path: &str| (path.to_owned(), json!(true), "yes".to_owned());
        let hints = misread(vec![surprise("metadata.labels.a"), surprise("spec.env[0].value")]);
        assert_eq!(hints.iter().map(|h| h.path.as_str()).collect::<Vec<_>>(), ["spec.env[0].value"]);
    }

    #[test]
    fn an_image_floats_without_a_tag_or_a_digest() {
        for image in ["shop", "ghcr.io/acme/shop", "localhost:5000/shop", "shop:latest"] {
            assert!(floating(image), "{image}");
        }
        for image in ["shop:1", "localhost:5000/shop:1.2", "ghcr.io/acme/shop@sha256:00", "shop:latest@sha256:00"] {
            assert!(!floating(image), "{image}");
        }
    }
}
