-- +goose Up
-- Requests of people for access. duration is in seconds; expires is when an open one lapses; decided, decided_by, comment,
-- grant_id and grant_ends say how it ended. Times are in milliseconds, 0 for none.
CREATE TABLE access_requests (
    id             TEXT    NOT NULL PRIMARY KEY,
    account        TEXT    NOT NULL,
    identity_store TEXT    NOT NULL,
    user_id        TEXT    NOT NULL,
    application    TEXT    NOT NULL,
    scope          TEXT    NOT NULL,
    permission     TEXT    NOT NULL,
    duration       INTEGER NOT NULL,
    reason         TEXT    NOT NULL,
    status         TEXT    NOT NULL,
    created        INTEGER NOT NULL,
    expires        INTEGER NOT NULL,
    decided        INTEGER NOT NULL,
    decided_by     TEXT    NOT NULL,
    comment        TEXT    NOT NULL,
    grant_id       TEXT    NOT NULL,
    grant_ends     INTEGER NOT NULL
) STRICT;
CREATE INDEX access_requests_by_account ON access_requests (account, status, id);
CREATE INDEX access_requests_by_person ON access_requests (identity_store, user_id, status, id);
CREATE INDEX access_requests_by_expiry ON access_requests (status, expires);

-- What is to be told to the webhook, until it was told or given up.
CREATE TABLE access_request_notices (
    id       TEXT    NOT NULL PRIMARY KEY,
    body     TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due      INTEGER NOT NULL
) STRICT;
CREATE INDEX access_request_notices_by_due ON access_request_notices (due, id);

-- +goose Down
DROP TABLE access_request_notices;
DROP TABLE access_requests;
