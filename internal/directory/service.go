package directory

import (
	"context"
	"errors"
	"fmt"

	"github.com/lakegate/lakegate/internal/api/identitystore"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Accounts is what the services have to know of accounts; account provides it.
type Accounts interface {
	// OrganizationOf returns the organization of an account, "" for none.
	OrganizationOf(ctx context.Context, account string) string
	IsManagement(account string) bool
	IsDelegated(account, service string) bool
}

// Service is identitystore.
type Service struct {
	Directory  *Directory
	Accounts   Accounts
	Authorizer *authz.Authorizer
}

// reach is how far an account may go with an identity store.
type reach int

const (
	// stranger: the account does not see the store.
	stranger reach = iota
	// reader: a member of the organization that shares the store.
	reader
	// writer: the owner, or a delegated administrator of the organization's identity center.
	writer
)

// servicePrincipal is what an account is registered for as delegated administrator of the identity center.
const servicePrincipal = "sso.amazonaws.com"

// reachOf is how far an account may go with a store of owner. The management account has one instance, that of the
// organization; the instances of other accounts are theirs alone.
func reachOf(ctx context.Context, accounts Accounts, account, owner string) reach {
	switch {
	case account == "" || owner == "":
		return stranger
	case account == owner:
		return writer
	case !accounts.IsManagement(owner):
		return stranger
	}
	home := accounts.OrganizationOf(ctx, owner)
	switch {
	case home == "" || accounts.OrganizationOf(ctx, account) != home:
		return stranger
	case accounts.IsDelegated(account, servicePrincipal):
		return writer
	}
	return reader
}

// The resources of identitystore's actions that stand for all of a kind.
const (
	everyUser       = "arn:aws:identitystore:::user/*"
	everyGroup      = "arn:aws:identitystore:::group/*"
	everyMembership = "arn:aws:identitystore:::membership/*"
)

// enter authorises an operation on a store and on what the service authorization reference lists beside it, and sees
// that the account reaches far enough. A store out of reach and one that does not exist get the same answer.
func (s *Service) enter(ctx context.Context, op, storeID string, least reach, resources ...string) error {
	account := caller.From(ctx).Account
	owner, _ := s.Directory.StoreAccount(storeID)
	have := reachOf(ctx, s.Accounts, account, owner)
	resource := arn.IdentityStore(owner, storeID)
	if have == stranger {
		resource = arn.IdentityStore(account, storeID) // whose it is, is not told
	}
	for _, r := range append([]string{resource}, resources...) {
		// The account is the caller's: between members of an organization the reach decides, not a resource policy.
		if err := s.Authorizer.Authorize(ctx, authz.Request{Action: "identitystore:" + op, Resource: r, Account: account}); err != nil {
			return err
		}
	}
	switch {
	case have == stranger:
		trail.From(ctx).Step("identity store", trail.Fail, "there is no such identity store, or account "+account+" has no part in it")
		return spell(ctx, NotFound(ResourceStore, storeID))
	case have < least:
		why := "the identity store belongs to account " + owner + ", and account " + account + " may only read it"
		trail.From(ctx).Step("identity store", trail.Fail, why)
		return identitystore.AccessDeniedException(fmt.Sprintf("User: %s is not authorized to perform: identitystore:%s on resource: %s", caller.From(ctx).ARN, op, resource)).
			With("RequestId", requestID(ctx)).Because(errors.New(why))
	}
	return nil
}

func requestID(ctx context.Context) string { return caller.RequestFrom(ctx).ID }

func actor(ctx context.Context) Actor { return Actor(caller.From(ctx).ARN) }

// spell gives a refusal the words of identitystore.
func spell(ctx context.Context, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	var w *wire.Error
	switch e.Kind {
	case KindNotFound:
		w = identitystore.ResourceNotFoundException(e.Message).With("ResourceType", e.Resource)
		if e.ID != "" {
			w = w.With("ResourceId", e.ID)
		}
	case KindConflict:
		w = identitystore.ConflictException(e.Message).With("Reason", "UNIQUENESS_CONSTRAINT_VIOLATION")
	case KindQuota:
		w = identitystore.ServiceQuotaExceededException(e.Message)
	default:
		w = identitystore.ValidationException(e.Message)
	}
	return w.With("RequestId", requestID(ctx))
}

// invalid is the answer to input that the model lets pass and the service does not.
func invalid(ctx context.Context, message string) error {
	return identitystore.ValidationException(message).With("RequestId", requestID(ctx))
}

// isGone says that what was to be deleted is not there, which identitystore counts as done.
func isGone(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == KindNotFound
}

// userOf is the user of a member id, the only kind of member that there is. The model requires it.
func userOf(m *identitystore.MemberId) string {
	if m == nil {
		return ""
	}
	return value(m.UserId)
}

// optional is nil for an empty text, as answers leave out what was never set.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
