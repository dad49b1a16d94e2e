package grants

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
)

func encodeTags(tags map[string]string) (string, error) {
	text, err := json.Marshal(tags)
	if err != nil {
		return "", fmt.Errorf("encode tags: %w", err)
	}
	return string(text), nil
}

func decodeTags(text string) (map[string]string, error) {
	tags := map[string]string{}
	if text == "{}" {
		return tags, nil
	}
	if err := json.Unmarshal([]byte(text), &tags); err != nil {
		return nil, fmt.Errorf("read tags: %w", err)
	}
	return tags, nil
}

func split(k string) (account, id string) {
	account, id, _ = strings.Cut(k, "/")
	return account, id
}

const selectInstance = `SELECT account, identity_center, application, policy, organization, policy_created, tags, created FROM grants_instances`

func scanInstance(s store.Scanner) (*Instance, error) {
	var (
		i                        Instance
		text, organization, tags string
		policyCreated, created   int64
	)
	if err := s.Scan(&i.Account, &i.IdentityCenter, &i.Application, &text, &organization, &policyCreated, &tags, &created); err != nil {
		return nil, err
	}
	var err error
	if i.Tags, err = decodeTags(tags); err != nil {
		return nil, err
	}
	i.Created = store.Time(created)
	if text != "" {
		// A policy that cannot be read any more has no document, and a policy without a document denies everything.
		document, _ := policy.Parse([]byte(text), policy.Resource)
		i.Policy = &ResourcePolicy{Text: text, Document: document, Organization: organization, Created: store.Time(policyCreated)}
	}
	return &i, nil
}

func readInstance(ctx context.Context, q store.Querier, account string) (*Instance, error) {
	return store.One(ctx, q, scanInstance, selectInstance+` WHERE account = ?`, account)
}

func eachInstance(ctx context.Context, q store.Querier, do func(string, *Instance) error) error {
	return store.Each(ctx, q, scanInstance, func(i *Instance) error { return do(i.Account, i) }, selectInstance)
}

// putInstance writes an instance as a whole.
func putInstance(ctx context.Context, tx *store.Tx, i *Instance) error {
	tags, err := encodeTags(i.Tags)
	if err != nil {
		return err
	}
	p := ResourcePolicy{}
	if i.Policy != nil {
		p = *i.Policy
	}
	tx.Changed(kindInstance, i.Account)
	_, err = tx.Exec(ctx, `INSERT INTO grants_instances (account, identity_center, application, policy, organization, policy_created, tags, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (account) DO UPDATE SET identity_center = excluded.identity_center, application = excluded.application, policy = excluded.policy,
		organization = excluded.organization, policy_created = excluded.policy_created, tags = excluded.tags`,
		i.Account, i.IdentityCenter, i.Application, p.Text, p.Organization, store.Millis(p.Created), tags, store.Millis(i.Created))
	return err
}

func deleteInstance(ctx context.Context, tx *store.Tx, account string) error {
	tx.Changed(kindInstance, account)
	return tx.MustExec(ctx, `DELETE FROM grants_instances WHERE account = ?`, account)
}

const selectLocation = `SELECT account, id, scope, role, tags, created, owner FROM grants_locations`

func scanLocation(s store.Scanner) (*Location, error) {
	var (
		l          Location
		text, tags string
		created    int64
	)
	if err := s.Scan(&l.Account, &l.ID, &text, &l.Role, &tags, &created, &l.Owner); err != nil {
		return nil, err
	}
	var err error
	if l.Tags, err = decodeTags(tags); err != nil {
		return nil, err
	}
	if l.Scope, err = scope.ParseLocation(text); err != nil {
		return nil, fmt.Errorf("read location %s: %w", l.ID, err)
	}
	l.Created = store.Time(created)
	return &l, nil
}

func readLocation(ctx context.Context, q store.Querier, k string) (*Location, error) {
	account, id := split(k)
	return store.One(ctx, q, scanLocation, selectLocation+` WHERE account = ? AND id = ?`, account, id)
}

func eachLocation(ctx context.Context, q store.Querier, do func(string, *Location) error) error {
	return store.Each(ctx, q, scanLocation, func(l *Location) error { return do(key(l.Account, l.ID), l) }, selectLocation)
}

func putLocation(ctx context.Context, tx *store.Tx, l *Location) error {
	tags, err := encodeTags(l.Tags)
	if err != nil {
		return err
	}
	tx.Changed(kindLocation, key(l.Account, l.ID))
	_, err = tx.Exec(ctx, `INSERT INTO grants_locations (account, id, scope, role, tags, created, owner) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (account, id) DO UPDATE SET role = excluded.role, tags = excluded.tags`,
		l.Account, l.ID, l.Scope.Text, l.Role, tags, store.Millis(l.Created), l.Owner)
	return err
}

func deleteLocation(ctx context.Context, tx *store.Tx, account, id string) error {
	tx.Changed(kindLocation, key(account, id))
	return tx.MustExec(ctx, `DELETE FROM grants_locations WHERE account = ? AND id = ?`, account, id)
}

const selectGrant = `SELECT account, id, location, sub_prefix, scope, object, grantee_type, grantee, permission, application, tags, created, terms, owner FROM access_grants`

func scanGrant(s store.Scanner) (*Grant, error) {
	var (
		g               Grant
		tags            string
		terms, owner    string
		object, created int64
	)
	err := s.Scan(&g.Account, &g.ID, &g.LocationID, &g.SubPrefix, &g.Text, &object, &g.Grantee.Type, &g.Grantee.ID, &g.Permission, &g.Application, &tags, &created, &terms, &owner)
	if err != nil {
		return nil, err
	}
	g.Object, g.Created = object != 0, store.Time(created)
	if g.Tags, err = decodeTags(tags); err != nil {
		return nil, err
	}
	if g.Terms, err = decodeTerms(terms, owner, g.Tags[TagReason]); err != nil {
		return nil, fmt.Errorf("read grant %s: %w", g.ID, err)
	}
	if g.Scope, err = scope.ParseTemplate(g.Text, g.Object); err != nil {
		return nil, fmt.Errorf("read grant %s: %w", g.ID, err)
	}
	return &g, nil
}

func readGrant(ctx context.Context, q store.Querier, k string) (*Grant, error) {
	account, id := split(k)
	return store.One(ctx, q, scanGrant, selectGrant+` WHERE account = ? AND id = ?`, account, id)
}

// manyGrants reads the grants of keys, which are of any accounts. Those that are gone it leaves out.
func manyGrants(ctx context.Context, q store.Querier, keys []string, do func(*Grant)) error {
	byAccount := map[string][]any{}
	for _, k := range keys {
		account, id := split(k)
		byAccount[account] = append(byAccount[account], id)
	}
	for account, ids := range byAccount {
		err := store.Each(ctx, q, scanGrant, func(g *Grant) error { do(g); return nil },
			selectGrant+` WHERE account = ? AND id IN (?`+strings.Repeat(`, ?`, len(ids)-1)+`)`, append([]any{account}, ids...)...)
		if err != nil {
			return err
		}
	}
	return nil
}

const grantColumns = 16

// grantRow are the values of a grant in the order of its columns.
func grantRow(g *Grant) ([]any, error) {
	tags, err := encodeTags(g.Tags)
	if err != nil {
		return nil, err
	}
	terms, ends, owner, err := g.Terms.encode()
	if err != nil {
		return nil, err
	}
	object := 0
	if g.Object {
		object = 1
	}
	return []any{
		g.Account, g.ID, g.LocationID, g.SubPrefix, g.Text, object, string(g.Grantee.Type), g.Grantee.ID, string(g.Permission), g.Application, tags, store.Millis(g.Created), terms, ends, owner, reachOf(g.Scope),
	}, nil
}

const (
	intoGrants = `INSERT INTO access_grants (account, id, location, sub_prefix, scope, object, grantee_type, grantee, permission, application, tags, created, terms, ends, owner, reach) VALUES `
	oneGrant   = `(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

func insertGrant(ctx context.Context, tx *store.Tx, g *Grant) error {
	row, err := grantRow(g)
	if err != nil {
		return err
	}
	tx.Changed(kindGrant, key(g.Account, g.ID))
	_, err = tx.Exec(ctx, intoGrants+oneGrant, row...)
	return err
}

// countDenials is how many grants deny something to a grantee.
func countDenials(ctx context.Context, tx *store.Tx, account string, to Grantee) (int64, error) {
	return count(ctx, tx, `SELECT COUNT(*) FROM access_grants WHERE account = ? AND grantee_type = ? AND grantee = ? AND terms LIKE '%"deny":true%'`, account, string(to.Type), to.ID)
}

// grantsAtOnce is how many grants one statement writes.
const grantsAtOnce = 50

// insertGrants writes the grants of which there is none alike, and returns them.
func insertGrants(ctx context.Context, tx *store.Tx, all []*Grant) (made []*Grant, err error) {
	for some := range slices.Chunk(all, grantsAtOnce) {
		args := make([]any, 0, grantColumns*len(some))
		for _, g := range some {
			row, err := grantRow(g)
			if err != nil {
				return nil, err
			}
			args = append(args, row...)
		}
		n, err := tx.Repeat(ctx, intoGrants+oneGrant+strings.Repeat(`, `+oneGrant, len(some)-1)+` ON CONFLICT DO NOTHING`, args...)
		if err != nil {
			return nil, err
		}
		if n < int64(len(some)) {
			if some, err = present(ctx, tx, some); err != nil {
				return nil, err
			}
		}
		for _, g := range some {
			k := key(g.Account, g.ID)
			if g.Terms != nil || g.HasVariables() {
				tx.Changed(kindGrant, k)
				continue
			}
			own := *g
			own.Application = strings.Clone(g.Application) // it may be a piece of a whole request
			tx.Wrote(kindGrant, k, &own)
		}
		made = append(made, some...)
	}
	return made, nil
}

// present are the grants of an account that are stored, out of some with ids.
func present(ctx context.Context, tx *store.Tx, some []*Grant) (stored []*Grant, err error) {
	ids := make([]string, len(some))
	for i, g := range some {
		ids[i] = g.ID
	}
	c := &conditions{}
	c.in("id", ids)
	there := map[string]bool{}
	err = store.Each(ctx, tx, store.Text, func(id string) error {
		there[id] = true
		return nil
	}, `SELECT id FROM access_grants WHERE account = ?`+c.text.String(), append([]any{some[0].Account}, c.args...)...)
	for _, g := range some {
		if there[g.ID] {
			stored = append(stored, g)
		}
	}
	return stored, err
}

// endedGrants reads grants that ended before a moment, the oldest end first.
func endedGrants(ctx context.Context, q store.Querier, before time.Time, limit int) (all []*Grant, err error) {
	err = store.Each(ctx, q, scanGrant, func(g *Grant) error {
		all = append(all, g)
		return nil
	}, selectGrant+` WHERE ends > 0 AND ends < ? ORDER BY ends, account, id LIMIT ?`, store.Millis(before), limit)
	return all, err
}

func retagGrant(ctx context.Context, tx *store.Tx, g *Grant, tags map[string]string) error {
	text, err := encodeTags(tags)
	if err != nil {
		return err
	}
	tx.Changed(kindGrant, key(g.Account, g.ID))
	return tx.MustExec(ctx, `UPDATE access_grants SET tags = ? WHERE account = ? AND id = ?`, text, g.Account, g.ID)
}

func deleteGrant(ctx context.Context, tx *store.Tx, account, id string) error {
	tx.Changed(kindGrant, key(account, id))
	if _, err := tx.Exec(ctx, `DELETE FROM grant_uses WHERE account = ? AND id = ?`, account, id); err != nil {
		return err
	}
	return tx.MustExec(ctx, `DELETE FROM access_grants WHERE account = ? AND id = ?`, account, id)
}

// count is how many rows of a table an account has, inside a transaction: what a quota or an emptiness is decided by.
func count(ctx context.Context, tx *store.Tx, query string, args ...any) (int64, error) {
	return store.One(ctx, tx, store.Int, query, args...)
}

// saveUse is no change: see SaveUses. A grant that is gone has no use.
func saveUse(ctx context.Context, tx *store.Tx, account, id string, at time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO grant_uses (account, id, used) SELECT account, id, CAST(? AS BIGINT) FROM access_grants WHERE account = ? AND id = ?
		ON CONFLICT (account, id) DO UPDATE SET used = excluded.used WHERE excluded.used > grant_uses.used`, store.Millis(at), account, id)
	return err
}

type used struct {
	id string
	at int64
}

func scanUsed(s store.Scanner) (u used, err error) { return u, s.Scan(&u.id, &u.at) }

func readUses(ctx context.Context, q store.Querier, account string, ids []string, into map[string]time.Time) error {
	c := &conditions{}
	c.in("id", ids)
	return store.Each(ctx, q, scanUsed, func(u used) error {
		into[u.id] = store.Time(u.at)
		return nil
	}, `SELECT id, used FROM grant_uses WHERE account = ?`+c.text.String(), append([]any{account}, c.args...)...)
}
