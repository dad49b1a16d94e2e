package scim_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/scim"
)

func (r reply) names() (all []string) {
	list, _ := r.body["Resources"].([]any)
	for _, x := range list {
		m, _ := x.(map[string]any)
		name, ok := m["userName"].(string)
		if !ok {
			name, _ = m["displayName"].(string)
		}
		all = append(all, name)
	}
	return all
}

func TestSorting(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.user(t, "c", `"title":"Zebra"`, `"emails":[{"value":"3@x"},{"value":"1@x","primary":true}]`, `"name":{"familyName":"a"}`)
		h.user(t, "B", `"title":"apple"`, `"emails":[{"value":"2@x"}]`, `"active":false`)
		h.user(t, "a", `"name":{"familyName":"B"}`, `"`+enterprise+`":{"department":"d"}`)
		for _, c := range []struct {
			by, order string
			want      []string
		}{
			{"userName", "", []string{"a", "B", "c"}},
			{"USERNAME", "Descending", []string{"c", "B", "a"}},
			{"title", "ascending", []string{"B", "c", "a"}},  // without a value: last
			{"title", "descending", []string{"a", "c", "B"}}, // and first
			{"emails", "", []string{"c", "B", "a"}},          // the primary one
			{"emails.value", "descending", []string{"a", "B", "c"}},
			{"active", "", []string{"B", "", ""}},
			{enterprise + ":department", "", []string{"a", "", ""}},
		} {
			r := h.want(t, 200, "GET", "/Users?sortBy="+c.by+"&sortOrder="+c.order, "")
			got := r.names()
			for i, w := range c.want {
				if len(got) != 3 || w != "" && got[i] != w {
					t.Errorf("by %s %s: %v, want %v", c.by, c.order, got, c.want)
					break
				}
			}
		}
		r := h.want(t, 200, "GET", find("/Users", `title pr`)+"&sortBy=userName&startIndex=2&count=1", "")
		if !slices.Equal(r.names(), []string{"c"}) || r.get("totalResults") != 2.0 || r.get("startIndex") != 2.0 || r.get("itemsPerPage") != 1.0 {
			t.Errorf("the second of two: %s", r.text)
		}
		if r := h.want(t, 200, "GET", "/Users?sortBy=userName&startIndex=9", ""); len(r.ids()) != 0 || r.get("totalResults") != 3.0 {
			t.Errorf("past the end: %s", r.text)
		}
		for query, scimType := range map[string]string{
			"sortBy=nothing": "invalidPath", "sortBy=name": "invalidPath", "sortBy=groups": "invalidPath", "sortBy=" + enterprise: "invalidPath",
			"sortBy=userName&sortOrder=up": "invalidValue", "sortBy=userName&cursor": "invalidValue",
		} {
			if r := h.do(t, "GET", "/Users?"+query, ""); r.status != 400 || r.get("scimType") != scimType {
				t.Errorf("%s: %d %s", query, r.status, r.text)
			}
		}
	})
}

func TestSearchByPost(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u := h.user(t, "ana", `"displayName":"same"`)
		h.user(t, "ben")
		h.group(t, "same", u)
		h.group(t, "zoo")
		for _, c := range []struct {
			path, body string
			want       []string
		}{
			{"/Users", `{"filter":"userName sw \"a\""}`, []string{"ana"}},
			{"/Users", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"sortBy":"userName","sortOrder":"descending","count":1}`, []string{"ben"}},
			{"/Users", `{"sortBy":"userName","startIndex":2,"count":"5"}`, []string{"ben"}},
			{"/Groups", `{"filter":"members eq \"` + u + `\""}`, []string{"same"}},
			{"", `{"filter":"displayName eq \"same\""}`, []string{"ana", "same"}},
			{"", `{"filter":"userName eq \"ben\" or displayName eq \"ZOO\""}`, []string{"ben", "zoo"}},
			{"", `{"filter":"userName eq \"ben\" and members pr"}`, nil},
			{"", `{"filter":"not (userName pr)","sortBy":"displayName"}`, []string{"same", "zoo"}},
			{"", `{"filter":"emails[type eq \"work\"] or members[value eq \"` + u + `\"]"}`, []string{"same"}},
			{"", `{"filter":"meta.resourceType eq \"Group\"","sortBy":"displayName","sortOrder":"descending"}`, []string{"zoo", "same"}},
			{"", `{"sortBy":"userName","count":2}`, []string{"ana", "ben"}},
		} {
			r := h.want(t, 200, "POST", c.path+"/.search", c.body)
			got := r.names()
			if !strings.Contains(c.body, "sortBy") {
				slices.Sort(got)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s %s: %v, want %v", c.path, c.body, got, c.want)
			}
		}
		if r := h.want(t, 200, "POST", "/.search", `{"attributes":["userName"],"filter":"displayName eq \"same\""}`); r.get("Resources/displayName") != nil || r.get("Resources/userName") != "ana" {
			t.Errorf("the attributes asked for: %s", r.text)
		}
		if r := h.want(t, 200, "POST", "/.search", `{"startIndex":2,"count":2}`); r.get("totalResults") != 4.0 || len(r.ids()) != 2 {
			t.Errorf("a page across the types: %s", r.text)
		}
		for body, scimType := range map[string]string{
			`{"filter":"nothing eq 1"}`: "invalidFilter", `{"filter":"emails[nothing eq 1]"}`: "invalidFilter", `{"filter":""}`: "invalidFilter", `{"filter":["x"]}`: "invalidSyntax",
			`{"attributes":[1]}`: "invalidSyntax", `{"sortBy":"nothing"}`: "invalidPath", `{"count":"many"}`: "invalidValue", `{"cursor":"AAAA"}`: "invalidValue", `[]`: "invalidSyntax",
		} {
			if r := h.do(t, "POST", "/.search", body); r.status != 400 || r.get("scimType") != scimType {
				t.Errorf("%s: %d %s", body, r.status, r.text)
			}
		}
		h.want(t, 405, "GET", "/Users/.search", "")
		h.want(t, 405, "GET", "/.search", "")
	})
}

// All pages by cursor together are everything, once, over one type and over both.
func TestSearchByCursor(t *testing.T) {
	h := fresh(t)
	for i := range 7 {
		h.user(t, fmt.Sprintf("u%d", i), `"title":"`+fmt.Sprint(i%2)+`"`)
		h.group(t, fmt.Sprintf("g%d", i))
	}
	for filter, want := range map[string]int{"": 14, `meta.created pr`: 14, `title eq "1" or displayName sw "g"`: 10, `displayName pr`: 7} {
		for count := 1; count <= 5; count++ {
			seen, cursor := map[string]bool{}, ""
			for pages := 0; ; pages++ {
				body := map[string]any{"cursor": cursor, "count": count}
				if filter != "" {
					body["filter"] = filter
				}
				text, err := json.Marshal(body)
				if err != nil {
					t.Fatal(err)
				}
				r := h.want(t, 200, "POST", "/.search", string(text))
				for _, id := range r.ids() {
					if seen[id] {
						t.Fatalf("%q by %d: %s twice", filter, count, id)
					}
					seen[id] = true
				}
				if cursor, _ = r.body["nextCursor"].(string); cursor == "" {
					break
				}
				if pages > 20 {
					t.Fatalf("%q by %d: no end", filter, count)
				}
			}
			if len(seen) != want {
				t.Errorf("%q by %d: %d, want %d", filter, count, len(seen), want)
			}
		}
	}
}

// What no index helps with is refused when it would take too long, unless it comes in pages by cursor, which find all.
func TestAWideFilterIsBounded(t *testing.T) {
	h := fresh(t)
	for i := range 1010 {
		if _, err := h.dir.CreateUser(t.Context(), "test", userNamed(fmt.Sprintf("u%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	h.handler = scim.New(scim.Config{Directory: h.dir, Trail: h.trail, WebURL: "http://x", Scanned: 500})
	for _, path := range []string{find("/Users", `title pr`), "/Users?sortBy=title", find("/Users", `userName eq "u1" or title pr`), find("/Users", `not (userName eq "u1")`)} {
		if r := h.do(t, "GET", path, ""); r.status != 400 || r.get("scimType") != "tooMany" {
			t.Errorf("%s: %d %s", path, r.status, r.text)
		}
	}
	for _, filter := range []string{`userName eq "u1"`, `title pr and userName eq "U1" or externalId eq "x"`, `id eq "x" or userName eq "u1"`, `emails[type eq "work"].value eq "u1" or userName eq "u1"`} {
		if r := h.want(t, 200, "GET", find("/Users", filter), ""); filter[0] != 't' && len(r.ids()) != 1 {
			t.Errorf("%s: %s", filter, r.text)
		}
	}
	some := h.want(t, 200, "GET", "/Users?count=3", "").ids()
	inner := h.group(t, "inner", some[0], some[1])
	outer := h.group(t, "outer", inner, some[2])
	for group, want := range map[string]int{inner: 2, outer: 3, "nobody": 0} {
		if r := h.want(t, 200, "GET", find("/Users", `groups.value eq "`+group+`"`), ""); len(r.ids()) != want {
			t.Errorf("%d people are found in %s, want %d", len(r.ids()), group, want)
		}
	}
	seen, cursor := 0, ""
	for {
		r := h.want(t, 200, "GET", find("/Users", `userName sw "u100"`)+"&count=3&cursor="+cursor, "")
		seen += len(r.ids())
		if cursor, _ = r.body["nextCursor"].(string); cursor == "" {
			break
		}
	}
	if seen != 11 { // u100, u1000 to u1009
		t.Errorf("by cursor %d were found, want 11", seen)
	}
}
