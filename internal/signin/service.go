package signin

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/token"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/visit"
)

// Center is what signing in asks of the identity center.
type Center interface {
	Instance(arn string) (*center.Instance, bool)
	Instances() []*center.Instance
	InstanceFor(account string) (*center.Instance, bool)
	Application(arn string) (*center.Application, bool)
	Assigned(application, userID string, groups []string) bool
}

// Directory is what signing in asks of the people.
type Directory interface {
	FindUsers(storeID, attribute, value string) []string
	User(storeID, userID string) (directory.Person, bool)
	GroupsOf(storeID, userID string) []string
}

// Tokens makes and spends codes and tokens; token provides it.
type Tokens interface {
	IssueCode(ctx context.Context, c token.Code) (code string, err error)
	RedeemCode(ctx context.Context, client, code, redirectURI, verifier string) (token.Code, error)
	IssueAccess(ctx context.Context, a token.Access, refreshable bool) (token.Tokens, error)
	RefreshAccess(ctx context.Context, client, refreshToken string) (token.Tokens, error)
}

// Revocations tells why a person's sign-in at a moment no longer counts; session provides it.
type Revocations interface {
	CheckPerson(userID, application string, at time.Time) error
}

// Config says what signing in works with.
type Config struct {
	DB        *store.DB
	Center    Center
	Directory Directory
	Tokens    Tokens
	// Revocations may be nil: then nothing is revoked.
	Revocations Revocations
	Authorizer  *authz.Authorizer
	Trail       *trail.Trail
	// Origin says where a request of the web door comes from.
	Origin func(*http.Request) *caller.Request
	// WebURL is the URL of the web door and APIURL that of the API door, as people and clients reach them, without a slash
	// at the end.
	WebURL, APIURL string
	Region         string
	// Visitor reaches the providers.
	Visitor *visit.Visitor
	// Log may be nil.
	Log *slog.Logger
}

// Service is the sign-in: three operations of sso-oidc, three of lakegate's own, and the pages of the web door. It is safe
// for concurrent use.
type Service struct {
	db         *store.DB
	center     Center
	people     Directory
	tokens     Tokens
	authorizer *authz.Authorizer
	trail      *trail.Trail
	origin     func(*http.Request) *caller.Request
	webURL     string
	apiURL     string
	region     string
	log        *slog.Logger

	providers *store.Mirror[Provider]
	relying   *relying
	revoked   func(userID, application string, at time.Time) error
	pages     *template.Template
	limits    limits
}

// New opens the service on the database.
func New(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	pages, err := parsePages()
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	s := &Service{
		db: cfg.DB, center: cfg.Center, people: cfg.Directory, tokens: cfg.Tokens, authorizer: cfg.Authorizer, trail: cfg.Trail,
		origin: cfg.Origin, webURL: strings.TrimSuffix(cfg.WebURL, "/"), apiURL: strings.TrimSuffix(cfg.APIURL, "/"), region: cfg.Region,
		log: cfg.Log, pages: pages, limits: newLimits(cfg.DB.Now), relying: newRelying(cfg.Visitor, cfg.DB.Now),
		providers: &store.Mirror[Provider]{Kind: kindProvider, One: readProvider, Every: eachProvider},
	}
	s.revoked = func(string, string, time.Time) error { return nil }
	if cfg.Revocations != nil {
		s.revoked = cfg.Revocations.CheckPerson
	}
	if err := cfg.DB.Follow(ctx, s.providers); err != nil {
		return nil, fmt.Errorf("open sign-in: %w", err)
	}
	return s, nil
}

// Tend forgets what has expired, and providers of instances that are gone. It is called from time to time.
func (s *Service) Tend(ctx context.Context) error {
	var orphans []string
	for arn := range s.providers.Each() {
		if _, ok := s.center.Instance(arn); !ok {
			orphans = append(orphans, arn)
		}
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		for _, arn := range orphans {
			// Another node may have been quicker.
			if err := deleteProvider(ctx, tx, arn); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return sweep(ctx, tx, s.db.Now())
	})
	if err != nil {
		return fmt.Errorf("sweep sign-ins: %w", err)
	}
	return nil
}

// The addresses of an instance below the web door.
const (
	startPath    = "/start"
	callbackPath = "/callback"
)

// StartURL is what people give to `aws configure sso`.
func (s *Service) StartURL(i *center.Instance) string { return s.webURL + "/" + i.ID() + startPath }

// RedirectURI is what has to be registered at the instance's provider.
func (s *Service) RedirectURI(i *center.Instance) string {
	return s.webURL + "/" + i.ID() + callbackPath
}

// instanceOf finds the instance that a start URL is of, when people can sign in to it. A fragment and a last slash, which
// people copy along, do not count.
func (s *Service) instanceOf(startURL string) (*center.Instance, bool) {
	startURL, _, _ = strings.Cut(startURL, "#")
	id, ok := strings.CutPrefix(strings.TrimRight(startURL, "/"), s.webURL+"/")
	if !ok {
		return nil, false
	}
	return s.instanceByID(strings.TrimSuffix(id, startPath))
}

// instanceByID finds an instance to which people can sign in by the last part of its ARN.
func (s *Service) instanceByID(id string) (*center.Instance, bool) {
	for _, i := range s.center.Instances() {
		if i.ID() == id {
			_, ok := s.providers.Get(i.ARN)
			return i, ok
		}
	}
	return nil, false
}

// onlyInstance is the instance of a client that did not say which: the only one that has a provider.
func (s *Service) onlyInstance() (found *center.Instance, ok bool) {
	for _, i := range s.center.Instances() {
		if _, has := s.providers.Get(i.ARN); !has {
			continue
		}
		if found != nil {
			return nil, false
		}
		found = i
	}
	return found, found != nil
}

// identity is a person of an instance as tokens name them.
func identity(i *center.Instance, userID string) caller.Identity {
	return caller.Identity{UserID: userID, IdentityStoreID: i.StoreID, IdentityStoreARN: i.StoreARN(), InstanceARN: i.ARN}
}

// sessionTime is how long a browser session lasts when the provider does not say.
const sessionTime = 8 * time.Hour
