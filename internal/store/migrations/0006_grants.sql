-- +goose Up
-- One access grants instance an account.
CREATE TABLE grants_instances (
    account         TEXT    NOT NULL PRIMARY KEY,
    identity_center TEXT    NOT NULL,
    application     TEXT    NOT NULL,
    policy          TEXT    NOT NULL,
    organization    TEXT    NOT NULL,
    policy_created  INTEGER NOT NULL,
    tags            TEXT    NOT NULL,
    created         INTEGER NOT NULL
) STRICT;

CREATE TABLE grants_locations (
    account TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    scope   TEXT    NOT NULL,
    role    TEXT    NOT NULL,
    tags    TEXT    NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, scope)
) STRICT;

CREATE TABLE access_grants (
    account      TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    location     TEXT    NOT NULL,
    sub_prefix   TEXT    NOT NULL,
    scope        TEXT    NOT NULL,
    object       INTEGER NOT NULL,
    grantee_type TEXT    NOT NULL,
    grantee      TEXT    NOT NULL,
    permission   TEXT    NOT NULL,
    application  TEXT    NOT NULL,
    tags         TEXT    NOT NULL,
    created      INTEGER NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, location, sub_prefix, object, grantee_type, grantee, permission, application)
) STRICT;
CREATE INDEX access_grants_by_location ON access_grants (account, location);
CREATE INDEX access_grants_by_grantee ON access_grants (account, grantee_type, grantee, id);

-- +goose Down
DROP TABLE access_grants;
DROP TABLE grants_locations;
DROP TABLE grants_instances;
