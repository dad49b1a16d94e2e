-- +goose Up
-- Attributes for access control: which attributes of a person become tags of a session, for each instance that says so.
-- document is a list of key and source.
CREATE TABLE center_access_control (
    instance TEXT NOT NULL PRIMARY KEY REFERENCES center_instances (arn),
    document TEXT NOT NULL
) STRICT;

-- +goose Down
DROP TABLE center_access_control;
