package token

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

// issuers keeps the keys of trusted token issuers by URL.
type issuers struct {
	fetch func(ctx context.Context, issuer string) (keySet, time.Duration, error)
	now   func() time.Time

	flights singleflight.Group
	mu      sync.Mutex
	known   map[string]*issuerKeys
}

type issuerKeys struct {
	keys       keySet
	fresh      time.Time // until when
	fetched    time.Time
	failed     time.Time
	err        error
	refetching bool
}

func newIssuers(v *visit.Visitor, now func() time.Time) *issuers {
	fetch := func(ctx context.Context, issuer string) (keySet, time.Duration, error) {
		return discover(ctx, v, issuer)
	}
	return &issuers{fetch: fetch, now: now, known: map[string]*issuerKeys{}}
}

// verify checks the signature of a token that names the issuer. The error says what failed, for the log.
func (s *issuers) verify(ctx context.Context, issuer string, a *assertion) error {
	set, fetched, err := s.keysOf(ctx, issuer)
	if err != nil {
		return err
	}
	found := set.candidates(a.kid, a.alg)
	if len(found) == 0 && s.now().Sub(fetched) >= unknownTime {
		if set, err = s.read(ctx, issuer); err != nil {
			return err
		}
		found = set.candidates(a.kid, a.alg)
	}
	if len(found) == 0 {
		return fmt.Errorf("the issuer has no key %.64q for %s", a.kid, a.alg)
	}
	if !found.verify(a) {
		return errors.New("the signature is not the issuer's")
	}
	return nil
}

// keysOf returns the keys of an issuer and when they were read.
func (s *issuers) keysOf(ctx context.Context, issuer string) (keySet, time.Time, error) {
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
func (s *issuers) read(ctx context.Context, issuer string) (keySet, error) {
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
		set, _ := r.Val.(keySet)
		return set, r.Err
	}
}

func (s *issuers) keep(issuer string, set keySet, age time.Duration, err error) {
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
