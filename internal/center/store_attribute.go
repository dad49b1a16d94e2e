package center

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/lakegate/lakegate/internal/store"
)

// kindAccessControl is the kind of change of an instance's attributes for access control; the key is the instance's ARN.
const kindAccessControl = "center-access-control"

const selectAccessControl = `SELECT instance, document FROM center_access_control`

// accessControl is an instance with its attributes.
type accessControl struct {
	instance   string
	attributes []AccessControlAttribute
}

func scanAccessControl(s store.Scanner) (a accessControl, err error) {
	var document string
	if err := s.Scan(&a.instance, &document); err != nil {
		return a, err
	}
	if err := json.Unmarshal([]byte(document), &a.attributes); err != nil {
		return a, fmt.Errorf("read attributes for access control of %s: %w", a.instance, err)
	}
	return a, nil
}

func readAccessControl(ctx context.Context, q store.Querier, instance string) ([]AccessControlAttribute, error) {
	a, err := store.One(ctx, q, scanAccessControl, selectAccessControl+` WHERE instance = ?`, instance)
	return a.attributes, err
}

func eachAccessControl(ctx context.Context, q store.Querier, do func(string, []AccessControlAttribute) error) error {
	return store.Each(ctx, q, scanAccessControl, func(a accessControl) error { return do(a.instance, a.attributes) }, selectAccessControl)
}

func insertAccessControl(ctx context.Context, tx *store.Tx, instance string, attributes []AccessControlAttribute) error {
	return writeAccessControl(ctx, tx, instance, attributes, `INSERT INTO center_access_control (document, instance) VALUES (?, ?)`)
}

func updateAccessControl(ctx context.Context, tx *store.Tx, instance string, attributes []AccessControlAttribute) error {
	return writeAccessControl(ctx, tx, instance, attributes, `UPDATE center_access_control SET document = ? WHERE instance = ?`)
}

func writeAccessControl(ctx context.Context, tx *store.Tx, instance string, attributes []AccessControlAttribute, query string) error {
	document, err := json.Marshal(attributes)
	if err != nil {
		return fmt.Errorf("encode attributes for access control: %w", err)
	}
	tx.Changed(kindAccessControl, instance)
	return tx.MustExec(ctx, query, string(document), instance)
}

func deleteAccessControl(ctx context.Context, tx *store.Tx, instance string) error {
	tx.Changed(kindAccessControl, instance)
	return tx.MustExec(ctx, `DELETE FROM center_access_control WHERE instance = ?`, instance)
}
