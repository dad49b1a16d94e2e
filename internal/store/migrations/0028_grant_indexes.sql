-- +goose Up
-- The unique constraint of the table begins with the same columns, and serves whoever looks for the grants of a location.
DROP INDEX access_grants_by_location;

-- +goose Down
CREATE INDEX access_grants_by_location ON access_grants (account, location);
