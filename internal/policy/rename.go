package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
)

// RenamePrincipals writes a policy with other names for AWS principals in Principal and NotPrincipal, such as the ids of
// users and roles in the place of their ARNs. Nothing else changes but white space and the order of elements; without
// names the text stays as it is to the byte. It is for policies that Parse has accepted.
func RenamePrincipals(text string, names map[string]string) (string, error) {
	if len(names) == 0 {
		return text, nil
	}
	var root map[string]any
	read := json.NewDecoder(strings.NewReader(text))
	read.UseNumber() // a condition's number keeps its digits
	if err := read.Decode(&root); err != nil {
		return "", fmt.Errorf("read policy: %w", err)
	}
	statements, ok := root["Statement"].([]any)
	if !ok {
		statements = []any{root["Statement"]}
	}
	for _, s := range statements {
		statement, _ := s.(map[string]any)
		for _, element := range []string{"Principal", "NotPrincipal"} {
			if principal, ok := statement[element].(map[string]any); ok {
				renameAWS(principal, names)
			}
		}
	}
	renamed, err := json.Marshal(root)
	return string(renamed), err
}

func renameAWS(principal map[string]any, names map[string]string) {
	switch named := principal["AWS"].(type) {
	case string:
		principal["AWS"] = cmp.Or(names[named], named)
	case []any:
		for i := range named {
			if name, ok := named[i].(string); ok {
				named[i] = cmp.Or(names[name], name)
			}
		}
	}
}
