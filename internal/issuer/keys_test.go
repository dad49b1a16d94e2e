package issuer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const aURL = "https://login.example.com"

// fake is an issuer whose keys are read without a network.
type fake struct {
	visits  atomic.Int64
	mu      sync.Mutex
	keys    map[string]*ecdsa.PrivateKey
	age     time.Duration
	err     error
	waiting chan struct{} // when set, a visit waits until it is closed
}

func newFake(t *testing.T) *fake {
	f := &fake{keys: map[string]*ecdsa.PrivateKey{}}
	f.add(t, "one")
	return f
}

func (f *fake) add(t *testing.T, kid string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys[kid] = k
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) fetch(ctx context.Context, _ string) (KeySet, time.Duration, error) {
	f.visits.Add(1)
	f.mu.Lock()
	wait := f.waiting
	f.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, 0, f.err
	}
	var s KeySet
	for kid, k := range f.keys {
		s = append(s, publicKey{id: kid, key: k.Public()})
	}
	return s, f.age, nil
}

func (f *fake) token(t *testing.T, kid string) *Token {
	t.Helper()
	f.mu.Lock()
	k := f.keys[kid]
	f.mu.Unlock()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k}, (&jose.SignerOptions{}).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(map[string]any{"iss": aURL, "sub": "x", "aud": "y", "exp": 4e9})
	jws, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	a, err := Parse(text, Extended)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// In a bubble time passes only when everybody waits, so that background visits have ended when a step is checked.
func inBubble(t *testing.T, test func(t *testing.T, f *fake, s *Keys)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		test(t, f, &Keys{fetch: f.fetch, now: time.Now, known: map[string]*issuerKeys{}})
	})
}

func (f *fake) want(t *testing.T, what string, visits int64) {
	t.Helper()
	synctest.Wait()
	if got := f.visits.Load(); got != visits {
		t.Errorf("%s: %d visits, want %d", what, got, visits)
	}
}

func TestKeysAreKeptForAsLongAsTheIssuerSays(t *testing.T) {
	for says, want := range map[time.Duration]time.Duration{0: minFresh, time.Second: minFresh, time.Hour: time.Hour, 48 * time.Hour: maxFresh} {
		inBubble(t, func(t *testing.T, f *fake, s *Keys) {
			f.age = says
			a := f.token(t, "one")
			for range 3 {
				if err := s.Verify(t.Context(), aURL, a); err != nil {
					t.Fatal(err)
				}
			}
			f.want(t, "at first", 1)
			time.Sleep(want - time.Second)
			_ = s.Verify(t.Context(), aURL, a)
			f.want(t, "while fresh", 1)
			time.Sleep(2 * time.Second)
			if err := s.Verify(t.Context(), aURL, a); err != nil {
				t.Error(err)
			}
			f.want(t, "when stale", 2)
		})
	}
}

// Somebody who makes up key ids can have the issuer visited once a minute, not once a token.
func TestUnknownKeysAreAskedForOnceAMinute(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake, s *Keys) {
		if err := s.Verify(t.Context(), aURL, f.token(t, "one")); err != nil {
			t.Fatal(err)
		}
		f.add(t, "two")
		two := f.token(t, "two")
		for range 50 {
			if s.Verify(t.Context(), aURL, two) == nil {
				t.Fatal("a key that was never read verifies")
			}
		}
		f.want(t, "within the minute", 1)
		time.Sleep(unknownTime)
		if err := s.Verify(t.Context(), aURL, two); err != nil {
			t.Errorf("the new key after a minute: %v", err)
		}
		f.want(t, "after a minute", 2)
	})
}

// An issuer that is down: what was read verifies for the stated time and no longer, and nobody knocks without end.
func TestIssuerIsDown(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake, s *Keys) {
		a := f.token(t, "one")
		if err := s.Verify(t.Context(), aURL, a); err != nil {
			t.Fatal(err)
		}
		f.set(func() { f.err = errors.New("down") })
		time.Sleep(minFresh + staleTime/2)
		for range 20 {
			if err := s.Verify(t.Context(), aURL, a); err != nil {
				t.Fatalf("while stale: %v", err)
			}
			synctest.Wait()
		}
		f.want(t, "while stale", 2)
		time.Sleep(staleTime / 2)
		for range 20 {
			if s.Verify(t.Context(), aURL, a) == nil {
				t.Fatal("keys verify for longer than was stated")
			}
		}
		f.want(t, "too stale", 3)
		f.set(func() { f.err = nil })
		time.Sleep(retryTime)
		if err := s.Verify(t.Context(), aURL, a); err != nil {
			t.Errorf("after it came back: %v", err)
		}
	})
}

// A key that the issuer took back verifies no more once the keys were read anew.
func TestWithdrawnKey(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake, s *Keys) {
		a := f.token(t, "one")
		if err := s.Verify(t.Context(), aURL, a); err != nil {
			t.Fatal(err)
		}
		f.add(t, "two")
		f.set(func() { delete(f.keys, "one") })
		time.Sleep(minFresh)
		_ = s.Verify(t.Context(), aURL, a) // reads in the background
		synctest.Wait()
		if s.Verify(t.Context(), aURL, a) == nil {
			t.Error("a withdrawn key verifies")
		}
	})
}

// Many who wait for the same keys cost one visit, and the first of them to give up takes nobody along.
func TestOneVisitForAll(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake, s *Keys) {
		f.waiting = make(chan struct{})
		a := f.token(t, "one")
		impatient, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { first <- s.Verify(impatient, aURL, a) }()
		synctest.Wait()
		errs := make(chan error, 20)
		for range 20 {
			go func() { errs <- s.Verify(t.Context(), aURL, a) }()
		}
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the impatient one: %v", err)
		}
		close(f.waiting)
		for range 20 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		f.want(t, "in all", 1)
	})
}

// A visit that hangs ends by itself.
func TestVisitEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake, s *Keys) {
		f.waiting = make(chan struct{})
		begun := time.Now()
		if s.Verify(t.Context(), aURL, f.token(t, "one")) == nil {
			t.Error("verified by nothing")
		}
		if took := time.Since(begun); took != maxFetchTime {
			t.Errorf("it took %s", took)
		}
	})
}

func TestKeySets(t *testing.T) {
	const p256 = `"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"`
	const private = `,"d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"`
	for name, c := range map[string]struct {
		text string
		keys int
	}{
		"one key":              {`{"keys":[{` + p256 + `}]}`, 1},
		"for signatures":       {`{"keys":[{` + p256 + `,"use":"sig"}]}`, 1},
		"for encryption":       {`{"keys":[{` + p256 + `,"use":"enc"}]}`, 0},
		"operations":           {`{"keys":[{` + p256 + `,"key_ops":["verify"]}]}`, 1},
		"other operations":     {`{"keys":[{` + p256 + `,"key_ops":["encrypt"]}]}`, 0},
		"no operations":        {`{"keys":[{` + p256 + `,"key_ops":[]}]}`, 0},
		"a private key":        {`{"keys":[{` + p256 + private + `}]}`, 0},
		"a shared secret":      {`{"keys":[{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0","alg":"HS256"}]}`, 0},
		"not on the curve":     {`{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"}]}`, 0},
		"an unknown type":      {`{"keys":[{"kty":"NEW"}]}`, 0},
		"one bad, one good":    {`{"keys":[{"kty":"EC"},7,null,{` + p256 + `}]}`, 1},
		"nothing":              {`{}`, 0},
		"a list":               {`[]`, 0},
		"not JSON":             {`<html>`, 0},
		"keys is no list":      {`{"keys":{}}`, 0},
		"the set of an issuer": {oneKey, 1},
	} {
		set, err := parseKeySet([]byte(c.text))
		if len(set) != c.keys || (err == nil) != (c.keys > 0) {
			t.Errorf("%s: %d keys, %v", name, len(set), err)
		}
	}
}

// A token that names an algorithm other than the key's own is nobody's.
func TestCandidates(t *testing.T) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := KeySet{{"a", "ES256", k.Public()}, {"b", "", k.Public()}, {"c", "ES384", k.Public()}, {"a", "", k.Public()}}
	for _, c := range []struct {
		kid  string
		alg  jose.SignatureAlgorithm
		want int
	}{{"a", jose.ES256, 2}, {"b", jose.ES256, 1}, {"c", jose.ES256, 0}, {"c", jose.ES384, 0}, {"", jose.ES256, 3}, {"", jose.RS256, 0}, {"A", jose.ES256, 0}} {
		if got := len(set.candidates(c.kid, c.alg)); got != c.want {
			t.Errorf("kid %q, %s: %d, want %d", c.kid, c.alg, got, c.want)
		}
	}
	var many KeySet
	for range 3 * maxTries {
		many = append(many, publicKey{"", "", k.Public()})
	}
	if got := len(many.candidates("", jose.ES256)); got != maxTries {
		t.Errorf("%d keys are tried", got)
	}
}
