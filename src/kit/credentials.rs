//! Passwords. One Secret is one credential: made once, never changed, never read by us.

use jiff::SignedDuration;
use k8s_openapi::api::core::v1 as core;

use super::{
    digest,
    objects::{Objects, Secret},
    observed::Observed,
    scope::Scope,
};

pub const USERNAME: &str = "username";
pub const PASSWORD: &str = "password";

/// So many new versions of a lost credential are made within [`WINDOW`]; the next one waits. Who forges reports gets no more out of it than these.
const RENEWALS: usize = 3;
const WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// The kubelet may show a new Secret this late: a credential that nobody uses yet is not missing before.
const LATE: SignedDuration = SignedDuration::from_mins(5);
/// Versions end here, so that a name can always be read.
const LAST: u32 = 999;

/// What a Secret hangs on: the anchor of its data, or the application itself.
#[derive(Clone, Debug)]
pub struct Hook {
    pub anchor: String,
    /// The digits in the names of all that hangs on it: the anchor's content, so that a restored anchor, which has another uid, finds everything again.
    pub id: String,
    /// None: the anchor is not there yet, and who applies this fills it in.
    pub uid: Option<String>,
}

impl Hook {
    /// Name of a credential: it carries its version, and eight digits that no stranger hits by accident. Nobody may look whether the name is taken, so a name
    /// that is taken must mean "ours".
    pub fn secret_name(&self, stem: &str, version: u32) -> String {
        format!("{stem}-v{version}-{}", self.id)
    }
}

/// The first eight hexadecimal digits of an identifier.
pub fn digits(uid: &str) -> String {
    uid.chars().filter(char::is_ascii_hexdigit).take(8).collect::<String>().to_ascii_lowercase()
}

/// Digits for new data: those of the application, unless Secrets with that `stem` carried them before. Such Secrets belonged to data that was thrown away, and may
/// still be on their way out.
pub fn fresh_digits(uid: &str, observed: &Observed, stem: &str) -> String {
    let taken =
        |id: &String| observed.secrets.keys().any(|name| name.starts_with(stem) && name.ends_with(&format!("-{id}")));
    let others = (1..=LAST).map(|n| digest::of_bytes(format!("{uid}/{n}").as_bytes())[..8].to_owned());
    std::iter::once(digits(uid)).chain(others).find(|id| !taken(id)).unwrap_or_else(|| digits(uid))
}

/// The version that a name of [`Hook::secret_name`] carries.
pub fn version(name: &str) -> Option<u32> {
    name.rsplit('-').nth(1)?.strip_prefix('v')?.parse().ok().filter(|version| *version <= LAST)
}

/// The version of a credential that is wanted: the newest one that was made or is `in_use`, and the one after it if that very one is `missing`. What is said to be
/// missing and was never made counts for nothing, so neither a forged report nor a refused creation counts up.
pub fn current(
    observed: &Observed,
    name: impl Fn(u32) -> String,
    in_use: Option<u32>,
    missing: impl Fn(&str) -> bool,
) -> u32 {
    let versions = || {
        observed
            .secrets
            .iter()
            .filter_map(|(secret, at)| version(secret).filter(|n| name(*n) == *secret).map(|n| (n, *at)))
    };
    let now = versions().map(|(n, _)| n).max().max(in_use).unwrap_or(1);
    let age = |at| observed.now.duration_since(at);
    let Some((_, made)) = versions().find(|(n, _)| *n == now) else { return now };
    let known = in_use == Some(now) || age(made) >= LATE;
    let renewals = versions().filter(|(n, at)| *n > 1 && age(*at) < WINDOW).count();
    if known && renewals < RENEWALS && now < LAST && missing(&name(now)) { now + 1 } else { now }
}

/// Adds a Secret with a random text under [`PASSWORD`], which goes when the application does.
pub fn key(scope: &Scope<'_>, part: &str, name: &str, out: &mut Objects) {
    let metadata = scope.meta(name.into(), part);
    let secret = core::Secret { metadata, immutable: Some(true), type_: Some("Opaque".into()), ..Default::default() };
    out.push_secret(part, &secret, Secret { key: PASSWORD.into(), opens: None });
}

/// Adds a Secret with a user name, and a password that is made when the Secret is. `opens` names the claim that nobody can open without it.
pub fn login(
    scope: &Scope<'_>,
    hook: &Hook,
    part: &str,
    name: &str,
    username: &str,
    opens: Option<String>,
    out: &mut Objects,
) {
    let secret = core::Secret {
        metadata: scope.anchored(name.into(), part, hook),
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
    use jiff::Timestamp;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn name(version: u32) -> String {
        Hook { anchor: "shop-database-data".into(), id: "3fa9c1d2".into(), uid: None }
            .secret_name("shop-database-login-a", version)
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
        current(&observed(made), name, in_use, |secret| secret == name(missing))
    }

    #[test]
    fn names_carry_version_and_digits() {
        assert_eq!(name(1), "shop-database-login-a-v1-3fa9c1d2");
        assert_eq!(version("shop-database-admin-v12-3fa9c1d2"), Some(12));
        assert_eq!(["shop-database-admin", "shop-v1000-3fa9c1d2", ""].map(version), [None; 3]);
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
