package wire

import (
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// encoder appends the values of an output in the notation of the service.
type encoder struct {
	m *ServiceModel
}

// The formats of times, as the models call them.
const (
	isoTime   = "iso8601"
	httpTime  = "rfc822"
	epochTime = "unixTimestamp"
)

// appendTime writes a time to the millisecond, in the format of its shape or else of its place.
func appendTime(b []byte, t time.Time, shape *Shape, otherwise string) []byte {
	format := shape.TimeFormat
	if format == "" {
		format = otherwise
	}
	t = t.UTC().Truncate(time.Millisecond)
	switch format {
	case httpTime:
		return t.AppendFormat(b, http.TimeFormat)
	case epochTime:
		if ms := t.UnixMilli(); ms%1000 != 0 {
			return strconv.AppendFloat(b, float64(ms)/1000, 'f', -1, 64)
		}
		return strconv.AppendInt(b, t.Unix(), 10)
	default:
		return t.AppendFormat(b, "2006-01-02T15:04:05.999Z07:00")
	}
}

// appendFloat writes a number, or the name of what is none.
func appendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

// isWritten reports whether a member of an output has something to write: what is set, and required lists and maps always.
func (f *field) isWritten(v reflect.Value) bool {
	return !isAbsent(v) || f.required && v.Kind() != reflect.Pointer
}

func sortedMapKeys(v reflect.Value) []string {
	keys := make([]string, 0, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		keys = append(keys, iter.Key().String())
	}
	slices.Sort(keys)
	return keys
}
