package gateway

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/wire"
)

// preflight answers a browser that asks whether a page may make a request. Nobody is known to ask, nothing is done, and
// what the answer says of a bucket its owner put there for all to see. The request that follows is decided like any other.
func (g *Gateway) preflight(w http.ResponseWriter, r *http.Request) {
	id := caller.RequestFrom(r.Context()).ID
	if err := g.answerPreflight(w.Header(), r); err != nil {
		fail(w, r, id, r.URL.Path, spell(err))
		return
	}
	w.Header().Set("X-Amz-Request-Id", id)
	w.Header().Set("X-Amz-Id-2", id)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

func (g *Gateway) answerPreflight(h http.Header, r *http.Request) error {
	origin, method := r.Header.Get("Origin"), r.Header.Get("Access-Control-Request-Method")
	switch {
	case origin == "":
		return wire.NewError("BadRequest", http.StatusBadRequest, "Insufficient information. Origin request header needed.")
	case method == "":
		return wire.NewError("BadRequest", http.StatusBadRequest, "Invalid Access-Control-Request-Method: null")
	}
	var q Request
	where, err := q.address(r, g.Hosts)
	if err != nil {
		return err
	}
	if where == onService {
		return corsRefused("CORS is not enabled for this bucket.", method, "SERVICE")
	}
	resource := map[level]string{onBucket: "BUCKET", onObject: "OBJECT"}[where]
	b, ok := g.Buckets.Lookup(q.Bucket)
	if !ok || len(b.CORS) == 0 {
		return corsRefused("CORS is not enabled for this bucket.", method, resource)
	}
	asked := headerNames(r.Header)
	rule := b.CORSRule(origin, method, asked)
	if rule == nil {
		return corsRefused("This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.", method, resource)
	}
	allow(h, rule, origin)
	if len(asked) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.ToLower(strings.Join(asked, ", ")))
	}
	return nil
}

// headerNames are those that a page wants to send.
func headerNames(h http.Header) (names []string) {
	for name := range strings.SplitSeq(strings.Join(h.Values("Access-Control-Request-Headers"), ","), ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func corsRefused(message, method, resource string) error {
	return wire.NewError("AccessForbidden", http.StatusForbidden, "CORSResponse: "+message).With("Method", clip(method)).With("ResourceType", resource)
}

// allow writes what a browser needs to know of a rule.
func allow(h http.Header, rule *bucket.CORSRule, origin string) {
	if rule.AnyOrigin() {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(rule.Methods, ", "))
	if len(rule.Exposed) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(rule.Exposed, ", "))
	}
	if rule.MaxAge != nil {
		h.Set("Access-Control-Max-Age", strconv.Itoa(*rule.MaxAge))
	}
	h.Set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
}

// share lets a page of another origin read the answer, refusals included, where a rule of the bucket says so.
func (g *Gateway) share(h http.Header, r *http.Request, name string) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	if b, ok := g.Buckets.Lookup(name); ok {
		if rule := b.CORSRule(origin, r.Method, nil); rule != nil {
			allow(h, rule, origin)
		}
	}
}

func (x *exchange) getCORS(context.Context) (*answer, error) {
	rules, err := x.Buckets.CORSRules(x.Bucket)
	if err != nil {
		return nil, err
	}
	return xmlAnswer(corsConfiguration(rules)), nil
}

func (x *exchange) putCORS(ctx context.Context) (*answer, error) {
	var d struct {
		CORSRule []struct {
			ID            string
			AllowedHeader []string
			AllowedMethod []string
			AllowedOrigin []string
			ExposeHeader  []string
			MaxAgeSeconds *int
			Unknown       []unknown `xml:",any"`
		}
		Unknown []unknown `xml:",any"`
	}
	if err := x.read("CORSConfiguration", &d); err != nil {
		return nil, err
	}
	if err := refuseUnknown(d.Unknown); err != nil {
		return nil, err
	}
	if len(d.CORSRule) == 0 {
		return nil, malformedXML(errors.New("it has no rule"))
	}
	rules := make([]bucket.CORSRule, 0, len(d.CORSRule))
	for _, r := range d.CORSRule {
		if err := refuseUnknown(r.Unknown); err != nil {
			return nil, err
		}
		rules = append(rules, bucket.CORSRule{ID: r.ID, Origins: r.AllowedOrigin, Methods: r.AllowedMethod, Headers: r.AllowedHeader, Exposed: r.ExposeHeader, MaxAge: r.MaxAgeSeconds})
	}
	return empty(http.StatusOK), x.Buckets.PutCORS(ctx, x.Bucket, rules)
}

func (x *exchange) deleteCORS(ctx context.Context) (*answer, error) {
	return empty(http.StatusNoContent), x.Buckets.PutCORS(ctx, x.Bucket, nil)
}

func corsConfiguration(rules []bucket.CORSRule) []byte {
	d := newDocument("CORSConfiguration")
	for i := range rules {
		r := &rules[i]
		d.inside("CORSRule", func() {
			d.optional("ID", r.ID)
			each := func(name string, values []string) {
				for _, v := range values {
					d.text(name, v)
				}
			}
			each("AllowedHeader", r.Headers)
			each("AllowedMethod", r.Methods)
			each("AllowedOrigin", r.Origins)
			each("ExposeHeader", r.Exposed)
			if r.MaxAge != nil {
				d.number("MaxAgeSeconds", int64(*r.MaxAge))
			}
		})
	}
	return d.end("CORSConfiguration")
}
