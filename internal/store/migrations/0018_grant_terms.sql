-- +goose Up
-- Terms of grants. terms is JSON of what two grants to the same grantee may differ in: begin, end, effect, actions; empty
-- for none. ends is the end in milliseconds, 0 for none. owner is the ARN of a person or a group, empty for none.
-- The table is made anew, because terms belong to what is unique.
CREATE TABLE access_grants_with_terms (
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
    terms        TEXT    NOT NULL,
    ends         INTEGER NOT NULL,
    owner        TEXT    NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, location, sub_prefix, object, grantee_type, grantee, permission, application, terms)
) STRICT;
INSERT INTO access_grants_with_terms (account, id, location, sub_prefix, scope, object, grantee_type, grantee, permission, application, tags, created, terms, ends, owner)
    SELECT account, id, location, sub_prefix, scope, object, grantee_type, grantee, permission, application, tags, created, '', 0, '' FROM access_grants;
DROP TABLE access_grants;
ALTER TABLE access_grants_with_terms RENAME TO access_grants;
CREATE INDEX access_grants_by_location ON access_grants (account, location);
CREATE INDEX access_grants_by_grantee ON access_grants (account, grantee_type, grantee, id);
CREATE INDEX access_grants_by_end ON access_grants (ends, account, id) WHERE ends > 0;

ALTER TABLE grants_locations ADD COLUMN owner TEXT NOT NULL DEFAULT '';

-- +goose Down
-- Without its terms a grant would give more than was given: those that have any go, and those with variables.
DELETE FROM access_grants WHERE terms <> '' OR scope LIKE '%${%';
ALTER TABLE grants_locations DROP COLUMN owner;
CREATE TABLE access_grants_without_terms (
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
INSERT INTO access_grants_without_terms SELECT account, id, location, sub_prefix, scope, object, grantee_type, grantee, permission, application, tags, created FROM access_grants;
DROP TABLE access_grants;
ALTER TABLE access_grants_without_terms RENAME TO access_grants;
CREATE INDEX access_grants_by_location ON access_grants (account, location);
CREATE INDEX access_grants_by_grantee ON access_grants (account, grantee_type, grantee, id);
