package wire

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"time"
)

func (e *encoder) json(b []byte, v reflect.Value, shapeName string) []byte {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	shape := e.m.shape(shapeName)
	switch t := v.Type(); {
	case t == timeType:
		text := appendTime(nil, v.Interface().(time.Time), shape, epochTime)
		if shape.TimeFormat == "" || shape.TimeFormat == epochTime {
			return append(b, text...)
		}
		return appendJSONString(b, string(text))
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
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.json(b, v.Index(i), shape.Item)
		}
		return append(b, ']')
	case t.Kind() == reflect.Map:
		b = append(b, '{')
		for i, key := range sortedMapKeys(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSONString(b, key), ':')
			b = e.json(b, v.MapIndex(reflect.ValueOf(key)), shape.Item)
		}
		return append(b, '}')
	case t.Kind() == reflect.String:
		return appendJSONString(b, v.String())
	case t.Kind() == reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case v.CanInt():
		return strconv.AppendInt(b, v.Int(), 10)
	default:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return append(appendFloat(append(b, '"'), f), '"')
		}
		return appendFloat(b, v.Float())
	}
}

func (e *encoder) jsonObject(b []byte, v reflect.Value) []byte {
	b = append(b, '{')
	first := true
	p := planOf(v.Type())
	for i := range p.fields {
		f := &p.fields[i]
		x := v.Field(f.index)
		if f.location == "header" || !f.isWritten(x) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendJSONString(b, f.name), ':')
		b = e.json(b, x, f.shape)
	}
	return append(b, '}')
}

// appendJSONString quotes a text. encoding/json replaces what is not UTF-8 and never fails on a text.
func appendJSONString(b []byte, s string) []byte {
	text, _ := json.Marshal(s) //nolint:errchkjson // see above
	return append(b, text...)
}
