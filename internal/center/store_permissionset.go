package center

import (
	"context"
	"slices"

	"github.com/lakegate/lakegate/internal/store"
)

// The kinds of change of what people get in accounts. A permission set's change covers its policies and tags.
const (
	kindPermissionSet = "center-permission-set"
	kindProvision     = "center-provision"
	kindAccountAccess = "center-account-assignment"
	kindOperation     = "center-operation"
)

const selectPermissionSet = `SELECT arn, instance, name, description, duration, relay_state, inline, boundary, boundary_path, boundary_name, version, created FROM center_permission_sets`

func scanPermissionSet(s store.Scanner) (*PermissionSet, error) {
	p := &PermissionSet{}
	var created int64
	var boundary string
	err := s.Scan(&p.ARN, &p.Instance, &p.Name, &p.Description, &p.Duration, &p.RelayState, &p.Inline, &boundary, &p.Boundary.Path, &p.Boundary.Name, &p.Version, &created)
	if boundary != "" {
		p.Boundary = PolicyReference{Name: boundary}
	}
	p.Created = store.Time(created)
	return p, err
}

// held is a policy with the permission set that it belongs to.
type held struct {
	set string
	PolicyReference
}

func scanHeld(s store.Scanner) (h held, err error) { return h, s.Scan(&h.set, &h.Path, &h.Name) }

const selectHeld = `SELECT permission_set, path, name FROM center_permission_set_policies`

func readPermissionSet(ctx context.Context, q store.Querier, arn string) (*PermissionSet, error) {
	p, err := store.One(ctx, q, scanPermissionSet, selectPermissionSet+` WHERE arn = ?`, arn)
	if err != nil {
		return nil, err
	}
	err = store.Each(ctx, q, scanHeld, func(h held) error { p.Policies = append(p.Policies, h.PolicyReference); return nil }, selectHeld+` WHERE permission_set = ?`, arn)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(p.Policies, compareReferences)
	p.Tags, err = readTags(ctx, q, arn)
	return p, err
}

func eachPermissionSet(ctx context.Context, q store.Querier, do func(string, *PermissionSet) error) error {
	tags, err := allTags(ctx, q)
	if err != nil {
		return err
	}
	policies := map[string][]PolicyReference{}
	err = store.Each(ctx, q, scanHeld, func(h held) error {
		policies[h.set] = append(policies[h.set], h.PolicyReference)
		return nil
	}, selectHeld)
	if err != nil {
		return err
	}
	return store.Each(ctx, q, scanPermissionSet, func(p *PermissionSet) error {
		p.Tags, p.Policies = tags[p.ARN], policies[p.ARN]
		slices.SortFunc(p.Policies, compareReferences)
		return do(p.ARN, p)
	}, selectPermissionSet)
}

func insertPermissionSet(ctx context.Context, tx *store.Tx, p *PermissionSet) error {
	tx.Changed(kindPermissionSet, p.ARN)
	_, err := tx.Exec(ctx, `INSERT INTO center_permission_sets (arn, instance, name, description, duration, relay_state, inline, boundary, boundary_path, boundary_name, version, created)
		VALUES (?, ?, ?, ?, ?, ?, '', '', '', '', ?, ?)`, p.ARN, p.Instance, p.Name, p.Description, p.Duration, p.RelayState, p.Version, store.Millis(p.Created))
	if err != nil {
		return err
	}
	return putTags(ctx, tx, p.ARN, p.Tags)
}

// updatePermissionSet writes everything of a permission set but its managed policies, as its next version.
func updatePermissionSet(ctx context.Context, tx *store.Tx, p *PermissionSet) error {
	own, aws := p.Boundary, ""
	if p.Boundary.isAWS() {
		own, aws = PolicyReference{}, p.Boundary.Name
	}
	tx.Changed(kindPermissionSet, p.ARN)
	return tx.MustExec(ctx, `UPDATE center_permission_sets SET description = ?, duration = ?, relay_state = ?, inline = ?, boundary = ?, boundary_path = ?, boundary_name = ?, version = version + 1 WHERE arn = ?`,
		p.Description, p.Duration, p.RelayState, p.Inline, aws, own.Path, own.Name, p.ARN)
}

func insertHeld(ctx context.Context, tx *store.Tx, set string, r PolicyReference) error {
	_, err := tx.Exec(ctx, `INSERT INTO center_permission_set_policies (permission_set, path, name) VALUES (?, ?, ?)`, set, r.Path, r.Name)
	return err
}

func deleteHeld(ctx context.Context, tx *store.Tx, set string, r PolicyReference) error {
	return tx.MustExec(ctx, `DELETE FROM center_permission_set_policies WHERE permission_set = ? AND path = ? AND name = ?`, set, r.Path, r.Name)
}

func deletePermissionSet(ctx context.Context, tx *store.Tx, arn string) error {
	tx.Changed(kindPermissionSet, arn)
	if err := dropTags(ctx, tx, arn); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM center_permission_set_policies WHERE permission_set = ?`, arn); err != nil {
		return err
	}
	return tx.MustExec(ctx, `DELETE FROM center_permission_sets WHERE arn = ?`, arn)
}

func countPermissionSets(ctx context.Context, q store.Querier, instance string) (int64, error) {
	return store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM center_permission_sets WHERE instance = ?`, instance)
}

func countPermissionSetsNamed(ctx context.Context, q store.Querier, instance, name string) (int64, error) {
	return store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM center_permission_sets WHERE instance = ? AND name = ?`, instance, name)
}
