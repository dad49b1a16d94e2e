package scim_test

import (
	"net/http"
	"strings"
	"testing"
)

// with sends a request with one more header.
func (h *house) with(t *testing.T, name, value, method, path, body string) reply {
	t.Helper()
	return h.send(t, method, "/scim/v2/"+storeID+path, body, func(r *http.Request) { r.Header.Set(name, value) })
}

func TestEntityTags(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		made := h.want(t, 201, "POST", "/Users", `{`+core+`,"userName":"u"}`)
		at, tag := "/Users/"+made.id(), made.header.Get("ETag")
		if !strings.HasPrefix(tag, `W/"`) || made.get("meta/version") != tag {
			t.Fatalf("the tag is %q, the version %v", tag, made.get("meta/version"))
		}
		if found := h.want(t, 200, "GET", find("/Users", `meta.version eq "`+strings.ReplaceAll(tag, `"`, `\"`)+`"`), ""); len(found.ids()) != 1 {
			t.Errorf("by version: %s", found.text)
		}
		for _, c := range []struct {
			name, header, value, method, body string
			status                            int
		}{
			{"not changed", "If-None-Match", tag, "GET", "", 304},
			{"not changed, in a list", "If-None-Match", `"x", ` + tag, "GET", "", 304},
			{"not changed, without W/", "If-None-Match", strings.TrimPrefix(tag, "W/"), "GET", "", 304},
			{"any", "If-None-Match", "*", "GET", "", 304},
			{"another", "If-None-Match", `W/"99"`, "GET", "", 200},
			{"read another", "If-Match", `W/"99"`, "GET", "", 412},
			{"put another", "If-Match", `W/"99"`, "PUT", `{"userName":"lost"}`, 412},
			{"patch another", "If-Match", `W/"99"`, "PATCH", `{"Operations":[{"op":"replace","path":"userName","value":"lost"}]}`, 412},
			{"delete another", "If-Match", `W/"99"`, "DELETE", "", 412},
			{"put if there is none", "If-None-Match", "*", "PUT", `{"userName":"lost"}`, 412},
			{"patch this", "If-Match", tag, "PATCH", `{"Operations":[{"op":"replace","path":"userName","value":"kept"}]}`, 200},
			{"patch this again", "If-Match", tag, "PATCH", `{"Operations":[{"op":"replace","path":"userName","value":"lost"}]}`, 412},
			{"any that is there", "If-Match", "*", "PATCH", `{"Operations":[{"op":"replace","path":"title","value":"x"}]}`, 200},
		} {
			r := h.with(t, c.header, c.value, c.method, at, c.body)
			if r.status != c.status || c.status == 304 && (r.text != "" || r.header.Get("ETag") != tag) {
				t.Errorf("%s: %d %s, want %d", c.name, r.status, r.text, c.status)
			}
		}
		now := h.want(t, 200, "GET", at, "")
		if now.get("userName") != "kept" {
			t.Errorf("the user is %s", now.text)
		}
		h.patch(t, at, `{"op":"replace","path":"title","value":"x"}`)
		if again := h.want(t, 200, "GET", at, ""); again.header.Get("ETag") != now.header.Get("ETag") {
			t.Error("what changes nothing changes the tag")
		}
		if r := h.with(t, "If-Match", now.header.Get("ETag"), "DELETE", at, ""); r.status != 204 {
			t.Errorf("delete: %d %s", r.status, r.text)
		}
		if r := h.with(t, "If-Match", "*", "PUT", at, `{"userName":"u"}`); r.status != 404 {
			t.Errorf("put to nobody: %d %s", r.status, r.text)
		}
	})
}

// The tag of a group changes with its members whichever face changes them, and that of a user with its groups: otherwise a
// client would hold on to what is no longer so.
func TestTagsFollowMembers(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u := h.user(t, "u")
		g := h.group(t, "G")
		seen := map[string]bool{}
		tags := func(what string, inGroup bool) {
			t.Helper()
			a, b := h.want(t, 200, "GET", "/Groups/"+g, ""), h.want(t, 200, "GET", "/Users/"+u, "")
			if seen[a.header.Get("ETag")] {
				t.Errorf("%s: the group still has the tag %s", what, a.header.Get("ETag"))
			}
			seen[a.header.Get("ETag")] = true
			if (b.get("groups/value") == g) != inGroup || strings.Contains(b.header.Get("ETag"), "-") != inGroup {
				t.Errorf("%s: the user is %s", what, b.text)
			}
		}
		tags("new", false)
		m, err := h.dir.Join(t.Context(), "test", storeID, g, u)
		if err != nil {
			t.Fatal(err)
		}
		tags("joined", true)
		if err := h.dir.Leave(t.Context(), storeID, m.ID); err != nil {
			t.Fatal(err)
		}
		tags("left", false)
		if r := h.patch(t, "/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+u+`"}]}`); r.status != 204 || r.header.Get("ETag") != h.want(t, 200, "GET", "/Groups/"+g, "").header.Get("ETag") {
			t.Errorf("patched: %d %q", r.status, r.header.Get("ETag"))
		}
		tags("patched", true)
		h.want(t, 204, "DELETE", "/Users/"+u, "")
		if a := h.want(t, 200, "GET", "/Groups/"+g, ""); seen[a.header.Get("ETag")] {
			t.Error("a removed user does not change the tag")
		}
		inner := h.group(t, "inner")
		if r := h.patch(t, "/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+inner+`"}]}`); r.status != 204 {
			t.Fatalf("nested: %d %s", r.status, r.text)
		}
		before := h.want(t, 200, "GET", "/Groups/"+g, "").header.Get("ETag")
		h.want(t, 204, "DELETE", "/Groups/"+inner, "")
		if after := h.want(t, 200, "GET", "/Groups/"+g, "").header.Get("ETag"); after == before {
			t.Error("a removed group does not change the tag of the group that it was in")
		}
	})
}
