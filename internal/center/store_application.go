package center

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/store"
)

const selectApplication = `SELECT arn, instance, provider, account, name, description, status, origin, url, visibility, assignment_required, background, created, created_from FROM center_applications`

func scanApplication(s store.Scanner) (*Application, error) {
	a := &Application{Grants: map[string]Grant{}, Scopes: map[string][]string{}}
	var (
		status            string
		required, created int64
	)
	err := s.Scan(&a.ARN, &a.Instance, &a.Provider, &a.Account, &a.Name, &a.Description, &status,
		&a.Portal.Origin, &a.Portal.URL, &a.Portal.Visibility, &required, &a.Background, &created, &a.CreatedFrom)
	if err != nil {
		return nil, err
	}
	a.Enabled, a.AssignmentRequired, a.Created = status == enabled, required != 0, store.Time(created)
	if name, err := arn.Parse(a.ARN); err == nil {
		a.Owner = name.Account
	}
	return a, nil
}

func readApplication(ctx context.Context, q store.Querier, arn string) (*Application, error) {
	a, err := store.One(ctx, q, scanApplication, selectApplication+` WHERE arn = ?`, arn)
	if err != nil {
		return nil, err
	}
	if a.Tags, err = readTags(ctx, q, arn); err != nil {
		return nil, err
	}
	find := func(string) *Application { return a }
	return a, readParts(ctx, q, find, ` WHERE application = ?`, arn)
}

func eachApplication(ctx context.Context, q store.Querier, do func(string, *Application) error) error {
	tags, err := allTags(ctx, q)
	if err != nil {
		return err
	}
	all := map[string]*Application{}
	err = store.Each(ctx, q, scanApplication, func(a *Application) error {
		a.Tags, all[a.ARN] = tags[a.ARN], a
		return nil
	}, selectApplication)
	if err != nil {
		return err
	}
	if err := readParts(ctx, q, func(arn string) *Application { return all[arn] }, ""); err != nil {
		return err
	}
	for arn, a := range all {
		if err := do(arn, a); err != nil {
			return err
		}
	}
	return nil
}

// part is a row of one of the tables that hang on an application: name and content, and for methods the principals.
type part struct{ application, name, content, extra string }

func scanPart(s store.Scanner) (p part, err error) {
	return p, s.Scan(&p.application, &p.name, &p.content, &p.extra)
}

func readParts(ctx context.Context, q store.Querier, find func(string) *Application, where string, args ...any) error {
	for _, t := range []struct {
		query string
		take  func(*Application, part) error
	}{
		{`SELECT application, type, document, '' FROM center_grants`, takeGrant},
		{`SELECT application, scope, targets, '' FROM center_scopes`, takeScope},
		{`SELECT application, type, document, principals FROM center_methods`, takeMethod},
	} {
		err := store.Each(ctx, q, scanPart, func(p part) error {
			if a := find(p.application); a != nil {
				return t.take(a, p)
			}
			return nil
		}, t.query+where, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

func takeGrant(a *Application, p part) error {
	var g Grant
	if err := json.Unmarshal([]byte(p.content), &g); err != nil {
		return fmt.Errorf("read grant of %s: %w", a.ARN, err)
	}
	a.Grants[p.name] = g
	return nil
}

func takeScope(a *Application, p part) error {
	var targets []string
	if err := json.Unmarshal([]byte(p.content), &targets); err != nil {
		return fmt.Errorf("read scope of %s: %w", a.ARN, err)
	}
	a.Scopes[p.name] = targets
	return nil
}

func takeMethod(a *Application, p part) error {
	var ids map[string]string
	if err := json.Unmarshal([]byte(p.extra), &ids); err != nil {
		return fmt.Errorf("read authentication method of %s: %w", a.ARN, err)
	}
	a.Method = newMethod(p.content, ids)
	return nil
}

func insertApplication(ctx context.Context, tx *store.Tx, a *Application) error {
	tx.Changed(kindApplication, a.ARN)
	_, err := tx.Exec(ctx, `INSERT INTO center_applications (arn, instance, provider, account, name, description, status, origin, url, visibility,
		assignment_required, background, created, created_from) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.ARN, a.Instance, a.Provider, a.Account, a.Name, a.Description, status(a.Enabled), a.Portal.Origin, a.Portal.URL, a.Portal.Visibility,
		flag(a.AssignmentRequired), a.Background, store.Millis(a.Created), a.CreatedFrom)
	if err != nil {
		return err
	}
	return putTags(ctx, tx, a.ARN, a.Tags)
}

func updateApplication(ctx context.Context, tx *store.Tx, a *Application) error {
	tx.Changed(kindApplication, a.ARN)
	return tx.MustExec(ctx, `UPDATE center_applications SET name = ?, description = ?, status = ?, origin = ?, url = ?, visibility = ?,
		assignment_required = ?, background = ? WHERE arn = ?`,
		a.Name, a.Description, status(a.Enabled), a.Portal.Origin, a.Portal.URL, a.Portal.Visibility, flag(a.AssignmentRequired), a.Background, a.ARN)
}

func deleteApplication(ctx context.Context, tx *store.Tx, arn string) error {
	assigned, err := store.All(ctx, tx, scanAssignment, selectAssignment+` WHERE application = ?`, arn)
	if err != nil {
		return err
	}
	for _, a := range assigned {
		tx.Changed(kindAssignment, a.key())
	}
	for _, table := range []string{"center_grants", "center_scopes", "center_methods", "center_assignments"} {
		if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE application = ?`, arn); err != nil {
			return err
		}
	}
	tx.Changed(kindApplication, arn)
	if err := dropTags(ctx, tx, arn); err != nil {
		return err
	}
	return tx.MustExec(ctx, `DELETE FROM center_applications WHERE arn = ?`, arn)
}

func countApplications(ctx context.Context, tx *store.Tx, instance string) (int64, error) {
	return store.One(ctx, tx, store.Int, `SELECT COUNT(*) FROM center_applications WHERE instance = ?`, instance)
}

func countIssuers(ctx context.Context, tx *store.Tx, instance string) (int64, error) {
	return store.One(ctx, tx, store.Int, `SELECT COUNT(*) FROM center_issuers WHERE instance = ?`, instance)
}

func putGrant(ctx context.Context, tx *store.Tx, application, grantType string, g Grant) error {
	document, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("encode grant: %w", err)
	}
	tx.Changed(kindApplication, application)
	_, err = tx.Exec(ctx, `INSERT INTO center_grants (application, type, document) VALUES (?, ?, ?)
		ON CONFLICT (application, type) DO UPDATE SET document = excluded.document`, application, grantType, string(document))
	return err
}

func deleteGrant(ctx context.Context, tx *store.Tx, application, grantType string) error {
	tx.Changed(kindApplication, application)
	return tx.MustExec(ctx, `DELETE FROM center_grants WHERE application = ? AND type = ?`, application, grantType)
}

func putScope(ctx context.Context, tx *store.Tx, application, scope string, targets []string) error {
	list, err := json.Marshal(targets)
	if err != nil {
		return fmt.Errorf("encode targets: %w", err)
	}
	tx.Changed(kindApplication, application)
	_, err = tx.Exec(ctx, `INSERT INTO center_scopes (application, scope, targets) VALUES (?, ?, ?)
		ON CONFLICT (application, scope) DO UPDATE SET targets = excluded.targets`, application, scope, string(list))
	return err
}

func deleteScope(ctx context.Context, tx *store.Tx, application, scope string) error {
	tx.Changed(kindApplication, application)
	return tx.MustExec(ctx, `DELETE FROM center_scopes WHERE application = ? AND scope = ?`, application, scope)
}

// methodIAM is the only type of authentication method.
const methodIAM = "IAM"

func putMethod(ctx context.Context, tx *store.Tx, application string, m *Method) error {
	ids, err := json.Marshal(m.IDs)
	if err != nil {
		return fmt.Errorf("encode principals: %w", err)
	}
	tx.Changed(kindApplication, application)
	_, err = tx.Exec(ctx, `INSERT INTO center_methods (application, type, document, principals) VALUES (?, ?, ?, ?)
		ON CONFLICT (application, type) DO UPDATE SET document = excluded.document, principals = excluded.principals`, application, methodIAM, m.Text, string(ids))
	return err
}

func deleteMethod(ctx context.Context, tx *store.Tx, application string) error {
	tx.Changed(kindApplication, application)
	return tx.MustExec(ctx, `DELETE FROM center_methods WHERE application = ? AND type = ?`, application, methodIAM)
}
