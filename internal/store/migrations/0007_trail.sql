-- +goose Up
-- The recent records: management events, and refused data events for whoever asks why. A row with delivered = 0 was
-- committed with its change, or could not be logged, and is not yet in the log. Steps are those of the decision, as JSON.
CREATE TABLE events (
    id         TEXT    NOT NULL PRIMARY KEY,
    account    TEXT    NOT NULL,
    time       INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    data       INTEGER NOT NULL,
    read_only  INTEGER NOT NULL,
    user_name  TEXT    NOT NULL,
    access_key TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    delivered  INTEGER NOT NULL,
    record     TEXT    NOT NULL,
    steps      TEXT    NOT NULL
) STRICT;
CREATE INDEX events_by_time ON events (account, data, time, id);
CREATE INDEX events_by_name ON events (account, name, time);
CREATE INDEX events_by_user ON events (account, user_name, time);
CREATE INDEX events_by_key ON events (access_key, time) WHERE access_key <> '';
CREATE INDEX events_by_request ON events (request_id);
CREATE INDEX events_by_age ON events (data, time);
CREATE INDEX events_undelivered ON events (time) WHERE delivered = 0;

CREATE TABLE event_resources (
    event TEXT NOT NULL,
    type  TEXT NOT NULL,
    name  TEXT NOT NULL,
    PRIMARY KEY (event, type, name)
) STRICT;
CREATE INDEX event_resources_by_name ON event_resources (name);

-- +goose Down
DROP TABLE event_resources;
DROP TABLE events;
