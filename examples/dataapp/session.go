package dataapp

import (
	"container/list"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// sessions keeps who is signed in, in memory: a random id in the browser's cookie, the person here. It holds at most max
// sessions, each for life; the oldest makes room for a new one. All live equally long, so the oldest is the first to expire
// and the order of arrival is the order of expiry. A restart signs everybody out.
type sessions struct {
	max  int
	life time.Duration
	now  func() time.Time

	mu    sync.Mutex
	byID  map[string]*list.Element
	order *list.List
}

type signedInSession struct {
	id      string
	person  *person
	expires time.Time
}

func newSessions(max int, life time.Duration, now func() time.Time) *sessions {
	return &sessions{max: max, life: life, now: now, byID: map[string]*list.Element{}, order: list.New()}
}

// begin opens a session under a new id. The id is never one that the browser brought, so nobody can plant a session.
func (s *sessions) begin(p *person) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.order.Front(); e != nil && (s.order.Len() >= s.max || s.expired(e)); e = s.order.Front() {
		s.drop(e)
	}
	id := rand.Text()
	s.byID[id] = s.order.PushBack(&signedInSession{id: id, person: p, expires: s.now().Add(s.life)})
	return id
}

func (s *sessions) find(id string) (*person, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.byID[id]
	if !ok {
		return nil, false
	}
	if s.expired(e) {
		s.drop(e)
		return nil, false
	}
	return e.Value.(*signedInSession).person, true
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.byID[id]; ok {
		s.drop(e)
	}
}

func (s *sessions) expired(e *list.Element) bool {
	return !s.now().Before(e.Value.(*signedInSession).expires)
}

func (s *sessions) drop(e *list.Element) {
	delete(s.byID, e.Value.(*signedInSession).id)
	s.order.Remove(e)
}

// An attempt is a sign-in between its start here and its return from the identity provider.
type attempt struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Expires  time.Time `json:"expires"`
}

const attemptLife = 10 * time.Minute

// attempts seals attempts into a cookie rather than keeping them here: anybody may start a sign-in, and a table that
// strangers can fill is a table from which they can push out everybody else.
type attempts struct {
	aead cipher.AEAD
	now  func() time.Time
}

func newAttempts(now func() time.Time) (*attempts, error) {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher of sign-in attempts: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher of sign-in attempts: %w", err)
	}
	return &attempts{aead: aead, now: now}, nil
}

func (a *attempts) seal(t attempt) (string, error) {
	t.Expires = a.now().Add(attemptLife)
	plain, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("encode sign-in attempt: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(a.aead.Seal(nil, nil, plain, nil)), nil
}

func (a *attempts) open(sealed string) (attempt, bool) {
	box, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return attempt{}, false
	}
	plain, err := a.aead.Open(nil, nil, box, nil)
	if err != nil {
		return attempt{}, false
	}
	var t attempt
	if err := json.Unmarshal(plain, &t); err != nil || !a.now().Before(t.Expires) {
		return attempt{}, false
	}
	return t, true
}

const (
	sessionCookie = "dataapp_session"
	attemptCookie = "dataapp_signin"
)

// cookieName adds the prefix with which browsers hold a cookie to this very host; they take it over https alone.
func (a *App) cookieName(name string) string {
	if a.cfg.secure() {
		return "__Host-" + name
	}
	return name
}

func (a *App) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName(name), Value: value, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: a.cfg.secure(), SameSite: http.SameSiteLaxMode,
	})
}

func (a *App) clearCookie(w http.ResponseWriter, name string) { a.setCookie(w, name, "", -time.Second) }

func (a *App) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(a.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

func (a *App) person(r *http.Request) (*person, bool) {
	return a.sessions.find(a.cookie(r, sessionCookie))
}
