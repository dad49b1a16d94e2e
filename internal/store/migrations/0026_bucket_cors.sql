-- +goose Up
-- The rules by which pages in a browser may call a bucket, as JSON; empty where there are none.
ALTER TABLE buckets ADD COLUMN cors TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE buckets DROP COLUMN cors;
