package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// xmlNode is an XML element. Attributes are left out: no operation has any.
type xmlNode struct {
	name     string
	children []*xmlNode
	content  []byte
}

// parseXML reads one element, without document type or entities of its own. An empty body is an empty element. Name
// spaces are not told apart: clients leave them out.
func parseXML(body []byte) (*xmlNode, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return &xmlNode{}, nil
	}
	if !utf8.Valid(body) {
		return nil, errNotUTF8
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	var (
		root  *xmlNode
		stack []*xmlNode
		nodes int
	)
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the body is not well-formed XML: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if len(stack) >= maxDepth {
				return nil, errTooDeep
			}
			if nodes += 1 + len(t.Attr); nodes > maxNodes {
				return nil, errTooMany
			}
			n := &xmlNode{name: t.Name.Local}
			switch {
			case len(stack) > 0:
				parent := stack[len(stack)-1]
				parent.children = append(parent.children, n)
			case root != nil:
				return nil, errors.New("the XML document has two roots")
			default:
				root = n
			}
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				n := stack[len(stack)-1]
				n.content = append(n.content, t...)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return nil, errors.New("there is text outside of the XML document")
			}
		case xml.Directive:
			return nil, errors.New("a document type is not allowed")
		}
	}
	if root == nil {
		return nil, errors.New("the body has no XML element")
	}
	return root, nil
}

// member returns the one child of that name. Two of them would leave open which one counts.
func (n *xmlNode) member(name string, flat bool) (node, error) {
	var found []*xmlNode
	for _, c := range n.children {
		if c.name == name {
			found = append(found, c)
		}
	}
	switch {
	case len(found) == 0:
		return nil, nil
	case flat:
		return &xmlNode{name: name, children: found}, nil
	case len(found) > 1:
		return nil, fmt.Errorf("the element %s stands twice", clip(name))
	}
	return found[0], nil
}

func (n *xmlNode) items(item string, flat bool) ([]node, error) {
	nodes := make([]node, len(n.children))
	for i, c := range n.children {
		if !flat && c.name != item {
			return nil, fmt.Errorf("want an element %s, not %s", item, clip(c.name))
		}
		nodes[i] = c
	}
	if len(bytes.TrimSpace(n.content)) > 0 {
		return nil, errWantList
	}
	return nodes, nil
}

func (n *xmlNode) entries(key, value string, flat bool) ([]entry, error) {
	items, err := n.items("entry", flat)
	if err != nil {
		return nil, err
	}
	return pairs(items, key, value)
}

// pairs reads map entries that are made of a part for the key and one for the value.
func pairs(items []node, key, value string) ([]entry, error) {
	entries := make([]entry, len(items))
	for i, e := range items {
		k, err := e.member(key, false)
		if err != nil {
			return nil, err
		}
		v, err := e.member(value, false)
		if err != nil {
			return nil, err
		}
		if k == nil || v == nil {
			return nil, errors.New("an entry of a map has no key or no value")
		}
		text, ok := k.text(stringScalar)
		if !ok {
			return nil, errors.New("the key of a map is not a text")
		}
		entries[i] = entry{text, v}
	}
	return entries, nil
}

func (n *xmlNode) text(kind scalar) (string, bool) {
	if len(n.children) > 0 {
		return "", false
	}
	if kind != stringScalar {
		return strings.TrimSpace(string(n.content)), true
	}
	return string(n.content), true
}

func (n *xmlNode) isNull() bool { return false }

func (n *xmlNode) isObject() bool { return len(n.children) > 0 || len(bytes.TrimSpace(n.content)) == 0 }

func (n *xmlNode) raw() ([]byte, bool) { return nil, false }
