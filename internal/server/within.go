package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/console"
	"github.com/lakegate/lakegate/internal/portal"
	"github.com/lakegate/lakegate/internal/signin"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// within calls operations for rooms of the house that act in somebody's name, as the console does. It is the walk of a
// request at the API door from the caller on: checked against the same constraints, authorised, and recorded.
type within struct {
	recorded
	mux *wire.Mux
}

// Do implements console.Operations. Each operation is a request of its own, with an id of its own.
func (d *within) Do(ctx context.Context, who *caller.Caller, service *wire.ServiceModel, operation string, in any) (out any, err error) {
	call, ok := d.mux.Find(service, operation)
	if !ok {
		return nil, fmt.Errorf("there is no operation %s of %s", operation, service.Name)
	}
	req := *caller.RequestFrom(ctx)
	req.ID = newRequestID()
	out, err = d.perform(caller.WithRequest(ctx, &req), asked{
		call: call,
		admit: func(ctx context.Context, entry *trail.Entry) (context.Context, error) {
			entry.Caller(who)
			return caller.With(ctx, who), nil
		},
		read: func() (any, error) { return in, call.Check(in) },
	})
	if err == nil {
		return out, nil
	}
	spelt, ok := errors.AsType[*wire.Error](call.Spell(err))
	if !ok {
		spelt = wire.Internal(err)
	}
	return nil, &console.Failure{Reference: req.ID, Err: spelt}
}

// guests is the sign-in as the console asks it.
type guests struct{ *signin.Service }

// GuestOf implements console.SignIn.
func (g guests) GuestOf(ctx context.Context, r *http.Request) (*console.Guest, error) {
	found, err := g.Service.GuestOf(ctx, r)
	if err != nil || found == nil {
		return nil, err
	}
	return &console.Guest{
		Account: found.Instance.Account, UserName: found.Person.UserName, DisplayName: found.Person.DisplayName, Identity: found.Identity, Session: found.Session,
	}, nil
}

// wayIn is the portal as the console asks it.
type wayIn struct{ *portal.Service }

// SessionOf implements console.Portal.
func (w wayIn) SessionOf(ctx context.Context, id *caller.Identity, account, permissionSetARN string, taken time.Time) (*caller.Caller, error) {
	c, err := w.Service.SessionOf(ctx, id, account, permissionSetARN, taken)
	if errors.Is(err, portal.ErrNotAssigned) || errors.Is(err, portal.ErrSessionOver) {
		return nil, fmt.Errorf("%w: %w", console.ErrNoRole, err)
	}
	return c, err
}
