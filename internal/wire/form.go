package wire

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// formNode is a place in the dotted names of a query request: Tags.member.1.Key is Key below 1 below member below Tags.
type formNode struct {
	value    string
	set      bool
	children map[string]*formNode
}

const maxFields = 2000

// parseForm reads the fields of a query request.
func parseForm(body string) (*formNode, error) {
	root := &formNode{}
	fields := 0
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		if fields++; fields > maxFields {
			return nil, errors.New("the request has too many parameters")
		}
		k, v, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(k)
		if err != nil {
			return nil, fmt.Errorf("the name of a parameter is not encoded well: %w", err)
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			return nil, fmt.Errorf("the value of %s is not encoded well: %w", clip(name), err)
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, errors.New("a parameter is not UTF-8")
		}
		if err := root.put(name, value); err != nil {
			return nil, err
		}
	}
	return root, nil
}

func (n *formNode) put(name, value string) error {
	for depth := 0; ; depth++ {
		if depth > maxDepth {
			return errors.New("the name of a parameter has too many parts")
		}
		part, rest, more := strings.Cut(name, ".")
		if n.children == nil {
			n.children = map[string]*formNode{}
		}
		child := n.children[part]
		if child == nil {
			child = &formNode{}
			n.children[part] = child
		}
		if !more {
			if child.set {
				return fmt.Errorf("the parameter %s stands twice", clip(name))
			}
			child.value, child.set = value, true
			return nil
		}
		n, name = child, rest
	}
}

func (n *formNode) member(name string) (node, bool) {
	c, ok := n.children[name]
	if !ok {
		return nil, false
	}
	return c, true
}

// items reads name.member.1, name.member.2, …; a list may also be given flat, or with its own name for items. Numbers may
// have gaps: their order counts.
func (n *formNode) items(name string) ([]node, error) {
	from := n
	for _, wrapper := range []string{name, "member"} {
		if c, ok := n.children[wrapper]; ok && wrapper != "" {
			from = c
			break
		}
	}
	type item struct {
		number int
		node   *formNode
	}
	var items []item
	for k, c := range from.children {
		i, err := strconv.Atoi(k)
		if err != nil || i < 1 {
			return nil, fmt.Errorf("%s is not the number of a list item", clip(k))
		}
		items = append(items, item{i, c})
	}
	if len(items) == 0 && from.set && from.value != "" {
		return nil, errors.New("want a list")
	}
	slices.SortFunc(items, func(a, b item) int { return a.number - b.number })
	nodes := make([]node, len(items))
	for i := range items {
		nodes[i] = items[i].node
	}
	return nodes, nil
}

func (n *formNode) entries(do func(string, node) error) error {
	items, err := n.items("entry")
	if err != nil {
		return err
	}
	for _, e := range items {
		key, ok := e.member("key")
		value, ok2 := e.member("value")
		if !ok || !ok2 {
			return errors.New("a map entry has no key or no value")
		}
		k, _ := key.text(stringScalar)
		if err := do(k, value); err != nil {
			return err
		}
	}
	return nil
}

func (n *formNode) text(scalar) (string, bool) { return n.value, n.set && len(n.children) == 0 }
func (n *formNode) null() bool                 { return false }
func (n *formNode) raw() ([]byte, bool)        { return nil, false }
