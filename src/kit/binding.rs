//! How a service reaches what it uses: the variables and files that it gets. Secrets are only ever referenced;
//! Kubernetes puts them together in the pod.

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
    /// Further files without secrets, by the names of the Service Binding specification: `database`, `virtual-host`.
    pub files: Vec<(&'static str, String)>,
    /// The Secret with the user name and password.
    pub secret: Option<String>,
    /// Addresses in the forms that client libraries want: suffix of the variable and text. They may use `$(<NAME>_…)`
    /// of the variables before them.
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
            value(format!("{prefix}_HOSTPORT"), format!("$({prefix}_HOST):$({prefix}_PORT)")),
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
        let mut files = BTreeMap::from([
            ("type", self.kind.clone()),
            ("provider", "microapp".to_owned()),
            ("host", self.host.clone()),
            ("port", self.port.to_string()),
        ]);
        files.extend(self.files.iter().cloned());
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
    EnvVar {
        name: name.into(),
        value_from: Some(EnvVarSource { secret_key_ref: Some(selector), ..Default::default() }),
        ..Default::default()
    }
}

/// User variables come last, so that they can reference ours by `$(NAME)`. One with the name of one of ours takes its
/// place, so that the addresses that are made from it follow; the variables that it references come along.
pub fn merge(ours: Vec<EnvVar>, users: Vec<EnvVar>) -> Vec<EnvVar> {
    let mut merged: Vec<EnvVar> = vec![];
    for our in ours {
        match users.iter().position(|theirs| theirs.name == our.name) {
            Some(index) => place(&users, index, &mut merged),
            None => merged.push(our),
        }
    }
    (0..users.len()).for_each(|index| place(&users, index, &mut merged));
    merged
}

/// Adds a user variable after those that it references. As everywhere, only a variable that stands before
/// another one can be used by it.
fn place(users: &[EnvVar], index: usize, merged: &mut Vec<EnvVar>) {
    let variable = &users[index];
    if merged.iter().any(|there| there.name == variable.name) {
        return;
    }
    let text = variable.value.as_deref().unwrap_or_default();
    let used = |earlier: &usize| text.contains(&format!("$({})", users[*earlier].name));
    (0..index).filter(used).for_each(|earlier| place(users, earlier, merged));
    merged.push(variable.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_variable_takes_the_place_of_ours_with_what_it_is_made_from() {
        let names = |ours: &[(&str, &str)], users: &[(&str, &str)]| {
            let variables =
                |all: &[(&str, &str)]| all.iter().map(|(name, text)| value(*name, *text)).collect::<Vec<_>>();
            merge(variables(ours), variables(users))
                .into_iter()
                .map(|v| format!("{}={}", v.name, v.value.unwrap_or_default()))
                .collect::<Vec<_>>()
        };
        let ours = [("HOST", "ours"), ("PORT", "1"), ("URL", "x://$(HOST):$(PORT)")];
        assert_eq!(names(&ours, &[("A", "a"), ("HOST", "h")]), ["HOST=h", "PORT=1", "URL=x://$(HOST):$(PORT)", "A=a"]);
        assert_eq!(
            names(&ours, &[("ZONE", "z"), ("OTHER", "o"), ("HOST", "$(ZONE).example")]),
            ["ZONE=z", "HOST=$(ZONE).example", "PORT=1", "URL=x://$(HOST):$(PORT)", "OTHER=o"]
        );
        // What stands later in the user's own list stays a text, as Kubernetes has it.
        assert_eq!(names(&ours[..1], &[("A", "$(B)"), ("B", "b")]), ["HOST=ours", "A=$(B)", "B=b"]);
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
        assert_eq!(
            names,
            [
                "ORDER_DB_HOST",
                "ORDER_DB_PORT",
                "ORDER_DB_HOSTPORT",
                "ORDER_DB_USERNAME",
                "ORDER_DB_PASSWORD",
                "ORDER_DB_URL"
            ]
        );
    }
}
