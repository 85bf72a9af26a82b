//! Passwords. One Secret is one credential: made once, never changed, never read by us.

use k8s_openapi::api::core::v1 as core;

use super::{
    objects::{Objects, Secret},
    scope::Scope,
};

pub const USERNAME: &str = "username";
pub const PASSWORD: &str = "password";

/// The anchor that a Secret hangs on, or the application itself.
#[derive(Clone, Copy, Debug)]
pub struct Hook<'a> {
    pub anchor: &'a str,
    pub uid: &'a str,
}

impl Hook<'_> {
    /// Name of a credential: it carries its version, and eight digits of its anchor's uid that no stranger hits by accident. Nobody may look whether the name
    /// is taken, so a name that is taken must mean "ours".
    pub fn secret_name(&self, stem: &str, version: u32) -> String {
        let digits: String = self.uid.chars().filter(char::is_ascii_hexdigit).take(8).collect();
        format!("{stem}-v{version}-{digits}")
    }
}

/// The version that a name of [`Hook::secret_name`] carries.
pub fn version(name: &str) -> Option<u32> {
    name.rsplit('-').nth(1)?.strip_prefix('v')?.parse().ok().filter(|version| *version < 1000)
}

/// Adds a Secret with a random text under [`PASSWORD`], which goes when the application does.
pub fn key(scope: &Scope<'_>, part: &str, name: &str, out: &mut Objects) {
    let metadata = scope.meta(name.into(), part);
    let secret = core::Secret { metadata, immutable: Some(true), type_: Some("Opaque".into()), ..Default::default() };
    out.push_secret(part, &secret, Secret { key: PASSWORD.into(), opens: None });
}

/// Adds a Secret with a user name, and a password that is made when the Secret is. `opens` names the claim that nobody can open without it.
pub fn login(scope: &Scope<'_>, hook: Hook<'_>, part: &str, name: &str, username: &str, opens: Option<String>, out: &mut Objects) {
    let secret = core::Secret {
        metadata: scope.anchored(name.into(), part, hook.anchor, hook.uid),
        immutable: Some(true),
        type_: Some("Opaque".into()),
        string_data: Some([(USERNAME.to_owned(), username.to_owned())].into()),
        ..Default::default()
    };
    out.push_secret(part, &secret, Secret { key: PASSWORD.into(), opens });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_version_and_anchor() {
        let hook = Hook { anchor: "shop-database-data", uid: "3fa9c1d2-77aa-4a55-9c11-000000000000" };
        assert_eq!(hook.secret_name("shop-database-admin", 1), "shop-database-admin-v1-3fa9c1d2");
        assert_eq!(version("shop-database-admin-v12-3fa9c1d2"), Some(12));
        assert_eq!(["shop-database-admin", "shop-v1000-3fa9c1d2", ""].map(version), [None; 3]);
    }
}
