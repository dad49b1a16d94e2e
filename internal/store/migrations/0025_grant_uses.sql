-- +goose Up
-- When each access grant was last used, in milliseconds. No decision depends on it, so it makes no change of the grant.
CREATE TABLE grant_uses (
    account TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    used    INTEGER NOT NULL,
    PRIMARY KEY (account, id)
) STRICT;

-- +goose Down
DROP TABLE grant_uses;
