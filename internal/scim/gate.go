package scim

import (
	"context"
	"sync"
	"time"
)

// How many lists that have to read every resource work at once, in all and for one store, and how long others wait.
const (
	maxScans      = 4
	maxStoreScans = 2
	scanWait      = 10 * time.Second
)

// gate lets few lists through that are long work. One store alone does not take all the places.
type gate struct {
	all    chan struct{}
	mu     sync.Mutex
	stores map[string]chan struct{} // as many as there are stores: who comes here has a good token
}

func newGate() *gate {
	return &gate{all: make(chan struct{}, maxScans), stores: map[string]chan struct{}{}}
}

// enter waits for a place and returns how to leave it.
func (g *gate) enter(ctx context.Context, store string) (leave func(), err error) {
	g.mu.Lock()
	own := g.stores[store]
	if own == nil {
		own = make(chan struct{}, maxStoreScans)
		g.stores[store] = own
	}
	g.mu.Unlock()
	patience := time.NewTimer(scanWait)
	defer patience.Stop()
	for i, places := range []chan struct{}{own, g.all} {
		select {
		case places <- struct{}{}:
			continue
		case <-patience.C:
			err = tooSoon(scanWait, "Too many lists that no index helps with are being worked on.")
		case <-ctx.Done():
			err = ctx.Err()
		}
		if i > 0 {
			<-own
		}
		return nil, err
	}
	return func() { <-g.all; <-own }, nil
}
