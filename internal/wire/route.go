package wire

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// route matches the path of a REST operation: literals, {labels} and a last {label+} that takes slashes, with parameters
// that must be in the query.
type route struct {
	operation *Operation
	method    string
	segments  []string
	query     url.Values
}

func newRoute(o *Operation) *route {
	path, query, _ := strings.Cut(o.URI, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		panic(fmt.Sprintf("the operation %s has the URI %s: %v", o.Name, o.URI, err))
	}
	return &route{operation: o, method: o.Method, segments: strings.Split(strings.Trim(path, "/"), "/"), query: values}
}

// owns reports whether a path is of the family of the route: its first segment is the route's.
func (r *route) owns(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first == r.segments[0]
}

// match holds the path as it was sent against the route. Labels are decoded once, after the path is taken apart: an
// encoded slash is a part of a label.
func (r *route) match(method, path, rawQuery string) (map[string]string, bool) {
	if method != r.method || !r.selected(rawQuery) {
		return nil, false
	}
	uri := map[string]string{}
	rest := strings.TrimPrefix(path, "/")
	for i, s := range r.segments {
		label, isLabel := strings.CutPrefix(s, "{")
		label = strings.TrimSuffix(label, "}")
		if greedy, ok := strings.CutSuffix(label, "+"); ok && isLabel {
			value, err := url.PathUnescape(rest)
			uri[greedy] = value
			return uri, err == nil && value != ""
		}
		segment, remaining, more := strings.Cut(rest, "/")
		if isLabel {
			value, err := url.PathUnescape(segment)
			if err != nil || value == "" {
				return nil, false
			}
			uri[label] = value
		} else if segment != s {
			return nil, false
		}
		if last := i == len(r.segments)-1; last && remaining != "" || !last && !more {
			return nil, false
		}
		rest = remaining
	}
	return uri, true
}

// selected reports whether the query has the parameters that select the operation.
func (r *route) selected(rawQuery string) bool {
	if len(r.query) == 0 {
		return true
	}
	query, err := parseQuery(rawQuery, url.QueryUnescape)
	if err != nil {
		return false
	}
	for k, want := range r.query {
		if got := query[k]; len(got) != 1 || got[0] != want[0] {
			return false
		}
	}
	return true
}

// parseQuery reads a query. What a plus sign is differs: s3control's clients sign %20 for a blank and mean the sign itself, as
// in S3; clients of unsigned restJson operations write the query as a form, with a plus sign for a blank.
func parseQuery(raw string, unescape func(string) (string, error)) (map[string][]string, error) {
	query := map[string][]string{}
	fields := 0
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		if fields++; fields > maxFields {
			return nil, errors.New("the request has too many parameters")
		}
		k, v, _ := strings.Cut(pair, "=")
		name, err := unescape(k)
		if err != nil {
			return nil, errors.New("the name of a parameter is not encoded well")
		}
		value, err := unescape(v)
		if err != nil {
			return nil, fmt.Errorf("the value of %s is not encoded well", clip(name))
		}
		query[name] = append(query[name], value)
	}
	return query, nil
}
