package scim

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// Few lists work at once, one store does not take all the places, and nobody waits for ever.
func TestTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		enter := func(store string) (leave func()) {
			t.Helper()
			leave, err := g.enter(t.Context(), store)
			if err != nil {
				t.Fatalf("%s: %v", store, err)
			}
			return leave
		}
		refused := func(store string) {
			t.Helper()
			began := time.Now()
			_, err := g.enter(t.Context(), store)
			if f, ok := errors.AsType[*fault](err); !ok || f.status != http.StatusTooManyRequests || f.after <= 0 || time.Since(began) != scanWait {
				t.Errorf("%s: %v after %v", store, err, time.Since(began))
			}
		}
		first := enter("a")
		enter("a")
		refused("a")
		enter("b")
		enter("b")
		refused("c") // all places are taken, and the place of its own is given back
		first()
		enter("c")
		refused("c")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.enter(ctx, "c"); !errors.Is(err, context.Canceled) {
			t.Errorf("after the client has gone: %v", err)
		}

		// Who waits comes in when somebody leaves.
		came := make(chan func())
		go func() {
			leave, _ := g.enter(t.Context(), "a")
			came <- leave
		}()
		synctest.Wait()
		select {
		case <-came:
			t.Error("a fifth came in")
		default:
		}
		if len(g.all) != maxScans || len(g.stores["c"]) != 1 {
			t.Errorf("%d are in, %d of c", len(g.all), len(g.stores["c"]))
		}
		<-g.all // as one of b leaves
		if leave := <-came; leave == nil {
			t.Error("who waited was refused")
		}
	})
}
