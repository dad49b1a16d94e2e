package scim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/directory"
)

func TestNestedMembers(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u := h.user(t, "ana", `"displayName":"Ana"`)
		low := h.group(t, "low", u)
		high := h.want(t, 201, "POST", "/Groups", `{"displayName":"high","members":[{"value":"`+low+`","type":"Group"}]}`)
		item, _ := high.body["members"].([]any)[0].(map[string]any)
		if item["value"] != low || item["type"] != "Group" || item["display"] != "low" || !strings.HasSuffix(fmt.Sprint(item["$ref"]), "/scim/v2/"+storeID+"/Groups/"+low) {
			t.Errorf("the member is %v", item)
		}
		if !h.dir.Member(storeID, u, high.id()) {
			t.Error("the person is not in the group above")
		}
		shown, _ := h.want(t, 200, "GET", "/Users/"+u, "").body["groups"].([]any)
		types := map[string]any{}
		for _, g := range shown {
			g := g.(map[string]any)
			types[g["value"].(string)] = g["type"]
		}
		if len(types) != 2 || types[low] != "direct" || types[high.id()] != "indirect" {
			t.Errorf("the groups of the person are %v", shown)
		}
		for filter, want := range map[string][]string{
			`members.value eq "` + u + `"`:                                  {low},
			`members.value eq "` + low + `"`:                                {high.id()},
			`id eq "` + high.id() + `" and members eq "` + low + `"`:        {high.id()},
			`id eq "` + high.id() + `" and members eq "` + u + `"`:          nil,
			`members[type eq "Group"].value eq "` + low + `"`:               {high.id()},
			`displayName eq "low" and members.value eq "` + high.id() + `"`: nil,
		} {
			if got := h.want(t, 200, "GET", find("/Groups", filter), "").ids(); !slices.Equal(got, want) {
				t.Errorf("%s finds %v, want %v", filter, got, want)
			}
		}
		// Users and groups in one list, the type in any case or not given, Entra's null reference.
		v := h.user(t, "bob")
		mid := h.group(t, "mid")
		if r := h.patch(t, "/Groups/"+high.id(), `{"op":"Add","path":"members","value":[{"value":"`+v+`","$ref":null},{"value":"`+mid+`"},{"value":"`+low+`","type":"group"}]}`); r.status != 204 {
			t.Fatal(r.status, r.text)
		}
		if list, _ := h.want(t, 200, "GET", "/Groups/"+high.id(), "").body["members"].([]any); len(list) != 3 {
			t.Errorf("the members are %v", list)
		}
		for _, op := range []string{
			`{"op":"remove","path":"members[value eq \"` + low + `\"]"}`,
			`{"op":"Remove","path":"members","value":[{"value":"` + mid + `","$ref":null}]}`,
		} {
			if r := h.patch(t, "/Groups/"+high.id(), op); r.status != 204 {
				t.Fatal(r.status, r.text)
			}
		}
		if h.dir.Member(storeID, u, high.id()) || len(h.dir.DirectGroupsOf(storeID, mid)) != 0 || !h.dir.Member(storeID, v, high.id()) {
			t.Error("the groups that were taken out are still in, or the person is not")
		}
		h.want(t, 200, "PUT", "/Groups/"+high.id(), `{"displayName":"high","members":[{"value":"`+low+`"}]}`)
		if !h.dir.Member(storeID, u, high.id()) || h.dir.Member(storeID, v, high.id()) {
			t.Error("the members were not replaced")
		}
		h.want(t, 204, "DELETE", "/Groups/"+low, "")
		if list, _ := h.want(t, 200, "GET", "/Groups/"+high.id(), "").body["members"].([]any); len(list) != 0 || len(h.dir.GroupsOf(storeID, u)) != 0 {
			t.Errorf("the deleted group left %v", list)
		}
	})
}

func TestNestedMembersAreRefused(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u := h.user(t, "ana")
		low := h.group(t, "low", u)
		high := h.group(t, "high", low)
		theirs, err := h.dir.CreateGroup(t.Context(), "test", directory.Group{StoreID: other, DisplayName: "theirs"})
		if err != nil {
			t.Fatal(err)
		}
		before := h.want(t, 200, "GET", "/Groups/"+low, "").text
		add := func(value string) string { return `{"op":"add","path":"members","value":[` + value + `]}` }
		for what, op := range map[string]string{
			"itself":                 add(`{"value":"` + low + `"}`),
			"a cycle":                add(`{"value":"` + high + `","type":"Group"}`),
			"a cycle by replacing":   `{"op":"replace","path":"members","value":[{"value":"` + high + `"}]}`,
			"a cycle without a path": `{"op":"replace","value":{"displayName":"new","members":[{"value":"` + high + `"}]}}`,
			"another store's group":  add(`{"value":"` + theirs.ID + `","type":"Group"}`),
			"a group as a user":      add(`{"value":"` + h.group(t, "mid") + `","type":"User"}`),
			"a user as a group":      add(`{"value":"` + h.user(t, "bob") + `","type":"Group"}`),
			"an unknown type":        add(`{"value":"` + h.user(t, "cy") + `","type":"Device"}`),
			"one bad among good":     add(`{"value":"` + h.user(t, "dee") + `"},{"value":"` + high + `"}`),
		} {
			r := h.patch(t, "/Groups/"+low, op)
			if r.status != 400 || r.get("scimType") != "invalidValue" {
				t.Errorf("%s: %d %s", what, r.status, r.text)
			}
			if strings.HasPrefix(what, "a cycle") && (!strings.Contains(r.text, `\"low\"`) || !strings.Contains(r.text, `\"high\"`)) {
				t.Errorf("%s: %s does not name the groups", what, r.text)
			}
			if now := h.want(t, 200, "GET", "/Groups/"+low, "").text; now != before {
				t.Errorf("%s left %s", what, now)
			}
		}
		if r := h.do(t, "PUT", "/Groups/"+low, `{"displayName":"low","members":[{"value":"`+high+`"}]}`); r.status != 400 {
			t.Errorf("a cycle by PUT: %d %s", r.status, r.text)
		}
		h.dir.Quotas.NestingDepth = 2
		if r := h.do(t, "POST", "/Groups", `{"displayName":"top","members":[{"value":"`+high+`"}]}`); r.status != 403 {
			t.Errorf("too long a chain: %d %s", r.status, r.text)
		}
		h.dir.Flat = true
		if r := h.patch(t, "/Groups/"+low, add(`{"value":"`+h.group(t, "flat")+`"}`)); r.status != 400 || !strings.Contains(r.text, "is not a user") {
			t.Errorf("a group where there are none in others: %d %s", r.status, r.text)
		}
	})
}
