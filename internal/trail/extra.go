package trail

import (
	"slices"
	"strings"
)

// extra is a member of additionalEventData: a text, or a value of another type.
type extra struct {
	name  string
	text  string
	value any // nil for a text
}

// extras are in the order of their names. There are few of them, and a map would cost more than all else that is done
// with them.
type extras []extra

func (x extras) find(name string) (int, bool) {
	return slices.BinarySearchFunc(x, name, func(e extra, name string) int { return strings.Compare(e.name, name) })
}

func (x *extras) set(e extra) {
	if i, ok := x.find(e.name); ok {
		(*x)[i] = e
	} else {
		*x = slices.Insert(*x, i, e)
	}
}

func (x *extras) setText(name, text string) {
	if text != "" {
		x.set(extra{name: name, text: text})
	}
}

// setDefault sets a text that is not empty where there is nothing yet.
func (x *extras) setDefault(name, text string) {
	if text == "" {
		return
	}
	if i, ok := x.find(name); !ok {
		*x = slices.Insert(*x, i, extra{name: name, text: text})
	}
}

func (x extras) has(name string) bool {
	_, ok := x.find(name)
	return ok
}

// object is the same as a map, for what is too large to be written as it is.
func (x extras) object() map[string]any {
	m := make(map[string]any, len(x))
	for _, e := range x {
		if m[e.name] = e.value; e.value == nil {
			m[e.name] = e.text
		}
	}
	return m
}

// extras writes the part of a record that is made of them, of at most limit bytes.
func (m *members) extras(name string, x extras, limit int) {
	m.name(name)
	start := len(m.b)
	m.b = append(m.b, '{')
	for i, e := range x {
		if i > 0 {
			m.b = append(m.b, ',')
		}
		m.b = append(appendText(m.b, scrub(e.name)), ':')
		switch {
		case !harmlessNames[e.name] && isSecret(e.name):
			m.b = appendText(m.b, hidden)
		case e.value == nil:
			m.b = appendText(m.b, scrub(e.text))
		default:
			m.b = appendValue(m.b, e.value, 1)
		}
	}
	if m.b = append(m.b, '}'); len(m.b)-start > limit {
		m.b = appendObject(m.b[:start], shortened(x.object(), limit), 0)
	}
}
