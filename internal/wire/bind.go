package wire

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// binder puts a decoded request into its type.
type binder struct {
	m *ServiceModel
	// uri, query and header are the parts of a request besides the body that operations of the REST protocols bind.
	uri    map[string]string
	query  map[string][]string
	header http.Header
	// missing are the places of required scalars that the request does not have, which their zero value cannot tell. It is a
	// set: a body may lack as many as it has parts, and each is looked up.
	missing map[string]bool
}

func (b *binder) structure(n node, v reflect.Value, at *path) error {
	p := planOf(v.Type())
	for i := range p.fields {
		f := &p.fields[i]
		place := path{up: at, name: f.label}
		var err error
		if f.location != "" {
			err = b.located(f, v.Field(f.index), &place)
		} else {
			err = b.member(n, f, v.Field(f.index), &place)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *binder) member(n node, f *field, dst reflect.Value, at *path) error {
	flat := f.flat || b.m.shape(f.shape).Flat
	child, err := n.member(f.name, flat)
	switch {
	case err != nil:
		return err
	case child == nil:
		b.lack(f, dst, at)
		return nil
	}
	return b.value(child, dst, f.shape, flat, at)
}

// lack notes a required scalar that was not given.
func (b *binder) lack(f *field, dst reflect.Value, at *path) {
	if f.required && isScalar(dst.Type()) {
		if b.missing == nil {
			b.missing = map[string]bool{}
		}
		b.missing[at.String()] = true
	}
}

// located binds a member that is not in the body. What is wrong with it is a broken constraint and not a malformed body.
func (b *binder) located(f *field, dst reflect.Value, at *path) error {
	var values []string
	switch f.location {
	case "header":
		values = b.header.Values(f.name)
	case "uri":
		if v, ok := b.uri[f.name]; ok {
			values = []string{v}
		}
	case "querystring":
		values = b.query[f.name]
	}
	if len(values) == 0 {
		b.lack(f, dst, at)
		return nil
	}
	for _, v := range values {
		if !utf8.ValidString(v) {
			return Invalid(fmt.Sprintf("The value of %s is not UTF-8.", f.name))
		}
	}
	if isList(dst.Type()) {
		return b.locatedList(f, values, dst, at)
	}
	if len(values) > 1 {
		return Invalid(fmt.Sprintf("%s stands more than once.", f.name))
	}
	if err := b.value(textNode(values[0]), dst, f.shape, false, at); err != nil {
		return Invalid("The request cannot be read: " + err.Error() + ".")
	}
	return nil
}

// locatedList binds a parameter that may stand many times, or a header whose values stand between commas.
func (b *binder) locatedList(f *field, values []string, dst reflect.Value, at *path) error {
	var items []node
	for _, v := range values {
		if f.location != "header" {
			items = append(items, textNode(v))
			continue
		}
		parts, err := splitHeader(v, dst.Type().Elem() == timeType)
		if err != nil {
			return Invalid("The request cannot be read: " + err.Error() + ".")
		}
		for _, part := range parts {
			items = append(items, textNode(part))
		}
	}
	if err := b.list(items, dst, b.m.shape(f.shape), at); err != nil {
		return Invalid("The request cannot be read: " + err.Error() + ".")
	}
	return nil
}

func (b *binder) value(n node, dst reflect.Value, shapeName string, flat bool, at *path) error {
	t := dst.Type()
	if t.Kind() == reflect.Pointer {
		v := reflect.New(t.Elem())
		if err := b.value(n, v.Elem(), shapeName, flat, at); err != nil {
			return err
		}
		dst.Set(v)
		return nil
	}
	shape := b.m.shape(shapeName)
	switch {
	case t == rawType:
		raw, ok := n.raw()
		if !ok {
			return fmt.Errorf("%s cannot hold a document", at)
		}
		dst.SetBytes(raw)
		return nil
	case isStruct(t):
		if !n.isObject() {
			return fmt.Errorf("%s is not a structure", at)
		}
		return b.structure(n, dst, at)
	case isList(t):
		items, err := n.items(shape.itemName("member"), flat)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		return b.list(items, dst, shape, at)
	case t.Kind() == reflect.Map:
		return b.mapping(n, dst, shape, flat, at)
	}
	return b.scalar(n, dst, at)
}

func (b *binder) list(items []node, dst reflect.Value, shape *Shape, at *path) error {
	list := reflect.MakeSlice(dst.Type(), len(items), len(items))
	for i, n := range items {
		place := path{up: at, index: i + 1}
		if n.isNull() {
			return fmt.Errorf("%s is null", &place)
		}
		if err := b.value(n, list.Index(i), shape.Item, false, &place); err != nil {
			return err
		}
	}
	dst.Set(list)
	return nil
}

func (b *binder) mapping(n node, dst reflect.Value, shape *Shape, flat bool, at *path) error {
	entries, err := n.entries(shape.keyName(), shape.itemName("value"), flat)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	m := reflect.MakeMapWithSize(dst.Type(), len(entries))
	for _, e := range entries {
		place := path{up: at, name: clip(e.key)}
		key := reflect.ValueOf(e.key)
		if e.value.isNull() {
			return fmt.Errorf("%s is null", &place)
		}
		if m.MapIndex(key).IsValid() {
			return fmt.Errorf("%s stands twice", &place)
		}
		v := reflect.New(dst.Type().Elem()).Elem()
		if err := b.value(e.value, v, shape.Item, false, &place); err != nil {
			return err
		}
		m.SetMapIndex(key, v)
	}
	dst.Set(m)
	return nil
}

func (b *binder) scalar(n node, dst reflect.Value, at *path) error {
	kind := stringScalar
	switch {
	case dst.Type() == timeType:
		kind = timeScalar
	case dst.Kind() == reflect.Bool:
		kind = boolScalar
	case dst.CanInt() || dst.CanFloat():
		kind = numberScalar
	}
	s, ok := n.text(kind)
	if !ok {
		return fmt.Errorf("%s has the wrong type", at)
	}
	wrong := func(what string) error { return fmt.Errorf("%s is not %s", at, what) }
	switch {
	case dst.Type() == timeType:
		t, ok := parseTime(s)
		if !ok {
			return wrong("a time")
		}
		dst.Set(reflect.ValueOf(t))
	case dst.Type() == blobType:
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return wrong("base64")
		}
		dst.SetBytes(raw)
	case dst.Kind() == reflect.String:
		dst.SetString(s)
	case dst.Kind() == reflect.Bool:
		if s != "true" && s != "false" {
			return wrong("a boolean")
		}
		dst.SetBool(s == "true")
	case dst.CanInt():
		v, err := strconv.ParseInt(s, 10, dst.Type().Bits())
		if err != nil {
			return wrong("an integer")
		}
		dst.SetInt(v)
	case dst.CanFloat():
		v, ok := parseFloat(s)
		if !ok {
			return wrong("a number")
		}
		dst.SetFloat(v)
	default:
		return fmt.Errorf("%s has a type that cannot be bound: %s", at, dst.Type())
	}
	return nil
}

// parseFloat reads a number, or one of the three names that the protocols have for what is none. Go would take hexadecimal
// numbers and other spellings of the names too.
func parseFloat(s string) (float64, bool) {
	switch s {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// parseTime reads the three forms of the protocols: ISO 8601, RFC 7231 and seconds since 1970, to the millisecond.
func parseTime(s string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC(), inYears(t)
	}
	if t, err := http.ParseTime(s); err == nil {
		return t.UTC(), inYears(t)
	}
	f, ok := parseFloat(s)
	if !ok || math.IsNaN(f) || math.Abs(f) > 1e12 {
		return time.Time{}, false
	}
	t := time.UnixMilli(int64(math.Round(f * 1000))).UTC()
	return t, inYears(t)
}

// inYears keeps times within the years that every notation can write.
func inYears(t time.Time) bool { return t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 }
