-- +goose Up
-- Permission sets of the organization's instance. version grows with each change that roles have to be brought up to date
-- with. A set is bounded by one of AWS's policies (boundary), or by a policy of the account (boundary_path, boundary_name).
CREATE TABLE center_permission_sets (
    arn           TEXT    NOT NULL PRIMARY KEY,
    instance      TEXT    NOT NULL REFERENCES center_instances (arn),
    name          TEXT    NOT NULL,
    description   TEXT    NOT NULL,
    duration      TEXT    NOT NULL,
    relay_state   TEXT    NOT NULL,
    inline        TEXT    NOT NULL,
    boundary      TEXT    NOT NULL,
    boundary_path TEXT    NOT NULL,
    boundary_name TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    UNIQUE (instance, name)
) STRICT;

-- The managed policies of a permission set: those of AWS have their ARN as name and no path, those of the account in which
-- the set is provisioned have path and name.
CREATE TABLE center_permission_set_policies (
    permission_set TEXT NOT NULL REFERENCES center_permission_sets (arn),
    path           TEXT NOT NULL,
    name           TEXT NOT NULL,
    PRIMARY KEY (permission_set, path, name)
) STRICT;

-- In which accounts a permission set is provisioned: the role that stands for it, and the version that it was made from.
CREATE TABLE center_provisions (
    permission_set TEXT    NOT NULL REFERENCES center_permission_sets (arn),
    account        TEXT    NOT NULL REFERENCES accounts (id),
    role           TEXT    NOT NULL REFERENCES iam_entities (id),
    version        INTEGER NOT NULL,
    PRIMARY KEY (permission_set, account)
) STRICT;
CREATE INDEX center_provisions_by_account ON center_provisions (account);

CREATE TABLE center_account_assignments (
    permission_set TEXT NOT NULL REFERENCES center_permission_sets (arn),
    account        TEXT NOT NULL REFERENCES accounts (id),
    principal_type TEXT NOT NULL,
    principal_id   TEXT NOT NULL,
    PRIMARY KEY (permission_set, account, principal_type, principal_id)
) STRICT;
CREATE INDEX center_account_assignments_by_principal ON center_account_assignments (principal_id);

-- What became of requests to assign, to end an assignment and to provision. The id orders them by time.
CREATE TABLE center_operations (
    id             TEXT    NOT NULL PRIMARY KEY,
    instance       TEXT    NOT NULL REFERENCES center_instances (arn),
    kind           TEXT    NOT NULL,
    status         TEXT    NOT NULL,
    failure        TEXT    NOT NULL,
    permission_set TEXT    NOT NULL,
    account        TEXT    NOT NULL,
    principal_type TEXT    NOT NULL,
    principal_id   TEXT    NOT NULL,
    created        INTEGER NOT NULL
) STRICT;
CREATE INDEX center_operations_by_kind ON center_operations (instance, kind, id);
CREATE INDEX center_operations_by_age ON center_operations (created);

-- +goose Down
DROP TABLE center_operations;
DROP TABLE center_account_assignments;
DROP TABLE center_provisions;
DROP TABLE center_permission_set_policies;
DROP TABLE center_permission_sets;
