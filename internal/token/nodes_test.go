package token_test

import (
	"context"
	"sync"
	"testing"

	"github.com/lakegate/lakegate/internal/center/centertest"
	issuers "github.com/lakegate/lakegate/internal/issuer"
	"github.com/lakegate/lakegate/internal/session"
	"github.com/lakegate/lakegate/internal/token"
	"github.com/lakegate/lakegate/internal/visit"
)

// node is another server on the house's database: its own connections, its own memory.
func (h *house) node(t testing.TB) *house {
	t.Helper()
	n := *h
	n.House = centertest.At(t, h.url)
	var err error
	if n.ring, err = session.OpenRing(t.Context(), n.DB); err != nil {
		t.Fatal(err)
	}
	if n.keys, err = token.OpenKeyring(t.Context(), n.DB, "ES256"); err != nil {
		t.Fatal(err)
	}
	n.tokens, err = token.Open(t.Context(), token.Config{
		DB: n.DB, Center: n.Center, Directory: n.Directory, Contexts: n.ring, Authorizer: n.Authorizer, Keys: n.keys, WebURL: webURL, Issuers: issuers.NewKeys(visit.New(visit.Config{Development: true}), n.DB.Now),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &n
}

// Two servers on one database: what is good once is good once, wherever it is presented, and what ended on one has ended
// on the other.
func TestTwoNodes(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.grantRefresh(t)
		h.grantCodes(t, callback)
		if _, err := h.keys.Rotate(t.Context(), h.Instance.ARN, false); err != nil { // so that both sign with the same key
			t.Fatal(err)
		}
		nodes := []*house{h, h.node(t)}
		// race has every node do the same several times at once, and counts who succeeded.
		race := func(what string, do func(n *house) error) {
			t.Helper()
			const each = 4
			var wg sync.WaitGroup
			var mu sync.Mutex
			won := 0
			for _, n := range nodes {
				for range each {
					wg.Go(func() {
						if do(n) == nil {
							mu.Lock()
							won++
							mu.Unlock()
						}
					})
				}
			}
			wg.Wait()
			if won != 1 {
				t.Errorf("%s: %d of %d won", what, won, each*len(nodes))
			}
		}
		for name, changes := range map[string]map[string]any{"an assertion": nil, "an assertion without jti": {"jti": nil}} {
			assertion := h.issuer.sign(t, "one", h.claims(changes))
			race(name, func(n *house) error {
				_, err := n.exchange(context.Background(), assertion)
				return err
			})
		}
		code := h.applicationCode(t, h.Now())
		race("a code", func(n *house) error {
			_, err := n.tokens.RedeemCode(context.Background(), h.app, code, callback, verifier)
			return err
		})

		out, err := nodes[0].exchange(t.Context(), h.good(t))
		if err != nil {
			t.Fatal(err)
		}
		a := nodes[1].open(t, *out.AccessToken)
		next, err := nodes[1].refresh(t.Context(), *out.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		nodes[0].open(t, *next.AccessToken)
		nodes[0].refused(t, refreshInput(h, *out.RefreshToken), "InvalidGrantException", "refresh token") // stolen, and seen here
		_, err = nodes[1].tokens.OpenAccess(t.Context(), *next.AccessToken)
		wantErr(t, "on the other node", err, token.ErrEnded)
		nodes[1].refused(t, refreshInput(h, *next.RefreshToken), "InvalidGrantException", "refresh token")

		// A server that starts now knows of it for the sessions that were made from it.
		if !h.node(t).tokens.SignInEnded(&a.Person) {
			t.Error("a server that starts later takes the sign-in for one that goes on")
		}
	})
}
