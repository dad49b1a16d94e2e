package center

import (
	"context"
	"strings"

	"github.com/lakegate/lakegate/internal/store"
)

const selectProvision = `SELECT permission_set, account, role, version FROM center_provisions`

func scanProvision(s store.Scanner) (p Provision, err error) {
	return p, s.Scan(&p.Set, &p.Account, &p.Role, &p.Version)
}

func readProvision(ctx context.Context, q store.Querier, key string) (Provision, error) {
	set, account, _ := strings.Cut(key, " ")
	return store.One(ctx, q, scanProvision, selectProvision+` WHERE permission_set = ? AND account = ?`, set, account)
}

func eachProvision(ctx context.Context, q store.Querier, do func(string, Provision) error) error {
	return store.Each(ctx, q, scanProvision, func(p Provision) error { return do(p.key(), p) }, selectProvision)
}

// provisionsOf are all of a permission set, in order of their accounts.
func provisionsOf(ctx context.Context, q store.Querier, set string) ([]Provision, error) {
	return store.All(ctx, q, scanProvision, selectProvision+` WHERE permission_set = ? ORDER BY account`, set)
}

func putProvision(ctx context.Context, tx *store.Tx, p Provision) error {
	tx.Changed(kindProvision, p.key())
	_, err := tx.Exec(ctx, `INSERT INTO center_provisions (permission_set, account, role, version) VALUES (?, ?, ?, ?)
		ON CONFLICT (permission_set, account) DO UPDATE SET role = excluded.role, version = excluded.version`, p.Set, p.Account, p.Role, p.Version)
	return err
}

func deleteProvision(ctx context.Context, tx *store.Tx, p Provision) error {
	tx.Changed(kindProvision, p.key())
	return tx.MustExec(ctx, `DELETE FROM center_provisions WHERE permission_set = ? AND account = ?`, p.Set, p.Account)
}

const selectAccountAssignment = `SELECT permission_set, account, principal_type, principal_id FROM center_account_assignments`

func scanAccountAssignment(s store.Scanner) (a AccountAssignment, err error) {
	return a, s.Scan(&a.Set, &a.Account, &a.Type, &a.Principal)
}

func readAccountAssignment(ctx context.Context, q store.Querier, key string) (AccountAssignment, error) {
	a := accountAssignmentOf(key)
	return store.One(ctx, q, scanAccountAssignment, selectAccountAssignment+` WHERE permission_set = ? AND account = ? AND principal_type = ? AND principal_id = ?`,
		a.Set, a.Account, a.Type, a.Principal)
}

func eachAccountAssignment(ctx context.Context, q store.Querier, do func(string, AccountAssignment) error) error {
	return store.Each(ctx, q, scanAccountAssignment, func(a AccountAssignment) error { return do(a.key(), a) }, selectAccountAssignment)
}

func insertAccountAssignment(ctx context.Context, tx *store.Tx, a AccountAssignment) error {
	tx.Changed(kindAccountAccess, a.key())
	_, err := tx.Exec(ctx, `INSERT INTO center_account_assignments (permission_set, account, principal_type, principal_id) VALUES (?, ?, ?, ?)
		ON CONFLICT (permission_set, account, principal_type, principal_id) DO NOTHING`, a.Set, a.Account, a.Type, a.Principal)
	return err
}

func deleteAccountAssignment(ctx context.Context, tx *store.Tx, a AccountAssignment) error {
	tx.Changed(kindAccountAccess, a.key())
	return tx.MustExec(ctx, `DELETE FROM center_account_assignments WHERE permission_set = ? AND account = ? AND principal_type = ? AND principal_id = ?`,
		a.Set, a.Account, a.Type, a.Principal)
}

// countAccountAssignments counts those of a permission set, in one account or, with "", in all.
func countAccountAssignments(ctx context.Context, q store.Querier, set, account string) (int64, error) {
	return store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM center_account_assignments WHERE permission_set = ? AND (account = ? OR ? = '')`, set, account, account)
}

// listAccountAssignments reads those of a permission set in an account that come after another in order, at most limit.
func listAccountAssignments(ctx context.Context, q store.Querier, after AccountAssignment, limit int) ([]AccountAssignment, error) {
	return store.All(ctx, q, scanAccountAssignment, selectAccountAssignment+` WHERE permission_set = ? AND account = ? AND (principal_type > ? OR (principal_type = ? AND principal_id > ?))
		ORDER BY principal_type, principal_id LIMIT ?`, after.Set, after.Account, after.Type, after.Type, after.Principal, limit)
}

const selectOperation = `SELECT id, instance, kind, status, failure, permission_set, account, principal_type, principal_id, created FROM center_operations`

func scanOperation(s store.Scanner) (o operation, err error) {
	var created int64
	err = s.Scan(&o.id, &o.instance, &o.kind, &o.status, &o.failure, &o.access.Set, &o.access.Account, &o.access.Type, &o.access.Principal, &created)
	o.created = store.Time(created)
	return o, err
}

func readOperation(ctx context.Context, q store.Querier, instance, kind, id string) (operation, error) {
	return store.One(ctx, q, scanOperation, selectOperation+` WHERE id = ? AND instance = ? AND kind = ?`, id, instance, kind)
}

// listOperations reads the operations of a kind that come after another, the newest first; status "" is any.
func listOperations(ctx context.Context, q store.Querier, instance, kind, status, after string, limit int) ([]operation, error) {
	return store.All(ctx, q, scanOperation, selectOperation+` WHERE instance = ? AND kind = ? AND (status = ? OR ? = '') AND (id < ? OR ? = '') ORDER BY id DESC LIMIT ?`,
		instance, kind, status, status, after, after, limit)
}

// insertOperation writes what became of a request, and forgets what is too old.
func insertOperation(ctx context.Context, tx *store.Tx, o operation) error {
	// The row is in no index; but a request that failed is to have its record as well.
	tx.Changed(kindOperation, o.id)
	_, err := tx.Exec(ctx, `INSERT INTO center_operations (id, instance, kind, status, failure, permission_set, account, principal_type, principal_id, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		o.id, o.instance, o.kind, o.status, o.failure, o.access.Set, o.access.Account, o.access.Type, o.access.Principal, store.Millis(o.created))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM center_operations WHERE created < ?`, store.Millis(o.created.Add(-operationTime)))
	return err
}
