-- +goose Up
-- The end of each node's audit log when the disk last had it, so that a log whose end was cut off is noticed.
CREATE TABLE audit_heads (
    node     TEXT    NOT NULL PRIMARY KEY,
    segment  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    entry    INTEGER NOT NULL,
    hash     TEXT    NOT NULL,
    time     INTEGER NOT NULL
) STRICT;

-- +goose Down
DROP TABLE audit_heads;
