package wire

import (
	"errors"
	"fmt"
)

// Error is an answer that the AWS API models as an error: a code that clients compare, the HTTP status and a message
// for people. Err, when set, is the cause for the log; it never reaches a client.
type Error struct {
	// Code as the service spells it, such as "AccessGrantAlreadyExists". For a common error it is the generic name and
	// each protocol writes its own spelling (see Kind).
	Code string
	// Status is the HTTP status; zero takes the protocol's default for client errors, 400.
	Status int
	// Message is what the client reads.
	Message string
	// Fields are further members of the modelled error, by wire name ("Reason", "ResourceType", "error").
	Fields map[string]string
	// Kind marks the errors that every service has under a spelling of its own.
	Kind Kind
	// Err is the cause, for the log alone.
	Err error
}

// Kind names an error that all services share but spell differently: AccessDeniedException in the JSON protocols,
// AccessDenied in query and XML.
type Kind int

// The common errors. Modelled is the zero value: the code is the service's own.
const (
	Modelled Kind = iota
	KindAccessDenied
	KindInvalid
	KindInternal
	KindThrottled
	KindUnknownOperation
	KindNotImplemented
	KindTooLarge
	KindMalformed
	KindUnavailable
)

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return e.Code + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Because returns a copy of the error that carries its cause for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Err = cause
	return &c
}

// With returns a copy of the error with a further member.
func (e *Error) With(field, value string) *Error {
	c := *e
	c.Fields = make(map[string]string, len(e.Fields)+1)
	for k, v := range e.Fields {
		c.Fields[k] = v
	}
	c.Fields[field] = value
	return &c
}

// NewError makes a modelled error of a service.
func NewError(code string, status int, message string) *Error {
	return &Error{Code: code, Status: status, Message: message}
}

// AccessDenied is the common refusal.
func AccessDenied(message string) *Error {
	return &Error{Kind: KindAccessDenied, Code: "AccessDenied", Message: message}
}

// Invalid is the common answer to input that breaks a constraint; the message names the field.
func Invalid(message string) *Error {
	return &Error{Kind: KindInvalid, Code: "ValidationError", Message: message}
}

// Malformed is the common answer to a body that its protocol cannot read.
func Malformed(message string) *Error {
	return &Error{Kind: KindMalformed, Code: "SerializationException", Message: message}
}

// Internal hides a failure of the server behind the common answer and keeps the cause for the log.
func Internal(cause error) *Error {
	return &Error{Kind: KindInternal, Code: "InternalFailure", Status: 500, Message: "The request processing has failed because of an internal error.", Err: cause}
}

// AsError finds the modelled error in a chain. Anything else is a failure of the server.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Internal(err)
}

// UnknownOperation is the answer to an operation that the service does not have.
func UnknownOperation() *Error {
	return &Error{Kind: KindUnknownOperation, Code: "UnknownOperation", Message: "The requested operation is not known to this service."}
}

// NotImplemented is the answer to an operation that the service has and this server lacks.
func NotImplemented(operation string) *Error {
	return &Error{Kind: KindNotImplemented, Code: "NotImplemented", Message: "The operation " + operation + " is not implemented by this server."}
}

// TooLarge is the answer to a request beyond its bounds.
func TooLarge(message string) *Error {
	return &Error{Kind: KindTooLarge, Code: "RequestEntityTooLarge", Status: 413, Message: message}
}

// Unavailable is the answer while something that a request needs is not there.
func Unavailable(message string) *Error {
	return &Error{Kind: KindUnavailable, Code: "ServiceUnavailable", Status: 503, Message: message}
}

// Throttled is the answer to too many requests.
func Throttled(message string) *Error {
	return &Error{Kind: KindThrottled, Code: "Throttling", Message: message}
}
