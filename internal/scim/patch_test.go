package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/directory"
)

// parsed reads JSON that a test has written.
func parsed(t testing.TB, text string) tree {
	t.Helper()
	m, err := parseObject([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

// patched works operations into a resource, as the handler does.
func patched(of *resourceType, t tree, body tree) (tree, *memberChange, error) {
	ops, err := parsePatch(body)
	if err != nil {
		return nil, nil, err
	}
	p := &patcher{of: of, tree: t, members: newMemberChange()}
	for _, o := range ops {
		if err := p.apply(o); err != nil {
			return nil, nil, err
		}
	}
	return p.tree, p.members, nil
}

func TestPatchOfItems(t *testing.T) {
	const two = `[{"value":"w@x","type":"work","primary":true},{"value":"h@x","type":"home"}]`
	for _, c := range []struct{ name, emails, operation, want string }{
		{"add to none", `null`, `{"op":"add","path":"emails","value":[{"value":"a@x"}]}`, `[{"value":"a@x"}]`},
		{"add one object", `null`, `{"op":"add","path":"emails","value":{"value":"a@x","type":"work"}}`, `[{"value":"a@x","type":"work"}]`},
		{"add a text", `null`, `{"op":"add","path":"emails","value":"a@x"}`, `[{"value":"a@x"}]`},
		{"add to some", two, `{"op":"add","path":"emails","value":[{"value":"o@x","type":"other"}]}`, `[{"value":"w@x","type":"work","primary":true},{"value":"h@x","type":"home"},{"value":"o@x","type":"other"}]`},
		{"add what is there", two, `{"op":"add","path":"emails","value":[{"value":"h@x","type":"home"}]}`, two},
		{"add a new primary", two, `{"op":"add","path":"emails","value":[{"value":"n@x","primary":true}]}`, `[{"value":"w@x","type":"work"},{"value":"h@x","type":"home"},{"value":"n@x","primary":true}]`},
		{"make another primary", two, `{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}`, `[{"value":"w@x","type":"work"},{"value":"h@x","type":"home","primary":true}]`},
		{"make another primary as an object", two, `{"op":"add","path":"emails[type eq \"home\"]","value":{"primary":"True"}}`, `[{"value":"w@x","type":"work"},{"value":"h@x","type":"home","primary":true}]`},
		{"replace all", two, `{"op":"replace","path":"emails","value":[{"value":"a@x"}]}`, `[{"value":"a@x"}]`},
		{"replace with nothing", two, `{"op":"replace","path":"emails","value":[]}`, `null`},
		{"replace with null", two, `{"op":"replace","path":"emails","value":null}`, `null`},
		{"replace one value", two, `{"op":"replace","path":"emails[type eq \"home\"].value","value":"n@x"}`, `[{"value":"w@x","type":"work","primary":true},{"value":"n@x","type":"home"}]`},
		{"replace every value", two, `{"op":"replace","path":"emails.value","value":"n@x"}`, `[{"value":"n@x","type":"work","primary":true},{"value":"n@x","type":"home"}]`},
		{"clear one value", two, `{"op":"replace","path":"emails[type eq \"home\"].value","value":""}`, `[{"value":"w@x","type":"work","primary":true}]`},
		{"add a value to no item", two, `{"op":"add","path":"emails[type eq \"Other\" and display eq \"d\"].value","value":"n@x"}`, `[{"value":"w@x","type":"work","primary":true},{"value":"h@x","type":"home"},{"value":"n@x","type":"Other","display":"d"}]`},
		{"add an item that is primary", two, `{"op":"add","path":"emails[type eq \"other\"]","value":{"value":"n@x","primary":true}}`, `[{"value":"w@x","type":"work"},{"value":"h@x","type":"home"},{"value":"n@x","type":"other","primary":true}]`},
		{"remove all", two, `{"op":"remove","path":"emails"}`, `null`},
		{"remove by filter", two, `{"op":"remove","path":"emails[type eq \"work\"]"}`, `[{"value":"h@x","type":"home"}]`},
		{"remove by filter, none", two, `{"op":"remove","path":"emails[type eq \"other\"]"}`, two},
		{"remove by a list", two, `{"op":"remove","path":"emails","value":[{"value":"h@x"}]}`, `[{"value":"w@x","type":"work","primary":true}]`},
		{"remove one part", two, `{"op":"remove","path":"emails[type eq \"work\"].primary"}`, `[{"value":"w@x","type":"work"},{"value":"h@x","type":"home"}]`},
		{"remove one value", two, `{"op":"remove","path":"emails[type eq \"work\"].value"}`, `[{"value":"h@x","type":"home"}]`},
		{"remove a part of all", two, `{"op":"remove","path":"emails.type"}`, `[{"value":"w@x","primary":true},{"value":"h@x"}]`},
	} {
		var emails any
		if err := json.Unmarshal([]byte(c.emails), &emails); err != nil {
			t.Fatal(err)
		}
		before := tree{}
		setOrDelete(before, "emails", emails)
		got, _, err := patched(userType, before, parsed(t, `{"Operations":[`+c.operation+`]}`))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var want any
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got["emails"]); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

func TestPatchRefuses(t *testing.T) {
	for _, c := range []struct{ scimType, operations string }{
		{noTarget, `{"op":"remove"}`},
		{noTarget, `{"op":"remove","value":{"title":"x"}}`},
		{noTarget, `{"op":"replace","path":"emails[type eq \"other\"].value","value":"x"}`},
		{noTarget, `{"op":"replace","path":"phoneNumbers[type eq \"work\"]","value":{"value":"x"}}`},
		{invalidPath, `{"op":"add","path":"nobody","value":"x"}`},
		{invalidPath, `{"op":"add","path":"emails[type","value":"x"}`},
		{invalidPath, `{"op":"add","path":7,"value":"x"}`},
		{invalidPath, `{"op":"replace","value":{"emails[type":"x"}}`},
		{invalidValue, `{"op":"add","path":"title"}`},
		{invalidValue, `{"op":"replace"}`},
		{invalidValue, `{"op":"replace","value":"x"}`},
		{invalidValue, `{"op":"replace","value":null}`},
		{invalidValue, `{"op":"replace","path":"title","value":7}`},
		{invalidValue, `{"op":"replace","path":"title","value":["x"]}`},
		{invalidValue, `{"op":"replace","path":"active","value":"perhaps"}`},
		{invalidValue, `{"op":"replace","path":"active","value":null}`},
		{invalidValue, `{"op":"replace","path":"active","value":1}`},
		{invalidValue, `{"op":"replace","path":"userName","value":""}`},
		{invalidValue, `{"op":"replace","path":"name","value":"Mateo"}`},
		{invalidValue, `{"op":"replace","path":"emails","value":[7]}`},
		{invalidValue, `{"op":"replace","path":"emails","value":[{"value":{}}]}`},
		{invalidValue, `{"op":"add","path":"manager","value":[{"value":"a"},{"value":"b"}]}`},
		{invalidSyntax, `{"op":"replace","path":"name","value":{"givenName":"a","GIVENNAME":"b"}}`},
		{mutability, `{"op":"replace","path":"id","value":"x"}`},
		{mutability, `{"op":"replace","value":{"id":"x"}}`},
		{mutability, `{"op":"add","path":"meta.created","value":"x"}`},
		{mutability, `{"op":"add","path":"groups","value":[{"value":"x"}]}`},
		{mutability, `{"op":"remove","path":"userName"}`},
		{mutability, `{"op":"remove","path":"active"}`},
		{mutability, `{"op":"remove","path":"schemas"}`},
		{mutability, `{"op":"add","path":"manager.displayName","value":"x"}`},
		{invalidSyntax, `{"op":"move","path":"title","value":"x"}`},
		{invalidSyntax, `{"path":"title","value":"x"}`},
		{invalidSyntax, `{"op":7,"path":"title","value":"x"}`},
		{invalidSyntax, `7`},
		{invalidSyntax, ``},
		{invalidValue, `{"op":"add","path":"emails","value":[` + strings.Repeat(`{"value":"x"},`, maxItems) + `{"value":"x"}]}`},
		{invalidValue, many(func(i int) string { return fmt.Sprintf(`{"op":"add","path":"emails","value":{"value":"%d"}}`, i) })},
		{invalidValue, many(func(i int) string {
			return fmt.Sprintf(`{"op":"add","path":"emails[type eq \"%d\"].value","value":"x"}`, i)
		})},
	} {
		_, _, err := patched(userType, mateo(), parsed(t, `{"Operations":[`+c.operations+`]}`))
		if f, ok := errors.AsType[*fault](err); !ok || f.status != 400 || f.scimType != c.scimType {
			t.Errorf("%s: %v, want %s", c.operations, err, c.scimType)
		}
	}
	for _, c := range []struct{ scimType, body string }{
		{invalidSyntax, `{}`}, {invalidSyntax, `{"Operations":{}}`}, {invalidSyntax, `{"Operations":null}`},
		{tooMany, `{"Operations":[` + strings.Repeat(`{"op":"remove","path":"title"},`, maxOperations) + `{"op":"remove","path":"title"}]}`},
	} {
		_, err := parsePatch(parsed(t, c.body))
		if f, ok := errors.AsType[*fault](err); !ok || f.scimType != c.scimType {
			t.Errorf("%.40s: %v, want %s", c.body, err, c.scimType)
		}
	}
	for _, c := range []struct{ scimType, operation string }{
		{mutability, `{"op":"remove","path":"displayName"}`},
		{invalidValue, `{"op":"add","path":"members","value":[{}]}`},
		{invalidValue, `{"op":"add","path":"members","value":[{"value":7}]}`},
		{invalidPath, `{"op":"add","path":"members[value eq \"x\"]","value":{"value":"y"}}`},
		{invalidFilter, `{"op":"remove","path":"members[type eq \"User\"]"}`},
		{invalidFilter, `{"op":"remove","path":"members[not (value eq \"x\")]"}`},
		{invalidFilter, `{"op":"remove","path":"members[value sw \"x\"]"}`},
		{tooMany, `{"op":"add","path":"members","value":[` + strings.Repeat(`{"value":"x"},`, maxMembers) + `{"value":"x"}]}`},
	} {
		_, _, err := patched(groupType, tree{"id": "g"}, parsed(t, `{"Operations":[`+c.operation+`]}`))
		if f, ok := errors.AsType[*fault](err); !ok || f.scimType != c.scimType {
			t.Errorf("%.60s: %v, want %s", c.operation, err, c.scimType)
		}
	}
}

// many is more operations than an attribute may have items.
func many(operation func(i int) string) string {
	var all []string
	for i := range maxItems + 1 {
		all = append(all, operation(i))
	}
	return strings.Join(all, ",")
}

// plainUser is a user as somebody would keep it who had no trees: the reference that PATCH is held against.
type plainUser struct {
	texts  map[string]string // by path
	active bool
	emails []plainEmail
}

type plainEmail struct {
	value, kind string
	primary     bool
}

var textPaths = []string{"title", "name.givenName", "name.familyName", urnEnterprise + ":department", urnEnterprise + ":manager.value"}

func (u *plainUser) setText(path, v string) {
	if v == "" {
		delete(u.texts, path)
	} else {
		u.texts[path] = v
	}
}

func (u *plainUser) add(e plainEmail) {
	if e.value == "" {
		return
	}
	at := slices.IndexFunc(u.emails, func(x plainEmail) bool { return x.value == e.value && x.kind == e.kind })
	if at < 0 {
		u.emails = append(u.emails, e)
		at = len(u.emails) - 1
	}
	if e.primary {
		for i := range u.emails {
			u.emails[i].primary = i == at
		}
	}
}

// tree is the reference as a resource.
func (u *plainUser) tree() tree {
	t := tree{"active": u.active}
	for path, v := range u.texts {
		switch {
		case path == "title":
			t["title"] = v
		case strings.HasPrefix(path, "name."):
			m, _ := t["name"].(tree)
			if m == nil {
				m = tree{}
			}
			m[strings.TrimPrefix(path, "name.")] = v
			t["name"] = m
		default:
			m, _ := t[urnEnterprise].(tree)
			if m == nil {
				m = tree{}
			}
			if strings.HasSuffix(path, ":department") {
				m["department"] = v
			} else {
				m["manager"] = tree{"value": v}
			}
			t[urnEnterprise] = m
		}
	}
	var list []any
	for _, e := range u.emails {
		m := tree{"value": e.value}
		if e.kind != "" {
			m["type"] = e.kind
		}
		if e.primary {
			m["primary"] = true
		}
		list = append(list, m)
	}
	setOrDelete(t, "emails", list)
	return t
}

// Any sequence of operations, in any of the spellings that providers use, has the outcome of the reference.
func TestPatchAgreesWithAReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := &plainUser{texts: map[string]string{}, active: true}
		var ops []any
		kinds, values := rapid.SampledFrom([]string{"work", "home", "other"}), rapid.SampledFrom([]string{"a@x", "b@x", "c@x", "d@x"})
		spell := func(s string) string {
			return rapid.SampledFrom([]string{s, strings.ToUpper(s), strings.ToUpper(s[:1]) + s[1:]}).Draw(t, "spelling")
		}
		email := func() (plainEmail, tree) {
			e := plainEmail{values.Draw(t, "value"), kinds.Draw(t, "kind"), rapid.Bool().Draw(t, "primary")}
			m := tree{"value": e.value, "type": e.kind, "display": nil}
			if e.primary {
				m["primary"] = rapid.SampledFrom([]any{true, "True", "true"}).Draw(t, "flag")
			}
			return e, m
		}
		for range rapid.IntRange(1, 8).Draw(t, "operations") {
			verb := rapid.SampledFrom([]string{"add", "replace"}).Draw(t, "verb")
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0, 1: // one text by its path
				path, v := rapid.SampledFrom(textPaths).Draw(t, "path"), rapid.SampledFrom([]string{"x", "y", ""}).Draw(t, "text")
				u.setText(path, v)
				ops = append(ops, tree{"op": spell(verb), spell("path"): spell(path), "value": v})
			case 2: // texts by dotted names
				m := tree{"unknown": "x", "schemas": []any{"x"}}
				for _, path := range textPaths {
					if rapid.Bool().Draw(t, "given") {
						m[path] = "z"
						u.setText(path, "z")
					}
				}
				ops = append(ops, tree{"op": spell(verb), "value": m})
			case 3: // a part of the name
				ops = append(ops, tree{"op": spell(verb), "path": "name", "value": tree{"GIVENNAME": "n", "familyName": nil}})
				u.setText("name.givenName", "n")
				u.setText("name.familyName", "")
			case 4: // remove a text
				path := rapid.SampledFrom(textPaths).Draw(t, "path")
				u.setText(path, "")
				ops = append(ops, tree{"op": spell("remove"), "path": spell(path)})
			case 5:
				u.active = rapid.Bool().Draw(t, "active")
				ops = append(ops, tree{"op": spell(verb), "path": "active", "value": rapid.SampledFrom([]any{u.active, fmt.Sprint(u.active), strings.ToUpper(fmt.Sprint(u.active))}).Draw(t, "flag")})
			case 6: // add an email
				e, m := email()
				u.add(e)
				ops = append(ops, tree{"op": spell("add"), "path": "emails", "value": rapid.SampledFrom([]any{m, []any{m}}).Draw(t, "form")})
			case 7: // replace all emails
				e, m := email()
				u.emails = []plainEmail{e}
				ops = append(ops, tree{"op": spell("replace"), "value": tree{spell("emails"): []any{m}}})
			case 8: // remove emails of a kind
				kind := kinds.Draw(t, "kind")
				u.emails = slices.DeleteFunc(u.emails, func(e plainEmail) bool { return e.kind == kind })
				ops = append(ops, tree{"op": spell("remove"), "path": `emails[type eq "` + kind + `"]`})
			case 9: // give emails of a kind a value; there is one afterwards
				kind, v := kinds.Draw(t, "kind"), values.Draw(t, "value")
				found := false
				for i := range u.emails {
					if u.emails[i].kind == kind {
						u.emails[i].value, found = v, true
					}
				}
				if !found {
					u.emails = append(u.emails, plainEmail{value: v, kind: kind})
				}
				ops = append(ops, tree{"op": spell("add"), "path": `emails[type eq "` + kind + `"].value`, "value": v})
			}
		}
		body, err := json.Marshal(tree{"Operations": ops})
		if err != nil {
			t.Fatal(err)
		}
		m, err := parseObject(body)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := patched(userType, tree{"active": true}, m)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if diff := cmp.Diff(u.tree(), got); diff != "" {
			t.Fatalf("%s:\n%s", body, diff)
		}
	})
}

// What is done to members one operation after the other is the same as their sum at the end.
func TestMemberChangesAddUp(t *testing.T) {
	ids := []string{"a", "b", "c", "d"}
	rapid.Check(t, func(t *rapid.T) {
		before := map[string]bool{}
		for _, id := range ids {
			if rapid.Bool().Draw(t, "before") {
				before[id] = true
			}
		}
		now, sum := maps.Clone(before), newMemberChange()
		for range rapid.IntRange(1, 6).Draw(t, "operations") {
			var list []any
			some := rapid.SliceOfDistinct(rapid.SampledFrom(ids), rapid.ID).Draw(t, "ids")
			for _, id := range some {
				list = append(list, tree{"value": id})
			}
			p := &patcher{of: groupType, tree: tree{}, members: sum}
			o := operation{op: rapid.SampledFrom([]string{"add", "replace", "remove"}).Draw(t, "op"), path: "members", hasPath: true, value: list, hasValue: true}
			switch o.op {
			case "replace":
				clear(now)
				fallthrough
			case "add":
				for _, id := range some {
					now[id] = true
				}
			case "remove":
				switch {
				case len(some) == 0:
					o.value, o.hasValue = nil, false
					clear(now)
				case rapid.Bool().Draw(t, "by filter"):
					o.path = `members[value eq "` + strings.Join(some, `" or value eq "`) + `"]`
					o.value, o.hasValue = nil, false
				}
				for _, id := range some {
					delete(now, id)
				}
			}
			if err := p.apply(o); err != nil {
				t.Fatal(err)
			}
		}
		got, c := maps.Clone(before), sum.change()
		if c.Replace {
			clear(got)
		}
		for _, id := range c.Add {
			got[id] = true
		}
		for _, id := range c.Remove {
			delete(got, id)
		}
		if diff := cmp.Diff(now, got); diff != "" {
			t.Fatalf("from %v by %+v:\n%s", before, c, diff)
		}
	})
}

// What the directory keeps and SCIM shows is the same thing, also after it went through both.
func TestUsersSurviveTheirTree(t *testing.T) {
	u := directory.User{
		StoreID: "d-0123456789", ID: "u-1", UserName: "mateo", Enabled: false,
		ExternalIDs: []directory.ExternalID{{Issuer: "other", ID: "x"}, {Issuer: issuer("d-0123456789"), ID: "oid"}},
		Profile: directory.Profile{
			Name: directory.Name{GivenName: "M"}, DisplayName: "d", Title: "t", Website: "https://example.com", Birthdate: "1990-01-31",
			Emails: []directory.Item{{Value: "a@x", Type: "work", Primary: true}}, Addresses: []directory.Address{{Locality: "Lima", Primary: true}},
			Photos: []directory.Item{{Value: "p", Display: "d"}}, IMs: []directory.Item{{Value: "i", Type: "xmpp"}}, Entitlements: []directory.Item{{Value: "e"}, {Value: "f", Primary: true}},
			Enterprise: directory.Enterprise{Department: "Red", Manager: "boss"},
		},
	}
	shown, err := userTree(&u)
	if err != nil {
		t.Fatal(err)
	}
	if shown["website"] != nil || shown["birthdate"] != nil || shown["externalId"] != "oid" || shown["active"] != false {
		t.Errorf("shown %v", shown)
	}
	for name, step := range map[string]func() (tree, error){
		"as it is":      func() (tree, error) { return shown, nil },
		"sent back":     func() (tree, error) { return normalResource(userType, shown) },
		"without state": func() (tree, error) { m := maps.Clone(shown); delete(m, "active"); return m, nil },
	} {
		m, err := step()
		if err != nil {
			t.Fatal(err)
		}
		after := u
		if err := updateUser(&after, m); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(u, after); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func FuzzPatch(f *testing.F) {
	for _, s := range []string{
		`{"Operations":[{"op":"Replace","path":"active","value":"False"}]}`,
		`{"Operations":[{"op":"replace","value":{"displayName":"b","name.givenName":"K","` + urnEnterprise + `:employeeNumber":"A"}}]}`,
		`{"Operations":[{"op":"Add","path":"emails[type eq \"work\"].value","value":"a@b"},{"op":"remove","path":"emails"}]}`,
		`{"Operations":[{"op":"Add","path":"manager","value":[{"$ref":"x","value":"i"}]}]}`,
		`{"Operations":[{"op":"replace","path":"` + urnEnterprise + `","value":{"division":null}}]}`,
		`{"Operations":[{"op":"add","path":"members","value":[{"value":"u1"}]},{"op":"remove","path":"members[value eq \"u1\"]"}]}`,
		`{"Operations":[{"op":"replace","path":"addresses","value":[{"locality":"x"},null,{}]}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := parseObject(body)
		if err != nil {
			return
		}
		for _, of := range resourceTypes {
			before := mateo()
			after, _, err := patched(of, before, m)
			if err != nil {
				if f := faultOf(err); f.status != 400 {
					t.Errorf("%s: %v is not the fault of the request", body, err)
				}
				continue
			}
			if of != userType {
				continue
			}
			if after["id"] != "u-1" || after["userName"] == nil || after["active"] == nil {
				t.Errorf("%s: id, userName or active is gone: %v", body, after)
			}
			var u directory.User
			if err := updateUser(&u, after); err != nil {
				t.Errorf("%s: the outcome is no user: %v", body, err)
			}
			primaries := 0
			for _, e := range u.Profile.Emails {
				if e.Primary {
					primaries++
				}
			}
			again, err := userTree(&u)
			if err != nil || primaries < 2 && again["userName"] != after["userName"] {
				t.Errorf("%s: shown again as %v, %v", body, again, err)
			}
		}
	})
}
