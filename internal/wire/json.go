package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// jsonNode is a JSON value.
type jsonNode struct {
	value any // map[string]*jsonNode, []*jsonNode, string, json.Number, bool or nil
	text_ []byte
}

// parseJSON reads one JSON value, strictly: no duplicate keys, nothing after it, valid UTF-8, bounded depth and size. An
// empty body is an empty object, as services without input get it.
func parseJSON(body []byte) (*jsonNode, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return &jsonNode{value: map[string]*jsonNode{}, text_: []byte("{}")}, nil
	}
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not UTF-8")
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

func (p *jsonParser) value(depth int) (*jsonNode, error) {
	if depth > maxDepth {
		return nil, errors.New("the JSON value is nested too deeply")
	}
	if p.nodes++; p.nodes > maxNodes {
		return nil, errors.New("the JSON value has too many parts")
	}
	t, err := p.d.Token()
	if err != nil {
		return nil, fmt.Errorf("the body is not valid JSON: %w", err)
	}
	end := p.d.InputOffset()
	n := &jsonNode{}
	switch t := t.(type) {
	case json.Delim:
		start := end - 1
		switch t {
		case '{':
			n.value, err = p.object(depth)
		case '[':
			n.value, err = p.array(depth)
		default:
			return nil, errors.New("the body is not valid JSON")
		}
		if err != nil {
			return nil, err
		}
		n.text_ = p.body[start:p.d.InputOffset()]
	default:
		n.value = t
		if n.text_, err = json.Marshal(t); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (p *jsonParser) object(depth int) (map[string]*jsonNode, error) {
	m := map[string]*jsonNode{}
	for p.d.More() {
		k, err := p.d.Token()
		if err != nil {
			return nil, fmt.Errorf("the body is not valid JSON: %w", err)
		}
		key, ok := k.(string)
		if !ok {
			return nil, errors.New("the body is not valid JSON")
		}
		if _, twice := m[key]; twice {
			return nil, fmt.Errorf("the member %q stands twice", clip(key))
		}
		if m[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := p.d.Token()
	return m, err
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
	_, err := p.d.Token()
	return a, err
}

func (n *jsonNode) member(name string) (node, bool) {
	m, ok := n.value.(map[string]*jsonNode)
	if !ok {
		return nil, false
	}
	v, ok := m[name]
	if !ok || v.null() {
		return nil, false
	}
	return v, true
}

func (n *jsonNode) isObject() bool {
	_, ok := n.value.(map[string]*jsonNode)
	return ok
}

func (n *jsonNode) items(string) ([]node, error) {
	a, ok := n.value.([]*jsonNode)
	if !ok {
		return nil, errors.New("want a list")
	}
	nodes := make([]node, len(a))
	for i := range a {
		nodes[i] = a[i]
	}
	return nodes, nil
}

func (n *jsonNode) entries(do func(string, node) error) error {
	m, ok := n.value.(map[string]*jsonNode)
	if !ok {
		return errors.New("want an object")
	}
	for k, v := range m {
		if err := do(k, v); err != nil {
			return err
		}
	}
	return nil
}

func (n *jsonNode) text(kind scalar) (string, bool) {
	switch v := n.value.(type) {
	case string:
		return v, kind == stringScalar || kind == timeScalar
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

func (n *jsonNode) null() bool          { return n.value == nil }
func (n *jsonNode) raw() ([]byte, bool) { return bytes.Clone(n.text_), true }
