//! How a service reaches what it uses: the variables and files that it gets. Secrets are only ever referenced; Kubernetes puts them together in the pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, SecretKeySelector};

use super::credentials::{PASSWORD, USERNAME};

/// Where a service finds bindings as files, one folder for each, as the Service Binding specification has it.
pub const ROOT: &str = "/bindings";

/// How others reach a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// Name of the folder, and in capitals the beginning of the variables: `database`.
    pub name: String,
    /// `type` of the Service Binding specification: `postgresql`.
    pub kind: String,
    pub host: String,
    pub port: i32,
    /// What is used inside the server: a database, a vhost.
    pub resource: Option<String>,
    /// The Secret that holds this service's login.
    pub secret: Option<String>,
    /// Addresses in the forms that client libraries want: suffix of the variable and text. They may use `$(<NAME>_…)` of the variables before them.
    pub urls: Vec<(&'static str, String)>,
    /// Authority that signed the server's certificate; None: the connection is plain.
    pub tls: Option<Ca>,
}

/// A ConfigMap key with certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ca {
    pub config_map: String,
    pub key: String,
}

impl Binding {
    /// The beginning of its variables: `DATABASE`.
    pub fn prefix(&self) -> String {
        variable(&self.name)
    }

    /// Its variables, addresses last, for they are put together from the others.
    pub fn env(&self) -> Vec<EnvVar> {
        let prefix = self.prefix();
        let mut env = vec![
            value(format!("{prefix}_HOST"), self.host.clone()),
            value(format!("{prefix}_PORT"), self.port.to_string()),
            value(format!("{prefix}_HOSTPORT"), format!("{}:{}", self.host, self.port)),
        ];
        env.extend(self.resource.iter().map(|resource| value(format!("{prefix}_NAME"), resource.clone())));
        if let Some(secret) = &self.secret {
            env.push(from_secret(format!("{prefix}_USERNAME"), secret, USERNAME));
            env.push(from_secret(format!("{prefix}_PASSWORD"), secret, PASSWORD));
        }
        env.extend(self.urls.iter().map(|(suffix, url)| value(format!("{prefix}_{suffix}"), url.clone())));
        env
    }

    /// Its files that hold no secret, by name.
    pub fn files(&self) -> BTreeMap<&'static str, String> {
        let mut files =
            BTreeMap::from([("type", self.kind.clone()), ("provider", "microapp".to_owned()), ("host", self.host.clone()), ("port", self.port.to_string())]);
        files.extend(self.resource.iter().map(|resource| ("database", resource.clone())));
        files
    }
}

/// A name as the beginning of variables: `order-items` becomes `ORDER_ITEMS`.
pub fn variable(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

/// A variable with a value.
pub fn value(name: impl Into<String>, value: impl Into<String>) -> EnvVar {
    EnvVar { name: name.into(), value: Some(value.into()), ..Default::default() }
}

/// A variable that Kubernetes takes from a Secret.
pub fn from_secret(name: impl Into<String>, secret: &str, key: &str) -> EnvVar {
    let selector = SecretKeySelector { name: secret.into(), key: key.into(), ..Default::default() };
    EnvVar { name: name.into(), value_from: Some(EnvVarSource { secret_key_ref: Some(selector), ..Default::default() }), ..Default::default() }
}

/// Ours before the user's, so that his may use ours by `$(NAME)`; one of his with the name of one of ours replaces it.
pub fn merge(ours: Vec<EnvVar>, users: Vec<EnvVar>) -> Vec<EnvVar> {
    let kept = ours.into_iter().filter(|our| users.iter().all(|theirs| theirs.name != our.name)).collect::<Vec<_>>();
    kept.into_iter().chain(users).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_variable_replaces_ours_and_stands_last() {
        let merged = merge(vec![value("A", "ours"), value("B", "ours")], vec![value("A", "theirs"), value("C", "$(B)")]);
        let names: Vec<_> = merged.iter().map(|v| (v.name.as_str(), v.value.as_deref().unwrap_or_default())).collect();
        assert_eq!(names, [("B", "ours"), ("A", "theirs"), ("C", "$(B)")]);
    }

    #[test]
    fn variables_stand_before_those_that_use_them() {
        let binding = Binding {
            name: "order-db".into(),
            host: "h".into(),
            port: 1,
            secret: Some("s".into()),
            urls: vec![("URL", "x://$(ORDER_DB_USERNAME)@h".into())],
            ..Default::default()
        };
        let names: Vec<_> = binding.env().into_iter().map(|v| v.name).collect();
        assert_eq!(names, ["ORDER_DB_HOST", "ORDER_DB_PORT", "ORDER_DB_HOSTPORT", "ORDER_DB_USERNAME", "ORDER_DB_PASSWORD", "ORDER_DB_URL"]);
    }
}
