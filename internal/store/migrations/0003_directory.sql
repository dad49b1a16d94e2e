-- +goose Up
-- Identity stores. Each belongs to the account of its identity center instance.
CREATE TABLE identity_stores (
    id      TEXT    NOT NULL PRIMARY KEY,
    account TEXT    NOT NULL,
    created INTEGER NOT NULL
) STRICT;

-- name_key and email_key are the values in lower case: both are unique without regard to case.
CREATE TABLE users (
    store      TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    user_name  TEXT    NOT NULL,
    name_key   TEXT    NOT NULL,
    email_key  TEXT,
    enabled    INTEGER NOT NULL,
    profile    TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    updated    INTEGER NOT NULL,
    updated_by TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    PRIMARY KEY (store, id),
    UNIQUE (store, name_key),
    UNIQUE (store, email_key)
) STRICT;

CREATE TABLE directory_groups (
    store        TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    display_name TEXT    NOT NULL,
    name_key     TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    created      INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    updated      INTEGER NOT NULL,
    updated_by   TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    PRIMARY KEY (store, id),
    UNIQUE (store, name_key)
) STRICT;

-- Ids that a provider gave. kind is "user" or "group", owner the id of it.
CREATE TABLE external_ids (
    store  TEXT NOT NULL,
    kind   TEXT NOT NULL,
    issuer TEXT NOT NULL,
    id     TEXT NOT NULL,
    owner  TEXT NOT NULL,
    PRIMARY KEY (store, kind, issuer, id)
) STRICT;
CREATE INDEX external_ids_by_owner ON external_ids (store, kind, owner);

CREATE TABLE memberships (
    store      TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    group_id   TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    PRIMARY KEY (store, id),
    UNIQUE (store, group_id, user_id)
) STRICT;
CREATE INDEX memberships_by_user ON memberships (store, user_id, group_id);

-- Bearer tokens of provisioning clients, as SHA-256.
CREATE TABLE scim_tokens (
    id          TEXT    NOT NULL PRIMARY KEY,
    store       TEXT    NOT NULL,
    hash        BLOB    NOT NULL UNIQUE,
    description TEXT    NOT NULL,
    created     INTEGER NOT NULL,
    expires     INTEGER NOT NULL,
    last_used   INTEGER NOT NULL
) STRICT;
CREATE INDEX scim_tokens_by_store ON scim_tokens (store, created);

-- +goose Down
DROP TABLE scim_tokens;
DROP TABLE memberships;
DROP TABLE external_ids;
DROP TABLE directory_groups;
DROP TABLE users;
DROP TABLE identity_stores;
