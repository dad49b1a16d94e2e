package scim_test

import (
	"strconv"
	"strings"
	"testing"
)

// AWS keeps one email, phone, address and role, and no photos. Here a person keeps what the provider has, up to a bound.
func TestAttributesHaveManyItems(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for _, name := range []string{"emails", "phoneNumbers", "photos", "ims", "roles", "entitlements", "addresses"} {
			value := map[bool]string{false: "value", true: "streetAddress"}[name == "addresses"]
			item := func(i int) string {
				return `{"` + value + `":"` + name + strconv.Itoa(i) + `","type":"` + []string{"work", "home", "other"}[i%3] + `"` + map[bool]string{true: `,"primary":true`}[i == 1] + `}`
			}
			list := func(n int) string {
				var all []string
				for i := range n {
					all = append(all, item(i))
				}
				return `[` + strings.Join(all, ",") + `]`
			}
			u := h.user(t, "of-"+name, `"`+name+`":`+list(3))
			count := func(r reply) int { l, _ := r.body[name].([]any); return len(l) }
			if r := h.want(t, 200, "GET", "/Users/"+u, ""); count(r) != 3 || !strings.Contains(r.text, name+"2") {
				t.Errorf("%s: %s", name, r.text)
			}
			if r := h.patch(t, "/Users/"+u, `{"op":"add","path":"`+name+`","value":`+item(7)+`}`); r.status != 200 || count(r) != 4 {
				t.Errorf("%s added: %s", name, r.text)
			}
			if r := h.patch(t, "/Users/"+u, `{"op":"remove","path":"`+name+`[`+value+` eq \"`+name+`0\"]"}`); r.status != 200 || count(r) != 3 || strings.Contains(r.text, name+`0"`) {
				t.Errorf("%s removed: %s", name, r.text)
			}
			if r := h.patch(t, "/Users/"+u, `{"op":"replace","path":"`+name+`","value":`+list(21)+`}`); r.status != 400 || r.get("scimType") != "invalidValue" {
				t.Errorf("21 %s: %d %s", name, r.status, r.text)
			}
			if r := h.want(t, 200, "GET", find("/Users", name+`[type eq "home" and primary eq true].`+value+` eq "`+name+`1"`), ""); len(r.ids()) != 1 {
				t.Errorf("%s found: %s", name, r.text)
			}
		}
	})
}
