package bucket_test

import (
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

func TestCORSRule(t *testing.T) {
	b := &bucket.Bucket{CORS: []bucket.CORSRule{
		{ID: "one", Origins: []string{"https://app.example", "https://*.app.example"}, Methods: []string{"GET", "PUT"}, Headers: []string{"X-Amz-*", "Content-Type"}},
		{ID: "all", Origins: []string{"*"}, Methods: []string{"GET"}},
	}}
	for name, tt := range map[string]struct {
		origin, method string
		headers        []string
		want           string
	}{
		"the origin":                  {"https://app.example", "PUT", nil, "one"},
		"below the origin":            {"https://a.b.app.example", "PUT", nil, "one"},
		"headers in any case":         {"https://app.example", "PUT", []string{"x-amz-date", "CONTENT-TYPE"}, "one"},
		"another header":              {"https://app.example", "PUT", []string{"authorization"}, ""},
		"another method":              {"https://app.example", "DELETE", nil, ""},
		"another origin reads":        {"https://evil.example", "GET", nil, "all"},
		"another origin writes":       {"https://evil.example", "PUT", nil, ""},
		"a name that ends alike":      {"https://evilapp.example", "PUT", nil, ""},
		"a star wants two ends":       {"https://.app.exampl", "PUT", nil, ""},
		"origins are told by case":    {"https://APP.example", "PUT", nil, ""},
		"a page of no origin":         {"null", "PUT", nil, ""},
		"a page of no origin, reads":  {"null", "GET", nil, "all"},
		"headers where none are told": {"https://evil.example", "GET", []string{"x-amz-date"}, ""},
	} {
		got := ""
		if r := b.CORSRule(tt.origin, tt.method, tt.headers); r != nil {
			got = r.ID
		}
		if got != tt.want {
			t.Errorf("%s: rule %q, want %q", name, got, tt.want)
		}
	}
}

func TestCORSIsKeptAndChecked(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		r := open(t, db, objects, people{})
		n := create(t, r, red)
		if _, err := r.CORSRules(n); code(err) != "NoSuchCORSConfiguration" {
			t.Errorf("none yet: %v", err)
		}
		age := 60
		good := bucket.CORSRule{Origins: []string{"https://a.example"}, Methods: []string{"GET"}, MaxAge: &age}
		if err := r.PutCORS(t.Context(), n, []bucket.CORSRule{good}); err != nil {
			t.Fatal(err)
		}
		minus := -1
		for name, tt := range map[string]struct {
			rule bucket.CORSRule
			want string
		}{
			"no origin":         {bucket.CORSRule{Methods: []string{"GET"}}, "MalformedXML"},
			"no method":         {bucket.CORSRule{Origins: []string{"*"}}, "MalformedXML"},
			"another method":    {bucket.CORSRule{Origins: []string{"*"}, Methods: []string{"PATCH"}}, "InvalidRequest"},
			"two stars":         {bucket.CORSRule{Origins: []string{"https://*.*"}, Methods: []string{"GET"}}, "InvalidRequest"},
			"exposed stars":     {bucket.CORSRule{Origins: []string{"*"}, Methods: []string{"GET"}, Exposed: []string{"*"}}, "InvalidRequest"},
			"a split answer":    {bucket.CORSRule{Origins: []string{"*"}, Methods: []string{"GET"}, Exposed: []string{"a\r\nSet-Cookie: b"}}, "InvalidRequest"},
			"a negative age":    {bucket.CORSRule{Origins: []string{"*"}, Methods: []string{"GET"}, MaxAge: &minus}, "InvalidRequest"},
			"a very long value": {bucket.CORSRule{Origins: []string{strings.Repeat("a", 300)}, Methods: []string{"GET"}}, "InvalidRequest"},
		} {
			if err := r.PutCORS(t.Context(), n, []bucket.CORSRule{tt.rule}); code(err) != tt.want {
				t.Errorf("%s: %v, want %s", name, err, tt.want)
			}
		}
		if err := r.PutCORS(t.Context(), n, make([]bucket.CORSRule, bucket.MaxCORSRules+1)); code(err) != "InvalidRequest" {
			t.Errorf("too many: %v", err)
		}
		for _, again := range []*bucket.Registry{r, open(t, db, objects, people{})} {
			if rules, err := again.CORSRules(n); err != nil || len(rules) != 1 || *rules[0].MaxAge != 60 {
				t.Errorf("kept %+v, %v", rules, err)
			}
		}
		if err := r.PutCORS(t.Context(), n, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := r.CORSRules(n); code(err) != "NoSuchCORSConfiguration" {
			t.Errorf("none any more: %v", err)
		}
	})
}
