-- +goose Up
-- Storage elsewhere. settings is JSON without secrets; the secrets are sealed for the backend's name. A bucket whose
-- backend is empty is in the embedded storage; else remote_bucket and remote_prefix say where it is, and attached is 1
-- when the place was there before the bucket was.
CREATE TABLE backends (
    name     TEXT    NOT NULL PRIMARY KEY,
    settings TEXT    NOT NULL,
    secrets  BLOB    NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL
) STRICT;
ALTER TABLE buckets ADD COLUMN backend TEXT NOT NULL DEFAULT '';
ALTER TABLE buckets ADD COLUMN remote_bucket TEXT NOT NULL DEFAULT '';
ALTER TABLE buckets ADD COLUMN remote_prefix TEXT NOT NULL DEFAULT '';
ALTER TABLE buckets ADD COLUMN attached INTEGER NOT NULL DEFAULT 0;
CREATE INDEX buckets_by_backend ON buckets (backend, remote_bucket);

-- +goose Down
DROP INDEX buckets_by_backend;
ALTER TABLE buckets DROP COLUMN attached;
ALTER TABLE buckets DROP COLUMN remote_prefix;
ALTER TABLE buckets DROP COLUMN remote_bucket;
ALTER TABLE buckets DROP COLUMN backend;
DROP TABLE backends;
