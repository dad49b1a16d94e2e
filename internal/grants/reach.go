package grants

import (
	"context"
	"slices"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
)

// Footholds lists the scopes at or below a prefix of a bucket that a caller has grants for, each once, in the order of their
// prefixes: limit of them at most, after the one that is named, if it is not zero. Fewer than limit are the last ones. For
// credentials of a grant it is the one scope that they reach, else it is what the person has in all instances of the person's
// identity center. They are candidates: whether the caller may do anything there now is for a decision to say.
//
// It reads the database, and holds no more than limit of them, beside those of grants with variables.
func (s *Service) Footholds(ctx context.Context, bucket, prefix string, after scope.Scope, limit int) ([]scope.Scope, error) {
	p := &span{within: scope.Scope{Bucket: bucket, Prefix: prefix}, after: after, limit: limit}
	c := caller.From(ctx)
	if c.Session != nil && c.Session.Vended != nil {
		sc, err := scope.Read(c.Session.Vended.Target, c.Session.Vended.Object)
		if err != nil || !p.has(sc) {
			return nil, err
		}
		return []scope.Scope{sc}, nil
	}
	var all []scope.Scope
	for i, q := range s.held(ctx, c) {
		found, err := s.Registry.scopes(ctx, i.Account, q, p)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return p.first(all), nil
}

// FootholdBuckets lists the buckets in which a caller has grants, as Footholds does, in the order of their names.
func (s *Service) FootholdBuckets(ctx context.Context) (all []string, err error) {
	c := caller.From(ctx)
	if c.Session != nil && c.Session.Vended != nil {
		sc, err := scope.Read(c.Session.Vended.Target, c.Session.Vended.Object)
		return []string{sc.Bucket}, err
	}
	for i, q := range s.held(ctx, c) {
		err := s.Registry.db.View(ctx, func(tx store.Querier) error {
			return eachBucket(ctx, tx, i.Account, q, func(bucket string) { all = append(all, bucket) })
		})
		if err != nil {
			return nil, err
		}
		all = append(all, s.Registry.homes.buckets(i.Account, q)...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// held goes through the instances in which a session's person may have grants, with who they are there.
func (s *Service) held(ctx context.Context, c *caller.Caller) func(yield func(*Instance, *Question) bool) {
	return func(yield func(*Instance, *Question) bool) {
		if c.Session == nil || c.OnBehalf == nil {
			return
		}
		for _, i := range s.Registry.Associated(c.OnBehalf.InstanceARN) {
			if !yield(i, s.question(ctx, i, c)) {
				return
			}
		}
	}
}

// eachBucket finds the buckets of an asker's grants, from one to the next: it reads a row of each and none of the others.
func eachBucket(ctx context.Context, q store.Querier, account string, of *Question, visit func(bucket string)) error {
	for kind, ids := range of.identitiesByType() {
		for some := range slices.Chunk(ids, manyGrantees) {
			for from := "!"; ; { // no bucket's name begins before it, and what has variables has no reach
				c := &conditions{}
				c.is("grantee_type", (*string)(&kind))
				c.in("grantee", some)
				c.holds("reach >= ?", from)
				reach, err := store.One(ctx, q, store.Text, `SELECT COALESCE(MIN(reach), '') FROM access_grants WHERE account = ?`+c.text.String(), append([]any{account}, c.args...)...)
				if err != nil {
					return err
				}
				bucket, _ := cutBucket(reach)
				if bucket == "" {
					break
				}
				visit(bucket)
				from = past(bucket + "/")
			}
		}
	}
	return nil
}
