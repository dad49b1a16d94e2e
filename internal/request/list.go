package request

import (
	"context"
	"errors"
	"fmt"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// defaultPage is how many requests are listed at once.
const defaultPage = 100

var errEnough = errors.New("enough")

// ListAccessRequests lists requests, the newest first: the person's own, those that the caller may decide, or all of an
// account for who administers it.
func (s *Service) ListAccessRequests(ctx context.Context, in *lakegate.ListAccessRequestsInput) (*lakegate.ListAccessRequestsOutput, error) {
	if err := s.enter(ctx, "ListAccessRequests"); err != nil {
		return nil, err
	}
	f, shows, err := s.view(ctx, in)
	if err != nil {
		return nil, err
	}
	size := defaultPage
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	if in.NextToken != nil {
		f.before = *in.NextToken
	}
	out := &lakegate.ListAccessRequestsOutput{AccessRequests: []lakegate.AccessRequest{}}
	var found []*Request
	err = s.DB.View(ctx, func(q store.Querier) error {
		return f.each(ctx, q, func(r *Request) error {
			found = append(found, r.at(f.now))
			if len(found) > size && shows == nil || len(found) > maxLooked {
				return errEnough
			}
			return nil
		})
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	for i, r := range found {
		if shows != nil && !shows(r) {
			continue
		}
		if len(out.AccessRequests) == size {
			out.NextToken = &found[i-1].ID
			break
		}
		out.AccessRequests = append(out.AccessRequests, *s.show(r))
	}
	if out.NextToken == nil && len(found) > maxLooked {
		out.NextToken = &found[len(found)-1].ID
	}
	return out, nil
}

// maxLooked bounds how many requests a page looks at; one that shows few of them is short, with a token for the next.
const maxLooked = 2000

// view is what a list is about. shows is nil where all that the filter finds may be seen.
func (s *Service) view(ctx context.Context, in *lakegate.ListAccessRequestsInput) (f filter, shows func(*Request) bool, err error) {
	c := caller.From(ctx)
	f.now = s.DB.Now()
	if in.AccountId != nil {
		f.account = *in.AccountId
	}
	if in.Status != nil {
		f.status = Status(*in.Status)
	}
	switch in.View {
	case lakegate.AccessRequestViewMINE:
		p := c.Named()
		if p == nil {
			return f, nil, lakegate.ValidationException("View: MINE is for a person, and the caller acts for none")
		}
		f.storeID, f.userID = p.IdentityStoreID, p.UserID
		return f, nil, nil
	case lakegate.AccessRequestViewALL:
		if f.account == "" {
			f.account = c.Account
		}
		if !s.administers(ctx, f.account, "*", s.tagsOf(&Request{})) {
			return f, nil, lakegate.AccessDeniedException("All requests of the account " + f.account + " are for its administrators to see.")
		}
		return f, nil, nil
	}
	if f.status != "" && f.status != Pending {
		return f, nil, lakegate.ValidationException("Status: what is to be decided is PENDING")
	}
	f.status = Pending
	if c.OnBehalf == nil && f.account == "" {
		f.account = c.Account
	}
	return f, func(r *Request) bool { return s.mayDecide(ctx, r) == nil }, nil
}
