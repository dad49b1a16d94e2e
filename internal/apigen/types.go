package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// structure writes a struct type. An operation without input or output has an empty one.
func (c *contract) structure(name, doc string, r *ref) {
	c.printf("// %s %s.\ntype %s struct {", name, doc, name)
	defer c.printf("}\n\n")
	if r == nil || len(c.m.Shapes[r.Shape].Members.names) == 0 {
		return
	}
	c.printf("\n")
	sh := c.m.Shapes[r.Shape]
	for _, member := range sh.Members.names {
		required := slices.Contains(sh.Required, member)
		c.printf("\t%s %s `aws:%q`\n", title(member), c.goType(sh.Members.refs[member].Shape, required && !sh.Union), c.tag(r.Shape, member, required))
	}
}

// tag says what a member is on the wire: its name, its shape, then options. internal/wire reads it.
func (c *contract) tag(structure, member string, required bool) string {
	sh := c.m.Shapes[structure]
	r := sh.Members.refs[member]
	wireName := r.LocationName
	if wireName == "" {
		wireName = member
	}
	tag := []string{wireName, r.Shape}
	if required {
		tag = append(tag, "required")
	}
	if r.Location != "" {
		tag = append(tag, r.Location)
	}
	if r.Flattened {
		tag = append(tag, "flat")
	}
	if slices.Contains(c.p.Sensitive, structure+"."+member) || c.isSensitive(r.Shape) {
		tag = append(tag, "sensitive")
	}
	if member != wireName {
		tag = append(tag, "member="+member)
	}
	if sh.Union {
		tag = append(tag, "union")
	}
	return strings.Join(tag, ",")
}

// isSensitive reports whether a shape holds a secret: by itself, or as a list or map of secrets.
func (c *contract) isSensitive(name string) bool {
	sh := c.m.Shapes[name]
	if sh.Sensitive && !slices.Contains(c.p.Visible, name) {
		return true
	}
	for _, r := range []*ref{sh.Member, sh.Key, sh.Value} {
		if r != nil && c.isSensitive(r.Shape) {
			return true
		}
	}
	return false
}

// goType is the type of a member: required scalars are values, optional ones pointers, and structures are pointers always.
func (c *contract) goType(shapeName string, required bool) string {
	sh := c.m.Shapes[shapeName]
	scalar := ""
	switch sh.Type {
	case "string":
		scalar = "string"
		if isEnum(sh) {
			scalar = title(shapeName)
		}
	case "integer":
		scalar = "int"
	case "long":
		scalar = "int64"
	case "double", "float":
		scalar = "float64"
	case "boolean":
		scalar = "bool"
	case "timestamp":
		scalar = "time.Time"
	case "blob":
		return "[]byte"
	case "list":
		return "[]" + c.itemType(sh.Member.Shape)
	case "map":
		return "map[string]" + c.itemType(sh.Value.Shape)
	default:
		if sh.Document {
			return "json.RawMessage"
		}
		return "*" + title(shapeName)
	}
	if required {
		return scalar
	}
	return "*" + scalar
}

// itemType is the type of what a list or map holds: structures as values, of which an absent one cannot be.
func (c *contract) itemType(shapeName string) string {
	return strings.TrimPrefix(c.goType(shapeName, true), "*")
}

// enum writes a type of text with its values. Two values that would have one name, or a value that would have the name of
// a type, get further underscores in the order of the model.
func (c *contract) enum(name string, sh *shape) {
	t := title(name)
	c.printf("// %s is one of the texts that the service names.\ntype %s string\n\n// The values of %s.\nconst (\n", t, t, t)
	for _, v := range sh.Enum {
		id := t + identifier(v)
		for c.taken[id] {
			id += "_"
		}
		c.taken[id] = true
		c.printf("\t%s %s = %q\n", id, t, v)
	}
	c.printf(")\n\n")
}

// shapes writes the constraints that types do not carry.
func (c *contract) shapes(used map[string]bool) {
	c.printf("var shapes = map[string]*wire.Shape{\n")
	for _, name := range sortedKeys(c.m.Shapes) {
		sh := c.m.Shapes[name]
		if !used[name] || sh.Exception || isStruct(sh) {
			continue
		}
		c.printf("\t%q: {%s},\n", name, strings.Join(c.constraints(name, sh), ", "))
	}
	c.printf("}\n")
}

func (c *contract) constraints(name string, sh *shape) []string {
	var f []string
	add := func(format string, args ...any) { f = append(f, fmt.Sprintf(format, args...)) }
	if sh.Min != nil {
		add("Min: new(int64(%d))", *sh.Min)
	}
	if sh.Max != nil {
		add("Max: new(int64(%d))", *sh.Max)
	}
	if sh.Pattern != "" {
		add("Pattern: %s", quote(sh.Pattern))
	}
	if len(sh.Enum) > 0 {
		add("Enum: %#v", sh.Enum)
	}
	if sh.TimestampFormat != "" {
		add("TimeFormat: %q", sh.TimestampFormat)
	}
	switch sh.Type {
	case "list":
		add("Item: %q", sh.Member.Shape)
		if sh.Member.LocationName != "" {
			add("ItemName: %q", sh.Member.LocationName)
		}
	case "map":
		add("Key: %q", sh.Key.Shape)
		add("Item: %q", sh.Value.Shape)
		if sh.Key.LocationName != "" {
			add("KeyName: %q", sh.Key.LocationName)
		}
		if sh.Value.LocationName != "" {
			add("ItemName: %q", sh.Value.LocationName)
		}
	}
	if sh.Flattened {
		add("Flat: true")
	}
	if c.isSensitive(name) {
		add("Sensitive: true")
	}
	return f
}

func quote(s string) string {
	if strings.Contains(s, "`") {
		return strconv.Quote(s)
	}
	return "`" + s + "`"
}

func title(s string) string {
	r := []rune(s)
	r[0] = unicode.ToUpper(r[0])
	return strings.ReplaceAll(string(r), "_", "")
}

// identifier makes a value a part of a Go name.
func identifier(v string) string {
	var b strings.Builder
	upper := true
	for _, r := range v {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			upper = true
			continue
		}
		if upper {
			r = unicode.ToUpper(r)
		}
		upper = false
		b.WriteRune(r)
	}
	return b.String()
}
