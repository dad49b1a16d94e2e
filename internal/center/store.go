package center

import (
	"context"
	"errors"

	"github.com/lakegate/lakegate/internal/store"
)

// The kinds of change. An application's change covers its grants, scopes, method and tags.
const (
	kindInstance    = "center-instance"
	kindIssuer      = "center-issuer"
	kindApplication = "center-application"
	kindAssignment  = "center-assignment"
)

const selectInstance = `SELECT arn, account, store, name, organization, created FROM center_instances`

func scanInstance(s store.Scanner) (*Instance, error) {
	i := &Instance{}
	var organization, created int64
	if err := s.Scan(&i.ARN, &i.Account, &i.StoreID, &i.Name, &organization, &created); err != nil {
		return nil, err
	}
	i.Organization, i.Created = organization != 0, store.Time(created)
	return i, nil
}

func readInstance(ctx context.Context, q store.Querier, arn string) (*Instance, error) {
	i, err := store.One(ctx, q, scanInstance, selectInstance+` WHERE arn = ?`, arn)
	if err != nil {
		return nil, err
	}
	i.Tags, err = readTags(ctx, q, arn)
	return i, err
}

func eachInstance(ctx context.Context, q store.Querier, do func(string, *Instance) error) error {
	tags, err := allTags(ctx, q)
	if err != nil {
		return err
	}
	return store.Each(ctx, q, scanInstance, func(i *Instance) error {
		i.Tags = tags[i.ARN]
		return do(i.ARN, i)
	}, selectInstance)
}

func insertInstance(ctx context.Context, tx *store.Tx, i *Instance) error {
	tx.Changed(kindInstance, i.ARN)
	_, err := tx.Exec(ctx, `INSERT INTO center_instances (arn, account, store, name, organization, created) VALUES (?, ?, ?, ?, ?, ?)`,
		i.ARN, i.Account, i.StoreID, i.Name, flag(i.Organization), store.Millis(i.Created))
	if err != nil {
		return err
	}
	return putTags(ctx, tx, i.ARN, i.Tags)
}

func renameInstance(ctx context.Context, tx *store.Tx, arn, name string) error {
	tx.Changed(kindInstance, arn)
	return tx.MustExec(ctx, `UPDATE center_instances SET name = ? WHERE arn = ?`, name, arn)
}

// deleteInstance removes an instance with all that hangs on it, but for its identity store.
func deleteInstance(ctx context.Context, tx *store.Tx, arn string) error {
	issuers, err := store.All(ctx, tx, store.Text, `SELECT arn FROM center_issuers WHERE instance = ?`, arn)
	if err != nil {
		return err
	}
	for _, i := range issuers {
		if err := deleteIssuer(ctx, tx, i); err != nil {
			return err
		}
	}
	applications, err := store.All(ctx, tx, store.Text, `SELECT arn FROM center_applications WHERE instance = ?`, arn)
	if err != nil {
		return err
	}
	for _, a := range applications {
		if err := deleteApplication(ctx, tx, a); err != nil {
			return err
		}
	}
	if err := deleteAccessControl(ctx, tx, arn); err != nil && !isNotFound(err) {
		return err
	}
	tx.Changed(kindInstance, arn)
	if err := dropTags(ctx, tx, arn); err != nil {
		return err
	}
	return tx.MustExec(ctx, `DELETE FROM center_instances WHERE arn = ?`, arn)
}

const selectIssuer = `SELECT arn, instance, name, url, claim, attribute, created FROM center_issuers`

func scanIssuer(s store.Scanner) (*Issuer, error) {
	i := &Issuer{}
	var created int64
	if err := s.Scan(&i.ARN, &i.Instance, &i.Name, &i.URL, &i.Claim, &i.Attribute, &created); err != nil {
		return nil, err
	}
	i.Created = store.Time(created)
	return i, nil
}

func readIssuer(ctx context.Context, q store.Querier, arn string) (*Issuer, error) {
	i, err := store.One(ctx, q, scanIssuer, selectIssuer+` WHERE arn = ?`, arn)
	if err != nil {
		return nil, err
	}
	i.Tags, err = readTags(ctx, q, arn)
	return i, err
}

func eachIssuer(ctx context.Context, q store.Querier, do func(string, *Issuer) error) error {
	tags, err := allTags(ctx, q)
	if err != nil {
		return err
	}
	return store.Each(ctx, q, scanIssuer, func(i *Issuer) error {
		i.Tags = tags[i.ARN]
		return do(i.ARN, i)
	}, selectIssuer)
}

func insertIssuer(ctx context.Context, tx *store.Tx, i *Issuer) error {
	tx.Changed(kindIssuer, i.ARN)
	_, err := tx.Exec(ctx, `INSERT INTO center_issuers (arn, instance, name, url, claim, attribute, created) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		i.ARN, i.Instance, i.Name, i.URL, i.Claim, i.Attribute, store.Millis(i.Created))
	if err != nil {
		return err
	}
	return putTags(ctx, tx, i.ARN, i.Tags)
}

func updateIssuer(ctx context.Context, tx *store.Tx, i *Issuer) error {
	tx.Changed(kindIssuer, i.ARN)
	return tx.MustExec(ctx, `UPDATE center_issuers SET name = ?, claim = ?, attribute = ? WHERE arn = ?`, i.Name, i.Claim, i.Attribute, i.ARN)
}

func deleteIssuer(ctx context.Context, tx *store.Tx, arn string) error {
	tx.Changed(kindIssuer, arn)
	if err := dropTags(ctx, tx, arn); err != nil {
		return err
	}
	return tx.MustExec(ctx, `DELETE FROM center_issuers WHERE arn = ?`, arn)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func status(b bool) string {
	if b {
		return enabled
	}
	return disabled
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

// tag is a row of center_tags.
type tag struct{ resource, key, value string }

func scanTag(s store.Scanner) (t tag, err error) { return t, s.Scan(&t.resource, &t.key, &t.value) }

func readTags(ctx context.Context, q store.Querier, resource string) (map[string]string, error) {
	tags := map[string]string{}
	err := store.Each(ctx, q, scanTag, func(t tag) error { tags[t.key] = t.value; return nil }, `SELECT resource, key, value FROM center_tags WHERE resource = ?`, resource)
	return tags, err
}

func allTags(ctx context.Context, q store.Querier) (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	err := store.Each(ctx, q, scanTag, func(t tag) error {
		if all[t.resource] == nil {
			all[t.resource] = map[string]string{}
		}
		all[t.resource][t.key] = t.value
		return nil
	}, `SELECT resource, key, value FROM center_tags`)
	return all, err
}

func putTags(ctx context.Context, tx *store.Tx, resource string, tags map[string]string) error {
	for k, v := range tags {
		_, err := tx.Exec(ctx, `INSERT INTO center_tags (resource, key, value) VALUES (?, ?, ?)
			ON CONFLICT (resource, key) DO UPDATE SET value = excluded.value`, resource, k, v)
		if err != nil {
			return err
		}
	}
	return nil
}

func dropTags(ctx context.Context, tx *store.Tx, resource string, keys ...string) error {
	if len(keys) == 0 {
		_, err := tx.Exec(ctx, `DELETE FROM center_tags WHERE resource = ?`, resource)
		return err
	}
	for _, k := range keys {
		if _, err := tx.Exec(ctx, `DELETE FROM center_tags WHERE resource = ? AND key = ?`, resource, k); err != nil {
			return err
		}
	}
	return nil
}

// request is the outcome of a create operation with a client token.
type request struct {
	fingerprint []byte
	result      string
}

func readRequest(ctx context.Context, tx *store.Tx, account, operation, token string, oldest int64) (request, error) {
	return store.One(ctx, tx, func(s store.Scanner) (r request, err error) { return r, s.Scan(&r.fingerprint, &r.result) },
		`SELECT fingerprint, result FROM center_requests WHERE account = ? AND operation = ? AND token = ? AND created >= ?`, account, operation, token, oldest)
}

// putRequest remembers an outcome, and forgets those from before oldest.
func putRequest(ctx context.Context, tx *store.Tx, account, operation, token string, r request, now, oldest int64) error {
	if _, err := tx.Exec(ctx, `DELETE FROM center_requests WHERE created < ?`, oldest); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO center_requests (account, operation, token, fingerprint, result, created) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (account, operation, token) DO UPDATE SET fingerprint = excluded.fingerprint, result = excluded.result, created = excluded.created`,
		account, operation, token, r.fingerprint, r.result, now)
	return err
}
