-- +goose Up
-- Instances of the identity center: the organization's (organization = 1), and at most one of an account's own.
CREATE TABLE center_instances (
    arn          TEXT    NOT NULL PRIMARY KEY,
    account      TEXT    NOT NULL UNIQUE,
    store        TEXT    NOT NULL UNIQUE,
    name         TEXT    NOT NULL,
    organization INTEGER NOT NULL,
    created      INTEGER NOT NULL
) STRICT;

-- Trusted token issuers. Two may have the same URL with another mapping.
CREATE TABLE center_issuers (
    arn       TEXT    NOT NULL PRIMARY KEY,
    instance  TEXT    NOT NULL REFERENCES center_instances (arn),
    name      TEXT    NOT NULL,
    url       TEXT    NOT NULL,
    claim     TEXT    NOT NULL,
    attribute TEXT    NOT NULL,
    created   INTEGER NOT NULL
) STRICT;
CREATE INDEX center_issuers_by_instance ON center_issuers (instance);

-- Applications. account created it; the instance's account is in the ARN.
CREATE TABLE center_applications (
    arn                 TEXT    NOT NULL PRIMARY KEY,
    instance            TEXT    NOT NULL REFERENCES center_instances (arn),
    provider            TEXT    NOT NULL,
    account             TEXT    NOT NULL,
    name                TEXT    NOT NULL,
    description         TEXT    NOT NULL,
    status              TEXT    NOT NULL,
    origin              TEXT    NOT NULL,
    url                 TEXT    NOT NULL,
    visibility          TEXT    NOT NULL,
    assignment_required INTEGER NOT NULL,
    background          TEXT    NOT NULL,
    created             INTEGER NOT NULL,
    created_from        TEXT    NOT NULL
) STRICT;
CREATE INDEX center_applications_by_instance ON center_applications (instance);

CREATE TABLE center_grants (
    application TEXT NOT NULL REFERENCES center_applications (arn),
    type        TEXT NOT NULL,
    document    TEXT NOT NULL,
    PRIMARY KEY (application, type)
) STRICT;

CREATE TABLE center_scopes (
    application TEXT NOT NULL REFERENCES center_applications (arn),
    scope       TEXT NOT NULL,
    targets     TEXT NOT NULL,
    PRIMARY KEY (application, scope)
) STRICT;

-- Authentication methods. document is the actor policy as it was written; principals maps the ARNs that it names to the
-- ids they had when it was saved.
CREATE TABLE center_methods (
    application TEXT NOT NULL REFERENCES center_applications (arn),
    type        TEXT NOT NULL,
    document    TEXT NOT NULL,
    principals  TEXT NOT NULL,
    PRIMARY KEY (application, type)
) STRICT;

CREATE TABLE center_assignments (
    application    TEXT NOT NULL REFERENCES center_applications (arn),
    principal_type TEXT NOT NULL,
    principal_id   TEXT NOT NULL,
    PRIMARY KEY (application, principal_type, principal_id)
) STRICT;
CREATE INDEX center_assignments_by_principal ON center_assignments (principal_id);

CREATE TABLE center_tags (
    resource TEXT NOT NULL,
    key      TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (resource, key)
) STRICT;

-- Client tokens of create operations, so that a repeated request has the result of the first.
CREATE TABLE center_requests (
    account     TEXT    NOT NULL,
    operation   TEXT    NOT NULL,
    token       TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    result      TEXT    NOT NULL,
    created     INTEGER NOT NULL,
    PRIMARY KEY (account, operation, token)
) STRICT;
CREATE INDEX center_requests_by_age ON center_requests (created);

-- Assertions that were exchanged: SHA-256 of instance, issuer and token id. A row is kept until the assertion would be
-- refused as expired.
CREATE TABLE used_tokens (
    id      BLOB    NOT NULL PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX used_tokens_by_expiry ON used_tokens (expires);

-- Refresh tokens, as SHA-256. Those that came from one sign-in are a family, which ends as one.
CREATE TABLE refresh_tokens (
    hash        BLOB    NOT NULL PRIMARY KEY,
    family      TEXT    NOT NULL,
    application TEXT    NOT NULL,
    user_id     TEXT    NOT NULL,
    issuer      TEXT    NOT NULL,
    scopes      TEXT    NOT NULL,
    signed_in   INTEGER NOT NULL,
    expires     INTEGER NOT NULL,
    used        INTEGER NOT NULL
) STRICT;
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires);

-- Keys that sign identity tokens. A key is published from its creation and signs from signs_from until a younger one does.
-- The private key is sealed for the place signing-key/<id>.
CREATE TABLE signing_keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    instance   TEXT    NOT NULL,
    algorithm  TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    signs_from INTEGER NOT NULL,
    secret     BLOB    NOT NULL
) STRICT;
CREATE INDEX signing_keys_by_instance ON signing_keys (instance);

-- +goose Down
DROP TABLE signing_keys;
DROP TABLE refresh_tokens;
DROP TABLE used_tokens;
DROP TABLE center_requests;
DROP TABLE center_tags;
DROP TABLE center_assignments;
DROP TABLE center_methods;
DROP TABLE center_scopes;
DROP TABLE center_grants;
DROP TABLE center_applications;
DROP TABLE center_issuers;
DROP TABLE center_instances;
