-- +goose Up
-- One row: the number of the last committed change.
CREATE TABLE revision (
    id    INTEGER NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
INSERT INTO revision (id, value) VALUES (1, 0);

-- The change feed: what each revision touched, so that an index can follow without reading whole tables.
CREATE TABLE changes (
    revision INTEGER NOT NULL,
    position INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (revision, position)
) STRICT;

-- Facts about the installation as a whole, such as its management account.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

-- +goose Down
DROP TABLE settings;
DROP TABLE changes;
DROP TABLE revision;
