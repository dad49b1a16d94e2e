package wire

import (
	"encoding/base64"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// xml appends an element. Lists and maps become elements around their items, unless they are flat.
func (e *encoder) xml(b []byte, name string, v reflect.Value, shapeName string, flat bool) []byte {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	shape := e.m.shape(shapeName)
	flat = flat || shape.Flat
	switch t := v.Type(); {
	case isList(t) && flat:
		for i := range v.Len() {
			b = e.xml(b, name, v.Index(i), shape.Item, false)
		}
		return b
	case isList(t):
		b = openTag(b, name)
		for i := range v.Len() {
			b = e.xml(b, shape.itemName("member"), v.Index(i), shape.Item, false)
		}
	case t.Kind() == reflect.Map && flat:
		return e.xmlEntries(b, name, v, shape)
	case t.Kind() == reflect.Map:
		b = e.xmlEntries(openTag(b, name), "entry", v, shape)
	case isStruct(t):
		b = e.xmlMembers(openTag(b, name), v)
	default:
		b = e.xmlScalar(openTag(b, name), v, shape)
	}
	return closeTag(b, name)
}

func (e *encoder) xmlEntries(b []byte, name string, v reflect.Value, shape *Shape) []byte {
	for _, key := range sortedMapKeys(v) {
		b = openTag(b, name)
		b = closeTag(appendXMLText(openTag(b, shape.keyName()), key), shape.keyName())
		b = e.xml(b, shape.itemName("value"), v.MapIndex(reflect.ValueOf(key)), shape.Item, false)
		b = closeTag(b, name)
	}
	return b
}

func (e *encoder) xmlScalar(b []byte, v reflect.Value, shape *Shape) []byte {
	switch t := v.Type(); {
	case t == timeType:
		return appendTime(b, v.Interface().(time.Time), shape, isoTime)
	case t == blobType:
		return base64.StdEncoding.AppendEncode(b, v.Bytes())
	case t.Kind() == reflect.String:
		return appendXMLText(b, v.String())
	case t.Kind() == reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case v.CanInt():
		return strconv.AppendInt(b, v.Int(), 10)
	default:
		return appendFloat(b, v.Float())
	}
}

func (e *encoder) xmlMembers(b []byte, v reflect.Value) []byte {
	p := planOf(v.Type())
	for i := range p.fields {
		f := &p.fields[i]
		if x := v.Field(f.index); f.location != "header" && f.isWritten(x) {
			b = e.xml(b, f.name, x, f.shape, f.flat)
		}
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
