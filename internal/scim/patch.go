package scim

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// maxOperations bounds the operations of one PATCH.
const maxOperations = 1000

// operation is one change of a PATCH request.
type operation struct {
	op       string // add, replace or remove
	path     string
	hasPath  bool
	value    any
	hasValue bool
}

// parsePatch reads the body of a PATCH request. Names and the names of operations stand in any letter case.
func parsePatch(body tree) ([]operation, error) {
	list, ok := member(body, "Operations").([]any)
	switch {
	case !ok || len(list) == 0:
		return nil, bad(invalidSyntax, "The body must have a list of Operations.")
	case len(list) > maxOperations:
		return nil, bad(tooMany, "There are more than %d operations.", maxOperations)
	}
	ops := make([]operation, len(list))
	for i, x := range list {
		m, ok := x.(tree)
		if !ok {
			return nil, bad(invalidSyntax, "An operation must be an object.")
		}
		name, _ := member(m, "op").(string)
		o := operation{op: strings.ToLower(name), value: member(m, "value")}
		if !slices.Contains([]string{"add", "replace", "remove"}, o.op) {
			return nil, bad(invalidSyntax, "The op of an operation must be add, replace or remove.")
		}
		switch path := member(m, "path").(type) {
		case nil:
		case string:
			o.path, o.hasPath = path, path != ""
		default:
			return nil, bad(invalidPath, "The path of an operation must be a string.")
		}
		for k := range m {
			o.hasValue = o.hasValue || strings.EqualFold(k, "value")
		}
		ops[i] = o
	}
	return ops, nil
}

// member finds a member of an object by its name in any letter case, the exact one first.
func member(m tree, name string) any {
	if v, ok := m[name]; ok {
		return v
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if strings.EqualFold(k, name) {
			return m[k]
		}
	}
	return nil
}

// patcher works operations into a resource. The members of a group are not in its tree: there can be very many, and a
// change of some needs none of the others.
type patcher struct {
	of      *resourceType
	tree    tree
	members *memberChange
}

// apply works one operation in. After an error the tree is of no more use.
func (p *patcher) apply(o operation) error {
	switch {
	case o.op == "remove" && !o.hasPath:
		return bad(noTarget, "A remove operation needs a path.")
	case o.op != "remove" && !o.hasValue:
		return bad(invalidValue, "The operation %s needs a value.", o.op)
	case !o.hasPath:
		return p.many(o)
	}
	to, err := parsePath(p.of, o.path)
	if err != nil {
		return err
	}
	if to.isReadOnly() {
		return bad(mutability, "The attribute %s cannot be changed.", to.attr.name)
	}
	if o.op == "remove" {
		return p.remove(to, o.value)
	}
	return p.set(to, o.value, o.op == "replace")
}

// many sets the attributes of an object: its names are paths, as Entra sends them. What the schemas do not have is left
// out as it is in POST, and so is what the server sets itself: clients send back what they have read.
func (p *patcher) many(o operation) error {
	m, ok := o.value.(tree)
	if !ok {
		return bad(invalidValue, "Without a path, the value must be an object with attributes.")
	}
	// Whole attributes before parts of them, so that the outcome does not depend on an order that JSON does not have.
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if d := strings.Count(a, "[") - strings.Count(b, "["); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		to, err := parsePath(p.of, name)
		if _, ok := errors.AsType[*unknown](err); ok {
			continue
		}
		if err != nil {
			return err
		}
		if to.isReadOnly() {
			if id, ok := m[name].(string); ok && to.attr.name == "id" && id != p.tree["id"] {
				return bad(mutability, "The id of a resource cannot be changed.")
			}
			continue
		}
		// An item that a name chooses and that is not there is made, also by replace: Entra gives a person a first work email
		// in this way. Only a path has to have a target (RFC 7644 §3.5.2.3).
		if err := p.set(to, m[name], o.op == "replace" && to.items == nil); err != nil {
			return err
		}
	}
	return nil
}

// set adds or replaces. For what has one value the two are the same (RFC 7644 §3.5.2.1, §3.5.2.3).
func (p *patcher) set(to target, v any, replace bool) error {
	if to.attr == members {
		return p.members.set(to, v, replace)
	}
	holder := p.tree
	if to.extension != nil {
		holder, _ = p.tree[to.extension.urn].(tree)
		if holder == nil {
			holder = tree{}
		}
		defer func() { setOrDelete(p.tree, to.extension.urn, holder) }()
	}
	switch {
	case to.attr == nil:
		n, err := normalObject(to.extension.attributes, to.extension.urn, v, true)
		merge(holder, n)
		if v == nil {
			clear(holder)
		}
		return err
	case to.attr.multi:
		return setItems(holder, to, v, replace)
	case to.attr.kind == complexed:
		return setParts(holder, to, v)
	}
	n, err := normal(to.attr, v)
	if err != nil {
		return err
	}
	if n == nil && (to.attr.required || to.attr.fixed) {
		return bad(invalidValue, "The attribute %s needs a value.", to.attr.name)
	}
	setOrDelete(holder, to.attr.name, n)
	return nil
}

// setOrDelete sets a value; an empty one is the same as none.
func setOrDelete(m tree, name string, v any) {
	switch x := v.(type) {
	case nil:
		delete(m, name)
		return
	case tree:
		if len(x) == 0 {
			delete(m, name)
			return
		}
	case []any:
		if len(x) == 0 {
			delete(m, name)
			return
		}
	}
	m[name] = v
}

// merge sets what is given, removes what is given as nil and leaves the rest.
func merge(into tree, given any) {
	m, _ := given.(tree)
	for k, v := range m {
		if inner, ok := v.(tree); ok {
			if old, ok := into[k].(tree); ok {
				merge(old, inner)
				continue
			}
		}
		setOrDelete(into, k, v)
	}
}

// setParts sets an attribute that consists of parts, or one part of it. Parts that are not given stay.
func setParts(holder tree, to target, v any) error {
	old, _ := holder[to.attr.name].(tree)
	if old == nil {
		old = tree{}
	}
	if to.sub != nil {
		n, err := normal(to.sub, v)
		if err != nil {
			return err
		}
		setOrDelete(old, to.sub.name, n)
		setOrDelete(holder, to.attr.name, old)
		return nil
	}
	n, err := normalComplex(to.attr, v, true)
	if err != nil {
		return err
	}
	if n == nil {
		clear(old)
	}
	merge(old, n)
	setOrDelete(holder, to.attr.name, old)
	return nil
}

// setItems sets items of an attribute that can have many.
func setItems(holder tree, to target, v any, replace bool) error {
	old, _ := holder[to.attr.name].([]any)
	if to.items == nil && to.sub == nil {
		n, err := normal(to.attr, v)
		if err != nil {
			return err
		}
		given, _ := n.([]any)
		if !replace {
			given = addItems(old, given)
		}
		if len(given) > maxItems {
			return bad(invalidValue, "The attribute %s may have %d items.", to.attr.name, maxItems)
		}
		setOrDelete(holder, to.attr.name, given)
		return nil
	}
	chosen := choose(old, to.items)
	if len(chosen) == 0 {
		if replace && to.items != nil {
			return bad(noTarget, "No item of %s matches the path.", to.attr.name)
		}
		if len(old) >= maxItems {
			return bad(invalidValue, "The attribute %s may have %d items.", to.attr.name, maxItems)
		}
		fresh := tree{}
		sketch(fresh, to.items)
		old, chosen = append(old, fresh), []tree{fresh}
	}
	var given any
	var err error
	if to.sub != nil {
		var n any
		n, err = normal(to.sub, v)
		given = tree{to.sub.name: n}
	} else {
		given, err = normalComplex(to.attr, v, true)
	}
	if err != nil {
		return err
	}
	for _, item := range chosen {
		merge(item, given)
	}
	if m, _ := given.(tree); m["primary"] == true {
		demote(old, chosen[len(chosen)-1])
	}
	setOrDelete(holder, to.attr.name, sound(old))
	return nil
}

// choose finds the items that a filter selects, or all.
func choose(items []any, by filter) (chosen []tree) {
	for _, x := range items {
		if m, ok := x.(tree); ok && (by == nil || by.match(plainSubject(m))) {
			chosen = append(chosen, m)
		}
	}
	return chosen
}

// sketch fills a new item with what a filter says of it, so that the item is one that the filter selects.
func sketch(item tree, f filter) {
	for _, c := range conjuncts(f) {
		if c, ok := c.(*compare); ok && c.op == "eq" && !c.value.isNull {
			if a := c.ref.attr; a.kind == boolean {
				item[a.name] = c.value.text == "true"
			} else {
				item[a.name] = c.value.raw
			}
		}
	}
}

// addItems appends items. One with the value and type of an item that is there already changes that one.
func addItems(old, given []any) []any {
	for _, x := range given {
		item := x.(tree)
		at := slices.IndexFunc(old, func(y any) bool { return sameItem(y.(tree), item) })
		if at < 0 {
			old, at = append(old, item), len(old)
		} else {
			merge(old[at].(tree), item)
		}
		if item["primary"] == true {
			demote(old, old[at].(tree))
		}
	}
	return old
}

// sameItem compares items by value and type. Items without a value, which are addresses, are compared as a whole.
func sameItem(a, b tree) bool {
	if a["value"] == nil && b["value"] == nil {
		return reflect.DeepEqual(a, b)
	}
	return a["value"] == b["value"] && a["type"] == b["type"]
}

// demote takes the mark of the primary item from all but one: there is one at most.
func demote(items []any, but tree) {
	for _, x := range items {
		if m := x.(tree); reflect.ValueOf(m).Pointer() != reflect.ValueOf(but).Pointer() && m["primary"] == true {
			delete(m, "primary")
		}
	}
}

// sound leaves out items that have lost their content.
func sound(items []any) []any {
	return slices.DeleteFunc(items, func(x any) bool { return isHollow(x.(tree)) })
}

// remove removes an attribute, a part, or items.
func (p *patcher) remove(to target, v any) error {
	if to.attr == members {
		return p.members.remove(to, v)
	}
	holder := p.tree
	if to.extension != nil {
		if to.attr == nil {
			delete(p.tree, to.extension.urn)
			return nil
		}
		holder, _ = p.tree[to.extension.urn].(tree)
		defer func() { setOrDelete(p.tree, to.extension.urn, holder) }()
	}
	a := to.attr
	switch {
	case a.required || a.fixed:
		return bad(mutability, "The attribute %s cannot be removed.", a.name)
	case !a.multi && to.sub == nil:
		delete(holder, a.name)
	case !a.multi:
		if old, ok := holder[a.name].(tree); ok {
			delete(old, to.sub.name)
			setOrDelete(holder, a.name, old)
		}
	default:
		return removeItems(holder, to, v)
	}
	return nil
}

// removeItems removes the items that a filter selects, or that a list names, or all; or one part of them.
func removeItems(holder tree, to target, v any) error {
	old, _ := holder[to.attr.name].([]any)
	n, err := normal(to.attr, v)
	if err != nil {
		return err
	}
	named, _ := n.([]any)
	old = slices.DeleteFunc(old, func(x any) bool {
		item := x.(tree)
		switch {
		case to.items != nil && !to.items.match(plainSubject(item)):
			return false
		case to.sub != nil:
			delete(item, to.sub.name)
			return false
		case to.items == nil && len(named) > 0:
			return slices.ContainsFunc(named, func(y any) bool { return isNamed(item, y.(tree)) })
		}
		return true
	})
	setOrDelete(holder, to.attr.name, sound(old))
	return nil
}

// isNamed reports whether an item is the one that a list names: by its value, and by its type where that is said.
func isNamed(item, name tree) bool {
	for _, k := range []string{"value", "type"} {
		if name[k] != nil && item[k] != name[k] {
			return false
		}
	}
	return name["value"] != nil || reflect.DeepEqual(item, name)
}
