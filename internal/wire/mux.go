package wire

import (
	"maps"
	"net/http"
	"net/url"
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
	// Of two operations on one path, the one that asks for a parameter is tried first.
	slices.SortStableFunc(s.routes, func(a, b *route) int { return len(b.query) - len(a.query) })
	m.services = append(m.services, s)
}

// Mounted is a service with its operations.
type Mounted struct {
	Model      *ServiceModel
	Operations []*Operation
}

// Services lists what is mounted, operations by name.
func (m *Mux) Services() []Mounted {
	all := make([]Mounted, 0, len(m.services))
	for _, s := range m.services {
		one := Mounted{Model: s.model}
		for _, name := range slices.Sorted(maps.Keys(s.byName)) {
			one.Operations = append(one.Operations, s.byName[name])
		}
		all = append(all, one)
	}
	return all
}

// OwnsPath reports whether a path belongs to one of the REST services, whose paths no bucket can have, or is where forms
// of the query protocol go.
func (m *Mux) OwnsPath(r *http.Request) bool {
	path := r.URL.EscapedPath()
	for _, s := range m.services {
		if slices.ContainsFunc(s.routes, func(route *route) bool { return route.owns(path) }) {
			return true
		}
	}
	return r.Method == http.MethodPost && (path == "/" || path == "") && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// Name finds the service and the operation of a request before anything else is done, so that every error has the right
// envelope. The body is needed for the query protocol, signingName is the service of the signature or "". It reports false
// for a request that is for none of the services.
func (m *Mux) Name(r *http.Request, body []byte, signingName string) (*Call, bool) {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return m.byTarget(r.Method, target, signingName), true
	}
	if call := m.byPath(r); call != nil {
		return call, true
	}
	if call := m.byForm(r, body, signingName); call != nil {
		return call, true
	}
	// A signature for a service that is here, on a request that is none of its operations. The data plane of S3 and the
	// paths of s3control have one signing name, and all that is not a path of s3control is S3.
	for _, s := range m.services {
		if s.model.Protocol != RestXML && s.model.signedAs(signingName) {
			return &Call{Service: s.model}, true
		}
	}
	return nil, false
}

// byTarget finds an operation of the JSON protocol: X-Amz-Target is <prefix>.<operation>.
func (m *Mux) byTarget(method, target, signingName string) *Call {
	prefix, name := "", target
	if i := strings.LastIndexByte(target, '.'); i >= 0 {
		prefix, name = target[:i], target[i+1:]
	}
	// What is for a service that is not here is answered in the protocol's envelope all the same.
	call := &Call{Service: &ServiceModel{Name: "unknown", Protocol: JSON, EventSource: "unknown.amazonaws.com"}}
	for _, s := range m.services {
		if s.model.Protocol != JSON {
			continue
		}
		if s.model.isTarget(prefix) {
			call = &Call{Service: s.model}
			if method == http.MethodPost {
				call.Operation = s.byName[name]
			}
			return call
		}
		if s.model.signedAs(signingName) {
			call = &Call{Service: s.model}
		}
	}
	return call
}

// isTarget reports whether a prefix of X-Amz-Target is the service's. Some clients leave out the name space before its last
// part: CloudTrail_20131101 stands for com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.
func (m *ServiceModel) isTarget(prefix string) bool {
	return prefix != "" && (prefix == m.TargetPrefix || strings.HasSuffix(m.TargetPrefix, "."+prefix) && !strings.Contains(prefix, "."))
}

// byPath finds an operation of the REST protocols. A path of their families that is none of their operations is theirs too.
func (m *Mux) byPath(r *http.Request) *Call {
	path := r.URL.EscapedPath()
	for _, s := range m.services {
		owned := false
		for _, route := range s.routes {
			if !route.owns(path) {
				continue
			}
			owned = true
			if uri, ok := route.match(r.Method, path, r.URL.RawQuery); ok {
				return &Call{Service: s.model, Operation: route.operation, uri: uri}
			}
		}
		if owned {
			return &Call{Service: s.model}
		}
	}
	return nil
}

func (m *ServiceModel) signedAs(name string) bool { return slices.Contains(m.SigningNames, name) }

// byForm finds an operation of the query protocol: Action and Version, in the form or in the query.
func (m *Mux) byForm(r *http.Request, body []byte, signingName string) *Call {
	form := r.URL.RawQuery
	if r.Method == http.MethodPost && (formValue(string(body), "Action") != "" || formValue(form, "Action") == "") {
		form = string(body)
	}
	action, version := formValue(form, "Action"), formValue(form, "Version")
	var match *mounted
	for _, s := range m.services {
		if s.model.Protocol != Query {
			continue
		}
		if s.model.signedAs(signingName) || signingName == "" && action != "" && version == s.model.Version {
			match = s
		}
	}
	if match == nil {
		return nil
	}
	call := &Call{Service: match.model, form: form}
	if version == match.model.Version && (r.Method == http.MethodPost || r.Method == http.MethodGet) {
		call.Operation = match.byName[action]
	}
	return call
}

// formValue finds a parameter without reading the whole form. Decode refuses one that stands twice.
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
