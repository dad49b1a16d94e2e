package signin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// Provider is where the people of an instance sign in.
type Provider struct {
	// Instance is the ARN of the instance.
	Instance string
	// Issuer is the provider's issuer URL, compared as text.
	Issuer string
	// ClientID is Lakegate's name at the provider.
	ClientID string
	// sealed is the client's secret, sealed for secretPlace; nil for a public client.
	sealed []byte
	// Scopes are asked for; openid is always one of them.
	Scopes []string
	// Claim names the claim that says who somebody is, Attribute the user's attribute that it is compared with.
	Claim, Attribute string
	// SessionTime is how long a browser session lasts.
	SessionTime time.Duration
	Updated     time.Time
}

func secretPlace(instance string) string { return "sign-in-provider/" + instance }

// secret opens the client's secret, "" for a public client.
func (p *Provider) secret(db *store.DB) (string, error) {
	if p.sealed == nil {
		return "", nil
	}
	text, err := db.Unseal(secretPlace(p.Instance), p.sealed)
	if err != nil {
		return "", fmt.Errorf("open client secret of %s: %w", p.Instance, err)
	}
	return string(text), nil
}

const scopeOpenID = "openid"

// PutSignInProvider says where the people of an instance sign in, in place of what was said before. Browser sessions of the
// instance end: they were vouched for by the provider of before.
func (s *Service) PutSignInProvider(ctx context.Context, in *lakegate.PutSignInProviderInput) (*lakegate.PutSignInProviderOutput, error) {
	i, err := s.enter(ctx, "PutSignInProvider", in.InstanceArn)
	if err != nil {
		return nil, err
	}
	if err := s.relying.checkIssuer(in.IssuerUrl); err != nil {
		return nil, lakegate.ValidationException("The issuer URL cannot be used: " + err.Error() + ".")
	}
	p := Provider{
		Instance: i.ARN, Issuer: in.IssuerUrl, ClientID: in.ClientId, Scopes: slices.Clone(in.Scopes), Claim: in.ClaimAttributePath,
		Attribute: string(in.IdentityStoreAttributePath), SessionTime: sessionTime, Updated: s.db.Now(),
	}
	if in.SessionMinutes != nil {
		p.SessionTime = time.Duration(*in.SessionMinutes) * time.Minute
	}
	if in.ClientSecret != nil {
		p.sealed = s.db.Seal(secretPlace(i.ARN), []byte(*in.ClientSecret))
	}
	if !slices.Contains(p.Scopes, scopeOpenID) {
		p.Scopes = append([]string{scopeOpenID}, p.Scopes...)
	}
	slices.Sort(p.Scopes[1:])
	p.Scopes = slices.Compact(p.Scopes)
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if err := putProvider(ctx, tx, &p); err != nil {
			return err
		}
		return endSessions(ctx, tx, i.ARN)
	})
	if err != nil {
		return nil, fmt.Errorf("put sign-in provider: %w", err)
	}
	return &lakegate.PutSignInProviderOutput{InstanceArn: i.ARN, StartUrl: s.StartURL(i), RedirectUri: s.RedirectURI(i)}, nil
}

// GetSignInProvider tells where the people of an instance sign in, never the secret.
func (s *Service) GetSignInProvider(ctx context.Context, in *lakegate.GetSignInProviderInput) (*lakegate.GetSignInProviderOutput, error) {
	i, err := s.enter(ctx, "GetSignInProvider", in.InstanceArn)
	if err != nil {
		return nil, err
	}
	p, ok := s.providers.Get(i.ARN)
	if !ok {
		return nil, noProvider()
	}
	return &lakegate.GetSignInProviderOutput{
		InstanceArn: i.ARN, IssuerUrl: p.Issuer, ClientId: p.ClientID, HasClientSecret: p.sealed != nil, Scopes: p.Scopes,
		ClaimAttributePath: p.Claim, IdentityStoreAttributePath: lakegate.SignInAttribute(p.Attribute),
		SessionMinutes: int(p.SessionTime / time.Minute), StartUrl: s.StartURL(i), RedirectUri: s.RedirectURI(i), UpdatedAt: p.Updated,
	}, nil
}

// SessionTime is how long a sign-in at an instance lasts, as its provider's setting says; zero when there is none.
func (s *Service) SessionTime(instance string) time.Duration {
	p, _ := s.providers.Get(instance)
	return p.SessionTime
}

// DeleteSignInProvider ends signing in to an instance, and the browser sessions with it.
func (s *Service) DeleteSignInProvider(ctx context.Context, in *lakegate.DeleteSignInProviderInput) (*lakegate.DeleteSignInProviderOutput, error) {
	i, err := s.enter(ctx, "DeleteSignInProvider", in.InstanceArn)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if err := deleteProvider(ctx, tx, i.ARN); err != nil {
			return err
		}
		return endSessions(ctx, tx, i.ARN)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noProvider()
	}
	if err != nil {
		return nil, fmt.Errorf("delete sign-in provider: %w", err)
	}
	return &lakegate.DeleteSignInProviderOutput{}, nil
}

func noProvider() error {
	return lakegate.ResourceNotFoundException("The instance has no sign-in provider.")
}

// enter authorises an operation on an instance, by default the one that the caller's account owns. Who decides where people
// sign in decides who they are, so nobody but the owner may, and an instance of another account is answered like one that
// does not exist.
func (s *Service) enter(ctx context.Context, op string, named *string) (*center.Instance, error) {
	account := caller.From(ctx).Account
	var (
		i  *center.Instance
		ok bool
	)
	if named != nil {
		i, ok = s.center.Instance(*named)
	} else {
		i, ok = s.center.InstanceFor(account)
	}
	ok = ok && i.Account == account
	resource := "*"
	switch {
	case ok:
		resource = i.ARN
	case named != nil:
		resource = *named
	}
	if err := s.authorizer.Authorize(ctx, authz.Request{Action: "lakegate:" + op, Resource: resource, Account: account}); err != nil {
		return nil, err
	}
	if !ok {
		trail.From(ctx).Step("instance", trail.Fail, "there is no such instance, or account "+account+" does not own it")
		return nil, lakegate.ResourceNotFoundException("The identity center instance was not found.")
	}
	trail.From(ctx).Resource("AWS::SSO::Instance", i.ARN, i.Account)
	return i, nil
}

// checkIssuer says why an issuer's URL cannot be one.
func (r *relying) checkIssuer(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.RawQuery != "" || u.ForceQuery {
		return errors.New("an issuer has no query")
	}
	return r.visitor.CheckURL(text)
}
