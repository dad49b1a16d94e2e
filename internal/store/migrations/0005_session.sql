-- +goose Up
-- The key ring of session tokens and identity contexts. The newest key seals; every key opens until it is removed.
CREATE TABLE session_keys (
    id      TEXT    NOT NULL PRIMARY KEY,
    created INTEGER NOT NULL,
    secret  BLOB    NOT NULL
) STRICT;

-- +goose Down
DROP TABLE session_keys;
