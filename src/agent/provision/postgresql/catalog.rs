//! What a server has now, as far as it concerns us, read in as few questions as possible; so that a round in which
//! nothing is amiss sends no command. Only the server's own tables are asked: what services made is counted, never
//! read, for reading it may run what they wrote.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, Row};

use super::session::Settings;
use super::{Failure, owner, reader, within};

/// Roles and databases that we want or that carry our mark.
pub struct Catalog {
    pub roles: BTreeMap<String, Role>,
    pub databases: BTreeMap<String, Database>,
    /// The server's own databases that everybody may enter, as in a server that is new.
    pub open: Vec<String>,
    /// `server_version_num`.
    pub version: i32,
}

pub struct Role {
    pub ours: bool,
    pub can_log_in: bool,
    /// The roles of ours that it is a member of, and the grantors: from version 16 on, only the grantor can revoke it.
    pub member_of: BTreeMap<String, BTreeSet<String>>,
    /// As whom it acts in a database from the start of a session, by database.
    pub acts_as: BTreeMap<String, String>,
}

pub struct Database {
    pub marked: bool,
    pub owner: String,
    /// Everybody may connect or make temporary tables, as in a database that is new.
    pub open_to_all: bool,
    pub readers_enter: bool,
    /// Settings of the database for every session, with the values that they have outside it.
    pub settings: Settings,
}

const ROLES: &str = "
    SELECT r.rolname::text AS name, r.rolcanlogin AS can_log_in, shobj_description(r.oid, 'pg_authid') IS NOT
        DISTINCT FROM $1 AS ours,
        ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
            WHERE m.member = r.oid AND shobj_description(g.oid, 'pg_authid') = $1 ORDER BY m.ctid) AS member_of,
        ARRAY(SELECT coalesce(b.rolname::text, '') FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid LEFT
            JOIN pg_roles b ON b.oid = m.grantor
            WHERE m.member = r.oid AND shobj_description(g.oid, 'pg_authid') = $1 ORDER BY m.ctid) AS made_by
    FROM pg_roles r WHERE r.rolname::text = ANY($2) OR shobj_description(r.oid, 'pg_authid') = $1";

const ACTING: &str = "
    SELECT r.rolname::text AS name, d.datname::text AS database, substr(setting, length('role=') + 1) AS acts_as
    FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole JOIN pg_database d ON d.oid = s.setdatabase,
        unnest(s.setconfig) setting
    WHERE setting LIKE 'role=%'";

const DATABASES: &str = "
    SELECT d.datname::text AS name, o.rolname::text AS owner, shobj_description(d.oid, 'pg_database') IS NOT DISTINCT
        FROM $1 AS marked,
        EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a WHERE a.grantee = 0) AS
            open_to_all,
        EXISTS (SELECT FROM aclexplode(d.datacl) a JOIN pg_roles g ON g.oid = a.grantee
            WHERE g.rolname::text = d.datname || $3 AND a.privilege_type = 'CONNECT') AS readers_enter,
        ARRAY(SELECT split_part(setting, '=', 1) || '=' || current_setting(split_part(setting, '=', 1), true)
            FROM pg_db_role_setting s, unnest(s.setconfig) setting
            WHERE s.setdatabase = d.oid AND s.setrole = 0 AND current_setting(split_part(setting, '=', 1), true) IS
                NOT NULL) AS settings
    FROM pg_database d JOIN pg_roles o ON o.oid = d.datdba WHERE d.datname::text = ANY($2)";

const SERVER: &str = "
    SELECT current_setting('server_version_num')::int AS version,
        ARRAY(SELECT datname::text FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) a
            WHERE datname IN ('postgres', 'template1') AND a.grantee = 0 GROUP BY 1) AS open";

impl Catalog {
    /// As the administrator sees it, in any database.
    pub async fn read(admin: &Client, mark: &str, roles: &[String], databases: &[String]) -> Result<Self, Failure> {
        let rows = within(admin.query(ROLES, &[&mark, &roles])).await?;
        let mut roles: BTreeMap<String, Role> = rows.iter().map(|row| (row.get("name"), role(row))).collect();
        for row in within(admin.query(ACTING, &[])).await? {
            if let Some(role) = roles.get_mut(row.get::<_, &str>("name")) {
                role.acts_as.insert(row.get("database"), row.get("acts_as"));
            }
        }
        let rows = within(admin.query(DATABASES, &[&mark, &databases, &reader("")])).await?;
        let databases = rows.iter().map(|row| (row.get("name"), database(row))).collect();
        let server = within(admin.query_one(SERVER, &[])).await?;
        Ok(Self { roles, databases, open: server.get("open"), version: server.get("version") })
    }
}

fn role(row: &Row) -> Role {
    let groups = row.get::<_, Vec<String>>("member_of").into_iter().zip(row.get::<_, Vec<String>>("made_by"));
    let mut member_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (group, by) in groups {
        member_of.entry(group).or_default().insert(by);
    }
    Role { ours: row.get("ours"), can_log_in: row.get("can_log_in"), member_of, acts_as: BTreeMap::new() }
}

fn database(row: &Row) -> Database {
    let settings: Vec<String> = row.get("settings");
    let settings = settings.iter().filter_map(|it| it.split_once('='));
    Database {
        marked: row.get("marked"),
        owner: row.get("owner"),
        open_to_all: row.get("open_to_all"),
        readers_enter: row.get("readers_enter"),
        settings: settings.map(|(name, value)| (name.into(), value.into())).collect(),
    }
}

/// What is amiss inside one database.
pub struct Inside {
    pub public_astray: bool,
    pub public_open: bool,
    /// Schemas with something that readers cannot read.
    pub unread: Vec<String>,
    /// What the owner will make is readable by readers.
    pub future_read: bool,
    /// Logins that own something here themselves: what they made while they did not act as the owner. Never those that
    /// may only read: they would make the owner answer for it. Nor those that own something beyond this database.
    pub astray: Vec<String>,
}

const INSIDE: &str = "
    WITH us AS (SELECT o.oid AS owner, r.oid AS reader FROM pg_roles o, pg_roles r WHERE o.rolname::text = $1 AND
        r.rolname::text = $2),
        schemas AS (SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <>
            'information_schema'),
        owned AS (SELECT refobjid, dbid = 0 AS shared, dbid = (SELECT oid FROM pg_database WHERE datname =
            current_database()) AS here
            FROM pg_shdepend WHERE deptype = 'o' AND refclassid = 'pg_authid'::regclass)
    SELECT
        EXISTS (SELECT FROM schemas, us WHERE nspname = 'public' AND nspowner <> owner) AS public_astray,
        EXISTS (SELECT FROM schemas, aclexplode(nspacl) a WHERE nspname = 'public' AND a.grantee = 0 AND
            a.privilege_type = 'CREATE') AS public_open,
        ARRAY(SELECT nspname::text FROM schemas s, us WHERE NOT has_schema_privilege(reader, s.oid, 'USAGE') OR EXISTS (
            SELECT FROM pg_class c WHERE c.relnamespace = s.oid AND CASE
                WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f') THEN NOT has_table_privilege(reader, c.oid, 'SELECT')
                WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(reader, c.oid, 'SELECT') END)) AS unread,
        (SELECT count(*) FROM us, pg_default_acl d, aclexplode(d.defaclacl) a WHERE d.defaclrole = owner AND
            d.defaclnamespace = 0 AND a.grantee = reader
            AND (d.defaclobjtype::text, a.privilege_type) IN (('r', 'SELECT'), ('S', 'SELECT'), ('n', 'USAGE'))) = 3
                AS future_read,
        ARRAY(SELECT l.rolname::text FROM pg_roles l, us WHERE l.oid NOT IN (owner, reader) AND
            shobj_description(l.oid, 'pg_authid') = $3
            AND NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.member = l.oid AND m.roleid = reader)
            AND EXISTS (SELECT FROM owned WHERE refobjid = l.oid AND here)
            AND NOT EXISTS (SELECT FROM owned WHERE refobjid = l.oid AND shared)) AS astray";

impl Inside {
    /// As the administrator sees it in that database.
    pub async fn read(admin: &Client, database: &str, mark: &str) -> Result<Self, Failure> {
        let row = within(admin.query_one(INSIDE, &[&owner(database), &reader(database), &mark])).await?;
        Ok(Self {
            public_astray: row.get("public_astray"),
            public_open: row.get("public_open"),
            unread: row.get("unread"),
            future_read: row.get("future_read"),
            astray: row.get("astray"),
        })
    }
}
