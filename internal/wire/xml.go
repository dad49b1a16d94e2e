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

// xmlNode is an XML element.
type xmlNode struct {
	name     string
	attrs    []xml.Attr
	children []*xmlNode
	content  string
}

// parseXML reads one element, without document type or entities of its own. An empty body is an empty element. Name
// spaces are not told apart: clients leave them out.
func parseXML(body []byte) (*xmlNode, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return &xmlNode{}, nil
	}
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not UTF-8")
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
			if nodes++; nodes > maxNodes || len(stack) >= maxDepth {
				return nil, errors.New("the XML document is too large or nested too deeply")
			}
			n := &xmlNode{name: t.Name.Local, attrs: t.Attr}
			if len(stack) > 0 {
				parent := stack[len(stack)-1]
				parent.children = append(parent.children, n)
			} else if root != nil {
				return nil, errors.New("the XML document has two roots")
			} else {
				root = n
			}
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				n := stack[len(stack)-1]
				n.content += string(t)
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

func (n *xmlNode) member(name string) (node, bool) {
	for _, c := range n.children {
		if c.name == name {
			return c, true
		}
	}
	for _, a := range n.attrs {
		if a.Name.Local == name || a.Name.Space+":"+a.Name.Local == name {
			return &xmlNode{content: a.Value}, true
		}
	}
	return nil, false
}

func (n *xmlNode) items(name string) ([]node, error) {
	var nodes []node
	for _, c := range n.children {
		if c.name != name {
			return nil, fmt.Errorf("want %s, not %s", name, clip(c.name))
		}
		nodes = append(nodes, c)
	}
	return nodes, nil
}

// flat returns the children of a name, which are a list without an element around it.
func (n *xmlNode) flat(name string) []node {
	var nodes []node
	for _, c := range n.children {
		if c.name == name {
			nodes = append(nodes, c)
		}
	}
	return nodes
}

func (n *xmlNode) entries(do func(string, node) error) error {
	for _, e := range n.children {
		key, ok := e.member("key")
		if !ok {
			return errors.New("a map entry has no key")
		}
		value, ok := e.member("value")
		if !ok {
			return errors.New("a map entry has no value")
		}
		k, _ := key.text(stringScalar)
		if err := do(k, value); err != nil {
			return err
		}
	}
	return nil
}

func (n *xmlNode) text(kind scalar) (string, bool) {
	if len(n.children) > 0 {
		return "", false
	}
	if kind != stringScalar {
		return strings.TrimSpace(n.content), true
	}
	return n.content, true
}

func (n *xmlNode) null() bool          { return false }
func (n *xmlNode) raw() ([]byte, bool) { return nil, false }
