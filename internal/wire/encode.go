package wire

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// encoder appends outputs in one of two notations.
type encoder struct {
	m *ServiceModel
}

func (e *encoder) json(b []byte, v reflect.Value, shapeName string) []byte {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return append(b, "null"...)
		}
		v = v.Elem()
	}
	switch t := v.Type(); {
	case t == timeType:
		return appendSeconds(b, v.Interface().(time.Time))
	case t == rawType:
		if v.Len() == 0 {
			return append(b, "null"...)
		}
		return append(b, v.Bytes()...)
	case t == blobType:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	case t.Kind() == reflect.Struct:
		return e.jsonObject(b, v)
	case t.Kind() == reflect.Slice:
		shape := e.m.Shapes[shapeName]
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.json(b, v.Index(i), shape.Item)
		}
		return append(b, ']')
	case t.Kind() == reflect.Map:
		return e.jsonMap(b, v, shapeName)
	case t.Kind() == reflect.String:
		return appendJSONString(b, v.String())
	case t.Kind() == reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case v.CanInt():
		return strconv.AppendInt(b, v.Int(), 10)
	default:
		return strconv.AppendFloat(b, v.Float(), 'g', -1, 64)
	}
}

func (e *encoder) jsonObject(b []byte, v reflect.Value) []byte {
	b = append(b, '{')
	first := true
	p := e.m.planOf(v.Type())
	for i := range p.fields {
		f := &p.fields[i]
		x := v.Field(f.index)
		if f.location != "" || (isAbsent(x) && (!f.required || x.Kind() == reflect.Pointer)) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendJSONString(b, f.name)
		b = append(b, ':')
		b = e.json(b, x, f.shape)
	}
	return append(b, '}')
}

func (e *encoder) jsonMap(b []byte, v reflect.Value, shapeName string) []byte {
	shape := e.m.Shapes[shapeName]
	b = append(b, '{')
	for i, key := range sortedMapKeys(v) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, key)
		b = append(b, ':')
		b = e.json(b, v.MapIndex(reflect.ValueOf(key)), shape.Item)
	}
	return append(b, '}')
}

// appendSeconds writes seconds since 1970 with milliseconds where there are any, as awsJson does.
func appendSeconds(b []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if ms%1000 == 0 {
		return strconv.AppendInt(b, ms/1000, 10)
	}
	return strconv.AppendFloat(b, float64(ms)/1000, 'f', -1, 64)
}

func appendJSONString(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return append(b, `""`...)
	}
	return append(b, text...)
}

// xmlTime is ISO 8601 with milliseconds where there are any.
func xmlTime(t time.Time) string {
	t = t.UTC()
	if t.Nanosecond()/1e6 == 0 {
		return t.Format("2006-01-02T15:04:05Z")
	}
	return t.Format("2006-01-02T15:04:05.000Z")
}

// xml appends an element. Lists become elements around their items, unless they are flat.
func (e *encoder) xml(b []byte, name string, v reflect.Value, shapeName string, flat bool) []byte {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	shape := e.m.Shapes[shapeName]
	switch t := v.Type(); {
	case t.Kind() == reflect.Slice && t != blobType && t != rawType:
		if flat || shape.Flat {
			for i := range v.Len() {
				b = e.xml(b, name, v.Index(i), shape.Item, false)
			}
			return b
		}
		b = openTag(b, name)
		for i := range v.Len() {
			b = e.xml(b, shape.itemName(), v.Index(i), shape.Item, false)
		}
		return closeTag(b, name)
	case t.Kind() == reflect.Map:
		b = openTag(b, name)
		for _, key := range sortedMapKeys(v) {
			b = openTag(b, "entry")
			b = closeTag(appendXMLText(openTag(b, "key"), key), "key")
			b = e.xml(b, "value", v.MapIndex(reflect.ValueOf(key)), shape.Item, false)
			b = closeTag(b, "entry")
		}
		return closeTag(b, name)
	}
	b = openTag(b, name)
	switch t := v.Type(); {
	case isStruct(t):
		b = e.xmlMembers(b, v)
	case t == timeType:
		b = append(b, xmlTime(v.Interface().(time.Time))...)
	case t == blobType:
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
	case t == rawType:
		b = appendXMLText(b, string(v.Bytes()))
	case t.Kind() == reflect.String:
		b = appendXMLText(b, v.String())
	case t.Kind() == reflect.Bool:
		b = strconv.AppendBool(b, v.Bool())
	case v.CanInt():
		b = strconv.AppendInt(b, v.Int(), 10)
	default:
		b = strconv.AppendFloat(b, v.Float(), 'g', -1, 64)
	}
	return closeTag(b, name)
}

func (e *encoder) xmlMembers(b []byte, v reflect.Value) []byte {
	p := e.m.planOf(v.Type())
	for i := range p.fields {
		f := &p.fields[i]
		x := v.Field(f.index)
		if f.location != "" || (isAbsent(x) && (!f.required || x.Kind() == reflect.Pointer)) {
			continue
		}
		b = e.xml(b, f.name, x, f.shape, f.flat)
	}
	return b
}

func openTag(b []byte, name string) []byte {
	b = append(b, '<')
	b = append(b, name...)
	return append(b, '>')
}

func closeTag(b []byte, name string) []byte {
	b = append(b, '<', '/')
	b = append(b, name...)
	return append(b, '>')
}

// appendXMLText escapes what XML gives a meaning, and replaces what it cannot hold.
func appendXMLText(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '"':
			b = append(b, "&#34;"...)
		case r == '\r':
			b = append(b, "&#xD;"...)
		case r == '\t' || r == '\n' || r >= 0x20 && r != 0xFFFE && r != 0xFFFF:
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, "\uFFFD"...)
		}
	}
	return b
}
