//! Reasons: the one word of a condition, a part, a binding, an event or a mistake; whether waiting helps, whether it is
//! an event, and what to do. `docs/operations.md` has the table of them.

use std::fmt;

/// One word for a state, as it stands in conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(&'static str);

impl Reason {
    /// A reason of the API server's own, such as `FieldValueInvalid`.
    pub const fn of_api_server(name: &'static str) -> Self {
        Self(name)
    }

    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0.to_owned()
    }
}

impl PartialEq<Reason> for String {
    fn eq(&self, other: &Reason) -> bool {
        self == other.0
    }
}

impl PartialEq<str> for Reason {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Reason {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// What is known of a reason.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub reason: Reason,
    pub kind: Kind,
    /// Told as an event when it becomes the reason of `Ready`.
    pub is_event: bool,
    /// What it means and what to do, in Markdown.
    pub advice: &'static str,
}

/// Where a reason is found, and whether waiting helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is wrong, or it will pass.
    Passing,
    /// Waiting does not help: somebody must do something.
    Stuck,
    /// A mistake in the resource: nothing of it is applied.
    Mistake,
    /// Told by `microapp check` alone.
    Hint,
    /// Of a binding.
    Binding,
    /// Of events alone.
    Event,
}

/// Reasons of parts that are not ready and with which nothing is wrong.
pub const BUSY: [Reason; 3] = [PROGRESSING, WAITING, WAITING_FOR_ADDRESS];

/// What is known of a reason that may be made from the name of a component, such as `WaitingForDatabase`.
pub fn row(name: &str) -> Option<&'static Row> {
    ALL.iter().find(|row| row.reason.0 == name)
}

/// Waiting does not help.
pub fn is_stuck(name: &str) -> bool {
    row(name).is_some_and(|row| row.kind == Kind::Stuck)
}

macro_rules! reasons {
    ($($constant:ident = $name:literal, $kind:ident, $event:literal, $advice:literal;)*) => {
        $(pub const $constant: Reason = Reason($name);)*
        /// Every reason of ours.
        pub const ALL: &[Row] = &[$(Row {
            reason: $constant,
            kind: Kind::$kind,
            is_event: $event,
            advice: $advice,
        }),*];
    };
}

reasons! {
    READY = "Ready", Passing, false, "it works as specified";
    ALL_READY = "AllReady", Passing, false, "every component, service and binding works";
    PROGRESSING = "Progressing", Passing, false, "something is being created or rolled; the message says how far it is";
    WAITING = "Waiting", Passing, false, "it waits for another part; that one says why";
    UNAVAILABLE = "Unavailable", Passing, false, "it was ready for this generation and is not any more; the message \
        names the first failing pod";
    PAUSED = "Paused", Passing, true, "`reconciliation` is `Paused`; the message says what would be changed";
    WAITING_FOR_ADDRESS = "WaitingForAddress", Passing, false, "the cluster has not given the load balancer an \
        address. Where nothing does, write `exposure: NodePort`";
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded", Passing, true, "nothing moved for \
        `progressDeadlineSeconds`; the message names the first cause";
    CLUSTER_UNAVAILABLE = "ClusterUnavailable", Passing, false, "the API server could not be read or asked to \
        delete; it is tried again";
    APPLY_FAILED = "ApplyFailed", Passing, false, "an object could not be written three times in a row, for no fault \
        of its own: an admission webhook that does not answer, an API server that is overloaded. The message is \
        theirs; it is tried again, at most every 30 seconds";
    FIELD_CONFLICT = "FieldConflict", Passing, true, "another manager changes one of our fields again and again; the \
        message names object, field and manager. The object is left alone for a few minutes";
    DATA_BEING_DELETED = "DataBeingDeleted", Passing, false, "data that is being deleted is waited for: what uses it \
        is stopped, and new data is created once it is gone";
    STATUS_REFUSED = "StatusRefused", Passing, false, "the API server refused the status itself, so only this is \
        said; the operator's log has the rest";

    NAME_CONFLICT = "NameConflict", Stuck, true, "an object that is not managed by microapp has a name that is \
        needed; it stays untouched. The message says what to do";
    CREDENTIALS_LOST = "CredentialsLost", Stuck, true, "the Secret that opens a volume, or that of its \
        administrator, is gone. Put it back from a backup; nothing is made in its place";
    VOLUME_LOST = "VolumeLost", Stuck, true, "a volume that held data is gone. Put it back, or delete the retained \
        data as the message says; nothing empty takes its place";
    VOLUME_OF_ANOTHER_ENGINE = "VolumeOfAnotherEngine", Stuck, true, "the volume was written by another engine or \
        version. Ask for that, or delete the data; the message says both";
    VOLUME_OF_ANOTHER_CLASS = "VolumeOfAnotherClass", Stuck, true, "a claim waits for a class that is not asked for \
        any more, and holds nothing; the message has the command that lets it be created again";
    APPLY_REFUSED = "ApplyRefused", Stuck, true, "the API server or a policy refuses an object; the message is theirs";
    UNKNOWN_VERSION = "UnknownVersion", Stuck, false, "a version that this release was not tested with; the message \
        names those that it was";

    VOLUME_KEEPS_ITS_SIZE = "VolumeKeepsItsSize", Passing, false, "`DataWarning`: volumes only grow; write the size \
        that it has";
    VOLUME_KEEPS_ITS_CLASS = "VolumeKeepsItsClass", Passing, false, "`DataWarning`: data does not move by itself; \
        write the class that it has";
    VOLUME_NOT_RESIZABLE = "VolumeNotResizable", Passing, false, "`DataWarning`: the API server does not let the \
        volume grow; it stays as it is";
    VOLUME_BEING_DELETED = "VolumeBeingDeleted", Passing, false, "`DataWarning`: the claim was deleted while it is \
        in use; copy the data now";

    INVALID_SPEC = "InvalidSpec", Mistake, false, "this release cannot read the resource; the message names the field";
    UNKNOWN_HOST = "UnknownHost", Mistake, false, "a route names a host that the gateway does not answer to";
    ROUTE_CONFLICT = "RouteConflict", Mistake, false, "two services want the same requests";
    START_CYCLE = "StartCycle", Mistake, false, "services wait for each other in a circle";
    NAME_IN_USE = "DatabaseNameConflict", Mistake, false, "two names would be one inside the server";
    RESERVED_NAME = "ReservedName", Mistake, false, "the server keeps the name for itself";
    VERSION_CONTRADICTED = "VersionContradicted", Mistake, false, "`image` is of another version than `version`";
    VARIABLE_CONFLICT = "VariableConflict", Mistake, false, "two variables or files of one pod have one name; rename \
        the second, which the message points at";
    GATEWAY_TOO_LARGE = "GatewayTooLarge", Mistake, false, "the gateway's configuration could not be stored; the \
        message says what makes it so large";

    LOGGED_IN = "LoggedIn", Binding, false, "the provisioner logged in as the user and used what it is to use";
    LOGIN_REFUSED = "LoginRefused", Binding, false, "the server refused the credentials; they are repaired within \
        two rounds";
    ACCESS_MISSING = "AccessMissing", Binding, false, "the user lacks rights that it is to have; they are repaired";
    ACCESS_TOO_WIDE = "AccessTooWide", Binding, false, "the user has rights that it is not to have; they are taken \
        back";
    NOT_THERE = "NotThere", Binding, false, "what is to be used does not exist inside the server yet";
    NOT_MANAGED = "NotManaged", Binding, false, "a user or database of that name exists and carries no owner mark of \
        this application; it is not touched";
    SERVER_UNREACHABLE = "ServerUnreachable", Binding, false, "the server does not answer; that it is down is said \
        of the component";
    WRONG_VERSION = "WrongVersion", Binding, false, "the server is of another version than asked for";
    SECRET_MISSING = "SecretMissing", Binding, false, "the Secret of the credentials is gone; its next version is \
        created";
    SECRET_UNREAD = "SecretUnread", Binding, false, "the Secret is not mounted yet";
    ADMINISTRATOR_MISSING = "AdministratorMissing", Binding, false, "the Secret of the administrator is gone, so \
        that nothing can be made or repaired";
    PROVISIONER_NOT_READY = "ProvisionerNotReady", Binding, false, "the provisioner is not ready, so the binding is \
        not checked";
    NOT_CHECKED = "NotChecked", Binding, false, "the provisioner has not checked the binding yet";
    OVERRIDDEN = "Overridden", Binding, false, "`env` of the service replaces variables of the binding";
    BINDING_FAILED = "BindingFailed", Passing, false, "a service can no longer log in; the provisioner repairs what \
        it made, the message says what is left";
    BINDING_UNVERIFIED = "BindingUnverified", Passing, false, "a binding could not be checked lately, because the \
        provisioner or the server is not there";

    SPEC_ACCEPTED = "SpecAccepted", Event, false, "a new generation is reconciled";
    BINDING_VERIFIED = "BindingVerified", Event, false, "a binding works for the first time";
    BINDING_REPAIRED = "BindingRepaired", Event, false, "a binding works again";
    DRIFT_CORRECTED = "DriftCorrected", Event, false, "a change by another manager was reverted";
    SECRET_CHANGED = "SecretChanged", Event, false, "the content of a Secret changed; the pods that use it restart";
    DATA_RETAINED = "DataRetained", Event, false, "a component is gone, and its data stays";

    TOO_LARGE = "TooLarge", Hint, false, "the resource is larger than an API server stores";
    NULL = "Null", Hint, false, "a field is null, which means absent";
    MISREAD = "Misread", Hint, false, "a plain scalar is read as something else than the text";
    FLOATING_IMAGE = "FloatingImage", Hint, false, "an image without a tag or digest can be another one tomorrow";
    UNREACHABLE = "Unreachable", Hint, false, "nothing routes to a service and nothing calls it";
    UNKNOWN_SERVICE = "UnknownService", Hint, false, "a call of a service that there is not";
    TEMPLATE = "Template", Hint, false, "`:id` in a path is compared as it stands";
    VERSION_UNNAMED = "VersionUnnamed", Hint, false, "data is recorded with a version only if it is said";
    FRAMEWORK_VARIABLE = "FrameworkVariable", Hint, false, "a framework reads a variable of a called service as a \
        setting of its own";
    DATA_WILL_GO = "DataWillGo", Hint, false, "data is deleted with the application from now on";
    DATABASE_CHANGES = "DatabaseChanges", Hint, false, "a service begins with an empty database";
    DATABASE_UNUSED = "DatabaseUnused", Hint, false, "a database is kept and used by nobody";
    DATABASE_ENDS = "DatabaseEnds", Hint, false, "a component with data is gone from the specification";
    DATA_OF_ANOTHER_VERSION = "DataOfAnotherVersion", Hint, false, "the data is of a version that is not asked for \
        any more";
    VOLUME_STAYS = "VolumeStays", Hint, false, "a volume stays in its StorageClass";
}

/// The table of all reasons that stand in status and events, in Markdown.
pub fn table() -> String {
    let shown = ALL.iter().filter(|row| row.kind != Kind::Hint);
    let line = |row: &Row| {
        let waiting = match row.kind {
            Kind::Stuck | Kind::Mistake => "no",
            Kind::Event => "–",
            _ => "yes",
        };
        format!("| `{}` | {waiting} | {} |\n", row.reason, row.advice)
    };
    format!(
        "| reason | waiting helps | what it means, what to do |\n|---|---|---|\n{}",
        shown.map(line).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_one_word_and_explained_once() {
        for (index, row) in ALL.iter().enumerate() {
            let name = row.reason.name();
            assert!(name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphanumeric), "{name}");
            assert!(
                !row.advice.is_empty() && ALL[index + 1..].iter().all(|other| other.reason != row.reason),
                "{name}"
            );
        }
    }

    #[test]
    fn operations_has_the_table() {
        let docs = include_str!("../../docs/operations.md");
        assert!(docs.contains(&table()), "write this into docs/operations.md:\n{}", table());
    }
}
