package trail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// Explanation tells what became of a request and why.
type Explanation struct {
	RequestID string
	Time      time.Time
	// Source and Operation are what was called.
	Source, Operation string
	// Caller is the ARN of who called; empty when nobody was authenticated.
	Caller string
	// Person is the name of the person whom the request was for, or else the id; Application came with the person.
	Person, Application string
	// Outcome is one of the decisions.
	Outcome string
	// ErrorCode and ErrorMessage are what the client was told.
	ErrorCode, ErrorMessage string
	// Steps are the questions that were asked, in their order.
	Steps []Step
}

// Viewer is who asks why.
type Viewer struct {
	// Account sees the requests that it has a copy of.
	Account string
	// Strangers says that the viewer also sees the requests of callers who could not be authenticated and that touched
	// nobody's account. Those belong to who runs the server: the management account.
	Strangers bool
}

// Why explains a request by its id: a management request, or a refused one for data. The error is store.ErrNotFound for
// a request that is unknown, that is another account's, or that was an allowed one for data.
func (t *Trail) Why(ctx context.Context, v Viewer, requestID string) (*Explanation, error) {
	t.Flush(ctx)
	var f found
	err := t.cfg.DB.View(ctx, func(q store.Querier) (err error) {
		err = store.ErrNotFound
		if v.Account != "" {
			f, err = byRequest(ctx, q, v.Account, column(requestID))
		}
		if v.Strangers && errors.Is(err, store.ErrNotFound) {
			f, err = byRequest(ctx, q, "", column(requestID))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find request %.64q: %w", requestID, err)
	}
	return f.explain()
}

func (f *found) explain() (*Explanation, error) {
	var r Record
	if err := json.Unmarshal([]byte(f.record), &r); err != nil {
		return nil, fmt.Errorf("read record %s: %w", f.id, err)
	}
	x := &Explanation{
		RequestID: r.RequestID, Time: store.Time(f.at), Source: r.EventSource, Operation: r.EventName, Caller: r.UserIdentity.ARN,
		ErrorCode: r.ErrorCode, ErrorMessage: r.ErrorMessage,
	}
	if err := json.Unmarshal([]byte(f.steps), &x.Steps); err != nil {
		return nil, fmt.Errorf("read steps of record %s: %w", f.id, err)
	}
	extra := func(key string) string {
		s, _ := r.AdditionalEventData[key].(string)
		return s
	}
	x.Outcome, x.Application, x.Person = extra(KeyDecision), extra(KeyApplication), extra(KeyPersonName)
	if x.Person == "" {
		x.Person = extra(KeyPersonID)
	}
	if x.Person == "" && r.UserIdentity.OnBehalfOf != nil {
		x.Person = r.UserIdentity.OnBehalfOf.UserID
	}
	return x, nil
}
