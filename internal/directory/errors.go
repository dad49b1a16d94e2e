package directory

import "fmt"

// ErrorKind is the kind of refusal; each face has its own words for it.
type ErrorKind int

// The kinds of refusal.
const (
	KindInvalid ErrorKind = iota + 1
	KindNotFound
	KindConflict
	KindQuota
)

// The resource types of errors, as identitystore names them.
const (
	ResourceUser       = "USER"
	ResourceGroup      = "GROUP"
	ResourceMembership = "GROUP_MEMBERSHIP"
	ResourceStore      = "IDENTITY_STORE"
	ResourceToken      = "SCIM_TOKEN"
)

// Error is a refused operation.
type Error struct {
	Kind ErrorKind
	// Field is the attribute at fault (KindInvalid, KindConflict).
	Field string
	// Resource is the type of what was not found, ID its id.
	Resource, ID string
	Message      string
}

func (e *Error) Error() string { return e.Message }

// Invalid refuses a value.
func Invalid(field, message string) *Error {
	return &Error{Kind: KindInvalid, Field: field, Message: message}
}

// NotFound says that a user, group, membership or store is not there.
func NotFound(resource, id string) *Error {
	return &Error{Kind: KindNotFound, Resource: resource, ID: id, Message: resource + " not found."}
}

// Conflict refuses a value that somebody else has.
func Conflict(field, message string) *Error {
	return &Error{Kind: KindConflict, Field: field, Message: message}
}

// quota refuses what would be more than a store may hold.
func quota(what string, most int) *Error {
	return &Error{Kind: KindQuota, Message: fmt.Sprintf("The quota of %d %s is reached.", most, what)}
}
