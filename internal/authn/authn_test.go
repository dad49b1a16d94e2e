package authn_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/authn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/sigv4"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// credentials are what is known: one user's key, one session, and a store that fails for one id.
type credentials struct{ user, session *caller.Caller }

const (
	userKey, userSecret       = "AKIAUSER", "user-secret"
	sessionKey, sessionSecret = "ASIASESSION", "session-secret"
	brokenKey                 = "AKIABROKEN"
)

var errBroken = errors.New("the disk is gone")

func (c *credentials) Key(id string) (string, *caller.Caller, error) {
	switch id {
	case userKey:
		return userSecret, c.user, nil
	case brokenKey:
		return "", nil, errBroken
	}
	return "", nil, authn.ErrUnknownKey
}

func (c *credentials) Open(id, token string) (string, *caller.Caller, error) {
	switch {
	case id == sessionKey && token == "token":
		return sessionSecret, c.session, nil
	case id == sessionKey && token == "old":
		return "", nil, authn.ErrExpiredToken
	}
	return "", nil, authn.ErrInvalidToken
}

func newAuthenticator() (*authn.Authenticator, *credentials) {
	c := &credentials{
		user:    &caller.Caller{Type: caller.User, ARN: "arn:aws:iam::111111111111:user/u"},
		session: &caller.Caller{Type: caller.AssumedRole, ARN: "arn:aws:sts::111111111111:assumed-role/r/s", Session: &caller.Session{}},
	}
	return &authn.Authenticator{Keys: c, Sessions: c, Region: "us-east-1", Now: func() time.Time { return now }, Cache: &sigv4.KeyCache{}}, c
}

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func signed(t *testing.T, s sigv4.Signer, at time.Time) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://localhost:9420/data/red/a", nil)
	r.Header.Set("X-Amz-Content-Sha256", emptyHash)
	if _, err := s.Sign(r, emptyHash, at); err != nil {
		t.Fatal(err)
	}
	return r
}

func authenticate(a *authn.Authenticator, r *http.Request) (*caller.Caller, error) {
	sig, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	c, _, err := a.Authenticate(r, sig, sigv4.Options{Services: []string{"s3"}, Style: sigv4.Literal, PayloadHash: emptyHash})
	return c, err
}

// TestWhoSigned: whoever proves to know the secret, and nobody else.
func TestWhoSigned(t *testing.T) {
	user := sigv4.Signer{AccessKeyID: userKey, SecretAccessKey: userSecret, Region: "us-east-1", Service: "s3", Style: sigv4.Literal}
	session := user
	session.AccessKeyID, session.SecretAccessKey, session.SessionToken = sessionKey, sessionSecret, "token"
	with := func(s sigv4.Signer, change func(*sigv4.Signer)) sigv4.Signer {
		change(&s)
		return s
	}
	for name, c := range map[string]struct {
		signer sigv4.Signer
		at     time.Time
		after  func(*http.Request)
		want   string // the ARN of the caller, or the kind of refusal
	}{
		"a user":                            {user, now, nil, "arn:aws:iam::111111111111:user/u"},
		"a session":                         {session, now, nil, "arn:aws:sts::111111111111:assumed-role/r/s"},
		"another secret":                    {with(user, func(s *sigv4.Signer) { s.SecretAccessKey = "guess" }), now, nil, "SignatureDoesNotMatch"},
		"no secret":                         {with(user, func(s *sigv4.Signer) { s.SecretAccessKey = "" }), now, nil, "SignatureDoesNotMatch"},
		"the user's key with a session's":   {with(user, func(s *sigv4.Signer) { s.SessionToken = "token" }), now, nil, "InvalidToken"},
		"a session's key without token":     {with(session, func(s *sigv4.Signer) { s.SessionToken = "" }), now, nil, "InvalidAccessKeyId"},
		"an altered token":                  {with(session, func(s *sigv4.Signer) { s.SessionToken = "tokem" }), now, nil, "InvalidToken"},
		"a session that is over":            {with(session, func(s *sigv4.Signer) { s.SessionToken = "old" }), now, nil, "ExpiredToken"},
		"an unknown key":                    {with(user, func(s *sigv4.Signer) { s.AccessKeyID = "AKIANOBODY" }), now, nil, "InvalidAccessKeyId"},
		"another Region":                    {with(user, func(s *sigv4.Signer) { s.Region = "eu-west-1" }), now, nil, "AuthorizationHeaderMalformed"},
		"another service":                   {with(user, func(s *sigv4.Signer) { s.Service = "iam" }), now, nil, "AuthorizationHeaderMalformed"},
		"an hour old":                       {user, now.Add(-time.Hour), nil, "RequestTimeTooSkewed"},
		"an hour early":                     {user, now.Add(time.Hour), nil, "RequestTimeTooSkewed"},
		"another path":                      {user, now, func(r *http.Request) { r.URL.Path = "/data/blue/a" }, "SignatureDoesNotMatch"},
		"another method":                    {user, now, func(r *http.Request) { r.Method = http.MethodDelete }, "SignatureDoesNotMatch"},
		"another host":                      {user, now, func(r *http.Request) { r.Host = "elsewhere:9420" }, "SignatureDoesNotMatch"},
		"with a query":                      {user, now, func(r *http.Request) { r.URL.RawQuery = "versionId=1" }, "SignatureDoesNotMatch"},
		"a token added after it was signed": {user, now, func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "token") }, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := newAuthenticator()
			used := ""
			a.Used = func(id, service string) { used = id + " for " + service }
			r := signed(t, c.signer, c.at)
			if c.after != nil {
				c.after(r)
			}
			who, err := authenticate(a, r)
			got := ""
			switch refused, ok := errors.AsType[*sigv4.Error](err); {
			case err == nil:
				got = who.ARN
			case !ok:
				t.Fatalf("%T %v is not modelled", err, err)
			case c.want == "refused":
				got = "refused"
			default:
				got = refused.Answer(sigv4.S3).Code
			}
			if got != c.want {
				t.Errorf("got %q (%v), want %q", got, err, c.want)
			}
			noted := ""
			if c.want == "arn:aws:iam::111111111111:user/u" {
				noted = userKey + " for s3"
			}
			if used != noted {
				t.Errorf("noted the use of %q, want %q", used, noted)
			}
			if err != nil && strings.Contains(err.Error(), c.signer.SecretAccessKey) && c.signer.SecretAccessKey != "" {
				t.Errorf("the refusal tells the secret: %v", err)
			}
		})
	}
}

// TestEachCallerIsACopy: what one request notes on its caller does not reach the next.
func TestEachCallerIsACopy(t *testing.T) {
	a, known := newAuthenticator()
	s := sigv4.Signer{AccessKeyID: userKey, SecretAccessKey: userSecret, Region: "us-east-1", Service: "s3", Style: sigv4.Literal}
	first, err := authenticate(a, signed(t, s, now))
	if err != nil {
		t.Fatal(err)
	}
	if first == known.user || first.Auth != "AuthHeader" || known.user.Auth != "" {
		t.Errorf("the caller is shared: %+v, known is %+v", first, known.user)
	}
}

// TestAFailureIsNoRefusal: a store that cannot be read is the server's fault, not the client's.
func TestAFailureIsNoRefusal(t *testing.T) {
	a, _ := newAuthenticator()
	s := sigv4.Signer{AccessKeyID: brokenKey, SecretAccessKey: "any", Region: "us-east-1", Service: "s3", Style: sigv4.Literal}
	_, err := authenticate(a, signed(t, s, now))
	if refused, ok := errors.AsType[*sigv4.Error](err); ok || !errors.Is(err, errBroken) {
		t.Errorf("got %v (%v)", err, refused)
	}
}
