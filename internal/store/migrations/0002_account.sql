-- +goose Up
-- One row: the organization that every account of the installation is in.
CREATE TABLE organization (
    id         TEXT    NOT NULL PRIMARY KEY,
    root       TEXT    NOT NULL,
    management TEXT    NOT NULL,
    created    INTEGER NOT NULL
) STRICT;

-- The e-mail address of an account is compared without regard to case: email_key is its lower-case form.
CREATE TABLE accounts (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    email         TEXT    NOT NULL,
    email_key     TEXT    NOT NULL UNIQUE,
    status        TEXT    NOT NULL,
    joined_method TEXT    NOT NULL,
    joined        INTEGER NOT NULL,
    tags          TEXT    NOT NULL
) STRICT;

-- What became of each CreateAccount request.
CREATE TABLE account_requests (
    id        TEXT    NOT NULL PRIMARY KEY,
    name      TEXT    NOT NULL,
    state     TEXT    NOT NULL,
    failure   TEXT    NOT NULL,
    account   TEXT    NOT NULL,
    requested INTEGER NOT NULL,
    completed INTEGER NOT NULL
) STRICT;

-- Services that may act in the whole organization.
CREATE TABLE service_access (
    service TEXT    NOT NULL PRIMARY KEY,
    enabled INTEGER NOT NULL
) STRICT;

-- Member accounts that administer a service for the organization.
CREATE TABLE delegated_administrators (
    account TEXT    NOT NULL REFERENCES accounts (id),
    service TEXT    NOT NULL,
    enabled INTEGER NOT NULL,
    PRIMARY KEY (account, service)
) STRICT;

-- Users, groups and roles. The id (AIDA…, AGPA…, AROA…) is never used again, so that a name which comes back is somebody
-- else. Names of one kind are unique in an account without regard to case: name_key is the lower-case form. The columns
-- from description on are for roles; trust_ids maps the ARNs that the trust policy names to the ids they had when it was
-- saved.
CREATE TABLE iam_entities (
    id          TEXT    NOT NULL PRIMARY KEY,
    kind        TEXT    NOT NULL,
    account     TEXT    NOT NULL REFERENCES accounts (id),
    path        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    name_key    TEXT    NOT NULL,
    created     INTEGER NOT NULL,
    boundary    TEXT    NOT NULL,
    tags        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    max_session INTEGER NOT NULL,
    trust       TEXT    NOT NULL,
    trust_ids   TEXT    NOT NULL,
    UNIQUE (account, kind, name_key)
) STRICT;
CREATE INDEX iam_entities_boundary ON iam_entities (boundary);

CREATE TABLE iam_memberships (
    group_id TEXT NOT NULL REFERENCES iam_entities (id),
    user_id  TEXT NOT NULL REFERENCES iam_entities (id),
    PRIMARY KEY (group_id, user_id)
) STRICT;
CREATE INDEX iam_memberships_user ON iam_memberships (user_id);

CREATE TABLE iam_inline_policies (
    entity   TEXT NOT NULL REFERENCES iam_entities (id),
    name     TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (entity, name)
) STRICT;

-- The policy may be one of AWS's, which are not in this database.
CREATE TABLE iam_attachments (
    entity TEXT NOT NULL REFERENCES iam_entities (id),
    policy TEXT NOT NULL,
    PRIMARY KEY (entity, policy)
) STRICT;
CREATE INDEX iam_attachments_policy ON iam_attachments (policy);

CREATE TABLE iam_policies (
    arn             TEXT    NOT NULL PRIMARY KEY,
    id              TEXT    NOT NULL,
    account         TEXT    NOT NULL REFERENCES accounts (id),
    path            TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    name_key        TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    created         INTEGER NOT NULL,
    updated         INTEGER NOT NULL,
    default_version INTEGER NOT NULL,
    last_version    INTEGER NOT NULL,
    tags            TEXT    NOT NULL,
    UNIQUE (account, name_key)
) STRICT;

CREATE TABLE iam_policy_versions (
    policy   TEXT    NOT NULL REFERENCES iam_policies (arn),
    version  INTEGER NOT NULL,
    document TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    PRIMARY KEY (policy, version)
) STRICT;

-- The secret is sealed for the place access-key/<id>. The last use is written from time to time, without a revision.
CREATE TABLE iam_access_keys (
    id           TEXT    NOT NULL PRIMARY KEY,
    entity       TEXT    NOT NULL REFERENCES iam_entities (id),
    account      TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    secret       BLOB    NOT NULL,
    created      INTEGER NOT NULL,
    used         INTEGER NOT NULL,
    used_service TEXT    NOT NULL,
    used_region  TEXT    NOT NULL
) STRICT;
CREATE INDEX iam_access_keys_entity ON iam_access_keys (entity);

-- +goose Down
DROP TABLE iam_access_keys;
DROP TABLE iam_policy_versions;
DROP TABLE iam_policies;
DROP TABLE iam_attachments;
DROP TABLE iam_inline_policies;
DROP TABLE iam_memberships;
DROP TABLE iam_entities;
DROP TABLE delegated_administrators;
DROP TABLE service_access;
DROP TABLE account_requests;
DROP TABLE accounts;
DROP TABLE organization;
