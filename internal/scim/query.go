package scim

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// query is what a request for a list asks for. Pages are counted from one (startIndex), or follow a cursor, which is
// there when the request has the parameter, the first time empty.
type query struct {
	parts        []part
	filter       string
	start, count int
	byCursor     bool
	after        place
	digest       []byte
	// sorted says that there is an order other than that of the ids.
	sorted, descending bool
}

// getList answers GET of an endpoint.
func getList(of func(context.Context, *request) source) func(context.Context, *request) (answer, error) {
	return func(ctx context.Context, req *request) (answer, error) {
		return req.search(ctx, req.URL.Query(), of(ctx, req))
	}
}

// postSearch answers POST of an endpoint's .search, or of that of the root, which is over all types.
func postSearch(of ...func(context.Context, *request) source) func(context.Context, *request) (answer, error) {
	return func(ctx context.Context, req *request) (answer, error) {
		v, err := parametersOf(req.body)
		if err != nil {
			return answer{}, err
		}
		var sources []source
		for _, f := range of {
			sources = append(sources, f(ctx, req))
		}
		return req.search(ctx, v, sources...)
	}
}

func (req *request) search(ctx context.Context, v url.Values, from ...source) (answer, error) {
	q, err := parseQuery(req.store, v, from)
	if err != nil {
		return answer{}, err
	}
	return q.list(ctx, req)
}

// parametersOf reads a SearchRequest (RFC 7644 §3.4.3) as the parameters that GET would have.
func parametersOf(body tree) (url.Values, error) {
	v := url.Values{}
	for _, name := range []string{"attributes", "excludedAttributes", "filter", "sortBy", "sortOrder", "startIndex", "count", "cursor"} {
		switch x := member(body, name).(type) {
		case nil:
		case string:
			v.Set(name, x)
		case json.Number:
			v.Set(name, x.String())
		case []any:
			var names []string
			for _, n := range x {
				s, ok := n.(string)
				if !ok || !strings.HasSuffix(name, "ttributes") {
					return nil, bad(invalidSyntax, "The value of %s is not valid.", name)
				}
				names = append(names, s)
			}
			v.Set(name, strings.Join(names, ","))
		default:
			return nil, bad(invalidSyntax, "The value of %s is not valid.", name)
		}
	}
	return v, nil
}

func parseQuery(store string, v url.Values, from []source) (*query, error) {
	q := &query{start: 1, count: maxCount, byCursor: v.Has("cursor"), filter: v.Get("filter")}
	if v.Has("filter") && q.filter == "" {
		return nil, bad(invalidFilter, "The filter is empty.")
	}
	for _, s := range from {
		p := part{source: s, projection: parseProjection(s.of, v)}
		var others []*resourceType
		for _, o := range from {
			if o.of != s.of {
				others = append(others, o.of)
			}
		}
		var err error
		if q.filter != "" {
			if p.filter, err = parseFilter(s.of, q.filter, others...); err != nil {
				return nil, err
			}
		}
		q.parts = append(q.parts, p)
	}
	if err := q.parseSort(v.Get("sortBy"), v.Get("sortOrder")); err != nil {
		return nil, err
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
	return q, q.parseCursor(store, v.Get("cursor"))
}

// parseCursor reads a cursor: a digest of what it is for, the part and the id of the last resource shown. It holds nothing
// that its holder could not ask for otherwise, so that it needs no seal.
func (q *query) parseCursor(store, cursor string) error {
	if q.byCursor && q.sorted {
		return bad(invalidValue, "A list by cursor is in the order of the ids; it cannot be sorted.")
	}
	names := []string{store, q.filter}
	for _, p := range q.parts {
		names = append(names, p.of.name)
	}
	sum := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	q.digest = sum[:8]
	if cursor == "" {
		return nil
	}
	text, err := base64.URLEncoding.Strict().DecodeString(cursor)
	rest, ok := strings.CutPrefix(string(text), string(q.digest))
	if err != nil || !ok || rest == "" || int(rest[0]) >= len(q.parts) {
		return bad(invalidValue, "The cursor is not valid for this request.")
	}
	q.after = place{int(rest[0]), rest[1:]}
	return nil
}

// The endpoints of lists.
var (
	listUsers    = getList(usersOf)
	listGroups   = getList(groupsSource)
	searchUsers  = postSearch(usersOf)
	searchGroups = postSearch(groupsSource)
	searchAll    = postSearch(usersOf, groupsSource)
)

// statusNotModified answers a client that has the resource as it is.
func statusNotModified(tag string) answer { return answer{status: http.StatusNotModified, tag: tag} }
