package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/lakegate/lakegate/internal/authz"
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
	mux   *wire.Mux
	trail *trail.Trail
	log   *slog.Logger
}

// Do implements console.Operations. Each operation is a request of its own, with an id of its own.
func (d *within) Do(ctx context.Context, who *caller.Caller, service *wire.ServiceModel, operation string, in any) (out any, err error) {
	call, ok := d.mux.Find(service, operation)
	if !ok {
		return nil, fmt.Errorf("there is no operation %s of %s", operation, service.Name)
	}
	req := *caller.RequestFrom(ctx)
	req.ID = newRequestID()
	ctx = caller.With(caller.WithRequest(ctx, &req), who)
	ctx, entry := d.trail.Begin(ctx, trail.Operation{Source: service.EventSource, Name: operation, ReadOnly: call.Operation.ReadOnly})
	ctx, ledger := authz.WithLedger(ctx)
	entry.Caller(who)
	out, err = d.answer(ctx, call, in, entry)
	if err == nil && !ledger.Asked() {
		err = wire.Internal(fmt.Errorf("%s answered without having asked for authorisation", operation))
	}
	if err == nil {
		entry.Response(wire.Parameters(out))
	} else if e := wire.AsError(err); e.Kind == wire.KindInternal {
		d.log.ErrorContext(ctx, "request failed", slog.String("request", req.ID), slog.String("operation", operation), slog.Any("error", err))
	}
	if recordErr := d.trail.Finish(ctx, entry, call.Spell(err)); recordErr != nil {
		err = wire.Unavailable("The request cannot be recorded.").Because(recordErr)
	}
	if err == nil {
		return out, nil
	}
	spelt, ok := errors.AsType[*wire.Error](call.Spell(err))
	if !ok {
		spelt = wire.Internal(err)
	}
	return nil, &console.Failure{Reference: req.ID, Err: spelt}
}

func (d *within) answer(ctx context.Context, call *wire.Call, in any, entry *trail.Entry) (out any, err error) {
	defer wire.Recover(&err)
	if err := d.trail.Ready(); err != nil {
		return nil, wire.Unavailable("The request cannot be recorded.").Because(err)
	}
	if err := call.Check(in); err != nil {
		entry.Step("input", trail.Fail, err.Error())
		return nil, err
	}
	entry.Parameters(wire.Parameters(in))
	return call.Invoke(ctx, in)
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
