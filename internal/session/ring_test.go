package session_test

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/authn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/session"
)

func ofRole(now time.Time, life time.Duration) *caller.Caller {
	return &caller.Caller{Type: caller.AssumedRole, Account: management, Session: &caller.Session{
		RoleARN: "arn:aws:iam::222222222222:role/reader", RoleID: "AROAEXAMPLE", RoleName: "reader", Name: "s", Issued: now, Expires: now.Add(life),
	}}
}

// TestATokenOpensForItsKeyAlone, unaltered and until it expires.
func TestATokenOpensForItsKeyAlone(t *testing.T) {
	h := newHouse(t)
	c := must(h.ring.Issue(ofRole(h.now, time.Hour)))
	other := must(h.ring.Issue(ofRole(h.now, time.Hour)))
	secret, who, err := h.ring.Open(c.AccessKeyID, c.SessionToken)
	if err != nil || secret != c.SecretAccessKey || who.ARN != "arn:aws:sts::222222222222:assumed-role/reader/s" {
		t.Fatalf("opened %q as %+v: %v", secret, who, err)
	}
	for name, attempt := range map[string][2]string{
		"another key":            {other.AccessKeyID, c.SessionToken},
		"another token":          {c.AccessKeyID, other.SessionToken},
		"no token":               {c.AccessKeyID, ""},
		"a token of zeros":       {c.AccessKeyID, base64.RawURLEncoding.EncodeToString(make([]byte, 64))},
		"padded":                 {c.AccessKeyID, c.SessionToken + "="},
		"with a line's end":      {c.AccessKeyID, c.SessionToken + "\n"},
		"an identity context":    {c.AccessKeyID, must(h.ring.SealContext(mateo, h.now.Add(time.Hour)))},
		"of a ring of elsewhere": {c.AccessKeyID, must(newHouse(t).ring.Issue(ofRole(h.now, time.Hour))).SessionToken},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := h.ring.Open(attempt[0], attempt[1]); !errors.Is(err, authn.ErrInvalidToken) {
				t.Errorf("got %v", err)
			}
		})
	}
	raw := must(base64.RawURLEncoding.DecodeString(c.SessionToken))
	for i := range raw {
		altered := append([]byte(nil), raw...)
		altered[i] ^= 1
		if _, _, err := h.ring.Open(c.AccessKeyID, base64.RawURLEncoding.EncodeToString(altered)); !errors.Is(err, authn.ErrInvalidToken) {
			t.Fatalf("byte %d altered: got %v", i, err)
		}
	}
	h.now = h.now.Add(time.Hour)
	if _, _, err := h.ring.Open(c.AccessKeyID, c.SessionToken); !errors.Is(err, authn.ErrExpiredToken) {
		t.Errorf("at its end: got %v", err)
	}
}

// TestTheCacheKeepsNobodyAlive: an opened session is over at its end, and a token opens for its key alone, cached or not.
func TestTheCacheKeepsNobodyAlive(t *testing.T) {
	h := newHouse(t)
	cache := session.NewCache(h.ring)
	c := must(h.ring.Issue(ofRole(h.now, time.Hour)))
	for range 2 {
		if secret, _, err := cache.Open(c.AccessKeyID, c.SessionToken); err != nil || secret != c.SecretAccessKey {
			t.Fatalf("got %q: %v", secret, err)
		}
	}
	n := len(c.AccessKeyID) - 1
	if _, _, err := cache.Open(c.AccessKeyID[:n], c.AccessKeyID[n:]+c.SessionToken); err == nil {
		t.Error("the same letters, split at another place, opened")
	}
	h.now = h.now.Add(time.Hour)
	if _, _, err := cache.Open(c.AccessKeyID, c.SessionToken); !errors.Is(err, authn.ErrExpiredToken) {
		t.Errorf("at its end: got %v", err)
	}
}

// TestKeysOfTheRingTakeTurns: a new one seals each day, and an old one opens as long as what it sealed may live.
func TestKeysOfTheRingTakeTurns(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { keysTakeTurns(t, engine) })
	}
}

func keysTakeTurns(t *testing.T, engine string) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	db := openAt(t, engine, &now)
	ring := must(session.OpenRing(t.Context(), db))
	opens := func(c session.Credentials) bool {
		_, _, err := ring.Open(c.AccessKeyID, c.SessionToken)
		return err == nil
	}
	tend := func(after time.Duration) {
		now = now.Add(after)
		if err := ring.Tend(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(23 * time.Hour)
	late := must(ring.Issue(ofRole(now, 36*time.Hour)))
	tend(time.Hour) // the second key begins
	second := must(ring.Issue(ofRole(now, 36*time.Hour)))
	tend(34 * time.Hour)
	if !opens(late) || !opens(second) {
		t.Error("a session ended before its time")
	}
	again := must(session.OpenRing(t.Context(), db))
	if _, _, err := again.Open(second.AccessKeyID, second.SessionToken); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	forged := must(ring.Issue(ofRole(now, 100*24*time.Hour)))
	tend(72 * time.Hour)
	if opens(forged) {
		t.Error("a token outlived the key that sealed it")
	}
}

// TestWhatDoesNotFit is not issued.
func TestWhatDoesNotFit(t *testing.T) {
	h := newHouse(t)
	c := ofRole(h.now, time.Hour)
	c.Session.Tags = map[string]string{}
	for i := range 50 {
		c.Session.Tags[string(rune('a'+i%26))+string(rune('a'+i/26))] = string(make([]byte, 256))
	}
	if _, err := h.ring.Issue(c); !errors.Is(err, session.ErrTokenTooLarge) {
		t.Errorf("got %v", err)
	}
}
