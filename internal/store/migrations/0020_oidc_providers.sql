-- +goose Up
-- OpenID Connect providers of IAM: whose tokens the roles of an account may trust. name is the URL without its scheme, by
-- which the ARN and condition keys name the provider; clients, thumbprints and tags are JSON lists.
CREATE TABLE iam_oidc_providers (
    account     TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    url         TEXT    NOT NULL,
    clients     TEXT    NOT NULL,
    thumbprints TEXT    NOT NULL,
    tags        TEXT    NOT NULL,
    created     INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) STRICT;

-- +goose Down
DROP TABLE iam_oidc_providers;
