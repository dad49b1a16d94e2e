package policy

import (
	"encoding/json"
	"slices"
	"strings"
)

// Applied is a statement that applies to a request.
type Applied struct {
	Layer Layer
	// Policy is the name of the policy, Index the place of the statement in it.
	Policy string
	Index  int
	Effect Effect
}

// Apply lists every statement that applies to a request, in the order in which the layers are asked.
func Apply(r *Request, p *Policies) []Applied {
	e := newEvaluation(r, p)
	var all []Applied
	for layer, group := range e.layers() {
		for i := range group {
			if group[i].Document == nil {
				continue
			}
			for _, rules := range [][]*rule{group[i].Document.denies, group[i].Document.allows} {
				for _, rule := range rules {
					if _, miss := e.applies(rule); miss == "" {
						all = append(all, Applied{Layer: layer, Policy: group[i].Name, Index: rule.index, Effect: rule.effect})
					}
				}
			}
		}
	}
	return all
}

// Keys are the condition keys that the policy names, in conditions and variables, in lower case and sorted.
func (d *Document) Keys() []string {
	var keys []string
	for _, rules := range [][]*rule{d.denies, d.allows} {
		for _, r := range rules {
			for i := range r.conditions {
				keys = append(keys, r.conditions[i].key)
			}
			for _, v := range r.variables {
				keys = append(keys, v.text)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Position is a place in a text. Lines and columns begin with 1.
type Position struct{ Line, Column int }

// Place is where a statement begins and ends in the policy's text: at its first character, and right behind its last one.
func (d *Document) Place(index int) (begin, end Position) {
	decoder := json.NewDecoder(strings.NewReader(d.text))
	from, to, ok := findStatement(decoder, index)
	if !ok {
		return Position{1, 1}, position(d.text, len(d.text))
	}
	for from < to && strings.IndexByte(" \t\r\n,:[", d.text[from]) >= 0 {
		from++
	}
	return position(d.text, from), position(d.text, to)
}

// findStatement reads to the member Statement, whose value is one statement or a list of them.
func findStatement(decoder *json.Decoder, index int) (from, to int, ok bool) {
	if _, err := decoder.Token(); err != nil {
		return 0, 0, false
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return 0, 0, false
		}
		from = int(decoder.InputOffset())
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return 0, 0, false
		}
		if name != "Statement" {
			continue
		}
		if value[0] == '{' {
			return from, int(decoder.InputOffset()), index == 0
		}
		start := int(decoder.InputOffset()) - len(value)
		list := json.NewDecoder(strings.NewReader(string(value)))
		if _, err := list.Token(); err != nil {
			return 0, 0, false
		}
		for i := 0; list.More(); i++ {
			from = start + int(list.InputOffset())
			var statement json.RawMessage
			if err := list.Decode(&statement); err != nil {
				return 0, 0, false
			}
			if i == index {
				return from, start + int(list.InputOffset()), true
			}
		}
	}
	return 0, 0, false
}

func position(text string, at int) Position {
	before := text[:at]
	line := strings.Count(before, "\n")
	return Position{Line: line + 1, Column: at - strings.LastIndexByte(before, '\n')}
}
