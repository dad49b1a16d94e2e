package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
)

// Call is a request whose service is known, and whose operation is if the service has it.
type Call struct {
	Service *ServiceModel
	// Operation is nil when the service has none of that name: then there is nothing but WriteError.
	Operation *Operation
	uri       map[string]string
	form      string
}

// Decode reads and validates the input, which is a pointer to the operation's input type. Its errors are *Error.
func (c *Call) Decode(r *http.Request, body []byte) (any, error) {
	if c.Operation == nil {
		return nil, UnknownOperation()
	}
	b := &binder{m: c.Service, uri: c.uri, header: r.Header}
	n, err := c.parse(r, b, body)
	if err != nil {
		return nil, c.unreadable(err, Malformed)
	}
	in := reflect.New(c.Operation.input)
	if err := b.structure(n, in.Elem(), nil); err != nil {
		wrong := Malformed
		if c.Service.Protocol == Query {
			// A form is well-formed whatever its texts are: one that is not the number that it should be is a broken constraint.
			wrong = Invalid
		}
		return nil, c.unreadable(err, wrong)
	}
	v := &validator{m: c.Service, missing: b.missing}
	v.structure(in.Elem(), nil)
	if err := v.err(); err != nil {
		return nil, err
	}
	return in.Interface(), nil
}

// unreadable makes an answer of what a parser or the binder could not read. It repeats little of the request.
func (c *Call) unreadable(err error, kind func(string) *Error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return kind("The request cannot be read: " + clip(err.Error()) + ".").Because(err)
}

func (c *Call) parse(r *http.Request, b *binder, body []byte) (node, error) {
	switch c.Service.Protocol {
	case Query:
		return parseForm(c.form)
	case RestXML, RestJSON:
		unescape := url.PathUnescape
		if c.Service.Protocol == RestJSON {
			unescape = url.QueryUnescape
		}
		query, err := parseQuery(r.URL.RawQuery, unescape)
		if err != nil {
			return nil, Invalid("The query cannot be read: " + err.Error() + ".")
		}
		b.query = query
		if c.Service.Protocol == RestXML {
			return c.parseXML(r, body)
		}
	}
	n, err := parseJSON(body)
	if err != nil {
		return nil, err
	}
	if !n.isObject() {
		return nil, errors.New("the body is not an object")
	}
	return n, nil
}

func (c *Call) parseXML(r *http.Request, body []byte) (node, error) {
	if err := verifyChecksums(r.Header, body); err != nil {
		return nil, err
	}
	n, err := parseXML(body)
	if err != nil {
		return nil, err
	}
	if root := c.Operation.Root; root != "" && n.name != "" && n.name != root {
		return nil, fmt.Errorf("the body is a %s, want a %s", clip(n.name), root)
	}
	return n, nil
}

// Invoke calls the method, or answers that there is none.
func (c *Call) Invoke(ctx context.Context, in any) (any, error) {
	switch {
	case c.Operation == nil:
		return nil, UnknownOperation()
	case !c.Operation.Implemented():
		return nil, NotImplemented(c.Operation.Name)
	}
	return c.Operation.invoke(ctx, in)
}
