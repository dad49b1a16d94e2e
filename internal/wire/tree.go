package wire

// node is a place in a decoded body, the same for all protocols: the binder asks it for members, items and text, and it
// answers from JSON, XML or a form.
type node interface {
	// member returns the part of that name.
	member(name string) (node, bool)
	// items returns the parts of a list whose items have that name; flat lists have no element around them, so the parent
	// and the list's own name are asked.
	items(name string) ([]node, error)
	// entries walks over a map.
	entries(do func(key string, value node) error) error
	// text returns a scalar and reports whether it is one. kind says what is wanted: JSON knows the difference.
	text(kind scalar) (string, bool)
	// null reports whether the value was given as none.
	null() bool
	// raw returns any JSON as it is.
	raw() ([]byte, bool)
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
	maxDepth = 64
	maxNodes = 100_000
)
