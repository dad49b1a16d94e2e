package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"
)

// jsonNode is a JSON value.
type jsonNode struct {
	value  any // map[string]*jsonNode, []*jsonNode, string, json.Number, bool or nil
	source []byte
}

// parseJSON reads one JSON value, strictly: no duplicate keys, nothing after it, valid UTF-8, bounded depth and size. An
// empty body is an empty object, as services without input get it.
func parseJSON(body []byte) (*jsonNode, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return &jsonNode{value: map[string]*jsonNode{}, source: []byte("{}")}, nil
	}
	if !utf8.Valid(body) {
		return nil, errNotUTF8
	}
	p := &jsonParser{d: json.NewDecoder(bytes.NewReader(body)), body: body}
	p.d.UseNumber()
	n, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := p.d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the JSON value")
	}
	return n, nil
}

type jsonParser struct {
	d     *json.Decoder
	body  []byte
	nodes int
}

var errNotJSON = errors.New("the body is not valid JSON")

func (p *jsonParser) value(depth int) (*jsonNode, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	if p.nodes++; p.nodes > maxNodes {
		return nil, errTooMany
	}
	before := p.d.InputOffset()
	t, err := p.d.Token()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotJSON, err)
	}
	n := &jsonNode{value: t}
	switch t {
	case json.Delim('{'):
		n.value, err = p.object(depth)
	case json.Delim('['):
		n.value, err = p.array(depth)
	case json.Delim('}'), json.Delim(']'):
		return nil, errNotJSON
	}
	if err != nil {
		return nil, err
	}
	// What stands before a value since the last token is a colon or a comma, and white space.
	n.source = bytes.TrimLeft(p.body[before:p.d.InputOffset()], ":, \t\r\n")
	return n, nil
}

func (p *jsonParser) object(depth int) (map[string]*jsonNode, error) {
	m := map[string]*jsonNode{}
	for p.d.More() {
		t, err := p.d.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNotJSON, err)
		}
		key, ok := t.(string)
		if !ok {
			return nil, errNotJSON
		}
		if _, twice := m[key]; twice {
			return nil, fmt.Errorf("the member %q stands twice", clip(key))
		}
		if m[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return m, p.end()
}

func (p *jsonParser) array(depth int) ([]*jsonNode, error) {
	a := []*jsonNode{}
	for p.d.More() {
		n, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		a = append(a, n)
	}
	return a, p.end()
}

func (p *jsonParser) end() error {
	if _, err := p.d.Token(); err != nil {
		return fmt.Errorf("%w: %w", errNotJSON, err)
	}
	return nil
}

// member leaves out what is null: the protocols make no difference between that and nothing.
func (n *jsonNode) member(name string, _ bool) (node, error) {
	m, _ := n.value.(map[string]*jsonNode)
	v, ok := m[name]
	if !ok || v.isNull() {
		return nil, nil
	}
	return v, nil
}

func (n *jsonNode) items(string, bool) ([]node, error) {
	a, ok := n.value.([]*jsonNode)
	if !ok {
		return nil, errWantList
	}
	nodes := make([]node, len(a))
	for i := range a {
		nodes[i] = a[i]
	}
	return nodes, nil
}

func (n *jsonNode) entries(string, string, bool) ([]entry, error) {
	m, ok := n.value.(map[string]*jsonNode)
	if !ok {
		return nil, errWantMap
	}
	entries := make([]entry, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		entries = append(entries, entry{key, m[key]})
	}
	return entries, nil
}

func (n *jsonNode) text(kind scalar) (string, bool) {
	switch v := n.value.(type) {
	case string:
		// NaN and the infinities are texts, as JSON has no numbers for them.
		return v, kind == stringScalar || kind == timeScalar || kind == numberScalar && (v == "NaN" || v == "Infinity" || v == "-Infinity")
	case json.Number:
		return v.String(), kind == numberScalar || kind == timeScalar
	case bool:
		if v {
			return "true", kind == boolScalar
		}
		return "false", kind == boolScalar
	}
	return "", false
}

func (n *jsonNode) isNull() bool { return n.value == nil }

func (n *jsonNode) isObject() bool {
	_, ok := n.value.(map[string]*jsonNode)
	return ok
}

func (n *jsonNode) raw() ([]byte, bool) { return bytes.Clone(n.source), true }
