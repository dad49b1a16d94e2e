package scim

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"

	"github.com/lakegate/lakegate/internal/directory"
)

// The sizes of pages: of answers, and of what is read at once while a filter is asked of every resource.
const (
	maxCount = 100
	scanPage = 500
)

// maxScanned bounds the resources that one request has read because nothing indexes what it asks for, if Config does not. A
// list by startIndex that needs more is refused, since it could not say how many there are; one by cursor answers with a
// short page.
const maxScanned = 50_000

// maxLikely bounds the resources that are read one by one because an index names them. More are read in pages with all
// others, which takes a place among the few lists that do so.
const maxLikely = 1000

// resource is a user or a group of a list.
type resource interface {
	id() string
	match(f filter) (bool, error)
	// values are those of an attribute, by which it is sorted.
	values(r ref) []any
	// show makes it the part of an answer. The budget is what is left of the members that the answer may have.
	show(p projection, budget *int) (tree, error)
}

// source is where the resources of a type come from, in the order of their ids.
type source struct {
	of    *resourceType
	total func() int
	page  func(directory.Page) ([]resource, error)
	read  func(id string) (resource, error)
	// likely finds what a comparison can be true of, when that needs no look at every resource.
	likely func(*compare) (ids []string, indexed bool, err error)
}

// part is what a list takes from one source: one, or both for a search at the root.
type part struct {
	source
	filter     filter // nil takes all
	projection projection
	sortBy     *ref // nil where the type has no such attribute
}

// place is a resource in a list: the part and the id.
type place struct {
	part int
	id   string
}

// found is a resource that a list has.
type found struct {
	part int
	resource
}

// list answers a request for a list.
func (q *query) list(ctx context.Context, req *request) (answer, error) {
	switch {
	case q.byCursor:
		return q.listByCursor(ctx, req)
	case q.sorted:
		return q.listSorted(ctx, req)
	}
	var page []found
	total := 0
	if q.filter == "" {
		skip := q.start - 1
		for i, p := range q.parts {
			n := p.total()
			total += n
			if limit := q.count - len(page); skip < n && limit > 0 {
				all, err := p.page(directory.Page{Offset: skip, Limit: limit})
				if err != nil {
					return answer{}, err
				}
				page = q.take(page, i, all)
			}
			skip = max(skip-n, 0)
		}
		return q.show(page, tree{"totalResults": total, "startIndex": q.start})
	}
	unread, err := q.each(ctx, req, place{}, func(f found) bool {
		if total++; total >= q.start && len(page) < q.count {
			page = append(page, f)
		}
		return true
	})
	switch {
	case err != nil:
		return answer{}, err
	case unread != nil:
		return answer{}, req.h.tooWide()
	}
	return q.show(page, tree{"totalResults": total, "startIndex": q.start})
}

// tooWide refuses a list that would have more read than one request may.
func (h *Handler) tooWide() error {
	return bad(tooMany, "The answer needs a look at more than %d resources. Ask for an attribute that is indexed (id, userName, externalId, emails.value, displayName of groups, members), or follow a cursor.", h.scanned)
}

func (q *query) take(page []found, i int, all []resource) []found {
	for _, r := range all {
		page = append(page, found{i, r})
	}
	return page
}

// show is the answer with a page.
func (q *query) show(page []found, body tree) (answer, error) {
	shown, budget := []any{}, maxShown
	for _, f := range page {
		t, err := f.show(q.parts[f.part].projection, &budget)
		if err != nil {
			return answer{}, err
		}
		shown = append(shown, t)
	}
	body["schemas"], body["itemsPerPage"], body["Resources"] = []any{urnList}, len(shown), shown
	return answer{status: http.StatusOK, body: body}, nil
}

// listByCursor is AWS's form of pages, which no change in between shifts. A page may be short, or empty, and have another
// after it.
func (q *query) listByCursor(ctx context.Context, req *request) (answer, error) {
	var (
		page []found
		next *place
		err  error
	)
	count := max(q.count, 1)
	if q.filter == "" {
		for i := q.after.part; i < len(q.parts) && len(page) <= count; i++ {
			p := directory.Page{Limit: count + 1 - len(page)}
			if i == q.after.part {
				p.After = q.after.id
			}
			all, err := q.parts[i].page(p)
			if err != nil {
				return answer{}, err
			}
			page = q.take(page, i, all)
		}
	} else {
		next, err = q.each(ctx, req, q.after, func(f found) bool {
			page = append(page, f)
			return len(page) <= count
		})
		if err != nil {
			return answer{}, err
		}
	}
	if len(page) > count {
		page = page[:count]
		last := page[count-1]
		next = &place{last.part, last.id()}
	}
	body := tree{}
	if next != nil {
		body["nextCursor"] = base64.URLEncoding.EncodeToString(append(append(slices.Clone(q.digest), byte(next.part)), next.id...))
	}
	return q.show(page, body)
}

// each asks the filters of the resources after a place, all of them or the few that they can be true of, until do has
// enough. When it has read as many as a request may, it returns the last one read.
func (q *query) each(ctx context.Context, req *request, after place, do func(found) bool) (unread *place, err error) {
	left := req.h.scanned
	for i := after.part; i < len(q.parts); i++ {
		p, from := q.parts[i], ""
		if i == after.part {
			from = after.id
		}
		enough := false
		keep := func(r resource) bool {
			enough = !do(found{i, r})
			return !enough
		}
		ids, indexed, err := p.plan(p.filter)
		switch {
		case err != nil:
			return nil, err
		case indexed && len(ids) <= maxLikely:
			err = p.eachOf(ids, from, keep)
		default:
			var last *string
			if last, err = p.scan(ctx, req, from, &left, keep); last != nil {
				return &place{i, *last}, err
			}
		}
		if err != nil || enough {
			return nil, err
		}
	}
	return nil, nil
}

// scan reads every resource after an id. Few requests do so at once.
func (p *part) scan(ctx context.Context, req *request, after string, left *int, do func(resource) bool) (last *string, err error) {
	release, err := req.h.scans.enter(ctx, req.store)
	if err != nil {
		return nil, err
	}
	defer release()
	page := directory.Page{After: after, Limit: scanPage}
	for {
		all, err := p.page(page)
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			ok, err := p.matches(r)
			if err != nil {
				return nil, err
			}
			if ok && !do(r) {
				return nil, nil
			}
		}
		if len(all) < page.Limit {
			return nil, nil
		}
		page.After = all[len(all)-1].id()
		if *left -= len(all); *left <= 0 {
			return &page.After, nil
		}
	}
}

func (p *part) matches(r resource) (bool, error) {
	if p.filter == nil {
		return true, nil
	}
	return r.match(p.filter)
}

// plan finds what a filter can be true of by the indexes, if they tell: one term of an and is enough, both of an or.
func (p *part) plan(f filter) (ids []string, indexed bool, err error) {
	switch f := f.(type) {
	case *and:
		if ids, indexed, err = p.plan(f.a); indexed || err != nil {
			return ids, indexed, err
		}
		return p.plan(f.b)
	case *or:
		a, okA, errA := p.plan(f.a)
		if !okA || errA != nil {
			return nil, false, errA
		}
		b, okB, errB := p.plan(f.b)
		return append(slices.Clone(a), b...), okB, errB
	case *compare:
		if f.ref.attr == absent && f.op != "ne" && !f.value.isNull {
			return nil, true, nil
		}
		return p.likely(f)
	case *valuePath:
		if f.then != nil {
			c := *f.then
			c.ref = ref{f.ref.extension, f.ref.attr, f.then.ref.attr}
			return p.plan(&c)
		}
	}
	return nil, false, nil
}

func (p *part) eachOf(ids []string, after string, do func(resource) bool) error {
	ids = slices.Sorted(slices.Values(ids))
	for _, id := range slices.Compact(ids) {
		if id <= after {
			continue
		}
		r, err := p.read(id)
		if e, ok := errors.AsType[*directory.Error](err); ok && e.Kind == directory.KindNotFound {
			continue
		}
		if err != nil {
			return err
		}
		ok, err := p.matches(r)
		if err != nil {
			return err
		}
		if ok && !do(r) {
			return nil
		}
	}
	return nil
}
