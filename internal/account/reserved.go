package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/store"
)

// Roles below this path, and roles whose names begin so, belong to the identity center. IAM shows them and changes none.
const (
	reservedPath = "/aws-reserved/"
	reservedName = "AWSReservedSSO_"
)

// isProtected reports whether the entity is a role that only the identity center changes. It goes by the path alone, in
// which IAM creates nothing.
func (e *Entity) isProtected() bool {
	return e.Kind == RoleKind && strings.HasPrefix(e.Path, reservedPath)
}

// checkNotProtected refuses a change of a protected role through IAM, as AWS does.
func (e *Entity) checkNotProtected() error {
	if e.isProtected() {
		return iam.UnmodifiableEntityException("Cannot perform the operation on the protected role '" + e.Name + "' - this role is only modifiable by AWS")
	}
	return nil
}

// checkRoleName keeps the path and the names of protected roles free.
func checkRoleName(path, name string) error {
	// An empty part is no part to whoever tidies paths.
	if strings.HasPrefix("/"+strings.TrimLeft(strings.ToLower(path), "/"), reservedPath) {
		return iam.InvalidInputException("The path " + reservedPath + " is reserved for AWS services.")
	}
	if strings.HasPrefix(nameKey(name), nameKey(reservedName)) {
		return iam.InvalidInputException("Role names that begin with " + reservedName + " are reserved for AWS services.")
	}
	return nil
}

// ReservedRole is what a role of the identity center is to be.
type ReservedRole struct {
	// ID is the id of the role to bring up to date; empty makes a new one of the account, path and name.
	ID                  string
	Account, Path, Name string
	Description         string
	// Trust is the text of the trust policy.
	Trust      string
	MaxSession time.Duration
	// InlineName and Inline are the one policy that belongs to the role; an empty text is none.
	InlineName, Inline string
	// Attached are the ARNs of managed policies, of AWS or of the account. Boundary is one of them, or empty.
	Attached []string
	Boundary string
}

// UnmetError says what an account lacks for a role that it was to have. Nothing was written.
type UnmetError struct{ Reason string }

func (e *UnmetError) Error() string { return e.Reason }

func unmet(format string, args ...any) error { return &UnmetError{fmt.Sprintf(format, args...)} }

// PutReservedRole makes or changes a role of the identity center within a change, and returns it. It checks everything
// before it writes: after an *UnmetError the transaction can go on.
func (r *Registry) PutReservedRole(ctx context.Context, tx *store.Tx, want ReservedRole) (Role, error) {
	if err := r.checkReservedRole(ctx, tx, want); err != nil {
		return Role{}, err
	}
	if want.ID == "" {
		want.ID = newID(idPrefixes[RoleKind])
		err := insertEntity(ctx, tx, &Entity{
			Kind: RoleKind, ID: want.ID, Account: want.Account, Path: want.Path, Name: want.Name, Created: r.now(), Trust: newTrust(want.Trust, nil),
		})
		if err != nil {
			return Role{}, fmt.Errorf("create role %s of account %s: %w", want.Name, want.Account, err)
		}
	}
	e, err := furnish(ctx, tx, want)
	if err != nil {
		return Role{}, fmt.Errorf("change role %s of account %s: %w", want.ID, want.Account, err)
	}
	return e.role(), nil
}

// furnish makes a role, and everything that hangs on it, what it is to be.
func furnish(ctx context.Context, tx *store.Tx, want ReservedRole) (*Entity, error) {
	now, err := readEntity(ctx, tx, want.ID)
	if err != nil {
		return nil, err
	}
	if !now.isProtected() || now.Account != want.Account {
		return nil, fmt.Errorf("the role %s is not the identity center's", now.ARN())
	}
	now.Description, now.MaxSession, now.Boundary, now.Trust = want.Description, want.MaxSession, want.Boundary, newTrust(want.Trust, nil)
	if err := updateEntity(ctx, tx, now); err != nil {
		return nil, err
	}
	for _, p := range now.Inline {
		if p.Name != want.InlineName || want.Inline == "" {
			if err := deleteInline(ctx, tx, now.ID, p.Name); err != nil {
				return nil, err
			}
		}
	}
	if want.Inline != "" {
		if err := putInline(ctx, tx, now.ID, want.InlineName, want.Inline); err != nil {
			return nil, err
		}
	}
	for _, name := range now.Attached {
		if !slices.Contains(want.Attached, name) {
			if err := detach(ctx, tx, now.ID, name); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range want.Attached {
		if err := attach(ctx, tx, now.ID, name); err != nil {
			return nil, err
		}
	}
	return now, nil
}

// checkReservedRole sees, inside the transaction, that the account stands and has what the role needs.
func (r *Registry) checkReservedRole(ctx context.Context, tx *store.Tx, want ReservedRole) error {
	if !strings.HasPrefix(want.Path, reservedPath) {
		return fmt.Errorf("the role %s is not below the path %s", want.Name, reservedPath)
	}
	a, err := readAccount(ctx, tx, want.Account)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return unmet("Account %s is not in the organization.", want.Account)
	case err != nil:
		return err
	case a.Status != Active:
		return unmet("Account %s is suspended.", want.Account)
	case len(want.Attached) > maxAttached:
		return unmet("Received a 409 status error: Cannot exceed quota for PoliciesPerRole: %d", maxAttached)
	}
	for _, name := range want.Attached {
		if err := r.checkUsable(ctx, tx, want.Account, name, "Policy %s does not exist or is not attachable."); err != nil {
			return err
		}
	}
	if want.Boundary != "" {
		if err := r.checkUsable(ctx, tx, want.Account, want.Boundary, "Scope ARN: %s does not exist or is not attachable."); err != nil {
			return err
		}
	}
	if want.ID != "" {
		return nil
	}
	n, err := countEntities(ctx, tx, want.Account, RoleKind)
	if err == nil && n >= maxRoles {
		err = unmet("Received a 409 status error: Cannot exceed quota for RolesPerAccount: %d", maxRoles)
	}
	return err
}

func (r *Registry) checkUsable(ctx context.Context, q store.Querier, account, name, missing string) error {
	err := r.checkManaged(ctx, q, account, name)
	if errors.Is(err, store.ErrNotFound) {
		return unmet("Received a 404 status error: "+missing, name)
	}
	return err
}

// DeleteReservedRole removes a role of the identity center with all that hangs on it, within a change. Its sessions are
// refused from then on.
func (r *Registry) DeleteReservedRole(ctx context.Context, tx *store.Tx, id string) error {
	e, err := readEntity(ctx, tx, id)
	if err != nil {
		return fmt.Errorf("delete role %s: %w", id, err)
	}
	if !e.isProtected() {
		return fmt.Errorf("delete role %s: it is not the identity center's", e.ARN())
	}
	for _, p := range e.Inline {
		if err := deleteInline(ctx, tx, id, p.Name); err != nil {
			return err
		}
	}
	for _, name := range e.Attached {
		if err := detach(ctx, tx, id, name); err != nil {
			return err
		}
	}
	return deleteEntity(ctx, tx, id)
}
