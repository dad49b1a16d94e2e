package wire

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// Mux knows the services and finds which operation of which a request is for.
type Mux struct {
	services []*mounted
}

type mounted struct {
	model  *ServiceModel
	byName map[string]*Operation
	routes []*route
}

// Mount adds a service with its operations.
func (m *Mux) Mount(model *ServiceModel, operations []Operation) {
	s := &mounted{model: model, byName: map[string]*Operation{}}
	for i := range operations {
		o := &operations[i]
		s.byName[o.Name] = o
		if model.Protocol == RestJSON || model.Protocol == RestXML {
			s.routes = append(s.routes, newRoute(o))
		}
	}
	m.services = append(m.services, s)
}

// Mounted is a service with its operations.
type Mounted struct {
	Model      *ServiceModel
	Operations []*Operation
}

// Services lists what is mounted, operations by name.
func (m *Mux) Services() []Mounted {
	var all []Mounted
	for _, s := range m.services {
		one := Mounted{Model: s.model}
		for _, name := range slices.Sorted(maps.Keys(s.byName)) {
			one.Operations = append(one.Operations, s.byName[name])
		}
		all = append(all, one)
	}
	return all
}

// Call is a request whose service and operation are known.
type Call struct {
	Service *ServiceModel
	// Operation is nil when the service has none of that name.
	Operation *Operation
	uri       map[string]string
	form      string
}

// OwnsPath reports whether a path belongs to one of the REST services, whose paths no bucket can have.
func (m *Mux) OwnsPath(r *http.Request) bool {
	path := r.URL.EscapedPath()
	for _, s := range m.services {
		for _, route := range s.routes {
			if route.owns(path) {
				return true
			}
		}
	}
	return r.Method == http.MethodPost && (path == "/" || path == "") && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// Name finds the service and the operation of a request before anything else is done, so that every error has the right
// envelope. The body is needed for the query protocol, signingName is the service of the signature or "". It reports false
// for a request that is for none of the services.
func (m *Mux) Name(r *http.Request, body []byte, signingName string) (*Call, bool) {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return m.byTarget(target, signingName)
	}
	path := r.URL.EscapedPath()
	for _, s := range m.services {
		owned := false
		for _, route := range s.routes {
			if !route.owns(path) {
				continue
			}
			owned = true
			if uri, ok := route.match(r.Method, path, r.URL.Query()); ok {
				return &Call{Service: s.model, Operation: route.operation, uri: uri}, true
			}
		}
		if owned {
			return &Call{Service: s.model}, true
		}
	}
	return m.byForm(r, body, signingName)
}

// byTarget finds an operation of the JSON protocol: X-Amz-Target is <prefix>.<operation>.
func (m *Mux) byTarget(target, signingName string) (*Call, bool) {
	prefix, name := "", target
	if i := strings.LastIndexByte(target, '.'); i >= 0 {
		prefix, name = target[:i], target[i+1:]
	}
	var signed *ServiceModel
	for _, s := range m.services {
		if s.model.Protocol != JSON {
			continue
		}
		if s.model.TargetPrefix == prefix {
			return &Call{Service: s.model, Operation: s.byName[name]}, true
		}
		if s.model.signedAs(signingName) {
			signed = s.model
		}
	}
	if signed == nil {
		signed = unknownService
	}
	return &Call{Service: signed}, true
}

// unknownService answers for targets of services that are not here.
var unknownService = &ServiceModel{Name: "unknown", Protocol: JSON, EventSource: "unknown.amazonaws.com", InvalidCode: "ValidationException"}

func (m *ServiceModel) signedAs(name string) bool {
	for _, s := range m.SigningNames {
		if s == name {
			return true
		}
	}
	return false
}

// byForm finds an operation of the query protocol: Action and Version, in the form or in the query.
func (m *Mux) byForm(r *http.Request, body []byte, signingName string) (*Call, bool) {
	form := r.URL.RawQuery
	if r.Method == http.MethodPost {
		form = string(body)
	}
	action, version := formValue(form, "Action"), formValue(form, "Version")
	var match *mounted
	for _, s := range m.services {
		if s.model.Protocol != Query {
			continue
		}
		if s.model.signedAs(signingName) || (signingName == "" && version != "" && version == s.model.Version) {
			match = s
		}
	}
	if match == nil {
		return nil, false
	}
	call := &Call{Service: match.model, form: form}
	if version == match.model.Version {
		call.Operation = match.byName[action]
	}
	return call, true
}

// formValue finds a parameter without reading the whole form.
func formValue(form, name string) string {
	for pair := range strings.SplitSeq(form, "&") {
		if k, v, ok := strings.Cut(pair, "="); ok && k == name {
			if v, err := url.QueryUnescape(v); err == nil {
				return v
			}
		}
	}
	return ""
}

// Decode reads and validates the input. Its errors are *Error.
func (c *Call) Decode(r *http.Request, body []byte) (any, error) {
	in := reflect.New(c.Operation.input)
	b := &binder{m: c.Service, uri: c.uri, header: r.Header}
	n, err := c.parse(r, b, body)
	if err != nil {
		return nil, Malformed(err.Error())
	}
	if err := b.structure(n, in.Elem(), ""); err != nil {
		return nil, Malformed(err.Error())
	}
	v := &validator{m: c.Service, missing: map[string]bool{}}
	for _, path := range b.missing {
		v.missing[path] = true
	}
	v.structure(in.Elem(), "")
	if err := v.err(); err != nil {
		return nil, err
	}
	return in.Interface(), nil
}

func (c *Call) parse(r *http.Request, b *binder, body []byte) (node, error) {
	switch c.Service.Protocol {
	case Query:
		return parseForm(c.form)
	case RestXML:
		if c.Operation.Checksum || r.Header.Get("Content-Md5") != "" {
			if err := verifyChecksums(r.Header, body); err != nil {
				return nil, err
			}
		}
		query, err := parseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, err
		}
		b.query = query
		return parseXML(body)
	case RestJSON:
		query, err := parseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, err
		}
		b.query = query
	}
	n, err := parseJSON(body)
	if err != nil {
		return nil, err
	}
	if !n.isObject() {
		return nil, fmt.Errorf("the body is not an object")
	}
	return n, nil
}

// parseQuery reads a query whose plus signs are plus signs: clients of the REST services write blanks as %20.
func parseQuery(raw string) (map[string][]string, error) {
	query := map[string][]string{}
	fields := 0
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		if fields++; fields > maxFields {
			return nil, fmt.Errorf("the request has too many parameters")
		}
		k, v, _ := strings.Cut(pair, "=")
		name, err := url.PathUnescape(k)
		if err != nil {
			return nil, fmt.Errorf("the name of a parameter is not encoded well")
		}
		value, err := url.PathUnescape(v)
		if err != nil {
			return nil, fmt.Errorf("the value of %s is not encoded well", clip(name))
		}
		query[name] = append(query[name], value)
	}
	return query, nil
}

// Invoke calls the method, or answers that there is none.
func (c *Call) Invoke(ctx context.Context, in any) (any, error) {
	if !c.Operation.Implemented() {
		return nil, NotImplemented(c.Operation.Name)
	}
	return c.Operation.invoke(ctx, in)
}

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
	values, _ := url.ParseQuery(query)
	return &route{operation: o, method: o.Method, segments: strings.Split(strings.Trim(path, "/"), "/"), query: values}
}

// owns reports whether a path is of the family of the route: its first segment is the route's.
func (r *route) owns(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first == r.segments[0]
}

func (r *route) match(method, path string, query url.Values) (map[string]string, bool) {
	if method != r.method {
		return nil, false
	}
	for k, want := range r.query {
		if query.Get(k) != want[0] {
			return nil, false
		}
	}
	// Of two operations on one path, the one that asks for a parameter wins over the one that does not.
	if len(r.query) == 0 && query.Has("aws_iam") {
		return nil, false
	}
	uri := map[string]string{}
	rest := strings.TrimPrefix(path, "/")
	for i, s := range r.segments {
		label, ok := strings.CutPrefix(s, "{")
		label = strings.TrimSuffix(label, "}")
		if greedy, is := strings.CutSuffix(label, "+"); ok && is {
			value, err := url.PathUnescape(rest)
			if err != nil || value == "" {
				return nil, false
			}
			uri[greedy] = value
			return uri, true
		}
		segment, remaining, more := strings.Cut(rest, "/")
		if ok {
			value, err := url.PathUnescape(segment)
			if err != nil || value == "" {
				return nil, false
			}
			uri[label] = value
		} else if segment != s {
			return nil, false
		}
		if last := i == len(r.segments)-1; last && more && remaining != "" || !last && !more {
			return nil, false
		}
		rest = remaining
	}
	return uri, true
}
