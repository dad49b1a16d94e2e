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

// parseForm reads the fields of a query request. A name that stands twice is refused: which one counts would be a guess.
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
			return nil, errors.New("the name of a parameter is not encoded well")
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			return nil, fmt.Errorf("the value of %s is not encoded well", clip(name))
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
	at := name
	for range maxDepth {
		part, rest, more := strings.Cut(at, ".")
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
		n, at = child, rest
	}
	return errors.New("the name of a parameter has too many parts")
}

func (n *formNode) member(name string, _ bool) (node, error) {
	if c, ok := n.children[name]; ok {
		return c, nil
	}
	return nil, nil
}

// items reads name.item.1, name.item.2, …, or without the item when the list is flat. Numbers may have gaps: their order
// counts. A name without a number and without a value is an empty list.
func (n *formNode) items(item string, flat bool) ([]node, error) {
	if n.set && n.value != "" {
		return nil, errWantList
	}
	from := n
	if !flat {
		from = n.children[item]
		if others := len(n.children); from == nil && others > 0 || from != nil && (others > 1 || from.set) {
			return nil, fmt.Errorf("want %s.1, %s.2 and so on", item, item)
		}
		if from == nil {
			return nil, nil
		}
	}
	type numbered struct {
		number int
		node   *formNode
	}
	list := make([]numbered, 0, len(from.children))
	for k, c := range from.children {
		// The one spelling of a number keeps member.1 and member.01 from being two items.
		i, err := strconv.Atoi(k)
		if err != nil || i < 1 || strconv.Itoa(i) != k {
			return nil, fmt.Errorf("%s is not the number of an item", clip(k))
		}
		list = append(list, numbered{i, c})
	}
	slices.SortFunc(list, func(a, b numbered) int { return a.number - b.number })
	nodes := make([]node, len(list))
	for i := range list {
		nodes[i] = list[i].node
	}
	return nodes, nil
}

func (n *formNode) entries(key, value string, flat bool) ([]entry, error) {
	items, err := n.items("entry", flat)
	if err != nil {
		return nil, err
	}
	return pairs(items, key, value)
}

func (n *formNode) text(scalar) (string, bool) { return n.value, n.set && len(n.children) == 0 }

func (n *formNode) isNull() bool { return false }

func (n *formNode) isObject() bool { return !n.set || n.value == "" }

func (n *formNode) raw() ([]byte, bool) { return nil, false }
