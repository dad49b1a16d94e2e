package server

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/gateway"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// recorded is the walk of every operation, whoever asks for it: nothing is done that cannot be recorded, whatever comes of
// it is recorded, and an answer for which nobody asked whether it is allowed is none.
type recorded struct {
	trail *trail.Trail
	// fresh says why nothing may be decided now.
	fresh func() error
	log   *slog.Logger
}

// asked is an operation that somebody asks for.
type asked struct {
	call *wire.Call
	// admit says who asks, in the context and in the entry; read takes what they ask.
	admit func(ctx context.Context, entry *trail.Entry) (context.Context, error)
	read  func() (any, error)
}

// perform does the operation. What was done and could not be recorded is not answered.
func (d *recorded) perform(ctx context.Context, a asked) (out any, err error) {
	name, readOnly := "Unknown", true
	if a.call.Operation != nil {
		name, readOnly = a.call.Operation.Name, a.call.Operation.ReadOnly
	}
	ctx, entry := d.trail.Begin(ctx, trail.Operation{Source: a.call.Service.EventSource, Name: name, ReadOnly: readOnly})
	ctx, ledger := authz.WithLedger(ctx)
	out, err = d.answer(ctx, a, entry)
	if err == nil && !ledger.Asked() {
		err = wire.Internal(fmt.Errorf("%s answered without having asked for authorisation", name))
	}
	if err == nil {
		entry.Response(wire.Parameters(out))
	} else if e := wire.AsError(err); e.Kind == wire.KindInternal {
		d.log.ErrorContext(ctx, "request failed", slog.String("request", caller.RequestFrom(ctx).ID), slog.String("operation", name), slog.Any("error", err))
	}
	if recordErr := d.trail.Finish(ctx, entry, a.call.Spell(err)); recordErr != nil {
		err = wire.Unavailable("The request cannot be recorded.").Because(recordErr)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (d *recorded) answer(ctx context.Context, a asked, entry *trail.Entry) (out any, err error) {
	defer wire.Recover(&err)
	if ctx, err = a.admit(ctx, entry); err != nil {
		return nil, err
	}
	if err := d.trail.Ready(); err != nil {
		return nil, wire.Unavailable("The request cannot be recorded.").Because(err)
	}
	if err := d.fresh(); err != nil {
		return nil, wire.Unavailable(gateway.Behind).Because(err)
	}
	in, err := a.read()
	if err != nil {
		entry.Step("input", trail.Fail, err.Error())
		return nil, err
	}
	p := wire.Parameters(in)
	if p != nil && a.call.Service.EventSource == "s3.amazonaws.com" {
		p["Host"] = caller.RequestFrom(ctx).Host // as S3 records it, of its control API as well
	}
	entry.Parameters(p)
	return a.call.Invoke(ctx, in)
}
