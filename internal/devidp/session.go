package devidp

import (
	"crypto/subtle"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of what is kept. The one that ends first gives way to a new one.
const (
	maxSessions = 2048
	maxRefresh  = 4096
)

var (
	errNoRefresh     = errors.New("refresh token is unknown, expired or revoked")
	errRefreshReused = errors.New("refresh token was used before, all that came of the sign-in is revoked")
)

// sessions are who is signed in with which browser, and the refresh tokens. They outlive a restart: each change is on
// disk before it is answered. The file holds digests, so that reading it does not give one a session.
type sessions struct {
	state stateDir
	now   func() time.Time

	mu   sync.Mutex
	data sessionData
}

// sessionData is the content of sessions.json.
type sessionData struct {
	Sessions map[string]session `json:"sessions"` // by digest of the cookie
	Refresh  map[string]refresh `json:"refresh"`  // by family
}

type session struct {
	OID   string    `json:"oid"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// refresh is the one valid refresh token of a family: all tokens that came of one sign-in to one client.
type refresh struct {
	Digest  string    `json:"digest"`
	Grant   grant     `json:"grant"`
	Until   time.Time `json:"until"`
	Session string    `json:"session"` // digest of the cookie of the sign-in
}

func openSessions(state stateDir, now func() time.Time) (*sessions, error) {
	s := &sessions{state: state, now: now}
	if _, err := state.readJSON(sessionsFile, &s.data); err != nil {
		return nil, err
	}
	return s, nil
}

// alter changes a copy and saves it; when saving fails, nothing has changed.
func (s *sessions) alter(f func(*sessionData)) error {
	next := sessionData{Sessions: map[string]session{}, Refresh: map[string]refresh{}}
	now := s.now()
	for k, v := range s.data.Sessions {
		if now.Before(v.Until) {
			next.Sessions[k] = v
		}
	}
	for k, v := range s.data.Refresh {
		if now.Before(v.Until) {
			next.Refresh[k] = v
		}
	}
	f(&next)
	dropFirst(next.Sessions, maxSessions, func(v session) time.Time { return v.Until })
	dropFirst(next.Refresh, maxRefresh, func(v refresh) time.Time { return v.Until })
	if err := s.state.writeJSON(sessionsFile, next); err != nil {
		return err
	}
	s.data = next
	return nil
}

func dropFirst[V any](m map[string]V, limit int, until func(V) time.Time) {
	if len(m) <= limit {
		return
	}
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return until(m[a]).Compare(until(m[b])) })
	for _, k := range keys[:len(m)-limit] {
		delete(m, k)
	}
}

// start opens a session in place of the one that the browser had, and returns its cookie value. The value is new each
// time, so that one planted before the sign-in is worth nothing after it.
func (s *sessions) start(oid, former string) (cookie string, err error) {
	cookie = secret(32)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	return cookie, s.alter(func(d *sessionData) {
		delete(d.Sessions, digest(former))
		d.Sessions[digest(cookie)] = session{OID: oid, Since: now, Until: now.Add(sessionLifetime)}
	})
}

func (s *sessions) find(cookie string) (session, bool) {
	if cookie == "" {
		return session{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.data.Sessions[digest(cookie)]
	return v, ok && s.now().Before(v.Until)
}

// end closes a session and revokes the refresh tokens that came of it.
func (s *sessions) end(cookie string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := digest(cookie)
	return s.alter(func(d *sessionData) {
		delete(d.Sessions, k)
		maps.DeleteFunc(d.Refresh, func(_ string, r refresh) bool { return r.Session == k })
	})
}

// endPeople closes everything of the people that the function says.
func (s *sessions) endPeople(gone func(oid string) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alter(func(d *sessionData) {
		maps.DeleteFunc(d.Sessions, func(_ string, v session) bool { return gone(v.OID) })
		maps.DeleteFunc(d.Refresh, func(_ string, r refresh) bool { return gone(r.Grant.OID) })
	})
}

// allow makes the first refresh token of a grant's family.
func (s *sessions) allow(g grant) (token string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replace(g, g.Session)
}

func (s *sessions) replace(g grant, session string) (token string, err error) {
	// What answered the authorization request alone, the nonce above all, is not repeated in later tokens.
	g.Nonce, g.Challenge, g.RedirectURI, g.MaxAge, g.Session = "", "", "", false, ""
	tail := secret(32)
	err = s.alter(func(d *sessionData) {
		d.Refresh[g.Family] = refresh{Digest: digest(tail), Grant: g, Until: s.now().Add(refreshLifetime), Session: session}
	})
	return g.Family + "." + tail, err
}

// renew exchanges a refresh token for its grant and its successor. A token whose family lives on with another one was
// used before, by its owner or by a thief: which of the two asks now cannot be told, so the family ends.
func (s *sessions) renew(token, clientID string) (g grant, successor string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	family, tail, _ := strings.Cut(token, ".")
	r, ok := s.data.Refresh[family]
	if !ok || r.Grant.ClientID != clientID || !s.now().Before(r.Until) {
		return grant{}, "", errNoRefresh
	}
	if subtle.ConstantTimeCompare([]byte(digest(tail)), []byte(r.Digest)) != 1 {
		err := s.alter(func(d *sessionData) { delete(d.Refresh, family) })
		return grant{Family: family}, "", errors.Join(errRefreshReused, err)
	}
	successor, err = s.replace(r.Grant, r.Session)
	return r.Grant, successor, err
}

// family names the family of a refresh token, if it is the valid one and the client's own.
func (s *sessions) family(token, clientID string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	family, tail, _ := strings.Cut(token, ".")
	r, ok := s.data.Refresh[family]
	return family, ok && r.Grant.ClientID == clientID && subtle.ConstantTimeCompare([]byte(digest(tail)), []byte(r.Digest)) == 1
}

// revoke ends a family, if the client owns it.
func (s *sessions) revoke(family, clientID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.data.Refresh[family]; !ok || r.Grant.ClientID != clientID {
		return nil
	}
	return s.alter(func(d *sessionData) { delete(d.Refresh, family) })
}
