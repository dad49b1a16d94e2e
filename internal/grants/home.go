package grants

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/scope"
)

// Names are what the variables of a scope stand for in the case of one person.
type Names struct {
	// User is the person's name; Group finds that of a group.
	User  string
	Group func(id string) (name string, ok bool)
}

// homes are the grants that a grant with variables is for the asker: one for its person, or one for each of the person's
// groups where the scope names a group. A value that cannot stand in a scope makes none, and why, unless it is nil, is told.
func (q *Question) homes(g *Grant, why func(error)) iter.Seq[*Grant] {
	return q.homesOf(g, func(string) bool { return true }, why)
}

// homesAbove are those of them that can cover a key: only groups count whose name is in it. Of a thousand groups most are
// passed over so at no cost.
func (q *Question) homesAbove(g *Grant, key string) iter.Seq[*Grant] {
	return q.homesOf(g, func(group string) bool { return strings.Contains(key, group) }, nil)
}

func (q *Question) homesOf(g *Grant, counts func(group string) bool, why func(error)) iter.Seq[*Grant] {
	return func(yield func(*Grant) bool) {
		values := map[string]string{scope.UserName: q.Names.User, scope.UserID: q.User}
		fill := func() bool {
			home, err := g.home(values)
			if err != nil {
				if why != nil {
					why(err)
				}
				return true
			}
			return yield(home)
		}
		if !slices.Contains(g.Scope.Variables(), scope.GroupName) {
			fill()
			return
		}
		for _, id := range q.Groups {
			if q.Names.Group == nil {
				return
			}
			if name, ok := q.Names.Group(id); ok && counts(name) {
				values[scope.GroupName] = name
				if !fill() {
					return
				}
			}
		}
	}
}

// home is the grant with values in the place of its variables.
func (g *Grant) home(values map[string]string) (*Grant, error) {
	filled, err := g.Scope.Fill(values)
	if err != nil {
		return nil, err
	}
	home := *g
	home.Scope = filled
	for name, value := range maps.All(values) {
		home.Text = strings.ReplaceAll(home.Text, "${"+name+"}", value)
	}
	return &home, nil
}

// HasVariables reports whether the grant is a different one for each person. Its Scope then covers nothing itself.
func (g *Grant) HasVariables() bool { return g.Scope.HasVariables() }

// bestHome finds the grant with variables that wins for the asker.
func (r *Registry) bestHome(account string, q *Question) (best *Grant) {
	for g := range r.homesAt(account, q) {
		if q.admits(g) && (best == nil || q.better(g, best) < 0) {
			best = g
		}
	}
	return best
}

// homesAt are the asker's grants with variables that cover the target, whatever they permit.
func (r *Registry) homesAt(account string, q *Question) iter.Seq[*Grant] {
	return func(yield func(*Grant) bool) {
		for _, g := range r.homes.of(account, q.Target.Bucket, q) {
			if !strings.HasPrefix(q.Target.Key, g.Scope.Literal()) {
				continue
			}
			for home := range q.homesAbove(g, q.Target.Key) {
				if home.Scope.Covers(q.Target) && !yield(home) {
					return
				}
			}
		}
	}
}
