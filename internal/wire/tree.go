package wire

import "errors"

// node is a place in a decoded body, the same for all protocols: the binder asks it for members, items and text, and it
// answers from JSON, XML or a form.
type node interface {
	// member returns the part of that name, or nil. A flat list or map has no element of its own: its items, which all have
	// that name, come as one node.
	member(name string, flat bool) (node, error)
	// items returns the parts of a list whose items are called item.
	items(item string, flat bool) ([]node, error)
	// entries returns the parts of a map whose keys and values are called so.
	entries(key, value string, flat bool) ([]entry, error)
	// text returns a scalar and reports whether it is one of that kind: JSON knows the difference.
	text(kind scalar) (string, bool)
	// isNull reports whether the value was given as none.
	isNull() bool
	// isObject reports whether the value may have members.
	isObject() bool
	// raw returns any JSON as it is.
	raw() ([]byte, bool)
}

type entry struct {
	key   string
	value node
}

// scalar is a kind of text.
type scalar int

const (
	stringScalar scalar = iota
	numberScalar
	boolScalar
	timeScalar
)

// The bounds that hold for every body, whatever its size.
const (
	maxDepth  = 64
	maxNodes  = 100_000
	maxFields = 2_000
)

var (
	errWantList = errors.New("want a list")
	errWantMap  = errors.New("want a map")
	errTooDeep  = errors.New("the body is nested too deeply")
	errTooMany  = errors.New("the body has too many parts")
	errNotUTF8  = errors.New("the body is not UTF-8")
)

// textNode is a value that is not in the body: a header, a part of the path or a parameter.
type textNode string

func (textNode) member(string, bool) (node, error)             { return nil, nil }
func (textNode) items(string, bool) ([]node, error)            { return nil, errWantList }
func (textNode) entries(string, string, bool) ([]entry, error) { return nil, errWantMap }
func (t textNode) text(scalar) (string, bool)                  { return string(t), true }
func (textNode) isNull() bool                                  { return false }
func (textNode) isObject() bool                                { return false }
func (textNode) raw() ([]byte, bool)                           { return nil, false }
