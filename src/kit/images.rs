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

/// Puts a mirror before an image's path: `docker.io/library/postgres:18.6` from `corp.example/mirror` is `corp.example/mirror/library/postgres:18.6`.
pub fn mirrored(image: &str, registry: Option<&str>) -> String {
    let Some(registry) = registry else { return image.into() };
    let path = match image.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) => path,
        _ => image,
    };
    format!("{}/{path}", registry.trim_end_matches('/'))
}

/// The version that an image's tag says; None for a digest alone.
pub fn version(image: &str) -> Option<&str> {
    let name = image.split('@').next()?.rsplit('/').next()?;
    name.split_once(':').map(|(_, tag)| tag.trim_start_matches('v'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_replaces_the_registry_only() {
        assert_eq!(mirrored("docker.io/library/postgres:18.6", Some("corp.example/m/")), "corp.example/m/library/postgres:18.6");
        assert_eq!(mirrored("localhost:5000/x", Some("m.example")), "m.example/x");
        assert_eq!(mirrored("library/x:1", Some("m.example")), "m.example/library/x:1");
        assert_eq!(mirrored(ENVOY, None), ENVOY);
    }

    #[test]
    fn versions_are_read_off_tags() {
        assert_eq!(version("docker.io/envoyproxy/envoy:v1.40.0"), Some("1.40.0"));
        assert_eq!(version("localhost:5000/a/b@sha256:00"), None);
        assert_eq!(version("registry:5000/a/b:2"), Some("2"));
    }
}
