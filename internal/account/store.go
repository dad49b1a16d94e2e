package account

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
)

// Reading. Each kind has a scan of one row, One for the mirror to follow a change, and Every for the start; what hangs on
// an entity or policy is read with it.

const organizationColumns = `SELECT id, root, management, created FROM organization`

func scanOrganization(s store.Scanner) (*Organization, error) {
	var o Organization
	var created int64
	err := s.Scan(&o.ID, &o.Root, &o.Management, &created)
	o.Created = store.Time(created)
	return &o, err
}

func readOrganization(ctx context.Context, q store.Querier, id string) (*Organization, error) {
	return store.One(ctx, q, scanOrganization, organizationColumns+` WHERE id = ?`, id)
}

func eachOrganization(ctx context.Context, q store.Querier, do func(string, *Organization) error) error {
	return store.Each(ctx, q, scanOrganization, func(o *Organization) error { return do(o.ID, o) }, organizationColumns)
}

const accountColumns = `SELECT id, name, email, status, joined_method, joined, tags FROM accounts`

func scanAccount(s store.Scanner) (*Account, error) {
	var a Account
	var joined int64
	var tags string
	if err := s.Scan(&a.ID, &a.Name, &a.Email, &a.Status, &a.JoinedMethod, &joined, &tags); err != nil {
		return nil, err
	}
	a.Joined = store.Time(joined)
	return &a, decode(tags, &a.Tags)
}

func readAccount(ctx context.Context, q store.Querier, id string) (*Account, error) {
	return store.One(ctx, q, scanAccount, accountColumns+` WHERE id = ?`, id)
}

func eachAccount(ctx context.Context, q store.Querier, do func(string, *Account) error) error {
	return store.Each(ctx, q, scanAccount, func(a *Account) error { return do(a.ID, a) }, accountColumns)
}

const delegationColumns = `SELECT account, service, enabled FROM delegated_administrators`

func scanDelegation(s store.Scanner) (*Delegation, error) {
	var d Delegation
	var enabled int64
	err := s.Scan(&d.Account, &d.Service, &enabled)
	d.Enabled = store.Time(enabled)
	return &d, err
}

func readDelegation(ctx context.Context, q store.Querier, key string) (*Delegation, error) {
	account, service, _ := strings.Cut(key, "/")
	return store.One(ctx, q, scanDelegation, delegationColumns+` WHERE account = ? AND service = ?`, account, service)
}

func eachDelegation(ctx context.Context, q store.Querier, do func(string, *Delegation) error) error {
	return store.Each(ctx, q, scanDelegation, func(d *Delegation) error { return do(delegationKey(d.Account, d.Service), d) }, delegationColumns)
}

const entityColumns = `SELECT id, kind, account, path, name, created, boundary, tags, description, max_session, trust, trust_ids FROM iam_entities`

func scanEntity(s store.Scanner) (*Entity, error) {
	var e Entity
	var created, session int64
	var tags, trust, trustIDs string
	err := s.Scan(&e.ID, &e.Kind, &e.Account, &e.Path, &e.Name, &created, &e.Boundary, &tags, &e.Description, &session, &trust, &trustIDs)
	if err != nil {
		return nil, err
	}
	e.Created, e.MaxSession = store.Time(created), time.Duration(session)*time.Second
	if e.Kind == RoleKind {
		ids := map[string]string{}
		if err := decode(trustIDs, &ids); err != nil {
			return nil, err
		}
		e.Trust = newTrust(trust, ids)
	}
	return &e, decode(tags, &e.Tags)
}

// pair is two texts of a row: a policy's name and document, or the two ends of a relation.
type pair struct{ a, b string }

func scanPair(s store.Scanner) (p pair, err error) { return p, s.Scan(&p.a, &p.b) }

// triple is an inline policy with the entity that it belongs to.
type triple struct{ entity, name, text string }

func scanTriple(s store.Scanner) (t triple, err error) {
	return t, s.Scan(&t.entity, &t.name, &t.text)
}

func newInline(name, text string) Inline {
	doc, _ := policy.Parse([]byte(text), policy.Identity)
	return Inline{Name: name, Text: text, Document: doc}
}

func readEntity(ctx context.Context, q store.Querier, id string) (*Entity, error) {
	e, err := store.One(ctx, q, scanEntity, entityColumns+` WHERE id = ?`, id)
	if err != nil {
		return nil, err
	}
	inline, err := store.All(ctx, q, scanPair, `SELECT name, document FROM iam_inline_policies WHERE entity = ?`, id)
	if err != nil {
		return nil, err
	}
	for _, p := range inline {
		e.Inline = append(e.Inline, newInline(p.a, p.b))
	}
	if e.Attached, err = store.All(ctx, q, store.Text, `SELECT policy FROM iam_attachments WHERE entity = ?`, id); err != nil {
		return nil, err
	}
	if e.Groups, err = store.All(ctx, q, store.Text, `SELECT group_id FROM iam_memberships WHERE user_id = ?`, id); err != nil {
		return nil, err
	}
	e.sort()
	return e, nil
}

// sort brings what hangs on an entity in order here, since databases differ in the order of texts.
func (e *Entity) sort() {
	slices.SortFunc(e.Inline, func(a, b Inline) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(e.Attached)
	slices.Sort(e.Groups)
}

func eachEntity(ctx context.Context, q store.Querier, do func(string, *Entity) error) error {
	all, err := store.All(ctx, q, scanEntity, entityColumns)
	if err != nil {
		return err
	}
	byID := make(map[string]*Entity, len(all))
	for _, e := range all {
		byID[e.ID] = e
	}
	err = store.Each(ctx, q, scanTriple, func(t triple) error {
		if e := byID[t.entity]; e != nil {
			e.Inline = append(e.Inline, newInline(t.name, t.text))
		}
		return nil
	}, `SELECT entity, name, document FROM iam_inline_policies`)
	if err != nil {
		return err
	}
	err = store.Each(ctx, q, scanPair, func(p pair) error {
		if e := byID[p.a]; e != nil {
			e.Attached = append(e.Attached, p.b)
		}
		return nil
	}, `SELECT entity, policy FROM iam_attachments`)
	if err != nil {
		return err
	}
	err = store.Each(ctx, q, scanPair, func(p pair) error {
		if e := byID[p.a]; e != nil {
			e.Groups = append(e.Groups, p.b)
		}
		return nil
	}, `SELECT user_id, group_id FROM iam_memberships`)
	if err != nil {
		return err
	}
	for _, e := range all {
		e.sort()
		if err := do(e.ID, e); err != nil {
			return err
		}
	}
	return nil
}

const policyColumns = `SELECT arn, id, account, path, name, description, created, updated, default_version, last_version, tags FROM iam_policies`

func scanPolicy(s store.Scanner) (*ManagedPolicy, error) {
	var p ManagedPolicy
	var created, updated int64
	var tags string
	err := s.Scan(&p.ARN, &p.ID, &p.Account, &p.Path, &p.Name, &p.Description, &created, &updated, &p.Default, &p.Last, &tags)
	if err != nil {
		return nil, err
	}
	p.Created, p.Updated = store.Time(created), store.Time(updated)
	return &p, decode(tags, &p.Tags)
}

// ownedVersion is a version with the ARN of its policy.
type ownedVersion struct {
	arn string
	PolicyVersion
}

const versionColumns = `SELECT policy, version, document, created FROM iam_policy_versions`

func scanVersion(s store.Scanner) (v ownedVersion, err error) {
	var created int64
	if err := s.Scan(&v.arn, &v.Number, &v.Text, &created); err != nil {
		return v, err
	}
	v.Created = store.Time(created)
	v.Document, _ = policy.Parse([]byte(v.Text), policy.Identity)
	return v, nil
}

func readPolicy(ctx context.Context, q store.Querier, arn string) (*ManagedPolicy, error) {
	p, err := store.One(ctx, q, scanPolicy, policyColumns+` WHERE arn = ?`, arn)
	if err != nil {
		return nil, err
	}
	err = store.Each(ctx, q, scanVersion, func(v ownedVersion) error {
		p.Versions = append(p.Versions, v.PolicyVersion)
		return nil
	}, versionColumns+` WHERE policy = ? ORDER BY version`, arn)
	return p, err
}

func eachPolicy(ctx context.Context, q store.Querier, do func(string, *ManagedPolicy) error) error {
	all, err := store.All(ctx, q, scanPolicy, policyColumns)
	if err != nil {
		return err
	}
	byARN := make(map[string]*ManagedPolicy, len(all))
	for _, p := range all {
		byARN[p.ARN] = p
	}
	err = store.Each(ctx, q, scanVersion, func(v ownedVersion) error {
		if p := byARN[v.arn]; p != nil {
			p.Versions = append(p.Versions, v.PolicyVersion)
		}
		return nil
	}, versionColumns+` ORDER BY policy, version`)
	if err != nil {
		return err
	}
	for _, p := range all {
		if err := do(p.ARN, p); err != nil {
			return err
		}
	}
	return nil
}

const (
	keyColumns = `SELECT id, account, entity, status, created, secret FROM iam_access_keys`
	keyEnabled = "Active"
)

func scanKey(s store.Scanner) (*AccessKey, error) {
	var k AccessKey
	var status string
	var created int64
	err := s.Scan(&k.ID, &k.Account, &k.User, &status, &created, &k.sealed)
	k.Enabled, k.Created = status == keyEnabled, store.Time(created)
	return &k, err
}

func readKey(ctx context.Context, q store.Querier, id string) (*AccessKey, error) {
	return store.One(ctx, q, scanKey, keyColumns+` WHERE id = ?`, id)
}

func eachKey(ctx context.Context, q store.Querier, do func(string, *AccessKey) error) error {
	return store.Each(ctx, q, scanKey, func(k *AccessKey) error { return do(k.ID, k) }, keyColumns)
}

// encode and decode turn tags and the like into the text of a column.
func encode(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode column: %w", err)
	}
	return string(text), nil
}

func decode(text string, v any) error {
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("decode column: %w", err)
	}
	return nil
}

func readUse(ctx context.Context, q store.Querier, id string) (Use, error) {
	return store.One(ctx, q, func(s store.Scanner) (u Use, err error) {
		var at int64
		err = s.Scan(&at, &u.Service, &u.Region)
		u.At = store.Time(at)
		return u, err
	}, `SELECT used, used_service, used_region FROM iam_access_keys WHERE id = ?`, id)
}

func countEntities(ctx context.Context, q store.Querier, account string, kind Kind) (int64, error) {
	return store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM iam_entities WHERE account = ? AND kind = ?`, account, string(kind))
}

func countPolicies(ctx context.Context, q store.Querier, account string) (int64, error) {
	return store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM iam_policies WHERE account = ?`, account)
}

// countDependants counts the members of a group and the access keys of a user.
func countDependants(ctx context.Context, q store.Querier, id string) (members, keys int64, err error) {
	if members, err = store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM iam_memberships WHERE group_id = ?`, id); err != nil {
		return 0, 0, err
	}
	keys, err = store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM iam_access_keys WHERE entity = ?`, id)
	return members, keys, err
}
