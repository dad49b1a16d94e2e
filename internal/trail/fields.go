package trail

// field is a member of a part of a record: a text, or a value of another type.
type field struct {
	name  string
	text  string
	value any // nil for a text
}

// fields are in the order in which they were set. There are few of them: to look at each costs less than a map, or than
// to keep them sorted.
type fields []field

func (f fields) find(name string) int {
	for i := range f {
		if f[i].name == name {
			return i
		}
	}
	return -1
}

func (f *fields) set(one field) {
	if i := f.find(one.name); i >= 0 {
		(*f)[i] = one
	} else {
		*f = append(*f, one)
	}
}

// setDefault sets a text that is not empty where there is nothing yet.
func (f *fields) setDefault(name, text string) {
	if text != "" && f.find(name) < 0 {
		*f = append(*f, field{name: name, text: text})
	}
}

func (f fields) has(name string) bool { return f.find(name) >= 0 }

// object is the same as a map, for what is too large to be written as it is.
func (f fields) object() map[string]any {
	m := make(map[string]any, len(f))
	for _, one := range f {
		if m[one.name] = one.value; one.value == nil {
			m[one.name] = one.text
		}
	}
	return m
}

// fields writes the part of a record that is made of them, of at most limit bytes.
func (m *members) fields(name string, f fields, limit int) {
	m.name(name)
	start := len(m.b)
	m.b = append(m.b, '{')
	for i := range f {
		one := &f[i]
		if i > 0 {
			m.b = append(m.b, ',')
		}
		known := isHarmless(one.name)
		if known {
			m.b = append(append(append(m.b, '"'), one.name...), '"', ':')
		} else {
			m.b = append(appendText(m.b, one.name), ':')
		}
		switch {
		case !known && isSecret(one.name):
			m.b = appendText(m.b, hidden)
		case one.value == nil:
			m.b = appendText(m.b, one.text)
		default:
			m.b = appendValue(m.b, one.value, 1)
		}
	}
	if m.b = append(m.b, '}'); len(m.b)-start > limit {
		m.b = appendObject(m.b[:start], shortened(f.object(), limit), 0)
	}
}
