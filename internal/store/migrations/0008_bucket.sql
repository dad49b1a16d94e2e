-- +goose Up
-- Who owns each bucket and what hangs on it. The objects are in the storage. A bucket whose state is "creating" is not
-- there for anybody but reserves its name; "deleting" is there until the storage has let go of it. policy_ids holds, as
-- JSON, the id that each user and role named in the policy had when it was put. Without a policy, or a public access
-- block, its column is empty.
CREATE TABLE buckets (
    name         TEXT    NOT NULL PRIMARY KEY,
    account      TEXT    NOT NULL,
    region       TEXT    NOT NULL,
    created      INTEGER NOT NULL,
    state        TEXT    NOT NULL,
    policy       TEXT    NOT NULL,
    policy_ids   TEXT    NOT NULL,
    access_block TEXT    NOT NULL,
    tags         TEXT    NOT NULL
) STRICT;

-- +goose Down
DROP TABLE buckets;
