package issuer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lakegate/lakegate/internal/visit"
)

// How long the keys of an issuer are kept.
const (
	// minFresh and maxFresh bound what the issuer's Cache-Control says.
	minFresh = 5 * time.Minute
	maxFresh = 24 * time.Hour
	// staleTime is for how long keys still verify while they are read anew in the background, and when that fails: an
	// issuer that is down for less does not lock people out. A key that an issuer took back verifies for no longer than
	// maxFresh and this.
	staleTime = time.Hour
	// retryTime is how long a failure is remembered, and how often a token with an unknown key id may have the keys read
	// anew, so that nobody can make the server knock at an issuer's door without end.
	retryTime    = 10 * time.Second
	unknownTime  = time.Minute
	maxIssuers   = 1024
	maxFetchTime = 3 * visit.Time
)

// Keys keeps the keys of issuers by URL. It is safe for concurrent use.
type Keys struct {
	fetch func(ctx context.Context, issuer string) (KeySet, time.Duration, error)
	now   func() time.Time

	flights singleflight.Group
	mu      sync.Mutex
	known   map[string]*issuerKeys
}

type issuerKeys struct {
	keys       KeySet
	fresh      time.Time // until when
	fetched    time.Time
	failed     time.Time
	err        error
	refetching bool
}

// NewKeys returns a store of keys that are read by visits.
func NewKeys(v *visit.Visitor, now func() time.Time) *Keys {
	fetch := func(ctx context.Context, issuer string) (KeySet, time.Duration, error) {
		return discover(ctx, v, issuer)
	}
	return &Keys{fetch: fetch, now: now, known: map[string]*issuerKeys{}}
}

// Verify checks the signature of a token that names the issuer. The error says what failed, for the log; it is a *VisitError
// when the keys could not be read.
func (s *Keys) Verify(ctx context.Context, issuer string, a *Token) error {
	set, fetched, err := s.keysOf(ctx, issuer)
	if err != nil {
		return err
	}
	found := set.candidates(a.KeyID, a.Algorithm)
	if len(found) == 0 && s.now().Sub(fetched) >= unknownTime {
		if set, err = s.read(ctx, issuer); err != nil {
			return err
		}
		found = set.candidates(a.KeyID, a.Algorithm)
	}
	if len(found) == 0 {
		return fmt.Errorf("the issuer has no key %.64q for %s", a.KeyID, a.Algorithm)
	}
	if !found.verify(a) {
		return errors.New("the signature is not the issuer's")
	}
	return nil
}

// Visit reads the keys of an issuer, whatever is remembered of it, and leaves what is remembered as it is.
func (s *Keys) Visit(ctx context.Context, issuer string) (KeySet, error) {
	ctx, cancel := context.WithTimeout(ctx, maxFetchTime)
	defer cancel()
	set, _, err := s.fetch(ctx, issuer)
	return set, err
}

// keysOf returns the keys of an issuer and when they were read.
func (s *Keys) keysOf(ctx context.Context, issuer string) (KeySet, time.Time, error) {
	now := s.now()
	s.mu.Lock()
	k := s.known[issuer]
	switch {
	case k == nil, k.keys == nil && now.Sub(k.failed) >= retryTime:
	case k.keys == nil:
		err := k.err
		s.mu.Unlock()
		return nil, time.Time{}, err
	case now.Before(k.fresh):
		defer s.mu.Unlock()
		return k.keys, k.fetched, nil
	case now.Before(k.fresh.Add(staleTime)):
		defer s.mu.Unlock()
		if !k.refetching && now.Sub(k.failed) >= retryTime {
			k.refetching = true
			go func() { _, _ = s.read(context.WithoutCancel(ctx), issuer) }()
		}
		return k.keys, k.fetched, nil
	}
	s.mu.Unlock()
	set, err := s.read(ctx, issuer)
	return set, s.now(), err
}

// read fetches the keys of an issuer, once for all who wait for them. Nobody who gives up takes the others along.
func (s *Keys) read(ctx context.Context, issuer string) (KeySet, error) {
	flight := s.flights.DoChan(issuer, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxFetchTime)
		defer cancel()
		set, age, err := s.fetch(ctx, issuer)
		s.keep(issuer, set, age, err)
		return set, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-flight:
		set, _ := r.Val.(KeySet)
		return set, r.Err
	}
}

func (s *Keys) keep(issuer string, set KeySet, age time.Duration, err error) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[issuer]
	if k == nil {
		if len(s.known) >= maxIssuers {
			clear(s.known)
		}
		k = &issuerKeys{}
		s.known[issuer] = k
	}
	k.refetching, k.fetched = false, now
	if err != nil {
		k.failed, k.err = now, err
		if !now.Before(k.fresh.Add(staleTime)) {
			k.keys = nil
		}
		return
	}
	k.keys, k.err, k.failed = set, nil, time.Time{}
	k.fresh = now.Add(min(max(age, minFresh), maxFresh))
}
