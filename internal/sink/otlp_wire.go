package sink

import (
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

// appendAttribute appends a KeyValue, unless the value is empty.
func appendAttribute(to []byte, number protowire.Number, name, value string) []byte {
	if value == "" {
		return to
	}
	name, value = strings.ToValidUTF8(name, "\uFFFD"), strings.ToValidUTF8(value, "\uFFFD")
	inner := protowire.SizeTag(anyValueString) + protowire.SizeBytes(len(value))
	pair := protowire.SizeTag(keyValueKey) + protowire.SizeBytes(len(name)) + protowire.SizeTag(keyValueValue) + protowire.SizeBytes(inner)
	to = protowire.AppendVarint(protowire.AppendTag(to, number, protowire.BytesType), uint64(pair)) //nolint:gosec // a length
	to = appendText(to, keyValueKey, name)
	to = protowire.AppendVarint(protowire.AppendTag(to, keyValueValue, protowire.BytesType), uint64(inner)) //nolint:gosec // a length
	return appendText(to, anyValueString, value)
}
