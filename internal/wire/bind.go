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
)

// binder puts a decoded request into its type. What a text cannot be read as is remembered by the path of the member.
type binder struct {
	m *ServiceModel
	// uri and query are the parts of the path and of the query that operations of the REST protocols bind.
	uri    map[string]string
	query  map[string][]string
	header http.Header
	// missing are required scalars that the request does not have: their zero value could not tell.
	missing []string
}

// lack notes a required scalar that was not given.
func (b *binder) lack(f *field, dst reflect.Value, path string) {
	if f.required && (dst.Kind() == reflect.String || dst.Kind() == reflect.Bool || dst.CanInt() || dst.CanFloat() || dst.Type() == timeType) {
		b.missing = append(b.missing, path)
	}
}

func (b *binder) structure(n node, v reflect.Value, path string) error {
	p := b.m.planOf(v.Type())
	for i := range p.fields {
		f := &p.fields[i]
		dst := v.Field(f.index)
		if f.location != "" {
			if err := b.located(f, dst, path); err != nil {
				return err
			}
			continue
		}
		at := join(path, f.member)
		if n == nil {
			b.lack(f, dst, at)
			continue
		}
		if x, ok := n.(*xmlNode); ok {
			if shape := b.m.Shapes[f.shape]; dst.Kind() == reflect.Slice && (f.flat || shape != nil && shape.Flat) {
				if items := x.flat(f.name); len(items) > 0 {
					if err := b.list(items, dst, f.shape, at); err != nil {
						return err
					}
				}
				continue
			}
		}
		child, ok := n.member(f.name)
		if !ok {
			b.lack(f, dst, at)
			continue
		}
		if err := b.value(child, dst, f.shape, at); err != nil {
			return err
		}
	}
	return nil
}

// located binds a member that is not in the body.
func (b *binder) located(f *field, dst reflect.Value, path string) error {
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
		b.lack(f, dst, join(path, f.member))
		return nil
	}
	if dst.Kind() == reflect.Slice {
		items := make([]node, len(values))
		for i, v := range values {
			items[i] = &xmlNode{content: v}
		}
		return b.list(items, dst, f.shape, f.member)
	}
	if len(values) > 1 {
		return fmt.Errorf("%s stands more than once", f.name)
	}
	return b.value(&xmlNode{content: values[0]}, dst, f.shape, f.member)
}

func (b *binder) list(items []node, dst reflect.Value, shapeName, path string) error {
	shape := b.m.Shapes[shapeName]
	list := reflect.MakeSlice(dst.Type(), len(items), len(items))
	item := ""
	if shape != nil {
		item = shape.Item
	}
	for i, n := range items {
		if n.null() {
			return fmt.Errorf("%s.%d is null", path, i+1)
		}
		if err := b.value(n, list.Index(i), item, fmt.Sprintf("%s.%d", path, i+1)); err != nil {
			return err
		}
	}
	dst.Set(list)
	return nil
}

func (b *binder) value(n node, dst reflect.Value, shapeName, path string) error {
	t := dst.Type()
	if t.Kind() == reflect.Pointer {
		v := reflect.New(t.Elem())
		if err := b.value(n, v.Elem(), shapeName, path); err != nil {
			return err
		}
		dst.Set(v)
		return nil
	}
	switch {
	case t == rawType:
		raw, ok := n.raw()
		if !ok {
			return fmt.Errorf("%s cannot hold a document here", path)
		}
		dst.SetBytes(raw)
		return nil
	case isStruct(t):
		if j, ok := n.(*jsonNode); ok && !j.isObject() {
			return fmt.Errorf("%s is not an object", path)
		}
		return b.structure(n, dst, path)
	case t == timeType || t == blobType:
		return b.scalar(n, dst, path)
	case t.Kind() == reflect.Slice:
		items, err := n.items(b.m.Shapes[shapeName].itemName())
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return b.list(items, dst, shapeName, path)
	case t.Kind() == reflect.Map:
		return b.mapping(n, dst, shapeName, path)
	}
	return b.scalar(n, dst, path)
}

func (b *binder) mapping(n node, dst reflect.Value, shapeName, path string) error {
	shape := b.m.Shapes[shapeName]
	m := reflect.MakeMap(dst.Type())
	err := n.entries(func(key string, value node) error {
		if value.null() {
			return fmt.Errorf("%s.%s is null", path, clip(key))
		}
		v := reflect.New(dst.Type().Elem()).Elem()
		if err := b.value(value, v, shape.Item, path+"."+clip(key)); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(key), v)
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	dst.Set(m)
	return nil
}

func (b *binder) scalar(n node, dst reflect.Value, path string) error {
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
		return fmt.Errorf("%s has the wrong type", path)
	}
	wrong := func(what string) error { return fmt.Errorf("%s is not %s", path, what) }
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
		v, err := strconv.ParseBool(s)
		if err != nil || len(s) < 4 {
			return wrong("a boolean")
		}
		dst.SetBool(v)
	case dst.CanInt():
		v, err := strconv.ParseInt(s, 10, dst.Type().Bits())
		if err != nil {
			return wrong("an integer")
		}
		dst.SetInt(v)
	case dst.CanFloat():
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return wrong("a number")
		}
		dst.SetFloat(v)
	default:
		return fmt.Errorf("%s has a type that cannot be bound: %s", path, dst.Type())
	}
	return nil
}

// parseTime reads the three forms of the protocols: ISO 8601, RFC 7231 and seconds since 1970.
func parseTime(s string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC(), true
	}
	if t, err := http.ParseTime(s); err == nil {
		return t.UTC(), true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1e12 {
		return time.Time{}, false
	}
	whole, part := math.Modf(f)
	return time.Unix(int64(whole), int64(math.Round(part*1000))*1e6).UTC(), true
}

// join makes the path of a member as messages have it: the first letter of each name lowered.
func join(path, name string) string {
	name = lowerFirst(name)
	if path == "" {
		return name
	}
	return path + "." + name
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// clip bounds what a message repeats of the request.
func clip(s string) string {
	const limit = 128
	s = strings.ToValidUTF8(s, "\uFFFD")
	r := []rune(s)
	if len(r) <= limit {
		return s
	}
	return string(r[:limit]) + "..."
}
