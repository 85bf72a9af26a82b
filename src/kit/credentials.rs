//! Passwords. One Secret is one credential: made once, never changed, never read by us.

use jiff::SignedDuration;
use k8s_openapi::api::core::v1 as core;

use super::{
    digest,
    objects::{Objects, Secret},
    observed::Observed,
    part::PartName,
    scope::Scope,
};

pub const USERNAME: &str = "username";
pub const PASSWORD: &str = "password";

/// So many new versions of a lost credential are made within [`WINDOW`]; the next one waits. Who forges reports gets no
/// more out of it than these.
const RENEWALS: usize = 3;
const WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// The kubelet may show a new Secret this late: a credential that nobody uses yet is not missing before.
const LATE: SignedDuration = SignedDuration::from_mins(5);
/// Versions end here, so that a name can always be read.
const LAST: u32 = 999;

/// The anchor that Secrets and claims are owned by: that of a part's data, or the application itself.
#[derive(Clone, Debug)]
pub struct AnchorRef {
    pub name: String,
    /// The digits in the names of all that it owns: the anchor's content, so that a restored anchor, which has another
    /// uid, finds everything again.
    pub id: String,
    /// None: the anchor is not there yet, and who applies this fills it in.
    pub uid: Option<String>,
}

/// One credential: a Secret that is made once and never changed. A lost one is followed by its next version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Name of the Secret.
    pub secret: String,
    pub version: u32,
}

impl AnchorRef {
    /// A version of a credential. The name carries the version, and eight digits that no stranger hits by accident:
    /// nobody may look whether a name is taken, so a name that is taken must mean "ours".
    pub fn credential(&self, stem: &str, version: u32) -> Credential {
        Credential { secret: format!("{stem}-v{version}-{}", self.id), version }
    }

    /// The credential that a Secret's name stands for; None: it is not one of that stem and anchor.
    pub fn parse(&self, stem: &str, secret: &str) -> Option<Credential> {
        let version = secret.rsplit('-').nth(1)?.strip_prefix('v')?.parse().ok().filter(|version| *version <= LAST)?;
        Some(self.credential(stem, version)).filter(|credential| credential.secret == secret)
    }

    /// The version of a credential that is wanted: the newest one that was made or is in use, and the one after it if
    /// that very one is missing. What is said to be missing and was never made counts for nothing, so neither a forged
    /// report nor a refused creation counts up.
    pub fn current<'a>(
        &self,
        stem: &str,
        observed: &Observed,
        in_use: impl Iterator<Item = &'a str>,
        missing: impl Fn(&str) -> bool,
    ) -> Credential {
        let in_use = in_use.filter_map(|secret| self.parse(stem, secret)).map(|it| it.version).max();
        let versions =
            || observed.secrets.iter().filter_map(|(secret, at)| self.parse(stem, secret).map(|it| (it.version, *at)));
        let now = self.credential(stem, versions().map(|(n, _)| n).max().max(in_use).unwrap_or(1));
        let age = |at| observed.now.duration_since(at);
        let Some((_, made)) = versions().find(|(n, _)| *n == now.version) else { return now };
        let known = in_use == Some(now.version) || age(made) >= LATE;
        let renewals = versions().filter(|(n, at)| *n > 1 && age(*at) < WINDOW).count();
        let renewed = known && renewals < RENEWALS && now.version < LAST && missing(&now.secret);
        if renewed { self.credential(stem, now.version + 1) } else { now }
    }
}

/// What a random value looks like. All but certificates stand under [`PASSWORD`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// 32 letters and digits, so that no address that it stands in needs escaping.
    Password,
    /// So many random bytes as base64: keys of encryption between nodes.
    Base64(usize),
    /// An identifier such as `8f14e45f-ceea-467f-a0b1-c4d2f8b5e3a7`.
    Uuid,
    /// One key with its own certificate for all nodes of a cluster, which trust nothing else: `tls.key`, `tls.crt` and
    /// `ca.crt` as PEM. It is for one name, such as `*.shop-search-peers.acme.svc`, and never expires.
    Certificate(String),
}

impl Form {
    /// The keys of its Secret that get such a value.
    pub fn keys(&self) -> &'static [&'static str] {
        if let Self::Certificate(_) = self { &["ca.crt", "tls.crt", "tls.key"] } else { &[PASSWORD] }
    }
}

/// The first eight hexadecimal digits of an identifier.
pub fn digits(uid: &str) -> String {
    uid.chars().filter(char::is_ascii_hexdigit).take(8).collect::<String>().to_ascii_lowercase()
}

/// Digits for new data: those of the application, unless Secrets with that `stem` carried them before. Such Secrets
/// belonged to data that was thrown away, and may still be on their way out.
pub fn fresh_digits(uid: &str, observed: &Observed, stem: &str) -> String {
    let taken =
        |id: &String| observed.secrets.keys().any(|name| name.starts_with(stem) && name.ends_with(&format!("-{id}")));
    let others = (1..=LAST).map(|n| digest::of_bytes(format!("{uid}/{n}").as_bytes())[..8].to_owned());
    std::iter::once(digits(uid)).chain(others).find(|id| !taken(id)).unwrap_or_else(|| digits(uid))
}

/// A Secret with a random value under [`PASSWORD`], which goes when the application does.
pub fn key(scope: &Scope<'_>, part: &PartName, name: &str) -> Objects {
    let metadata = scope.meta(name.into(), part);
    one(part, core::Secret { metadata, ..Default::default() }, Form::Password, vec![])
}

/// A Secret with a user name and a password. `opens` names the claims that nobody can open without it.
pub fn login(
    scope: &Scope<'_>,
    anchor: &AnchorRef,
    part: &PartName,
    credential: &Credential,
    username: &str,
    opens: Vec<String>,
) -> Objects {
    let metadata = scope.anchored(credential.secret.clone(), part, anchor);
    let string_data = Some([(USERNAME.to_owned(), username.to_owned())].into());
    one(part, core::Secret { metadata, string_data, ..Default::default() }, Form::Password, opens)
}

/// A Secret with a random value of another form, owned by an anchor.
pub fn random(scope: &Scope<'_>, anchor: &AnchorRef, part: &PartName, name: &str, form: Form) -> Objects {
    let metadata = scope.anchored(name.into(), part, anchor);
    one(part, core::Secret { metadata, ..Default::default() }, form, vec![])
}

fn one(part: &PartName, secret: core::Secret, form: Form, opens: Vec<String>) -> Objects {
    let mut objects = Objects::default();
    let secret = core::Secret { immutable: Some(true), type_: Some("Opaque".into()), ..secret };
    objects.push_secret(part, &secret, Secret { form, opens });
    objects
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    const STEM: &str = "shop-database-login-a";

    fn anchor() -> AnchorRef {
        AnchorRef { name: "shop-database-data".into(), id: "3fa9c1d2".into(), uid: None }
    }

    fn name(version: u32) -> String {
        anchor().credential(STEM, version).secret
    }

    /// Versions that were made so many minutes ago.
    fn observed(made: &[(u32, i64)]) -> Observed {
        let at = |minutes: i64| NOW - SignedDuration::from_mins(minutes);
        Observed {
            now: NOW,
            secrets: made.iter().map(|(n, minutes)| (name(*n), at(*minutes))).collect(),
            ..Default::default()
        }
    }

    fn wanted(made: &[(u32, i64)], in_use: Option<u32>, missing: u32) -> u32 {
        let used: Vec<String> = in_use.into_iter().map(name).collect();
        let used = used.iter().map(String::as_str);
        anchor().current(STEM, &observed(made), used, |secret| secret == name(missing)).version
    }

    #[test]
    fn names_carry_version_and_digits() {
        assert_eq!(name(1), "shop-database-login-a-v1-3fa9c1d2");
        let version = |secret: &str| anchor().parse(STEM, secret).map(|it| it.version);
        assert_eq!(version("shop-database-login-a-v12-3fa9c1d2"), Some(12));
        for other in ["shop-database-login-a", "shop-database-login-a-v1000-3fa9c1d2", "shop-v1-3fa9c1d2", ""] {
            assert_eq!(version(other), None, "{other}");
        }
        assert_eq!(digits("3FA9c1d2-77aa-4a55-9c11-000000000000"), "3fa9c1d2");
    }

    #[test]
    fn a_lost_credential_gets_its_next_version() {
        assert_eq!(wanted(&[], None, 1), 1, "what was never made is not lost");
        assert_eq!(wanted(&[(1, 90)], Some(1), 1), 2);
        assert_eq!(wanted(&[(1, 90), (2, 0)], Some(1), 1), 2, "an old report counts no further");
        assert_eq!(wanted(&[(1, 90), (2, 0)], Some(2), 2), 3);
        assert_eq!(wanted(&[], Some(4), 4), 4, "in use, and not known to be made: it is made under its own name");
    }

    #[test]
    fn a_credential_that_is_only_late_is_not_lost() {
        assert_eq!(wanted(&[(1, 0)], None, 1), 1);
        assert_eq!(wanted(&[(1, 6)], None, 1), 2);
    }

    #[test]
    fn a_forged_report_mints_no_more_than_three_an_hour() {
        assert_eq!(wanted(&[(1, 90)], Some(1), 998), 1);
        assert_eq!(wanted(&[(1, 90), (2, 50), (3, 40), (4, 30)], Some(4), 4), 4);
        assert_eq!(wanted(&[(1, 90), (2, 61), (3, 40), (4, 30)], Some(4), 4), 5);
        assert_eq!(wanted(&[(999, 90)], Some(999), 999), 999);
    }

    #[test]
    fn data_that_was_thrown_away_lends_its_digits_to_nobody() {
        let digits = |observed: &Observed| fresh_digits("3fa9c1d2-77aa", observed, "shop-database-");
        assert_eq!(digits(&Observed::default()), "3fa9c1d2");
        let other = digits(&observed(&[(1, 0)]));
        assert!(other != "3fa9c1d2" && other.len() == 8, "{other}");
        let elsewhere =
            Observed { secrets: [("shop-provisioner-key-v1-3fa9c1d2".to_owned(), NOW)].into(), ..Default::default() };
        assert_eq!(digits(&elsewhere), "3fa9c1d2");
    }
}
