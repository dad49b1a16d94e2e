-- +goose Up
-- Groups that belong to groups: everybody in member_id belongs to group_id too. Nothing in the table keeps it free of
-- cycles; the serializable change that adds a row does.
CREATE TABLE nested_groups (
    store      TEXT    NOT NULL,
    group_id   TEXT    NOT NULL,
    member_id  TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    PRIMARY KEY (store, group_id, member_id)
) STRICT;
CREATE INDEX nested_groups_by_member ON nested_groups (store, member_id, group_id);

-- With the order in which they are read; without it SQLite walks over every external id of the store instead.
DROP INDEX external_ids_by_owner;
CREATE INDEX external_ids_by_owner ON external_ids (store, kind, owner, issuer, id);
-- For an id of whatever issuer.
CREATE INDEX external_ids_by_id ON external_ids (store, kind, id, owner);

-- +goose Down
DROP INDEX external_ids_by_id;
DROP INDEX external_ids_by_owner;
CREATE INDEX external_ids_by_owner ON external_ids (store, kind, owner);
DROP TABLE nested_groups;
