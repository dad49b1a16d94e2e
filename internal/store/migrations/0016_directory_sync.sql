-- +goose Up
-- Runs of a source of the directory, the newest hundred of each. report is JSON.
CREATE TABLE directory_syncs (
    id         TEXT    NOT NULL PRIMARY KEY,
    store      TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    cause      TEXT    NOT NULL,
    started_by TEXT    NOT NULL,
    dry_run    INTEGER NOT NULL,
    forced     INTEGER NOT NULL,
    started    INTEGER NOT NULL,
    ended      INTEGER NOT NULL,
    report     TEXT    NOT NULL
) STRICT;
CREATE INDEX directory_syncs_by_source ON directory_syncs (source, started, id);

-- +goose Down
DROP TABLE directory_syncs;
