-- +goose Up
-- Trails: what an account has delivered into a bucket. selection and tags are JSON. Times are in milliseconds, 0 for never.
CREATE TABLE trails (
    account        TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    bucket         TEXT    NOT NULL,
    prefix         TEXT    NOT NULL,
    global_events  INTEGER NOT NULL,
    multi_region   INTEGER NOT NULL,
    validation     INTEGER NOT NULL,
    selection      TEXT    NOT NULL,
    tags           TEXT    NOT NULL,
    logging        INTEGER NOT NULL,
    started        INTEGER NOT NULL,
    stopped        INTEGER NOT NULL,
    delivered      INTEGER NOT NULL,
    attempted      INTEGER NOT NULL,
    digested       INTEGER NOT NULL,
    failure        TEXT    NOT NULL,
    digest_failure TEXT    NOT NULL,
    digest_from    INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) STRICT;

-- Files of records: planned (written = 0), then written. A node has at most one planned file for a trail. begins and ends are
-- positions in the node's log. digest is when the digest that names the file ends, 0 for none yet. sums is the hash of the
-- uncompressed content.
CREATE TABLE trail_files (
    account TEXT    NOT NULL,
    trail   TEXT    NOT NULL,
    node    TEXT    NOT NULL,
    begins  TEXT    NOT NULL,
    ends    TEXT    NOT NULL,
    bucket  TEXT    NOT NULL,
    object  TEXT    NOT NULL,
    written INTEGER NOT NULL,
    sums    TEXT    NOT NULL,
    oldest  TEXT    NOT NULL,
    newest  TEXT    NOT NULL,
    digest  INTEGER NOT NULL,
    PRIMARY KEY (account, trail, node, begins)
) STRICT;

-- Digests, which are signed when they are planned, so that a second attempt writes the same.
CREATE TABLE trail_digests (
    account   TEXT    NOT NULL,
    trail     TEXT    NOT NULL,
    begins    INTEGER NOT NULL,
    ends      INTEGER NOT NULL,
    bucket    TEXT    NOT NULL,
    object    TEXT    NOT NULL,
    content   BLOB    NOT NULL,
    sums      TEXT    NOT NULL,
    signature TEXT    NOT NULL,
    written   INTEGER NOT NULL,
    PRIMARY KEY (account, trail, ends)
) STRICT;

-- The keys that sign digests. private is sealed, and empty when the key signs no more.
CREATE TABLE trail_keys (
    fingerprint TEXT    NOT NULL PRIMARY KEY,
    public      BLOB    NOT NULL,
    private     BLOB    NOT NULL,
    begins      INTEGER NOT NULL,
    ends        INTEGER NOT NULL
) STRICT;

-- +goose Down
DROP TABLE trail_keys;
DROP TABLE trail_digests;
DROP TABLE trail_files;
DROP TABLE trails;
