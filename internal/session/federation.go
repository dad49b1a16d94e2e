package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

func federatedARN(account, name string) string {
	return arn.New("sts", "", account, "federated-user/"+name).String()
}

// GetFederationToken gives the credentials of a federated user: who has what the calling user and the session policies both
// allow, and nothing when there are none, but for what a resource's policy gives the federated user by name. It needs the
// long-term credentials of a user. What it gives cannot call IAM, and of STS GetCallerIdentity alone.
func (s *Service) GetFederationToken(ctx context.Context, in *sts.GetFederationTokenInput) (*sts.GetFederationTokenOutput, error) {
	c := caller.From(ctx)
	if c.Session != nil || c.Type != caller.User {
		authz.Open(ctx)
		return nil, wire.AccessDenied("Cannot call GetFederationToken with session credentials")
	}
	if err := s.authorizeFederation(ctx, c, in); err != nil {
		return nil, err
	}
	ask := &assumption{
		in:   &sts.AssumeRoleInput{RoleSessionName: in.Name, Policy: in.Policy, PolicyArns: in.PolicyArns, Tags: in.Tags},
		role: Role{Account: c.Account}, duration: defaultUserSession,
	}
	if in.DurationSeconds != nil {
		ask.duration = time.Duration(*in.DurationSeconds) * time.Second
	}
	if err := ask.readTags(c); err != nil {
		return nil, err
	}
	if err := ask.readPolicies(); err != nil {
		return nil, err
	}
	if err := s.findPolicies(ask); err != nil {
		return nil, err
	}
	now := s.Now()
	creds, err := s.Ring.Issue(&caller.Caller{
		Type: caller.FederatedUser, Account: c.Account,
		Session: &caller.Session{
			Name: in.Name, Issued: now, Expires: now.Add(ask.duration), Tags: ask.tags, Policy: ask.policy, PolicyARNs: ask.policyARNs,
			Federator: &caller.Federator{ARN: c.ARN, ID: c.UserID},
		},
	})
	if errors.Is(err, ErrTokenTooLarge) {
		return nil, sts.PackedPolicyTooLargeException("Packed size of session tags and policies consumes more than 100% of allotted space.").Because(err)
	}
	if err != nil {
		return nil, fmt.Errorf("issue session of federated user %s: %w", in.Name, err)
	}
	trail.From(ctx).Add(trail.KeyVendedKey, creds.AccessKeyID)
	out := &sts.GetFederationTokenOutput{
		Credentials: toWire(creds), FederatedUser: &sts.FederatedUser{Arn: federatedARN(c.Account, in.Name), FederatedUserId: c.Account + ":" + in.Name},
	}
	if size := ask.packedSize(); size > 0 {
		out.PackedPolicySize = &size
	}
	return out, nil
}

func (s *Service) authorizeFederation(ctx context.Context, c *caller.Caller, in *sts.GetFederationTokenInput) error {
	v := policy.Values{}
	for _, t := range in.Tags {
		v.Set("aws:RequestTag/"+t.Key, t.Value)
		v.Add("aws:TagKeys", t.Key)
	}
	actions := []string{"sts:GetFederationToken"}
	if len(in.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	for _, action := range actions {
		if err := s.Authorizer.Authorize(ctx, authz.Request{Action: action, Resource: federatedARN(c.Account, in.Name), Context: v}); err != nil {
			return err
		}
	}
	return nil
}
