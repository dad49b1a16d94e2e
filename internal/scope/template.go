package scope

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The variables that the scope of a grant may have:
//
//	s3://bucket/home/${user.name}/*     for each person the folder of that name
//	s3://bucket/teams/${group.name}/*   for each person the folder of every group of theirs
//
// A variable is a whole segment between slashes, and its value never has a slash. So the folder of ann is never that of
// anna, and no value reaches out of its segment.
const (
	UserName  = "user.name"
	UserID    = "user.id"
	GroupName = "group.name"
)

var variables = []string{UserName, UserID, GroupName}

// ParseTemplate is ParseGrant for a scope that may have variables.
func ParseTemplate(text string, object bool) (Scope, error) {
	text, err := normal(text)
	if err != nil {
		return Scope{}, err
	}
	_, key, _ := strings.Cut(text[len(scheme):], "/")
	for segment := range strings.SplitSeq(key, "/") {
		name, found := variable(segment)
		switch {
		case !strings.Contains(segment, "${"):
		case !found:
			return Scope{}, malformed("a variable has to be all between two slashes, not a part as in %q", segment)
		case !slices.Contains(variables, name):
			return Scope{}, malformed("there is no variable %s: there are ${%s}", segment, strings.Join(variables, "}, ${"))
		}
	}
	return parse(text, object)
}

// variable is the name in a segment that is a variable.
func variable(segment string) (name string, ok bool) {
	name, ok = strings.CutPrefix(segment, "${")
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, "}")
	return name, ok && !strings.ContainsAny(name, "${}")
}

// HasVariables reports whether the scope is one that Fill makes scopes of. It covers no key itself.
func (s Scope) HasVariables() bool { return strings.Contains(s.Prefix, "${") }

// Variables are the names of those that the scope has.
func (s Scope) Variables() []string {
	found := map[string]bool{}
	for segment := range strings.SplitSeq(s.Prefix, "/") {
		if name, ok := variable(segment); ok {
			found[name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Literal is what stands before the first variable: every scope that Fill makes begins with it.
func (s Scope) Literal() string {
	before, _, _ := strings.Cut(s.Prefix, "${")
	return before
}

// Fill puts values in the place of variables. The error says which value cannot stand there.
func (s Scope) Fill(values map[string]string) (Scope, error) {
	segments := strings.Split(s.Prefix, "/")
	for i, segment := range segments {
		name, ok := variable(segment)
		if !ok {
			continue
		}
		if err := CheckValue(values[name]); err != nil {
			return Scope{}, fmt.Errorf("%s: %w", segment, err)
		}
		segments[i] = values[name]
	}
	s.Prefix = strings.Join(segments, "/")
	return s, nil
}

// CheckValue refuses what cannot stand in a variable's place: what would make another segment, what a scope or a client
// could take for something else than a name, and nothing at all.
func CheckValue(value string) error {
	switch {
	case value == "":
		return malformed("the value is empty")
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return malformed("the value %q has characters that are no text", value)
	case strings.ContainsAny(value, `/\*?$%{}`):
		return malformed("the value %q has one of the characters / \\ * ? $ %% { }", value)
	case value == "." || strings.Contains(value, ".."):
		return malformed("the value %q is or has a way up", value)
	case strings.TrimSpace(value) != value:
		return malformed("the value %q begins or ends with a space", value)
	}
	return nil
}
