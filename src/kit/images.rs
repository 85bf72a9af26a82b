//! Every image that we choose ourselves, with its full version. Upstream images only.

/// The gateway. Apache-2.0. <https://www.envoyproxy.io>
pub const ENVOY: &str = "docker.io/envoyproxy/envoy:v1.40.0";
/// The agents are this very program. `MICROAPP_AGENT_IMAGE` of the operator replaces it.
pub const AGENT: &str = concat!("ghcr.io/microapp-dev/microapp:", env!("CARGO_PKG_VERSION"));

/// Tested versions of PostgreSQL, newest first: major, exact version. <https://www.postgresql.org/support/versioning>
pub const POSTGRESQL: &[(&str, &str)] = &[("18", "18.6"), ("17", "17.11")];

/// The official image of a PostgreSQL version.
pub fn postgresql(version: &str) -> String {
    format!("docker.io/library/postgres:{version}")
}

/// Tested versions of Valkey, newest first. <https://valkey.io/topics/releases/>
pub const VALKEY: &[(&str, &str)] = &[("9", "9.1.1")];

/// The official image of a Valkey version.
pub fn valkey(version: &str) -> String {
    format!("docker.io/valkey/valkey:{version}")
}

/// Tested versions of Redis, newest first. <https://redis.io/docs/latest/operate/oss_and_stack/install/version-mgmt/>
pub const REDIS: &[(&str, &str)] = &[("8", "8.10.1")];

/// The official image of a Redis version.
pub fn redis(version: &str) -> String {
    format!("docker.io/library/redis:{version}")
}

/// A version of an engine: the part that its data depends on, and all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub major: String,
    pub exact: String,
}

/// The version to run: what is asked for; else what the data was written by; else the newest tested. A major alone
/// means its tested version.
pub fn version_of(tested: &[(&str, &str)], asked: Option<String>, recorded: Option<String>) -> Version {
    let newest = || tested.first().map(|(major, _)| (*major).to_owned()).unwrap_or_default();
    let wanted = asked.or(recorded.filter(|major| !major.is_empty())).unwrap_or_else(newest);
    let major = wanted.split('.').next().unwrap_or_default().to_owned();
    let exact = tested.iter().find(|(major, _)| *major == wanted).map(|(_, exact)| (*exact).to_owned());
    Version { major, exact: exact.unwrap_or(wanted) }
}

/// Says so if a version of an engine is not one that we tested.
pub fn untested(engine: &str, tested: &[(&str, &str)], major: &str) -> Option<String> {
    let known: Vec<_> = tested.iter().map(|(major, _)| format!("'{major}'")).collect();
    let text = || format!("{engine} {major} is not a tested major; write one of {}", known.join(", "));
    (!tested.iter().any(|(tested, _)| *tested == major)).then(text)
}

/// Puts a mirror before an image's path: `docker.io/library/postgres:18.6` from `corp.example/mirror` is
/// `corp.example/mirror/library/postgres:18.6`.
pub fn mirrored(image: &str, mirror: Option<&str>) -> String {
    let Some(mirror) = mirror else { return image.into() };
    let path = match image.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) => path,
        _ => image,
    };
    format!("{}/{path}", mirror.trim_end_matches('/'))
}

/// The version that an image's tag says; None for a digest alone.
pub fn version(image: &str) -> Option<&str> {
    let name = image.split('@').next()?.rsplit('/').next()?;
    name.split_once(':').map(|(_, tag)| tag.trim_start_matches('v'))
}

/// Whether the tag of an image says another version than the one that is named, as far as both go: `postgres:17-alpine`
/// is not 18, and may be 17.2.
pub fn contradicts(image: &str, named: &str) -> bool {
    let numbers = |text: &str| -> Vec<String> {
        let begin = text.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
        begin.split('.').filter(|n| !n.is_empty()).map(str::to_owned).collect()
    };
    let said = version(image).map(numbers).unwrap_or_default();
    said.iter().zip(&numbers(named)).any(|(said, named)| said != named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_contradicts_a_version_only_where_both_speak() {
        for (image, named) in
            [("postgres:17.11", "18"), ("corp.example:5000/postgres:v17", "18.6"), ("postgres:18.5-alpine", "18.6")]
        {
            assert!(contradicts(image, named), "{image} {named}");
        }
        for (image, named) in [
            ("postgres:18.6", "18"),
            ("postgres:18", "18.6"),
            ("postgres:latest", "18"),
            ("postgres@sha256:00", "18"),
            ("postgres:alpine", "18"),
        ] {
            assert!(!contradicts(image, named), "{image} {named}");
        }
    }

    #[test]
    fn a_mirror_replaces_the_registry_only() {
        assert_eq!(
            mirrored("docker.io/library/postgres:18.6", Some("corp.example/m/")),
            "corp.example/m/library/postgres:18.6"
        );
        assert_eq!(mirrored("localhost:5000/x", Some("m.example")), "m.example/x");
        assert_eq!(mirrored("library/x:1", Some("m.example")), "m.example/library/x:1");
        assert_eq!(mirrored(ENVOY, None), ENVOY);
    }

    #[test]
    fn data_keeps_its_version_until_another_is_asked_for() {
        let (tested, text) = ([("18", "18.6"), ("17", "17.11")], |s: &str| Some(s.to_owned()));
        let exact = |asked, recorded| version_of(&tested, asked, recorded).exact;
        assert_eq!(exact(None, None), "18.6");
        assert_eq!(exact(None, text("17")), "17.11");
        assert_eq!(exact(text("18"), text("17")), "18.6");
        assert_eq!(exact(text("18.2"), text("17")), "18.2");
        assert_eq!(version_of(&tested, text("18.2"), None).major, "18");
    }

    #[test]
    fn versions_are_read_off_tags() {
        assert_eq!(version("docker.io/envoyproxy/envoy:v1.40.0"), Some("1.40.0"));
        assert_eq!(version("localhost:5000/a/b@sha256:00"), None);
        assert_eq!(version("registry:5000/a/b:2"), Some("2"));
    }
}
