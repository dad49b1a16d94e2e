package authz

import (
	"context"
	"sync/atomic"
)

// Ledger remembers whether a request was authorised, or declared that it needs no authorisation.
type Ledger struct {
	asked atomic.Bool
}

type ledgerKey struct{}

// WithLedger returns a context that carries a fresh ledger.
func WithLedger(ctx context.Context) (context.Context, *Ledger) {
	l := &Ledger{}
	return context.WithValue(ctx, ledgerKey{}, l), l
}

// Asked reports whether anybody asked, or declared the operation open.
func (l *Ledger) Asked() bool { return l.asked.Load() }

// Open declares that the operation needs no authorisation, as sts GetCallerIdentity and sign-in do.
func Open(ctx context.Context) { noted(ctx) }

func noted(ctx context.Context) {
	if l, ok := ctx.Value(ledgerKey{}).(*Ledger); ok {
		l.asked.Store(true)
	}
}
