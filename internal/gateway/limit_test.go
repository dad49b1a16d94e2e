package gateway

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
)

func at(seconds float64) time.Time {
	return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// enters counts how many of n requests at one time are taken in, each moving bytes.
func enters(l *Limiter, who string, n int, when time.Time, bytes int64) (in int) {
	for range n {
		if leave, err := l.enter(who, when); err == nil {
			in++
			leave(bytes, when)
		} else if spell(err).Code != "SlowDown" || spell(err).Status != 503 {
			panic(err)
		}
	}
	return in
}

func TestLimitOfRequests(t *testing.T) {
	l := NewLimiter(Limits{RequestsPerSecond: 2}, Capacity{})
	if n := enters(l, "mateo", 100, at(0), 1<<40); n != 20 {
		t.Errorf("at once: %d, want 20", n)
	}
	if n := enters(l, "mateo", 100, at(3), 0); n != 6 {
		t.Errorf("three seconds later: %d, want 6", n)
	}
	if n := enters(l, "ana", 100, at(3), 0); n != 20 {
		t.Errorf("somebody else: %d, want 20", n)
	}
	if n := enters(l, "mateo", 100, at(1), 0); n != 0 {
		t.Errorf("when the clock steps back: %d, want 0", n)
	}
	if n := enters(l, "mateo", 100, at(1000), 0); n != 20 {
		t.Errorf("much later: %d, want 20", n)
	}
}

func TestLimitOfBytes(t *testing.T) {
	l := NewLimiter(Limits{BytesPerSecond: 100}, Capacity{})
	if n := enters(l, "mateo", 1, at(0), 2000); n != 1 {
		t.Fatal("the first is refused")
	}
	if n := enters(l, "mateo", 1, at(9), 0); n != 0 {
		t.Error("taken in while 100 bytes are owed")
	}
	if n := enters(l, "mateo", 1, at(11), 0); n != 1 {
		t.Error("refused when the bytes are paid back")
	}
}

func TestLimitOfConcurrency(t *testing.T) {
	l := NewLimiter(Limits{Concurrent: 2}, Capacity{})
	first, err := l.enter("mateo", at(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.enter("mateo", at(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.enter("mateo", at(0)); err == nil {
		t.Error("a third is taken in")
	}
	first(0, at(1))
	if _, err := l.enter("mateo", at(1)); err != nil {
		t.Errorf("refused after one left: %v", err)
	}
}

// TestAttackLimits: a principal does not get a new share by asking under many names, and the shares stay bounded.
func TestAttackLimits(t *testing.T) {
	l := NewLimiter(Limits{RequestsPerSecond: 1, Concurrent: 100}, Capacity{})
	var crowd sync.WaitGroup
	for i := range maxShares + 500 {
		crowd.Go(func() { enters(l, fmt.Sprint("network ", i), 1, at(0), 0) })
	}
	crowd.Wait()
	if n := enters(l, "network 7", 100, at(0), 0); n != 9 {
		t.Errorf("after a crowd: %d, want the 9 that are left", n)
	}
	enters(l, "one more", 1, at(60), 0)
	if len(l.shares) > 2 {
		t.Errorf("%d shares are kept in mind", len(l.shares))
	}
	person := &caller.Identity{IdentityStoreID: "d-1", UserID: "u-1"}
	ways := map[string]bool{}
	for _, c := range []*caller.Caller{
		{ARN: "arn:aws:sts::1:assumed-role/App/one", PrincipalARN: "arn:aws:iam::1:role/App", OnBehalf: person},
		{ARN: "arn:aws:sts::1:assumed-role/Other/two", PrincipalARN: "arn:aws:iam::1:role/Other", OnBehalf: person},
		{ARN: "arn:aws:sts::1:assumed-role/Other/two", PrincipalARN: "arn:aws:iam::1:role/Other", Session: &caller.Session{Audit: person}},
	} {
		ways[principalOf(c, &caller.Request{})] = true
	}
	if len(ways) != 1 {
		t.Errorf("one person has the shares of %v", ways)
	}
	a, b := &caller.Caller{ARN: "arn:aws:sts::1:assumed-role/App/one", PrincipalARN: "arn:aws:iam::1:role/App"}, &caller.Caller{ARN: "arn:aws:sts::1:assumed-role/App/two", PrincipalARN: "arn:aws:iam::1:role/App"}
	if principalOf(a, nil) != principalOf(b, nil) {
		t.Error("a session name makes a share")
	}
	if got := principalOf(&caller.Caller{Type: caller.Anonymous}, &caller.Request{SourceIP: "192.0.2.1"}); got != "network 192.0.2.1" {
		t.Errorf("anonymous requests count for %q", got)
	}
}
