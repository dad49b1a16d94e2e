package scim

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/trail"
)

// Many changes in one request (RFC 7644 §3.7). Each is a change of its own, authorised, recorded and done wholly or not at
// all; together they are not. A change may name what another one of the request makes, by its bulkId, before or after it:
//
//	{"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "Red", "members": [{"value": "bulkId:u"}]}}
//	{"method": "POST", "path": "/Users", "bulkId": "u", "data": {"userName": "mateo"}}

const (
	urnBulkResponse = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
	// maxBulk bounds the operations of one request; its size is bounded as that of every body.
	maxBulk = 500
	// bulkPrefix begins a text that stands for the id of what another operation makes.
	bulkPrefix = "bulkId:"
)

// bulkOperation is one change of a bulk request.
type bulkOperation struct {
	method, path, bulkID, version string
	data                          tree
	// needs are the bulkIds that it names.
	needs []string

	done   bool
	failed bool
	result tree
}

// bulk is a bulk request on its way.
type bulk struct {
	req  *request
	ops  []*bulkOperation
	made map[string]*bulkOperation // by bulkId
	ids  map[string]string         // of what was made, by bulkId
	// failures counts, and patience is how many are too many; zero is never.
	failures, patience int
}

func postBulk(ctx context.Context, req *request) (answer, error) {
	b, err := parseBulk(req)
	if err != nil {
		return answer{}, err
	}
	// An operation waits for those that it names. Whatever order that makes, it ends: each round does one or stops.
	for b.next(ctx) {
		if err := ctx.Err(); err != nil {
			return answer{}, err
		}
		if b.patience > 0 && b.failures >= b.patience {
			break
		}
	}
	results := []any{}
	for _, o := range b.ops {
		if o.done {
			results = append(results, o.result)
		}
	}
	return answer{status: http.StatusOK, body: tree{"schemas": []any{urnBulkResponse}, "Operations": results}}, nil
}

func parseBulk(req *request) (*bulk, error) {
	list, ok := member(req.body, "Operations").([]any)
	switch {
	case !ok || len(list) == 0:
		return nil, bad(invalidSyntax, "The body must have a list of Operations.")
	case len(list) > maxBulk:
		return nil, &fault{status: http.StatusRequestEntityTooLarge, scimType: tooMany, detail: "A bulk request may have " + strconv.Itoa(maxBulk) + " operations."}
	}
	b := &bulk{req: req, made: map[string]*bulkOperation{}, ids: map[string]string{}}
	switch n := member(req.body, "failOnErrors").(type) {
	case nil:
	case json.Number:
		patience, err := strconv.Atoi(n.String())
		if err != nil || patience < 0 {
			return nil, bad(invalidValue, "failOnErrors must be a number of errors.")
		}
		b.patience = patience
	default:
		return nil, bad(invalidValue, "failOnErrors must be a number of errors.")
	}
	for _, x := range list {
		o, err := parseBulkOperation(x)
		if err != nil {
			return nil, err
		}
		if o.method == http.MethodPost {
			if b.made[o.bulkID] != nil {
				return nil, bad(invalidValue, "The bulkId %s stands twice.", o.bulkID)
			}
			b.made[o.bulkID] = o
		}
		b.ops = append(b.ops, o)
	}
	return b, nil
}

func parseBulkOperation(x any) (*bulkOperation, error) {
	m, ok := x.(tree)
	if !ok {
		return nil, bad(invalidSyntax, "An operation must be an object.")
	}
	o := &bulkOperation{}
	for name, place := range map[string]*string{"method": &o.method, "path": &o.path, "bulkId": &o.bulkID, "version": &o.version} {
		v := member(m, name)
		if v == nil {
			continue
		}
		if *place, ok = v.(string); !ok {
			return nil, bad(invalidSyntax, "The %s of an operation must be a string.", name)
		}
	}
	o.method = strings.ToUpper(o.method)
	switch data := member(m, "data").(type) {
	case nil:
		if o.method != http.MethodDelete {
			return nil, bad(invalidSyntax, "The operation %s %s needs data.", o.method, o.path)
		}
	case tree:
		o.data = data
	default:
		return nil, bad(invalidSyntax, "The data of an operation must be an object.")
	}
	switch {
	case !slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, o.method):
		return nil, bad(invalidSyntax, "The method of an operation must be POST, PUT, PATCH or DELETE.")
	case o.method == http.MethodPost && o.bulkID == "":
		return nil, bad(invalidSyntax, "An operation with POST needs a bulkId.")
	}
	needs := map[string]bool{}
	_, id, _ := strings.Cut(strings.TrimPrefix(o.path, "/"), "/")
	o.refer(id, needs)
	o.data, _ = substitute(o.data, func(s string) string { o.refer(s, needs); return s }).(tree)
	o.needs = slices.Sorted(maps.Keys(needs))
	return o, nil
}

func (o *bulkOperation) refer(s string, needs map[string]bool) {
	if id, ok := strings.CutPrefix(s, bulkPrefix); ok {
		needs[id] = true
	}
}

// substitute returns a value with its texts replaced.
func substitute(v any, by func(string) string) any {
	switch v := v.(type) {
	case string:
		return by(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = substitute(v[i], by)
		}
		return out
	case tree:
		if v == nil {
			return v
		}
		out := make(tree, len(v))
		for k := range v {
			out[k] = substitute(v[k], by)
		}
		return out
	}
	return v
}

// next does the first operation that waits for no other. When all that are left wait for each other, it refuses them: none
// of them can be first (RFC 7644 §3.7.1 leaves that to the server). It reports whether it did anything.
func (b *bulk) next(ctx context.Context) bool {
	var stuck *bulkOperation
	for _, o := range b.ops {
		if o.done {
			continue
		}
		stuck = cmp.Or(stuck, o)
		waits := slices.ContainsFunc(o.needs, func(id string) bool { return b.made[id] != nil && !b.made[id].done })
		if !waits {
			b.do(ctx, o)
			return true
		}
	}
	if stuck == nil {
		return false
	}
	b.finish(stuck, answer{}, &fault{status: http.StatusConflict, detail: "The operation and others name each other by their bulkIds, so that none can be the first."})
	return true
}

// do does one operation as if it had come alone.
func (b *bulk) do(ctx context.Context, o *bulkOperation) {
	for _, id := range o.needs {
		switch of := b.made[id]; {
		case of == nil:
			b.finish(o, answer{}, bad(invalidValue, "There is no operation with the bulkId %s.", id))
			return
		case of.failed:
			b.finish(o, answer{}, &fault{status: http.StatusConflict, detail: "The operation with the bulkId " + id + " failed."})
			return
		}
	}
	resolve := func(s string) string {
		if id, ok := strings.CutPrefix(s, bulkPrefix); ok {
			return b.ids[id]
		}
		return s
	}
	path := strings.TrimPrefix(o.path, "/")
	if endpoint, id, ok := strings.Cut(path, "/"); ok {
		path = endpoint + "/" + resolve(id)
	}
	r := (&http.Request{Method: o.method, URL: &url.URL{Path: path, RawQuery: "excludedAttributes=members,groups"}, Header: http.Header{}}).WithContext(ctx)
	if o.version != "" {
		r.Header.Set("If-Match", o.version)
	}
	sub := &request{Request: r, h: b.req.h, store: b.req.store, by: b.req.by, as: b.req.as}
	found, _ := sub.route(path)
	if found == nil || found.readOnly || found.name == bulkName {
		b.finish(o, answer{}, bad(invalidValue, "There is nothing to %s at %s.", o.method, o.path))
		return
	}
	sub.body, _ = substitute(o.data, resolve).(tree)
	out, f := b.perform(ctx, sub, found, o.bulkID)
	if id, ok := out.body["id"].(string); ok && f == nil && o.method == http.MethodPost {
		b.ids[o.bulkID] = id
	}
	if f == nil && out.location == "" {
		out.location = b.req.h.base + sub.store + "/" + path
	}
	b.finish(o, out, f)
}

// perform is the walk of one operation, which has a record of its own.
func (b *bulk) perform(ctx context.Context, sub *request, found *route, bulkID string) (answer, *fault) {
	h := b.req.h
	ctx, entry := h.trail.Begin(ctx, trail.Operation{Source: eventSource, Name: found.name})
	sub.note(entry)
	if bulkID != "" {
		entry.Add("bulkId", bulkID)
	}
	out, err := found.do(ctx, sub)
	f := h.settle(ctx, entry, found.name, err)
	return out, f
}

// finish writes down how an operation ended.
func (b *bulk) finish(o *bulkOperation, out answer, f *fault) {
	o.done, o.failed = true, f != nil
	o.result = tree{"method": o.method}
	status := out.status
	if f != nil {
		b.failures++
		status = f.status
		o.result["response"] = f.body("")
	}
	o.result["status"] = strconv.Itoa(status)
	for name, v := range map[string]string{"bulkId": o.bulkID, "version": out.tag, "location": out.location} {
		if v != "" {
			o.result[name] = v
		}
	}
	if f != nil && o.method != http.MethodPost {
		o.result["location"] = b.req.h.base + b.req.store + "/" + strings.TrimPrefix(o.path, "/")
	}
}

// settle turns what an operation came to into its record, and returns the refusal if it is one.
func (h *Handler) settle(ctx context.Context, entry *trail.Entry, name string, err error) (f *fault) {
	var outcome error
	if err != nil {
		f = faultOf(err)
		if f.status >= http.StatusInternalServerError {
			h.log.ErrorContext(ctx, "SCIM request failed", slog.String("request", caller.RequestFrom(ctx).ID), slog.String("operation", name), slog.Any("error", err))
		}
		entry.Step("SCIM "+name, trail.Fail, f.detail)
		outcome = f.recorded()
	}
	if err := h.trail.Finish(ctx, entry, outcome); err != nil {
		return &fault{status: http.StatusServiceUnavailable, detail: "The request cannot be recorded.", err: err}
	}
	return f
}
