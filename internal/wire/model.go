package wire

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
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
	// InvalidCode is the code of a broken constraint.
	InvalidCode string
	// OAuth services put messages into error_description.
	OAuth bool
	// Shapes are the constraints, by the names that struct tags use.
	Shapes map[string]*Shape

	plans sync.Map // reflect.Type → *plan
}

// Shape is the constraints of a value: length of a text in characters, range of a number, size of a list or map.
type Shape struct {
	Min, Max  *int64
	Pattern   string
	Enum      []string
	Sensitive bool
	// Item is the shape of a list's or map's items, ItemName their name in XML and query ("member" unless said), Flat a
	// list without an element around it, Key the shape of a map's keys.
	Item, ItemName, Key string
	Flat                bool

	once    sync.Once
	pattern *regexp.Regexp
	check   func(string) bool
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
	// Checksum says that the body comes with a checksum, if it has one.
	Checksum bool
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
		if err != nil {
			return nil, err
		}
		return out, nil
	}
	return o
}
