package center

import (
	"context"
	"strings"

	"github.com/lakegate/lakegate/internal/store"
)

// Assignment lets a person or a group use an application.
type Assignment struct {
	Application string
	// Type is USER or GROUP.
	Type string
	// Principal is the id of the user or group.
	Principal string
}

// The types of principal that can be assigned.
const (
	userPrincipal  = "USER"
	groupPrincipal = "GROUP"
)

func (a Assignment) key() string { return a.Application + " " + a.Type + " " + a.Principal }

func assignmentOf(key string) Assignment {
	f := strings.SplitN(key, " ", 3)
	return Assignment{f[0], f[1], f[2]}
}

const selectAssignment = `SELECT application, principal_type, principal_id FROM center_assignments`

func scanAssignment(s store.Scanner) (a Assignment, err error) {
	return a, s.Scan(&a.Application, &a.Type, &a.Principal)
}

func readAssignment(ctx context.Context, q store.Querier, key string) (Assignment, error) {
	a := assignmentOf(key)
	return store.One(ctx, q, scanAssignment, selectAssignment+` WHERE application = ? AND principal_type = ? AND principal_id = ?`, a.Application, a.Type, a.Principal)
}

func eachAssignment(ctx context.Context, q store.Querier, do func(string, Assignment) error) error {
	return store.Each(ctx, q, scanAssignment, func(a Assignment) error { return do(a.key(), a) }, selectAssignment)
}

func insertAssignment(ctx context.Context, tx *store.Tx, a Assignment) error {
	tx.Changed(kindAssignment, a.key())
	_, err := tx.Exec(ctx, `INSERT INTO center_assignments (application, principal_type, principal_id) VALUES (?, ?, ?)
		ON CONFLICT (application, principal_type, principal_id) DO NOTHING`, a.Application, a.Type, a.Principal)
	return err
}

func deleteAssignment(ctx context.Context, tx *store.Tx, a Assignment) error {
	tx.Changed(kindAssignment, a.key())
	return tx.MustExec(ctx, `DELETE FROM center_assignments WHERE application = ? AND principal_type = ? AND principal_id = ?`, a.Application, a.Type, a.Principal)
}

func countGroups(ctx context.Context, tx *store.Tx, application string) (int64, error) {
	return store.One(ctx, tx, store.Int, `SELECT COUNT(*) FROM center_assignments WHERE application = ? AND principal_type = ?`, application, groupPrincipal)
}

// listAssignments reads those of an application that come after another in order, at most limit.
func listAssignments(ctx context.Context, q store.Querier, after Assignment, limit int) ([]Assignment, error) {
	return store.All(ctx, q, scanAssignment, selectAssignment+` WHERE application = ? AND (principal_type > ? OR (principal_type = ? AND principal_id > ?))
		ORDER BY principal_type, principal_id LIMIT ?`, after.Application, after.Type, after.Type, after.Principal, limit)
}
