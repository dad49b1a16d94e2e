// Package explain answers questions that span the rooms below it: why did this request end as it did (Why), and where is
// the chain from a person's token to the data broken (Diagnose), and who reaches what by access grants (Questions)? It is
// part of the service lakegate, next to the operations that other rooms have there.
//
// What it promises of Why: an account learns of the requests that it has a copy of in the trail, and of no other; whether a
// request of somebody else exists is not told. Requests that could not be authenticated, and so are nobody's, are told to
// the management account, which runs the server. Doctor
// says what it promises of Diagnose, Questions what of the rest.
package explain

import (
	"context"
	"errors"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// Accounts tells which account manages the organization; account provides it.
type Accounts interface {
	IsManagement(account string) bool
}

// Service holds the questions.
type Service struct {
	Trail      *trail.Trail
	Accounts   Accounts
	Authorizer *authz.Authorizer
}

// Why tells what became of a request and which questions were asked on the way.
func (s *Service) Why(ctx context.Context, in *lakegate.WhyInput) (*lakegate.WhyOutput, error) {
	if err := s.Authorizer.Authorize(ctx, authz.Request{Action: "lakegate:Why", Resource: "*"}); err != nil {
		return nil, err
	}
	account := caller.From(ctx).Account
	x, err := s.Trail.Why(ctx, trail.Viewer{Account: account, Strangers: s.Accounts.IsManagement(account)}, in.RequestId)
	if errors.Is(err, store.ErrNotFound) {
		return nil, lakegate.ResourceNotFoundException("There is no record of the request " + in.RequestId +
			" that this account can see: it had no part in it, the record is too old, or it was an allowed request for data, which the audit log alone has.")
	}
	if err != nil {
		return nil, err
	}
	out := &lakegate.WhyOutput{
		RequestId: x.RequestID, Time: x.Time, Operation: x.Operation, Outcome: x.Outcome, Service: known(x.Source), Caller: known(x.Caller),
		Person: known(x.Person), ErrorCode: known(x.ErrorCode), Message: known(x.ErrorMessage), Steps: []lakegate.Step{},
	}
	for _, step := range x.Steps {
		out.Steps = append(out.Steps, lakegate.Step{Step: step.Step, Outcome: lakegate.StepOutcome(step.Outcome), Detail: known(step.Detail)})
	}
	return out, nil
}

func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
