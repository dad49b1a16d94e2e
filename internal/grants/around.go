package grants

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
)

// What follows finds the grants above and below a scope that are somebody's, for questions about what a grant would change.
// Those that deny are among them, and those that are not in force: what that comes to is for whoever asks.

// Propose completes a grant that nobody makes: what its tags say becomes its terms. Its errors are those of
// CreateAccessGrant.
func (s *Service) Propose(g *Grant, tags []s3control.Tag) (err error) {
	i, err := s.instance(g.Account)
	if err != nil {
		return err
	}
	if g.Tags, err = s.newTags(tags, grantTags); err != nil {
		return err
	}
	return s.readTermsOf(g, i, func(string, string) error { return nil })
}

// FormsOf are what a grant is for somebody: itself, or one for each of their folders where its scope has variables, in the
// order of their scopes; none where it is somebody else's.
func (s *Service) FormsOf(g *Grant, a Asker) []*Grant {
	q := s.asks(a, scope.Target{}, "")
	if !q.is(g.Grantee) {
		return nil
	}
	all := q.forms(g, func(*Grant) bool { return true })
	slices.SortFunc(all, func(a, b *Grant) int { return compareScopes(a.Scope, b.Scope) })
	return all
}

// Above lists the asker's grants that cover a scope.
func (s *Service) Above(account string, a Asker, sc scope.Scope) (all []*Grant) {
	q := s.asks(a, targetOf(sc), "")
	all = s.Registry.index.covering(account, q)
	for _, d := range s.Registry.denials.held(account, sc.Bucket, q) {
		if d.Scope.CoversScope(sc) {
			all = append(all, d)
		}
	}
	for _, g := range s.Registry.homes.held(account, sc.Bucket, q) {
		for home := range q.homesAbove(g, sc.Prefix) {
			if home.Scope.CoversScope(sc) {
				all = append(all, home)
			}
		}
	}
	return all
}

// Below lists the scopes of the asker's grants that lie within a scope and are not all of it, each once, in their order:
// limit of them at most, after the one that is named, if it is not zero. Fewer than limit are the last ones.
func (s *Service) Below(ctx context.Context, account string, a Asker, within, after scope.Scope, limit int) (all []scope.Scope, err error) {
	if within.One {
		return nil, nil
	}
	return s.Registry.scopes(ctx, account, s.asks(a, scope.Target{}, ""), &span{within: within, after: after, limit: limit, whole: within, denying: true})
}

// span is a part of a list of scopes: those within one, but for whole, after one of them, if it is not zero, and limit of them
// at most. Without denying, those that only grants that deny have are left out.
type span struct {
	within, after, whole scope.Scope
	limit                int
	denying              bool
}

func (p *span) has(sc scope.Scope) bool {
	return sc != p.whole && p.within.CoversScope(sc) && (p.after == scope.Scope{} || compareScopes(p.after, sc) < 0)
}

// scopes lists those of the asker's grants, each once, in their order.
func (r *Registry) scopes(ctx context.Context, account string, q *Question, p *span) (all []scope.Scope, err error) {
	err = r.db.View(ctx, func(tx store.Querier) error {
		found, err := reachesWithin(ctx, tx, account, q, p)
		all = slices.DeleteFunc(found, func(sc scope.Scope) bool { return !p.has(sc) })
		return err
	})
	for _, g := range r.homes.held(account, p.within.Bucket, q) {
		for home := range q.homes(g, nil) {
			if p.has(home.Scope) {
				all = append(all, home.Scope)
			}
		}
	}
	return p.first(all), err
}

// first puts scopes in order, each once, and leaves no more than the limit.
func (p *span) first(all []scope.Scope) []scope.Scope {
	slices.SortFunc(all, compareScopes)
	all = slices.Compact(all)
	return all[:min(len(all), p.limit)]
}

// HoldersBelow are the grantees of grants that lie within a scope or have variables, unless there are more than limit of
// them, which all says.
func (s *Service) HoldersBelow(ctx context.Context, account string, within scope.Scope, limit int) (of map[Grantee]bool, all bool, err error) {
	of = map[Grantee]bool{}
	n := 0
	err = s.Registry.db.View(ctx, func(tx store.Querier) error {
		return holdersWithin(ctx, tx, account, reachOf(within), limit+1, func(g Grantee) error {
			of[g] = true
			n++
			return nil
		})
	})
	for _, g := range s.Registry.homes.on(account, within.Bucket) {
		of[g.Grantee] = true
	}
	return of, n <= limit, err
}

// targetOf asks for all of a scope.
func targetOf(sc scope.Scope) scope.Target {
	return scope.Target{Bucket: sc.Bucket, Key: sc.Prefix, Wild: !sc.One}
}

// compareScopes orders scopes as their prefixes are, one that is a prefix before the single key of the same text.
func compareScopes(a, b scope.Scope) int {
	if c := strings.Compare(reachOf(a), reachOf(b)); c != 0 || a.One == b.One {
		return c
	}
	if a.One {
		return 1
	}
	return -1
}

// reachOf is a scope as the database has it in order; empty for none and for one with variables.
func reachOf(sc scope.Scope) string {
	if sc.Bucket == "" || sc.HasVariables() {
		return ""
	}
	return sc.Bucket + "/" + sc.Prefix
}

// cutBucket is the inverse.
func cutBucket(reach string) (bucket, prefix string) {
	bucket, prefix, _ = strings.Cut(reach, "/")
	return bucket, prefix
}

// identitiesByType are the ids that an asker goes by.
func (q *Question) identitiesByType() map[GranteeType][]string {
	byType := map[GranteeType][]string{}
	for id := range q.identities {
		byType[id.Type] = append(byType[id.Type], id.ID)
	}
	return byType
}

// reached scans a row of reachesWithin: the prefix as a scope, as one key, or as both.
func reached(s store.Scanner) (all []scope.Scope, err error) {
	var (
		reach       string
		least, most int
	)
	if err := s.Scan(&reach, &least, &most); err != nil {
		return nil, err
	}
	bucket, prefix := cutBucket(reach)
	if least == 0 {
		all = append(all, scope.Scope{Bucket: bucket, Prefix: prefix})
	}
	if most == 1 {
		all = append(all, scope.Scope{Bucket: bucket, Prefix: prefix, One: true})
	}
	return all, nil
}

// singleKey is whether a row's scope is one key.
const singleKey = `CASE WHEN object = 1 OR (scope = 's3://' || reach AND reach NOT LIKE '%/') THEN 1 ELSE 0 END`

// reachesWithin reads the scopes of an asker's grants that are part of a list, in order: for each kind of grantee so many that,
// beside the prefix where the last page may have ended, and the one that is the whole, the limit is reached.
func reachesWithin(ctx context.Context, q store.Querier, account string, of *Question, p *span) (all []scope.Scope, err error) {
	within := reachOf(p.within)
	byType := of.identitiesByType()
	for _, kind := range slices.Sorted(maps.Keys(byType)) {
		for some := range slices.Chunk(byType[kind], manyGrantees) {
			c := &conditions{}
			c.is("grantee_type", (*string)(&kind))
			c.in("grantee", some)
			c.holds("reach >= ? AND reach < ?", max(within, reachOf(p.after)), past(within))
			if !p.denying {
				c.holds(`terms NOT LIKE '%"deny":true%'`)
			}
			err := store.Each(ctx, q, reached, func(scopes []scope.Scope) error {
				all = append(all, scopes...)
				return nil
			}, `SELECT reach, MIN(`+singleKey+`), MAX(`+singleKey+`) FROM access_grants WHERE account = ?`+c.text.String()+` GROUP BY reach ORDER BY reach LIMIT ?`,
				append(append([]any{account}, c.args...), p.limit+2)...)
			if err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func scanGrantee(s store.Scanner) (g Grantee, err error) { return g, s.Scan(&g.Type, &g.ID) }

// holdersWithin reads to whom grants are that begin with a reach: limit grants at most.
func holdersWithin(ctx context.Context, q store.Querier, account, within string, limit int, do func(Grantee) error) error {
	return store.Each(ctx, q, scanGrantee, do, `SELECT grantee_type, grantee FROM access_grants WHERE account = ? AND reach >= ? AND reach < ? ORDER BY reach LIMIT ?`,
		account, within, past(within), limit)
}

// past is the first text behind all those that begin with a prefix, which is not empty and not of the last character alone.
func past(prefix string) string {
	for prefix != "" {
		last, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch last {
		case unicode.MaxRune:
			continue
		case 0xD7FF: // what follows is no character
			last = 0xDFFF
		}
		return prefix + string(last+1)
	}
	return ""
}
