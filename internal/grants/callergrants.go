package grants

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/scope"
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
	allowed := in.AllowedByApplication != nil && *in.AllowedByApplication
	p, err := newPages("ListCallerAccessGrants", in.AccountId, in.MaxResults, in.NextToken, in.GrantScope, new(strconv.FormatBool(allowed)))
	if err != nil {
		return nil, err
	}
	q := s.question(ctx, i, caller.From(ctx))
	losing := s.losing(i, caller.From(ctx))
	shows := func(g *Grant) bool {
		return (in.GrantScope == nil || strings.Contains(g.Text, *in.GrantScope)) && s.leaves(i.Account, losing, g)
	}
	all, err := s.grantsFor(ctx, i.Account, q, p, func(g *Grant) bool {
		if g.Terms.denies() || !g.Terms.InForce(q.Now) || allowed && (g.Grantee.Type == IAM || !q.through(g)) {
			return false
		}
		return len(q.forms(g, shows)) > 0
	})
	if err != nil {
		return nil, err
	}
	mine, next := cutForms(p, all, func(g *Grant) []*Grant { return q.forms(g, shows) })
	out := &s3control.ListCallerAccessGrantsOutput{NextToken: next, CallerAccessGrantsList: []s3control.ListCallerAccessGrantsEntry{}}
	for _, g := range mine {
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

// forms are what a grant is for the asker: itself, or one for each of the asker's folders where its scope has variables.
func (q *Question) forms(g *Grant, keep func(*Grant) bool) (all []*Grant) {
	if !g.HasVariables() {
		all = []*Grant{g}
	} else {
		all = slices.Collect(q.homes(g, nil))
	}
	return slices.DeleteFunc(all, func(g *Grant) bool { return !keep(g) })
}

// leaves reports whether the grants that deny leave anything of what a grant gives on all of its scope.
func (s *Service) leaves(account string, losing *Question, g *Grant) bool {
	q := *losing
	q.Target = scope.Target{Bucket: g.Scope.Bucket, Key: g.Scope.Prefix, Wild: !g.Scope.One}
	for _, q.Permission = range []Permission{Read, Write} {
		if g.Permission.Satisfies(q.Permission) && s.Registry.denial(account, &q) == nil {
			return true
		}
	}
	return false
}

// manyGrantees is how many grantees one query asks for.
const manyGrantees = 1000

// grantsFor lists the grants of all that the asker is, in the order of ids. It reads the database and not the Index, which
// is made for finding one.
func (s *Service) grantsFor(ctx context.Context, account string, q *Question, p *pages, keep func(*Grant) bool) (all []*Grant, err error) {
	for kind, ids := range q.identitiesByType() {
		for some := range slices.Chunk(ids, manyGrantees) {
			c := &conditions{}
			c.is("grantee_type", (*string)(&kind))
			c.in("grantee", some)
			found, err := list(ctx, s, p, scanGrant, selectGrant, account, c, keep)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	slices.SortFunc(all, func(a, b *Grant) int { return strings.Compare(a.ID, b.ID) })
	return all[:min(len(all), p.size+1)], nil
}
