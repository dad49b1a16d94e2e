package server

import (
	"errors"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/authn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/session"
)

type namedPolicy = policy.Named

// keys is the registry of accounts as authn asks for it.
type keys struct{ accounts *account.Registry }

// Key implements authn.Keys.
func (k keys) Key(accessKeyID string) (string, *caller.Caller, error) {
	secret, c, err := k.accounts.Lookup(accessKeyID)
	if errors.Is(err, account.ErrNoKey) {
		return "", nil, authn.ErrUnknownKey
	}
	return secret, c, err
}

// principals is the registry of accounts as session asks for it.
type principals struct{ *account.Registry }

// RoleToAssume implements session.Accounts.
func (p principals) RoleToAssume(arn string) (session.Role, bool) {
	r, ok := p.RoleByARN(arn)
	if !ok {
		return session.Role{}, false
	}
	return session.Role{ARN: r.ARN, ID: r.ID, Name: r.Name, Account: r.Account, Trust: r.Trust, MaxDuration: r.MaxDuration, Tags: r.Tags}, true
}
