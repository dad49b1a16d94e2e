package sink

import (
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

func appendBytes(to []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), value)
}

func appendText(to []byte, number protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(to, number, protowire.BytesType), value)
}

// appendTime appends nanoseconds since 1970.
func appendTime(to []byte, number protowire.Number, at time.Time) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(to, number, protowire.Fixed64Type), uint64(max(0, at.UnixNano()))) //nolint:gosec // not negative
}

// appendAttributes appends a KeyValue for each text that is not empty, in the order of the names.
func appendAttributes(to []byte, number protowire.Number, all map[string]string) []byte {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name] == "" {
			continue
		}
		pair := appendText(nil, keyValueKey, strings.ToValidUTF8(name, "\uFFFD"))
		pair = appendBytes(pair, keyValueValue, appendText(nil, anyValueString, strings.ToValidUTF8(all[name], "\uFFFD")))
		to = appendBytes(to, number, pair)
	}
	return to
}
