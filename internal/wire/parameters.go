package wire

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// hidden stands for a secret in the trail, as CloudTrail writes it.
const hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// The bounds of what the trail keeps of a request. Parts are all values together.
const (
	maxParameterDepth = 12
	maxParameterItems = 250 // the lines of an import
	maxParameterParts = 16_000
	maxParameterText  = 8 << 10
)

// cutOff stands for what is left out because it is too much.
const cutOff = "…"

// Parameters turns an input or output into what the trail keeps of it: member names with a lower first letter, secrets
// hidden, everything bounded. A nil pointer or an output without members gives nil.
func Parameters(v any) map[string]any {
	x := reflect.ValueOf(v)
	if !x.IsValid() || x.Kind() == reflect.Pointer && x.IsNil() {
		return nil
	}
	k := &keeper{left: maxParameterParts}
	m, _ := k.value(reflect.Indirect(x), 0).(map[string]any)
	if len(m) == 0 {
		return nil
	}
	return m
}

// keeper counts down what may still be kept.
type keeper struct {
	left int
}

func (k *keeper) value(v reflect.Value, depth int) any {
	if k.left--; k.left < 0 || depth > maxParameterDepth {
		return cutOff
	}
	v = reflect.Indirect(v)
	switch t := v.Type(); {
	case t == timeType:
		return v.Interface().(time.Time).UTC().Format(time.RFC3339)
	case t == rawType:
		return document(v.Bytes())
	case t == blobType:
		if v.Len() > maxParameterText {
			return cutOff
		}
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case t.Kind() == reflect.Struct:
		return k.structure(v, depth)
	case t.Kind() == reflect.Slice:
		list := make([]any, 0, min(v.Len(), maxParameterItems))
		for i := range min(v.Len(), maxParameterItems) {
			list = append(list, k.value(v.Index(i), depth+1))
		}
		return list
	case t.Kind() == reflect.Map:
		m := map[string]any{}
		for _, key := range sortedMapKeys(v)[:min(v.Len(), maxParameterItems)] {
			m[cut(key)] = k.value(v.MapIndex(reflect.ValueOf(key)), depth+1)
		}
		return m
	case t.Kind() == reflect.String:
		return cut(v.String())
	case t.Kind() == reflect.Bool:
		return v.Bool()
	case v.CanInt():
		return v.Int()
	default:
		return string(appendFloat(nil, v.Float()))
	}
}

// structure leaves out what was not given, which for a required text is the empty one.
func (k *keeper) structure(v reflect.Value, depth int) any {
	m := map[string]any{}
	p := planOf(v.Type())
	for i := range p.fields {
		f := &p.fields[i]
		x := v.Field(f.index)
		switch {
		case isAbsent(x) || x.Kind() == reflect.String && x.Len() == 0:
		case f.sensitive:
			m[f.parameter] = hidden
		default:
			m[f.parameter] = k.value(x, depth+1)
		}
	}
	return m
}

func document(raw []byte) any {
	var doc any
	if len(raw) > maxParameterText || json.Unmarshal(raw, &doc) != nil {
		return cutOff
	}
	return doc
}

func cut(s string) string {
	if len(s) <= maxParameterText {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ToValidUTF8(s[:maxParameterText], "") + cutOff
}
