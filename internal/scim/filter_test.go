package scim

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// mateo is a user in the normal form.
func mateo() tree {
	return tree{
		"schemas": []any{urnUser, urnEnterprise}, "id": "u-1", "externalId": "Oid-1", "userName": "Mateo@Example.com", "active": true, "displayName": `Mateo "MJ" Jackson`,
		"name":   tree{"givenName": "Mateo", "familyName": "Jackson"},
		"emails": []any{tree{"value": "mateo@example.com", "type": "work", "primary": true}, tree{"value": "m@home.example", "type": "home"}},
		"meta":   tree{"resourceType": "User", "created": "2026-11-02T09:00:00Z", "lastModified": "2026-11-02T10:00:00Z"},
		urnEnterprise: tree{
			"department": "Red", "manager": tree{"value": "Boss-1"},
		},
	}
}

func TestFilters(t *testing.T) {
	for _, c := range []struct {
		filter string
		want   bool
	}{
		{`userName eq "mateo@example.com"`, true},
		{`USERNAME Eq "MATEO@EXAMPLE.COM"`, true},
		{`userName eq "x"`, false},
		{`userName eq mateo@example.com`, true},
		{`userName ne "x"`, true},
		{`userName co "@EXAMPLE"`, true},
		{`userName sw "mat"`, true},
		{`userName ew ".com"`, true},
		{`userName ew ".co"`, false},
		{`userName gt "m"`, true},
		{`userName lt "m"`, false},
		{`userName ge "mateo@example.com" and userName le "mateo@example.com"`, true},
		{`userName pr`, true},
		{`title pr`, false},
		{`title ne "x"`, true},
		{`title eq null`, true},
		{`title ne null`, false},
		{`displayName eq null`, false},
		{`displayName eq "Mateo \"MJ\" Jackson"`, true},
		{`displayName eq "Mateo \u0022MJ\u0022 Jackson"`, true},
		{`id eq "u-1"`, true},
		{`id eq "U-1"`, false},
		{`externalId eq "Oid-1"`, true},
		{`externalId eq "oid-1"`, false},
		{`active eq true`, true},
		{`active eq "True"`, true},
		{`active eq FALSE`, false},
		{`active ne false`, true},
		{`name.familyName eq "jackson"`, true},
		{`name pr`, true},
		{`nickName pr or name.givenName eq "mateo"`, true},
		{`emails eq "m@home.example"`, true},
		{`emails.value eq "m@home.example"`, true},
		{`emails.type eq "home" and emails.primary eq true`, true}, // of two items
		{`emails[type eq "home" and primary eq true]`, false},
		{`emails[type eq "work" and value co "@example"]`, true},
		{`emails[type eq "work"].value eq "mateo@example.com"`, true},
		{`emails[type eq "home"].value eq "mateo@example.com"`, false},
		{`emails[type eq "work"].value ne "x"`, true},
		{`emails[type eq "other"].value pr`, false},
		{`emails[type ne "work"]`, true},
		{`emails[display pr]`, false},
		{`not (emails[type eq "other"])`, true},
		{`emails[not (type eq "home") and (primary eq true or value sw "z")]`, true},
		{`manager eq "Boss-1"`, true},
		{`manager eq "boss-1"`, false},
		{`manager.value eq "Boss-1"`, true},
		{`department eq "red"`, true},
		{urnEnterprise + `:department eq "red"`, true},
		{strings.ToUpper(urnEnterprise) + `:DEPARTMENT eq "red"`, true},
		{urnEnterprise + `:manager.value eq "Boss-1"`, true},
		{urnUser + `:userName sw "mateo"`, true},
		{urnUser + `:externalId eq "Oid-1"`, true},
		{`meta.lastModified gt "2026-11-02T09:59:59Z"`, true},
		{`meta.lastModified lt "2026-11-02T11:00:00+02:00"`, false},
		{`meta.created eq "2026-11-02T10:00:00+01:00"`, true},
		{`schemas eq "` + urnUser + `"`, true},
		{`userName eq "x" and userName pr or active eq true`, true},    // (x and pr) or active
		{`userName eq "x" and (userName pr or active eq true)`, false}, // x and (…)
		{`active eq true or userName eq "x" and title pr`, true},
		{`not (title pr) and not(active eq false)`, true},
		{"\t userName\n eq   \"mateo@example.com\" ", true},
		{`((((userName pr))))`, true},
	} {
		f, err := parseFilter(userType, c.filter)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		if got := f.match(plainSubject(mateo())); got != c.want {
			t.Errorf("%s is %v, want %v", c.filter, got, c.want)
		}
	}
}

func TestWhatIsNoFilter(t *testing.T) {
	for _, c := range []string{
		``, ` `, `userName`, `userName eq`, `eq "x"`, `userName is "x"`, `userName eq "x`, `userName eq "\x"`, `userName eq "x" "y"`, `userName eq "x" and`,
		`and userName pr`, `(userName pr`, `userName pr)`, `not userName pr`, `nobody eq "x"`, `name.nobody eq "x"`, `name eq "x"`, `userName.x eq "y"`,
		`emails[type eq "work"`, `emails[]`, `emails[nobody eq "x"]`, `emails[type eq "x"].nobody eq "y"`, `emails[type eq "x"].value`, `emails[type eq "x"]. value eq "y"`,
		`userName[type eq "x"]`, `emails.value[type eq "x"]`, `emails[emails[type eq "x"]]`, `active eq "maybe"`, `active gt true`, `active co "t"`,
		`meta.created eq "yesterday"`, `meta.created co "2026"`, `title gt null`, urnEnterprise + ` eq "x"`, urnUser + ` pr`, urnUser + `: pr`, `urn:x:y eq "x"`,
		`userName eq "a" or or userName eq "b"`, `userName. eq "x"`, `userName eq (x)`, `userName eq "x";drop`, "userName eq \"\xff\"", `..`, `"userName" eq "x"`,
	} {
		_, err := parseFilter(userType, c)
		if f, ok := errors.AsType[*fault](err); !ok || f.status != 400 || f.scimType != invalidFilter {
			t.Errorf("%q: %v, want it refused as a filter", c, err)
		}
	}
}

func TestAFilterIsBounded(t *testing.T) {
	for name, s := range map[string]string{
		"long":   `userName eq "` + strings.Repeat("x", maxFilter) + `"`,
		"nested": strings.Repeat("(", 1000) + "userName pr" + strings.Repeat(")", 1000),
		"nots":   strings.Repeat("not(", 900) + "userName pr" + strings.Repeat(")", 900),
		"wide":   strings.Repeat("userName pr or ", 200) + "userName pr",
	} {
		_, err := parseFilter(userType, s)
		if f, ok := errors.AsType[*fault](err); !ok || f.scimType != tooMany {
			t.Errorf("%s: %v, want too many", name, err)
		}
	}
}

// A filter made of comparisons means what its truth table says, however it is written.
func TestFiltersCombineAsTruthTablesSay(t *testing.T) {
	subject := plainSubject(mateo())
	type formula struct {
		text  string
		truth bool
		rank  int // 3 a term, 2 and, 1 or
	}
	leaf := rapid.SampledFrom([]formula{
		{`userName pr`, true, 3}, {`title pr`, false, 3}, {`active eq true`, true, 3}, {`emails[type eq "other"]`, false, 3}, {`department eq "RED"`, true, 3},
	})
	var make func(t *rapid.T, depth int) formula
	make = func(t *rapid.T, depth int) formula {
		kind := rapid.SampledFrom([]string{"leaf", "not", "and", "or"}).Draw(t, "kind")
		wrap := func(f formula, least int) string {
			if f.rank < least || rapid.Bool().Draw(t, "parentheses") {
				return "( " + f.text + ")"
			}
			return f.text
		}
		switch {
		case depth == 0 || kind == "leaf":
			return leaf.Draw(t, "leaf")
		case kind == "not":
			f := make(t, depth-1)
			return formula{"NOT (" + f.text + ")", !f.truth, 3}
		case kind == "and":
			a, b := make(t, depth-1), make(t, depth-1)
			return formula{wrap(a, 2) + " and " + wrap(b, 2), a.truth && b.truth, 2}
		default:
			a, b := make(t, depth-1), make(t, depth-1)
			return formula{wrap(a, 1) + " Or " + wrap(b, 1), a.truth || b.truth, 1}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := make(t, 4)
		f, err := parseFilter(userType, want.text)
		if err != nil {
			t.Fatalf("%s: %v", want.text, err)
		}
		if got := f.match(subject); got != want.truth {
			t.Fatalf("%s is %v, want %v", want.text, got, want.truth)
		}
	})
}

func TestPaths(t *testing.T) {
	for _, c := range []struct {
		path, attr, sub string
		items, ext      bool
	}{
		{"userName", "userName", "", false, false},
		{"USERNAME", "userName", "", false, false},
		{"name.givenName", "name", "givenName", false, false},
		{urnUser + ":name.givenName", "name", "givenName", false, false},
		{`emails[type eq "work"].value`, "emails", "value", true, false},
		{`emails[type eq "work"]`, "emails", "", true, false},
		{"emails.value", "emails", "value", false, false},
		{`roles[primary eq "True"].value`, "roles", "value", true, false},
		{`addresses[type eq "work"].formatted`, "addresses", "formatted", true, false},
		{urnEnterprise, "", "", false, true},
		{urnEnterprise + ":manager", "manager", "", false, true},
		{urnEnterprise + ":manager.value", "manager", "value", false, true},
		{"manager", "manager", "", false, true},
		{"department", "department", "", false, true},
	} {
		to, err := parsePath(userType, c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		attr, sub := "", ""
		if to.attr != nil {
			attr = to.attr.name
		}
		if to.sub != nil {
			sub = to.sub.name
		}
		if attr != c.attr || sub != c.sub || (to.items != nil) != c.items || (to.extension != nil) != c.ext {
			t.Errorf("%s is %s.%s, items %v, extension %v", c.path, attr, sub, to.items != nil, to.extension != nil)
		}
	}
	for _, s := range []string{
		"", " ", ".", "nobody", "name.", ".name", "name.nobody", "emails[", `emails[type eq "x"`, "emails[]", `emails[type eq "x"]value`, `emails[type eq "x"].`, `emails[type eq "x"].nobody`,
		`name[givenName eq "x"]`, `userName[value eq "x"]`, "userName x", "userName,title", urnUser, urnUser + ":", urnUser + "userName", urnEnterprise + ":userName", "$ref", "userName.value", "a b",
		"name.givenName.x", strings.Repeat("x", 5000),
	} {
		_, err := parsePath(userType, s)
		if f, ok := errors.AsType[*fault](err); !ok || f.scimType != invalidPath {
			t.Errorf("%.40q: %v, want it refused as a path", s, err)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		`userName eq "a\"b"`, `not (userName pr)`, `emails[type eq "work" and value co "@x"]`, `emails[type eq "work"].value eq "x"`, `id eq "x" and manager eq "y"`,
		`USERNAME Eq a`, urnEnterprise + `:manager.value pr`, `meta.created gt "2026-01-01T00:00:00Z" or (active eq true)`, `((`, `a[b[c`, `members.value eq "x"`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, of := range resourceTypes {
			filter, err := parseFilter(of, s)
			if err != nil {
				if !utf8.ValidString(err.Error()) {
					t.Errorf("%q: the refusal is not UTF-8", s)
				}
				continue
			}
			subject := plainSubject(mateo())
			if once, negated := filter.match(subject), (&not{filter}).match(subject); once == negated {
				t.Errorf("%q and its opposite are both %v", s, once)
			}
			again, err := parseFilter(of, "("+s+")")
			if err != nil && len(s) < maxFilter-2 {
				if f, _ := errors.AsType[*fault](err); f == nil || f.scimType != tooMany {
					t.Errorf("%q parses alone, and not in parentheses: %v", s, err)
				}
			} else if err == nil && again.match(subject) != filter.match(subject) {
				t.Errorf("%q means something else in parentheses", s)
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{`emails[type eq "work"].value`, "name.givenName", urnEnterprise + ":manager", urnEnterprise, `members[value eq "x"]`, "a.b.c", "[", `x[y]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, of := range resourceTypes {
			to, err := parsePath(of, s)
			if err == nil && to.attr == nil && to.extension == nil {
				t.Errorf("%q is about nothing", s)
			}
			if err != nil && !utf8.ValidString(err.Error()) {
				t.Errorf("%q: the refusal is not UTF-8", s)
			}
		}
	})
}
