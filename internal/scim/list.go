package scim

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lakegate/lakegate/internal/directory"
)

// The sizes of pages: of answers, and of what is read at once while a filter is asked of every resource.
const (
	maxCount = 100
	scanPage = 500
)

// query is what a request for a list asks for. Pages are counted from one (startIndex), or follow a cursor, which is
// there when the request has the parameter, the first time empty.
type query struct {
	filter       filter
	projection   projection
	start, count int
	byCursor     bool
	after        string
	digest       []byte
}

func (req *request) parseList(t *resourceType) (*query, error) {
	v := req.URL.Query()
	q := &query{start: 1, count: maxCount, projection: parseProjection(t, v), byCursor: v.Has("cursor")}
	if v.Has("filter") {
		var err error
		if q.filter, err = parseFilter(t, v.Get("filter")); err != nil {
			return nil, err
		}
	}
	for name, place := range map[string]*int{"startIndex": &q.start, "count": &q.count} {
		text := v.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, bad(invalidValue, "The parameter %s must be a number.", name)
		}
		*place = n
	}
	// RFC 7644 §3.4.2.4: what is below the least is the least.
	q.start, q.count = max(q.start, 1), min(max(q.count, 0), maxCount)
	sum := sha256.Sum256([]byte(strings.Join([]string{t.name, req.store, v.Get("filter")}, "\x00")))
	q.digest = sum[:8]
	if c := v.Get("cursor"); c != "" {
		text, err := base64.URLEncoding.Strict().DecodeString(c)
		after, ok := strings.CutPrefix(string(text), string(q.digest))
		if err != nil || !ok {
			return nil, bad(invalidValue, "The cursor is not valid for this request.")
		}
		q.after = after
	}
	return q, nil
}

// source is where the resources of a list come from, in the order of their ids.
type source[T any] struct {
	total func() int
	page  func(directory.Page) ([]T, error)
	read  func(id string) (T, error)
	// likely finds what a comparison can be true of, when that needs no look at every resource.
	likely func(*compare) (ids []string, indexed bool, err error)
	id     func(*T) string
	match  func(*T, filter) (bool, error)
	show   func(*T) (tree, error)
}

// list answers a request for a list.
func list[T any](ctx context.Context, req *request, q *query, from source[T]) (answer, error) {
	if q.byCursor {
		return listByCursor(ctx, req, q, from)
	}
	var found []T
	total := 0
	keep := func(x *T) bool {
		if total++; total >= q.start && len(found) < q.count {
			found = append(found, *x)
		}
		return true
	}
	var err error
	if q.filter == nil {
		if total = from.total(); q.count > 0 {
			found, err = from.page(directory.Page{Offset: q.start - 1, Limit: q.count})
		}
	} else {
		err = each(ctx, req.h, q.filter, "", from, keep)
	}
	if err != nil {
		return answer{}, err
	}
	body, err := resources(found, from)
	if err != nil {
		return answer{}, err
	}
	body["totalResults"], body["startIndex"] = total, q.start
	return answer{status: http.StatusOK, body: body}, nil
}

func resources[T any](found []T, from source[T]) (tree, error) {
	shown := []any{}
	for i := range found {
		t, err := from.show(&found[i])
		if err != nil {
			return nil, err
		}
		shown = append(shown, t)
	}
	return tree{"schemas": []any{urnList}, "itemsPerPage": len(shown), "Resources": shown}, nil
}

// listByCursor is AWS's form of pages, which no change in between shifts.
func listByCursor[T any](ctx context.Context, req *request, q *query, from source[T]) (answer, error) {
	var (
		found []T
		err   error
	)
	count := max(q.count, 1)
	if q.filter == nil {
		found, err = from.page(directory.Page{After: q.after, Limit: count + 1})
	} else {
		err = each(ctx, req.h, q.filter, q.after, from, func(x *T) bool {
			found = append(found, *x)
			return len(found) <= count
		})
	}
	if err != nil {
		return answer{}, err
	}
	next := ""
	if len(found) > count {
		found = found[:count]
		next = base64.URLEncoding.EncodeToString(append(q.digest, from.id(&found[count-1])...))
	}
	body, err := resources(found, from)
	if err != nil {
		return answer{}, err
	}
	if next != "" {
		body["nextCursor"] = next
	}
	return answer{status: http.StatusOK, body: body}, nil
}

// each asks a filter of the resources after an id, all of them or the few that it can be true of, until do has enough.
func each[T any](ctx context.Context, h *Handler, f filter, after string, from source[T], do func(*T) bool) error {
	for _, term := range conjuncts(f) {
		ids, indexed, err := likely(term, from)
		if err != nil {
			return err
		}
		if indexed {
			return eachOf(ids, f, after, from, do)
		}
	}
	select {
	case h.scans <- struct{}{}:
		defer func() { <-h.scans }()
	case <-ctx.Done():
		return ctx.Err()
	}
	p := directory.Page{After: after, Limit: scanPage}
	for {
		page, err := from.page(p)
		if err != nil {
			return err
		}
		for i := range page {
			ok, err := from.match(&page[i], f)
			if err != nil {
				return err
			}
			if ok && !do(&page[i]) {
				return nil
			}
		}
		if len(page) < p.Limit {
			return nil
		}
		p.After = from.id(&page[len(page)-1])
	}
}

// likely is the source's for a term that is a comparison, also of the items that a value path selects.
func likely[T any](term filter, from source[T]) ([]string, bool, error) {
	switch term := term.(type) {
	case *compare:
		return from.likely(term)
	case *valuePath:
		if term.then != nil {
			c := *term.then
			c.ref = ref{term.ref.extension, term.ref.attr, term.then.ref.attr}
			return from.likely(&c)
		}
	}
	return nil, false, nil
}

func eachOf[T any](ids []string, f filter, after string, from source[T], do func(*T) bool) error {
	ids = slices.Sorted(slices.Values(ids))
	for _, id := range slices.Compact(ids) {
		if id <= after {
			continue
		}
		x, err := from.read(id)
		if e, ok := errors.AsType[*directory.Error](err); ok && e.Kind == directory.KindNotFound {
			continue
		}
		if err != nil {
			return err
		}
		ok, err := from.match(&x, f)
		if err != nil {
			return err
		}
		if ok && !do(&x) {
			return nil
		}
	}
	return nil
}
