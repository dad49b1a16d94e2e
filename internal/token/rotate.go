package token

import (
	"context"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/trail"
)

// KeyService is the part of lakegate's own operations that rotates the keys which sign identity tokens.
type KeyService struct {
	Center     *center.Center
	Keys       *Keyring
	Authorizer *authz.Authorizer
}

// RotateSigningKey makes a new signing key for an instance, by default the one that the caller's account owns. An instance
// of another account is answered like one that does not exist.
func (s *KeyService) RotateSigningKey(ctx context.Context, in *lakegate.RotateSigningKeyInput) (*lakegate.RotateSigningKeyOutput, error) {
	account := caller.From(ctx).Account
	var (
		i        *center.Instance
		ok       bool
		resource = "*"
	)
	if in.InstanceArn != nil {
		resource = *in.InstanceArn
		i, ok = s.Center.Instance(resource)
	} else if i, ok = s.Center.InstanceFor(account); ok {
		resource = i.ARN
	}
	if err := s.Authorizer.Authorize(ctx, authz.Request{Action: "lakegate:RotateSigningKey", Resource: resource, Account: account}); err != nil {
		return nil, err
	}
	if !ok || i.Account != account {
		trail.From(ctx).Step("instance", trail.Fail, "there is no such instance, or account "+account+" does not own it")
		return nil, lakegate.ResourceNotFoundException("The identity center instance was not found.")
	}
	trail.From(ctx).Resource("AWS::SSO::Instance", i.ARN, i.Account)
	id, err := s.Keys.Rotate(ctx, i.ARN, in.Withdraw != nil && *in.Withdraw)
	if err != nil {
		return nil, err
	}
	return &lakegate.RotateSigningKeyOutput{InstanceArn: i.ARN, KeyId: id}, nil
}
