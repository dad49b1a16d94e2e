package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/issuer"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/visit"
	"github.com/lakegate/lakegate/internal/wire"
)

// Times of an exchange.
const (
	// tokenTime is the life of what an exchange gives.
	tokenTime = time.Hour
	// familyTime is how long a sign-in lasts, however often it is refreshed or handed on, when the instance does not say:
	// AWS's default of an interactive session. longestFamily is AWS's maximum.
	familyTime    = 8 * time.Hour
	longestFamily = 90 * 24 * time.Hour
	// clockSkew is how far an issuer's clock may differ.
	clockSkew = time.Minute
	// nodeSkew is how far the clocks of nodes that share a database may differ.
	nodeSkew = 10 * time.Minute
	// longestAssertion bounds how long the use of an assertion has to be remembered.
	longestAssertion = 24 * time.Hour
)

// Directory is what an exchange asks of the people.
type Directory interface {
	FindUsers(storeID, attribute, value string) []string
	User(storeID, userID string) (directory.Person, bool)
	GroupsOf(storeID, userID string) []string
}

// Contexts seals what AssumeRole takes: identity contexts and audit contexts; session provides it.
type Contexts interface {
	SealContext(p *caller.Identity, expires time.Time) (string, error)
	SealAuditContext(p *caller.Identity, expires time.Time) (string, error)
}

// Revocations tells why a person's sign-in at a moment no longer counts; session provides it. The application is empty for a
// sign-in that is for none.
type Revocations interface {
	CheckPerson(userID, application string, at time.Time) error
}

// Config says what a token exchange works with.
type Config struct {
	DB         *store.DB
	Center     *center.Center
	Directory  Directory
	Contexts   Contexts
	Authorizer *authz.Authorizer
	Keys       *Keyring
	// Revocations may be nil: then nothing is revoked.
	Revocations Revocations
	// WebURL is the URL of the web door, without a slash at the end. The issuer of an instance is below it.
	WebURL string
	// Strict accepts RS256 alone, as AWS does.
	Strict bool
	// Issuers are the keys of trusted token issuers; nil takes a store of the service's own, of issuers on the public internet.
	Issuers *issuer.Keys
	// SignInTime tells how long a sign-in at an instance lasts; nil, or what is not positive, means eight hours.
	SignInTime func(instance string) time.Duration
	// LongestAssertion is how far ahead the exp of an assertion may be; zero means 24 hours.
	LongestAssertion time.Duration
}

// Service is sso-oidc.
type Service struct {
	db         *store.DB
	center     *center.Center
	people     Directory
	contexts   Contexts
	authorizer *authz.Authorizer
	keys       *Keyring
	webURL     string
	algorithms []jose.SignatureAlgorithm
	issuers    *issuer.Keys
	longest    time.Duration
	signInTime func(instance string) time.Duration
	revoked    func(userID, application string, at time.Time) error
	// ended is the ids of the families that ended.
	ended store.Mirror[struct{}]
}

// Open returns the service, which follows the database from then on.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	s := &Service{
		db: cfg.DB, center: cfg.Center, people: cfg.Directory, contexts: cfg.Contexts, authorizer: cfg.Authorizer,
		keys: cfg.Keys, webURL: cfg.WebURL, algorithms: issuer.Extended, longest: cfg.LongestAssertion, signInTime: cfg.SignInTime,
		revoked: func(string, string, time.Time) error { return nil },
	}
	if cfg.Revocations != nil {
		s.revoked = cfg.Revocations.CheckPerson
	}
	if cfg.Strict {
		s.algorithms = issuer.Strict
	}
	if s.longest == 0 {
		s.longest = longestAssertion
	}
	if s.issuers = cfg.Issuers; s.issuers == nil {
		s.issuers = issuer.NewKeys(visit.New(visit.Config{}), cfg.DB.Now)
	}
	s.ended.Kind, s.ended.One, s.ended.Every = kindEnded, readEnded, eachEnded
	if err := s.db.Follow(ctx, &s.ended); err != nil {
		return nil, fmt.Errorf("open tokens: %w", err)
	}
	return s, nil
}

// Tend forgets what has expired and rotates the signing keys. It is called from time to time.
func (s *Service) Tend(ctx context.Context) error {
	err := s.db.Update(ctx, func(tx *store.Tx) error { return sweep(ctx, tx, s.db.Now()) })
	if err != nil {
		return fmt.Errorf("sweep tokens: %w", err)
	}
	return s.keys.Tend(ctx, func(instance string) bool {
		_, ok := s.center.Instance(instance)
		return ok
	})
}

// Publisher serves the discovery documents and key sets of the instances.
func (s *Service) Publisher() *Publisher {
	return &Publisher{Base: s.webURL, Keys: s.keys, Exists: func(id string) (string, bool) {
		for _, i := range s.center.Instances() {
			if i.ID() == id {
				return i.ARN, true
			}
		}
		return "", false
	}}
}

// CreateTokenWithIAM exchanges an assertion, a code, a refresh token or the access token of another application for tokens
// that name a person.
func (s *Service) CreateTokenWithIAM(ctx context.Context, in *ssooidc.CreateTokenWithIAMInput) (*ssooidc.CreateTokenWithIAMOutput, error) {
	x, err := s.begin(ctx, in)
	if err != nil {
		return nil, err
	}
	switch in.GrantType {
	case center.GrantJWTBearer:
		return s.exchangeAssertion(ctx, x)
	case center.GrantRefreshToken:
		return s.exchangeRefresh(ctx, x)
	case center.GrantAuthorizationCode:
		return s.exchangeCode(ctx, x)
	case center.GrantTokenExchange:
		return s.exchangeSubject(ctx, x)
	}
	return nil, x.refuse("grant type", ssooidc.UnsupportedGrantTypeException("Unsupported grant type provided"), fmt.Errorf("%.80q is not offered", in.GrantType))
}

// exchange is a request for tokens as far as it got.
type exchange struct {
	in       *ssooidc.CreateTokenWithIAMInput
	entry    *trail.Entry
	now      time.Time
	app      *center.Application
	instance *center.Instance

	issuer *center.Issuer
	person directory.Person
	scopes []string
	// refreshable says that the answer is to have a refresh token.
	refreshable bool
}

// refuse notes what failed and returns what the client is told.
func (x *exchange) refuse(step string, answer *wire.Error, cause error) error {
	x.entry.Step(step, trail.Fail, cause.Error())
	return answer.Because(cause)
}

func (x *exchange) pass(step, detail string) { x.entry.Step(step, trail.Pass, detail) }

// The words for clients say no more than the code.
func invalidGrant() *wire.Error  { return ssooidc.InvalidGrantException("Invalid grant provided") }
func invalidClient() *wire.Error { return ssooidc.InvalidClientException("Invalid client provided") }
func unauthorizedClient() *wire.Error {
	return ssooidc.UnauthorizedClientException("Client is not authorized to perform this operation")
}

func invalidRequest() *wire.Error { return ssooidc.InvalidRequestException("Invalid request provided") }

// refuseToken notes what is wrong with a code or a token of ours and returns what the client is told: that it expired, or
// that it is not valid. What is not about the token is an error of the server.
func (x *exchange) refuseToken(step string, err error) error {
	switch {
	case errors.Is(err, ErrExpired):
		return x.refuse(step, ssooidc.ExpiredTokenException("Token has expired"), err)
	case errors.Is(err, ErrInvalid), errors.Is(err, ErrEnded), errors.Is(err, ErrInactive):
		return x.refuse(step, invalidGrant(), err)
	}
	return err
}

// begin finds the application, asks whether the caller may act as it, and whether it may ask for this grant.
func (s *Service) begin(ctx context.Context, in *ssooidc.CreateTokenWithIAMInput) (*exchange, error) {
	x := &exchange{in: in, entry: trail.From(ctx), now: s.db.Now()}
	app, ok := s.center.Application(in.ClientId)
	if ok {
		x.instance, ok = s.center.Instance(app.Instance)
	}
	if !ok {
		authz.Open(ctx) // There is nothing whose policy could be asked.
		return nil, x.refuse("find application", invalidClient(), fmt.Errorf("no application %.256s", in.ClientId))
	}
	x.app = app
	x.pass("find application", app.ARN)
	x.entry.Resource("AWS::SSO::Application", app.ARN, x.instance.Account)
	x.entry.Add(trail.KeyApplication, app.ARN)
	err := s.authorizer.Authorize(ctx, authz.Request{
		Action: "sso-oauth:CreateTokenWithIAM", Resource: app.ARN, Account: x.instance.Account,
		ResourcePolicy: app.ActorPolicy(), MustAllow: true,
	})
	if err != nil {
		return nil, err
	}
	if !app.Enabled {
		return nil, x.refuse("application", unauthorizedClient(), errors.New("the application is disabled"))
	}
	x.pass("application", "enabled")
	switch in.GrantType {
	case center.GrantJWTBearer, center.GrantRefreshToken, center.GrantAuthorizationCode, center.GrantTokenExchange:
		if _, ok := app.Grants[in.GrantType]; !ok {
			return nil, x.refuse("grant type", unauthorizedClient(), fmt.Errorf("the application has no grant %s", in.GrantType))
		}
		x.pass("grant type", in.GrantType)
	}
	_, x.refreshable = app.Grants[center.GrantRefreshToken]
	return x, nil
}
