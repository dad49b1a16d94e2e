-- +goose Up
-- Families: all that came from one sign-in of a person at one client, which ends as one. parent is the family whose access
-- token was exchanged for this one, empty for none. client is the ARN of an application or the id of a registered client;
-- application is empty for a client that is none. grant_type is how an application came to it, empty for a sign-in at the
-- instance itself; issuer is the trusted token issuer of jwt-bearer, or the application whose access token was exchanged. A
-- row is kept until everything sealed for the family has expired.
CREATE TABLE token_families (
    id          TEXT    NOT NULL PRIMARY KEY,
    parent      TEXT    NOT NULL,
    client      TEXT    NOT NULL,
    application TEXT    NOT NULL,
    instance    TEXT    NOT NULL,
    user_id     TEXT    NOT NULL,
    grant_type  TEXT    NOT NULL,
    issuer      TEXT    NOT NULL,
    scopes      TEXT    NOT NULL,
    signed_in   INTEGER NOT NULL,
    expires     INTEGER NOT NULL,
    ended       INTEGER NOT NULL
) STRICT;
CREATE INDEX token_families_by_parent ON token_families (parent);
CREATE INDEX token_families_by_expiry ON token_families (expires);

-- Refresh tokens, as SHA-256. What they stand for is in the family.
CREATE TABLE token_refreshes (
    hash   BLOB    NOT NULL PRIMARY KEY,
    family TEXT    NOT NULL,
    used   INTEGER NOT NULL
) STRICT;
CREATE INDEX token_refreshes_by_family ON token_refreshes (family);

INSERT INTO token_families (id, parent, client, application, instance, user_id, grant_type, issuer, scopes, signed_in, expires, ended)
    SELECT DISTINCT r.family, '', r.application, r.application, a.instance, r.user_id, 'urn:ietf:params:oauth:grant-type:jwt-bearer', r.issuer, r.scopes, r.signed_in, r.expires, 0
    FROM refresh_tokens r JOIN center_applications a ON a.arn = r.application;
INSERT INTO token_refreshes (hash, family, used) SELECT hash, family, used FROM refresh_tokens WHERE family IN (SELECT id FROM token_families);
DROP TABLE refresh_tokens;

-- Authorization codes, as SHA-256. A code that was used is kept, so that a second use is known as one.
CREATE TABLE token_codes (
    hash         BLOB    NOT NULL PRIMARY KEY,
    family       TEXT    NOT NULL,
    client       TEXT    NOT NULL,
    redirect_uri TEXT    NOT NULL,
    challenge    TEXT    NOT NULL,
    instance     TEXT    NOT NULL,
    user_id      TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    signed_in    INTEGER NOT NULL,
    expires      INTEGER NOT NULL,
    used         INTEGER NOT NULL
) STRICT;
CREATE INDEX token_codes_by_expiry ON token_codes (expires);

-- +goose Down
DROP TABLE token_codes;
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
INSERT INTO refresh_tokens (hash, family, application, user_id, issuer, scopes, signed_in, expires, used)
    SELECT r.hash, r.family, f.application, f.user_id, f.issuer, f.scopes, f.signed_in, f.expires, r.used
    FROM token_refreshes r JOIN token_families f ON f.id = r.family
    WHERE f.ended = 0 AND f.grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
DROP TABLE token_refreshes;
DROP TABLE token_families;
