package grants

import (
	"context"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/caller"
)

// What ListCallerAccessGrants says of applications: usable through any, and not a matter of applications.
const (
	anyApplication = "ALL"
	noApplication  = "NA"
)

// ListCallerAccessGrants lists what the caller has: the grants of the IAM principal, and those of the person and the
// person's groups.
func (s *Service) ListCallerAccessGrants(ctx context.Context, in *s3control.ListCallerAccessGrantsInput) (*s3control.ListCallerAccessGrantsOutput, error) {
	if err := s.authorize(ctx, "ListCallerAccessGrants", in.AccountId, s.instanceARN(in.AccountId), nil); err != nil {
		return nil, err
	}
	i, err := s.instance(in.AccountId)
	if err != nil {
		return nil, err
	}
	from, err := after(in.NextToken)
	if err != nil {
		return nil, err
	}
	c := caller.From(ctx)
	q := s.question(ctx, i, c)
	mine := slices.DeleteFunc(s.Registry.index.Of(i.Account, q.identities()), func(g *Grant) bool {
		return g.ID <= from ||
			in.GrantScope != nil && !strings.Contains(g.Text, *in.GrantScope) ||
			in.AllowedByApplication != nil && *in.AllowedByApplication && (g.Grantee.Type == IAM || !q.through(g))
	})
	slices.SortFunc(mine, func(a, b *Grant) int { return strings.Compare(a.ID, b.ID) })
	list, next := page(mine, func(g *Grant) string { return g.ID }, in.MaxResults)
	out := &s3control.ListCallerAccessGrantsOutput{NextToken: next, CallerAccessGrantsList: []s3control.ListCallerAccessGrantsEntry{}}
	for _, g := range list {
		application := anyApplication
		switch {
		case g.Grantee.Type == IAM:
			application = noApplication
		case g.Application != "":
			application = g.Application
		}
		out.CallerAccessGrantsList = append(out.CallerAccessGrantsList, s3control.ListCallerAccessGrantsEntry{
			Permission: new(s3control.Permission(g.Permission)), GrantScope: new(g.Text), ApplicationArn: &application,
		})
	}
	return out, nil
}
