package scim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// The scripts in testdata/dialects are what providers send, request by request, and what they have to get. A file of the
// archive is a step:
//
//	PATCH /Users/<u>
//	Content-Type: application/scim+json; charset=utf-8
//
//	{"Operations": [ … ]}
//	=> 200 unchanged
//	{"active": false, "title": null, "id": "<u>"}
//
// <u> is a variable: a reply gives it its value, requests and later replies use it. A reply has the members that are
// written down, and others; null is for none; of lists, every item is written down. "unchanged" says that the request made
// no revision: no refused one does, and no one that asks for what is so already.
func TestDialects(t *testing.T) {
	scripts, err := filepath.Glob("testdata/dialects/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(script)
			if err != nil {
				t.Fatal(err)
			}
			run(t, func(t *testing.T, h *house) {
				d := &dialect{house: h, known: map[string]string{}}
				for _, f := range archive.Files {
					d.step(t, f.Name, string(f.Data))
				}
			})
		})
	}
}

type dialect struct {
	*house
	known map[string]string
}

var variable = regexp.MustCompile(`<[a-z][a-z0-9]*>`)

func (d *dialect) fill(t *testing.T, s string) string {
	return variable.ReplaceAllStringFunc(s, func(v string) string {
		value, ok := d.known[v]
		if !ok {
			t.Fatalf("nothing has given %s a value", v)
		}
		return value
	})
}

func (d *dialect) step(t *testing.T, name, text string) {
	t.Helper()
	asked, wanted, ok := strings.Cut("\n"+text, "\n=> ")
	if !ok {
		t.Fatalf("%s: there is no reply", name)
	}
	head, body, _ := strings.Cut(strings.TrimPrefix(asked, "\n"), "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	method, path, _ := strings.Cut(d.fill(t, lines[0]), " ")
	before := d.db.Revision()
	r := d.send(t, method, "/scim/v2/"+storeID+path, d.fill(t, body), func(r *http.Request) {
		for _, line := range lines[1:] {
			k, v, _ := strings.Cut(line, ": ")
			r.Header.Set(k, d.fill(t, v))
		}
	})
	status, want, _ := strings.Cut(wanted, "\n")
	status, unchanged := strings.CutSuffix(status, " unchanged")
	code, err := strconv.Atoi(status)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if r.status != code {
		t.Fatalf("%s: %s %s\n%d %s, want %d", name, method, path, r.status, r.text, code)
	}
	if after := d.db.Revision(); (unchanged || code >= 400) && after != before {
		t.Errorf("%s: revision %d became %d", name, before, after)
	}
	want = strings.TrimSpace(want)
	if want == "" {
		if code == http.StatusNoContent && r.text != "" {
			t.Errorf("%s: got %s", name, r.text)
		}
		return
	}
	var expected any
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatalf("%s: the reply: %v", name, err)
	}
	if why := d.differs("", expected, r.body); why != "" {
		t.Fatalf("%s: %s\n%s", name, why, r.text)
	}
}

// differs says where a reply is not as written down.
func (d *dialect) differs(at string, want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %v, want an object", at, got)
		}
		for k, w := range want {
			if why := d.differs(at+"/"+k, w, m[k]); why != "" {
				return why
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Sprintf("%s is %v, want %d items", at, got, len(want))
		}
		for i, w := range want {
			if why := d.differs(at+"/"+strconv.Itoa(i), w, list[i]); why != "" {
				return why
			}
		}
		return ""
	case string:
		if value, ok := got.(string); ok && variable.FindString(want) == want && d.known[want] == "" {
			d.known[want] = value
			return ""
		}
		for v, value := range d.known {
			want = strings.ReplaceAll(want, v, value)
		}
		if want != got {
			return fmt.Sprintf("%s is %v, want %s", at, got, want)
		}
		return ""
	}
	if want != got {
		return fmt.Sprintf("%s is %v, want %v", at, got, want)
	}
	return ""
}

// Entra and ssosync put many members into one request; AWS takes a hundred.
func TestManyMembersInARequest(t *testing.T) {
	h := fresh(t)
	var list []string
	for i := range 150 {
		u, err := h.dir.CreateUser(t.Context(), "test", userNamed(fmt.Sprintf("u%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, `{"$ref":null,"value":"`+u.ID+`"}`)
	}
	g := h.group(t, "All")
	all := strings.Join(list, ",")
	for _, c := range []struct {
		operation string
		want      int
	}{
		{`{"op":"Add","path":"members","value":[` + all + `]}`, 150},
		{`{"op":"Add","path":"members","value":[` + all + `]}`, 150},
		{`{"op":"Remove","path":"members","value":[` + strings.Join(list[:120], ",") + `]}`, 30},
		{`{"op":"Remove","path":"members","value":[]}`, 30},
		{`{"op":"replace","path":"members","value":[` + all + `]}`, 150},
	} {
		if r := h.patch(t, "/Groups/"+g, c.operation); r.status != 204 {
			t.Fatalf("%.60s: %d %s", c.operation, r.status, r.text)
		}
		read := h.want(t, 200, "GET", "/Groups/"+g, "")
		if members, _ := read.body["members"].([]any); len(members) != c.want {
			t.Errorf("%.60s: %d members, want %d", c.operation, len(members), c.want)
		}
	}
}
