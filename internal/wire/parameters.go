package wire

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hidden stands for a secret in the trail, as CloudTrail writes it.
const hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// The bounds of what the trail keeps of a request.
const (
	maxParameterDepth = 12
	maxParameterItems = 200
	maxParameterText  = 8 << 10
)

// Parameters turns an input or output into what the trail keeps of it: member names with a lower first letter, secrets
// hidden, everything bounded. A nil pointer or an output without members gives nil.
func Parameters(v any) map[string]any {
	x := reflect.ValueOf(v)
	if !x.IsValid() || x.Kind() == reflect.Pointer && x.IsNil() {
		return nil
	}
	m, _ := parameter(reflect.Indirect(x), 0).(map[string]any)
	if len(m) == 0 {
		return nil
	}
	return m
}

func parameter(v reflect.Value, depth int) any {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if depth > maxParameterDepth {
		return "…"
	}
	switch t := v.Type(); {
	case t == timeType:
		return v.Interface().(time.Time).UTC().Format(time.RFC3339)
	case t == rawType:
		if v.Len() > maxParameterText {
			return "…"
		}
		var doc any
		if json.Unmarshal(v.Bytes(), &doc) != nil {
			return nil
		}
		return doc
	case t == blobType:
		return base64.StdEncoding.EncodeToString(v.Bytes()[:min(v.Len(), maxParameterText)])
	case t.Kind() == reflect.Struct:
		return parameterStruct(v, depth)
	case t.Kind() == reflect.Slice:
		list := make([]any, 0, min(v.Len(), maxParameterItems))
		for i := range min(v.Len(), maxParameterItems) {
			list = append(list, parameter(v.Index(i), depth+1))
		}
		return list
	case t.Kind() == reflect.Map:
		m := map[string]any{}
		for _, k := range sortedMapKeys(v)[:min(v.Len(), maxParameterItems)] {
			m[k] = parameter(v.MapIndex(reflect.ValueOf(k)), depth+1)
		}
		return m
	case t.Kind() == reflect.String:
		return cut(v.String())
	case t.Kind() == reflect.Bool:
		return v.Bool()
	case v.CanInt():
		return v.Int()
	default:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
}

func parameterStruct(v reflect.Value, depth int) any {
	m := map[string]any{}
	for i := range v.NumField() {
		tag, ok := v.Type().Field(i).Tag.Lookup("aws")
		if !ok || isAbsent(v.Field(i)) {
			continue
		}
		options := strings.Split(tag, ",")
		name := lowerFirst(v.Type().Field(i).Name)
		if slices.Contains(options[2:], "sensitive") {
			m[name] = hidden
			continue
		}
		if v.Field(i).Kind() == reflect.String && v.Field(i).Len() == 0 {
			continue
		}
		m[name] = parameter(v.Field(i), depth+1)
	}
	return m
}

func cut(s string) string {
	if len(s) <= maxParameterText {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ToValidUTF8(s[:maxParameterText], "") + "…"
}

func sortedMapKeys(v reflect.Value) []string {
	keys := make([]string, 0, v.Len())
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	return keys
}
