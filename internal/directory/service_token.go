package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// TokenService is the part of lakegate's own operations that gives out and ends the tokens of provisioning clients.
type TokenService struct {
	Directory  *Directory
	Accounts   Accounts
	Authorizer *authz.Authorizer
	// WebURL is the base URL of the web door, under which SCIM is served.
	WebURL string
}

// Endpoint is the base URL of an identity store's SCIM.
func (s *TokenService) Endpoint(storeID string) string {
	return strings.TrimSuffix(s.WebURL, "/") + "/scim/v2/" + storeID
}

// CreateScimToken makes a token for the named store, by default the caller's own or else that of the organization.
func (s *TokenService) CreateScimToken(ctx context.Context, in *lakegate.CreateScimTokenInput) (*lakegate.CreateScimTokenOutput, error) {
	storeID := s.StoreFor(ctx, in.IdentityStoreId)
	if err := s.Enter(ctx, "CreateScimToken", storeID); err != nil {
		return nil, err
	}
	lifetime := time.Duration(value(in.ExpiresInDays)) * 24 * time.Hour
	t, secret, retired, err := s.Directory.CreateToken(ctx, storeID, value(in.Description), lifetime)
	if err != nil {
		return nil, spellToken(err)
	}
	return &lakegate.CreateScimTokenOutput{
		TokenId: t.ID, Token: secret, Endpoint: s.Endpoint(storeID), IdentityStoreId: storeID, ExpiresAt: t.Expires, RetiredTokenId: optional(retired),
	}, nil
}

// ListScimTokens lists what is known of a store's tokens, never the tokens.
func (s *TokenService) ListScimTokens(ctx context.Context, in *lakegate.ListScimTokensInput) (*lakegate.ListScimTokensOutput, error) {
	storeID := s.StoreFor(ctx, in.IdentityStoreId)
	if err := s.Enter(ctx, "ListScimTokens", storeID); err != nil {
		return nil, err
	}
	all, err := s.Directory.Tokens(ctx, storeID)
	if err != nil {
		return nil, spellToken(err)
	}
	out := &lakegate.ListScimTokensOutput{Tokens: []lakegate.ScimToken{}}
	for _, t := range all {
		x := lakegate.ScimToken{TokenId: t.ID, IdentityStoreId: t.StoreID, Description: optional(t.Description), CreatedAt: t.Created, ExpiresAt: t.Expires}
		if !t.Used.IsZero() {
			x.LastUsedAt = &t.Used
		}
		out.Tokens = append(out.Tokens, x)
	}
	return out, nil
}

// DeleteScimToken ends a token at once.
func (s *TokenService) DeleteScimToken(ctx context.Context, in *lakegate.DeleteScimTokenInput) (*lakegate.DeleteScimTokenOutput, error) {
	storeID, _ := s.Directory.TokenStore(in.TokenId)
	if err := s.Enter(ctx, "DeleteScimToken", storeID); err != nil {
		return nil, err
	}
	if err := s.Directory.DeleteToken(ctx, storeID, in.TokenId); err != nil {
		return nil, spellToken(err)
	}
	return &lakegate.DeleteScimTokenOutput{}, nil
}

// StoreFor is the store that a request names, or else the one that its caller most likely means: the store of the
// account's own instance, then that of the organization.
func (s *TokenService) StoreFor(ctx context.Context, named *string) string {
	if named != nil {
		return *named
	}
	account, shared := caller.From(ctx).Account, ""
	for id, owner := range s.Directory.Stores() {
		switch {
		case owner == account:
			return id
		case reachOf(ctx, s.Accounts, account, owner) != stranger:
			shared = id
		}
	}
	return shared
}

// Enter authorises one of lakegate's own operations on a store. They write, so who may only read the store has no part in
// them, and a store out of reach is answered like one that does not exist.
func (s *TokenService) Enter(ctx context.Context, op, storeID string) error {
	account := caller.From(ctx).Account
	owner, _ := s.Directory.StoreAccount(storeID)
	have, resource := reachOf(ctx, s.Accounts, account, owner), "*"
	if have != stranger {
		resource = arn.IdentityStore(owner, storeID)
	}
	if err := s.Authorizer.Authorize(ctx, authz.Request{Action: "lakegate:" + op, Resource: resource, Account: account}); err != nil {
		return err
	}
	switch have {
	case writer:
		trail.From(ctx).Resource("AWS::IdentityStore::IdentityStore", resource, owner)
		return nil
	case reader:
		why := "the identity store belongs to account " + owner
		trail.From(ctx).Step("identity store", trail.Fail, why)
		return wire.AccessDenied(fmt.Sprintf("User: %s is not authorized to perform: lakegate:%s on resource: %s", caller.From(ctx).ARN, op, resource)).Because(errors.New(why))
	}
	trail.From(ctx).Step("identity store", trail.Fail, "there is no such identity store or token, or account "+account+" has no part in it")
	return lakegate.ResourceNotFoundException("The identity store or token was not found.")
}

func spellToken(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == KindNotFound {
		return lakegate.ResourceNotFoundException("The identity store or token was not found.")
	}
	return err
}
