-- +goose Up
-- Revocations: sessions that were issued at or before a moment (before_at) and are of what kind and value name are over.
-- account is whose sessions; empty for those of every account.
CREATE TABLE revocations (
    id         TEXT    NOT NULL PRIMARY KEY,
    account    TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    before_at  INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    created_by TEXT    NOT NULL
) STRICT;
CREATE INDEX revocations_by_account ON revocations (account, id);

-- +goose Down
DROP TABLE revocations;
