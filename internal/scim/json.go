package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// The bounds of a body.
const (
	maxBody  = 1 << 20
	maxDepth = 16
)

// tree is a JSON object. Its values are strings, booleans, json.Number, nil, []any and tree.
type tree = map[string]any

// parseObject reads one JSON object, strictly: UTF-8, no name twice, bounded depth, nothing after it.
func parseObject(body []byte) (tree, error) {
	if !utf8.Valid(body) {
		return nil, bad(invalidSyntax, "The body is not UTF-8.")
	}
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err != nil {
		if f, ok := errors.AsType[*fault](err); ok {
			return nil, f
		}
		return nil, bad(invalidSyntax, "The body is not valid JSON.")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, bad(invalidSyntax, "There is something after the JSON object.")
	}
	m, ok := v.(tree)
	if !ok {
		return nil, bad(invalidSyntax, "The body must be a JSON object.")
	}
	return m, nil
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, bad(invalidSyntax, "The body is nested too deeply.")
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		m := tree{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			k := name.(string) // the decoder admits nothing else here
			if _, twice := m[k]; twice {
				return nil, bad(invalidSyntax, "The name %q stands twice in an object.", k)
			}
			if m[k], err = parseValue(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return m, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	return t, nil
}
