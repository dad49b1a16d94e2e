-- +goose Up
-- Where the people of an identity center instance sign in. secret is sealed for the place sign-in-provider/<instance>, empty
-- for a public client.
CREATE TABLE sign_in_providers (
    instance        TEXT    NOT NULL PRIMARY KEY,
    issuer          TEXT    NOT NULL,
    client_id       TEXT    NOT NULL,
    secret          BLOB    NOT NULL,
    scopes          TEXT    NOT NULL,
    claim           TEXT    NOT NULL,
    attribute       TEXT    NOT NULL,
    session_seconds INTEGER NOT NULL,
    updated         INTEGER NOT NULL
) STRICT;

-- Browsers in which somebody is signed in, by the SHA-256 of the cookie.
CREATE TABLE browser_sessions (
    hash      BLOB    NOT NULL PRIMARY KEY,
    instance  TEXT    NOT NULL,
    user_id   TEXT    NOT NULL,
    signed_in INTEGER NOT NULL,
    expires   INTEGER NOT NULL
) STRICT;
CREATE INDEX browser_sessions_by_instance ON browser_sessions (instance);
CREATE INDEX browser_sessions_by_expiry ON browser_sessions (expires);

-- Device sign-ins, by the SHA-256 of the device code. A row outlives its expiry for a while, so that the device is told that
-- it waited too long. state is pending, approved, denied or spent; asked is when the device asked last, and wait for how many
-- seconds it is not to ask again.
CREATE TABLE device_sign_ins (
    hash      BLOB    NOT NULL PRIMARY KEY,
    user_code TEXT    NOT NULL UNIQUE,
    client    TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    instance  TEXT    NOT NULL,
    scopes    TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    created   INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    asked     INTEGER NOT NULL,
    wait      INTEGER NOT NULL,
    state     TEXT    NOT NULL,
    user_id   TEXT    NOT NULL,
    signed_in INTEGER NOT NULL
) STRICT;
CREATE INDEX device_sign_ins_by_expiry ON device_sign_ins (expires);

-- +goose Down
DROP TABLE device_sign_ins;
DROP TABLE browser_sessions;
DROP TABLE sign_in_providers;
