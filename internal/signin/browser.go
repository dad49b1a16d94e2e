package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/store"
)

// browser is a browser in which somebody is signed in.
type browser struct {
	hash     []byte
	instance *center.Instance
	person   directory.Person
	signedIn time.Time
}

const (
	sessionCookie = "lakegate_session"
	flowCookie    = "lakegate_flow"
	// againCookie says that somebody signed out: for a while the provider is told to ask who it is, even if it knows, so that
	// the next person at the browser is not the last one.
	againCookie = "lakegate_again"
	againTime   = time.Hour
	// flowTime is how long somebody may take at the provider's page.
	flowTime = 10 * time.Minute
)

// cookie makes a cookie that scripts cannot read and other sites cannot make the browser send along, except when it is led
// here by a link: the way back from the provider is one. Under TLS the prefix __Host- keeps neighbours of the host's domain
// from setting it.
func (s *Service) cookie(name, value string, life time.Duration) *http.Cookie {
	c := &http.Cookie{Name: s.cookieName(name), Value: value, Path: "/", MaxAge: int(life / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.secure()}
	if life <= 0 {
		c.MaxAge = -1
	}
	return c
}

func (s *Service) secure() bool { return strings.HasPrefix(s.webURL, "https://") }

func (s *Service) cookieName(name string) string {
	if s.secure() {
		return "__Host-" + name
	}
	return name
}

// cookieOf reads a cookie. Two of one name are none: one of them is somebody else's.
func (s *Service) cookieOf(r *http.Request, name string) string {
	found := r.CookiesNamed(s.cookieName(name))
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// newBrowser remembers that somebody signed in with a browser, and returns the cookie. Whatever the browser had before ends.
func (s *Service) newBrowser(ctx context.Context, r *http.Request, i *center.Instance, p *Provider, person directory.Person) (*http.Cookie, error) {
	secret := newSecret()
	now := s.db.Now()
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		if old := s.cookieOf(r, sessionCookie); old != "" {
			if err := deleteSession(ctx, tx, hashOf(old)); err != nil {
				return err
			}
		}
		return insertSession(ctx, tx, hashOf(secret), sessionRow{i.ARN, person.ID, now, now.Add(p.SessionTime)})
	})
	if err != nil {
		return nil, fmt.Errorf("start browser session: %w", err)
	}
	return s.cookie(sessionCookie, secret, p.SessionTime), nil
}

// browserOf finds who is signed in with the browser of a request, nil for nobody. The person is looked up each time: who was
// disabled or deleted, or whose sign-in was revoked, is signed out.
func (s *Service) browserOf(ctx context.Context, r *http.Request) (*browser, error) {
	secret := s.cookieOf(r, sessionCookie)
	if secret == "" {
		return nil, nil
	}
	b := &browser{hash: hashOf(secret)}
	var row sessionRow
	err := s.db.View(ctx, func(q store.Querier) (err error) {
		row, err = readSession(ctx, q, b.hash)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read browser session: %w", err)
	}
	var known bool
	if b.instance, known = s.center.Instance(row.instance); known {
		_, known = s.providers.Get(row.instance)
	}
	if known {
		b.person, known = s.people.User(b.instance.StoreID, row.user)
	}
	b.signedIn = row.signedIn
	known = known && s.revoked(row.user, "", row.signedIn) == nil
	if !known || !b.person.Enabled || !s.db.Now().Before(row.expires) {
		return nil, s.endBrowser(ctx, b.hash)
	}
	return b, nil
}

func (s *Service) endBrowser(ctx context.Context, hash []byte) error {
	if err := s.db.Update(ctx, func(tx *store.Tx) error { return deleteSession(ctx, tx, hash) }); err != nil {
		return fmt.Errorf("end browser session: %w", err)
	}
	return nil
}

// flow is a sign-in that a browser is in the middle of. It is sealed into a cookie, so that it belongs to this browser, ends
// by itself, and is known to every node.
type flow struct {
	Instance string `json:"i"`
	Issuer   string `json:"u"`
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	// Return is the path and query here at which the browser goes on.
	Return  string `json:"r"`
	Expires int64  `json:"e"`
}

// The places that sealed texts are bound to, so that none passes for another.
const (
	placeFlow   = "sign-in-flow"
	placeTicket = "sign-in-ticket"
	placeClient = "sign-in-client"
	placeSecret = "sign-in-client-secret"
)

// maxReturn bounds the path and query at which a browser goes on: a cookie holds it.
const maxReturn = 2200

func (s *Service) sealed(place string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", place, err)
	}
	return base64.RawURLEncoding.EncodeToString(s.db.Seal(place, text)), nil
}

var errSealed = errors.New("not made here, or altered")

func (s *Service) unsealed(place, text string, v any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return errSealed
	}
	if raw, err = s.db.Unseal(place, raw); err != nil {
		return errSealed
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("decode %s: %w", place, err)
	}
	return nil
}

// newSecret makes 32 random bytes as text.
func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
