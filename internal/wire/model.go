package wire

import (
	"context"
	"fmt"
	"reflect"
	"sync"
)

// Protocol is one of the four ways in which AWS services speak.
type Protocol int

// The protocols.
const (
	JSON     Protocol = iota + 1 // awsJson 1.1: POST / with X-Amz-Target
	RestJSON                     // a path an operation, JSON bodies
	Query                        // form parameters in, XML out
	RestXML                      // a path an operation, XML bodies
)

// ServiceModel describes a service on the wire. The generated contracts define one each.
type ServiceModel struct {
	// Name is the service's name on the command line, such as "sso-admin".
	Name         string
	Protocol     Protocol
	SigningNames []string
	Version      string
	// TargetPrefix stands before the operation in X-Amz-Target (JSON).
	TargetPrefix string
	// Namespace is that of XML bodies.
	Namespace string
	// EventSource names the service in the trail.
	EventSource string
	// Codes are the service's spellings of common errors, where they are not those of its protocol.
	Codes map[Kind]string
	// OAuth services put messages into error_description, beside a code of RFC 6749.
	OAuth bool
	// RequestIDInErrors services repeat the request's id in the body of an error.
	RequestIDInErrors bool
	// Shapes are the constraints, by the names that struct tags use.
	Shapes map[string]*Shape
}

// Shape is the constraints of a value: length of a text in characters, range of a number, size of a list or map.
type Shape struct {
	Min, Max  *int64
	Pattern   string
	Enum      []string
	Sensitive bool
	// Item is the shape of a list's items or a map's values, Key that of a map's keys.
	Item, Key string
	// ItemName and KeyName are what XML and query call items and keys: "member", or in maps "value" and "key", unless said.
	ItemName, KeyName string
	// Flat lists and maps have no element around their items.
	Flat bool
	// TimeFormat is "iso8601", "rfc822" or "unixTimestamp"; empty takes the one of the place.
	TimeFormat string

	once  sync.Once
	match func(string) bool
}

// OperationModel describes an operation on the wire.
type OperationModel struct {
	Name, Method, URI string
	// Status of success, when it is not 200.
	Status int
	// ReadOnly operations change nothing, as the trail counts it.
	ReadOnly bool
	// NoAuth operations take unsigned requests.
	NoAuth bool
	// NoOutput operations answer without a body.
	NoOutput bool
	// Root is the element of a restXml request, where the model names it.
	Root string
	// Result is the element around a query operation's answer.
	Result string
}

// Operation is an operation bound to a method, or to none.
type Operation struct {
	OperationModel
	input  reflect.Type
	output reflect.Type
	invoke func(ctx context.Context, in any) (any, error)
}

// Implemented reports whether there is a method.
func (o *Operation) Implemented() bool { return o.invoke != nil }

// Op binds an operation to the method of its name, if impl has it. A method of another signature is a mistake in the
// program and panics.
func Op[I, O any](impl any, m OperationModel) Operation {
	o := Operation{OperationModel: m, input: reflect.TypeFor[I](), output: reflect.TypeFor[O]()}
	if impl == nil {
		return o
	}
	method := reflect.ValueOf(impl).MethodByName(m.Name)
	if !method.IsValid() {
		return o
	}
	f, ok := method.Interface().(func(context.Context, *I) (*O, error))
	if !ok {
		panic(fmt.Sprintf("%T.%s has the signature %s, want func(context.Context, *%s) (*%s, error)", impl, m.Name, method.Type(), o.input, o.output))
	}
	o.invoke = func(ctx context.Context, in any) (any, error) {
		out, err := f(ctx, in.(*I))
		switch {
		case err != nil:
			return nil, err
		case out == nil && o.output.NumField() > 0:
			return nil, Internal(fmt.Errorf("%s answered with neither an output nor an error", m.Name))
		case out == nil:
			return new(O), nil
		}
		return out, nil
	}
	return o
}
