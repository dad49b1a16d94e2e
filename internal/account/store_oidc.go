package account

import (
	"context"
	"strings"

	"github.com/lakegate/lakegate/internal/store"
)

const oidcColumns = `SELECT account, name, url, clients, thumbprints, tags, created FROM iam_oidc_providers`

func scanOIDC(s store.Scanner) (*OIDCProvider, error) {
	var (
		p                          OIDCProvider
		clients, thumbprints, tags string
		created                    int64
	)
	if err := s.Scan(&p.Account, &p.Name, &p.URL, &clients, &thumbprints, &tags, &created); err != nil {
		return nil, err
	}
	p.Created = store.Time(created)
	if err := decode(clients, &p.Clients); err != nil {
		return nil, err
	}
	if err := decode(thumbprints, &p.Thumbprints); err != nil {
		return nil, err
	}
	return &p, decode(tags, &p.Tags)
}

func readOIDC(ctx context.Context, q store.Querier, key string) (*OIDCProvider, error) {
	account, name, _ := strings.Cut(key, " ")
	return store.One(ctx, q, scanOIDC, oidcColumns+` WHERE account = ? AND name = ?`, account, name)
}

func eachOIDC(ctx context.Context, q store.Querier, do func(string, *OIDCProvider) error) error {
	return store.Each(ctx, q, scanOIDC, func(p *OIDCProvider) error { return do(oidcKey(p.Account, p.Name), p) }, oidcColumns)
}

func countOIDC(ctx context.Context, q store.Querier, account string) (int64, error) {
	return store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM iam_oidc_providers WHERE account = ?`, account)
}

func (p *OIDCProvider) columns() (clients, thumbprints, tags string, err error) {
	if clients, err = encode(p.Clients); err != nil {
		return "", "", "", err
	}
	if thumbprints, err = encode(p.Thumbprints); err != nil {
		return "", "", "", err
	}
	tags, err = encode(p.Tags)
	return clients, thumbprints, tags, err
}

// insertOIDC writes a new provider. A name that is taken is store.ErrConflict.
func insertOIDC(ctx context.Context, tx *store.Tx, p *OIDCProvider) error {
	clients, thumbprints, tags, err := p.columns()
	if err != nil {
		return err
	}
	tx.Changed(oidcChange, oidcKey(p.Account, p.Name))
	_, err = tx.Exec(ctx, `INSERT INTO iam_oidc_providers (account, name, url, clients, thumbprints, tags, created) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		p.Account, p.Name, p.URL, clients, thumbprints, tags, store.Millis(p.Created))
	return err
}

func updateOIDC(ctx context.Context, tx *store.Tx, p *OIDCProvider) error {
	clients, thumbprints, tags, err := p.columns()
	if err != nil {
		return err
	}
	tx.Changed(oidcChange, oidcKey(p.Account, p.Name))
	return tx.MustExec(ctx, `UPDATE iam_oidc_providers SET clients = ?, thumbprints = ?, tags = ? WHERE account = ? AND name = ?`,
		clients, thumbprints, tags, p.Account, p.Name)
}

func deleteOIDC(ctx context.Context, tx *store.Tx, p *OIDCProvider) error {
	tx.Changed(oidcChange, oidcKey(p.Account, p.Name))
	return tx.MustExec(ctx, `DELETE FROM iam_oidc_providers WHERE account = ? AND name = ?`, p.Account, p.Name)
}
