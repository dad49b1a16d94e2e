package scim

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/directory"
)

// parseSort reads sortBy and sortOrder (RFC 7644 §3.4.2.3).
func (q *query) parseSort(by, order string) error {
	switch strings.ToLower(order) {
	case "", "ascending":
	case "descending":
		q.descending = true
	default:
		return bad(invalidValue, "The sortOrder is ascending or descending.")
	}
	if by == "" {
		return nil
	}
	q.sorted = true
	var none error
	for i := range q.parts {
		p := &q.parts[i]
		to, err := parsePath(p.of, by)
		if err != nil {
			none = cmp.Or(none, err)
			continue
		}
		switch a := to.attr; {
		case a == nil || to.items != nil || a == members || a == groups:
			return bad(invalidPath, "Resources cannot be sorted by %s.", by)
		case a.kind == complexed && to.sub == nil:
			if to.sub = a.sub("value"); to.sub == nil {
				return bad(invalidPath, "To sort by %s, name a part of it.", a.name)
			}
		}
		p.sortBy = &to.ref
	}
	if !slices.ContainsFunc(q.parts, func(p part) bool { return p.sortBy != nil }) {
		return none
	}
	return nil
}

// sortKey is where a resource stands in the order.
type sortKey struct {
	place
	value string
	none  bool
}

// listSorted reads all that the filters select, keeps what they are sorted by, and reads the page of them again.
func (q *query) listSorted(ctx context.Context, req *request) (answer, error) {
	var keys []sortKey
	unread, err := q.each(ctx, req, place{}, func(f found) bool {
		k := sortKey{place: place{f.part, f.id()}, none: true}
		if by := q.parts[f.part].sortBy; by != nil {
			k.value, k.none = keyOf(f.values(*by), by.end())
		}
		keys = append(keys, k)
		return true
	})
	switch {
	case err != nil:
		return answer{}, err
	case unread != nil:
		return answer{}, req.h.tooWide()
	}
	slices.SortFunc(keys, func(a, b sortKey) int {
		// Without a value: last when ascending, first when descending.
		c := cmp.Or(boolOrder(a.none, b.none), strings.Compare(a.value, b.value))
		if q.descending {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.part, b.part), strings.Compare(a.id, b.id))
	})
	body := tree{"totalResults": len(keys), "startIndex": q.start}
	keys = keys[min(q.start-1, len(keys)):]
	var page []found
	for _, k := range keys[:min(q.count, len(keys))] {
		r, err := q.parts[k.part].read(k.id)
		if e, ok := errors.AsType[*directory.Error](err); ok && e.Kind == directory.KindNotFound {
			continue // it went in between
		}
		if err != nil {
			return answer{}, err
		}
		page = append(page, found{k.part, r})
	}
	return q.show(page, body)
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// keyOf is what a resource is sorted by: the first of its values. Dates are texts that sort.
func keyOf(values []any, a *attribute) (key string, none bool) {
	if len(values) == 0 {
		return "", true
	}
	switch v := values[0].(type) {
	case bool:
		if v {
			return "1", false
		}
		return "0", false
	case string:
		if !a.caseExact {
			v = strings.ToLower(v)
		}
		return v, false
	}
	return "", true
}

// sortValues are the values of an attribute of a tree, those of the primary item first.
func sortValues(t tree, r ref) []any {
	items := listOf(get(t, r.extension, r.attr.name))
	if r.attr.multi {
		items = slices.Clone(items)
		slices.SortStableFunc(items, func(a, b any) int {
			x, _ := a.(tree)
			y, _ := b.(tree)
			return boolOrder(x["primary"] != true, y["primary"] != true)
		})
	}
	return valuesOf(items, r.sub)
}
