package scim_test

import (
	"fmt"
	"strings"
	"testing"
)

// What identity providers send, in the words in which they send it.

func TestEntra(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		probe := h.want(t, 200, "GET", find("/Users", `userName eq "3b0f2a2c-9d44-4a67-9fb7-5f3a5a8bb0ce"`), "")
		if probe.get("totalResults") != 0.0 || probe.get("itemsPerPage") != 0.0 || probe.body["Resources"] == nil {
			t.Errorf("the probe got %s", probe.text)
		}
		made := h.want(t, 201, "POST", "/Users?aadOptscim062020", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","`+enterprise+`","urn:example:unknown"],
			"externalId":"oid-mateo","userName":"mateo@example.com","active":"True","addresses":null,"roles":[],"displayName":"Mateo",
			"emails":[{"primary":true,"type":"work","value":"mateo@example.com"}],"meta":{"resourceType":"User"},
			"name":{"formatted":"Mateo Jackson","familyName":"Jackson","givenName":"Mateo"},
			"`+enterprise+`":{"department":"Red","manager":"boss"},"urn:example:unknown":{"x":1}}`)
		at := "/Users/" + made.id()
		if loc := "http://127.0.0.1:9421/scim/v2/" + storeID + at; made.header.Get("Location") != loc || made.get("meta/location") != loc {
			t.Errorf("location %q, meta.location %v, want %s", made.header.Get("Location"), made.get("meta/location"), loc)
		}
		if made.get("active") != true || made.get(enterprise+"/manager/value") != "boss" || made.get("externalId") != "oid-mateo" || made.get("roles") != nil {
			t.Errorf("created %s", made.text)
		}
		for name, c := range map[string]struct{ filter, attributes string }{
			"userName":             {`userName eq "MATEO@example.com"`, ""},
			"externalId":           {`externalId eq "oid-mateo"`, ""},
			"externalId, no quote": {`externalId eq oid-mateo`, ""},
			"work email":           {`emails[type eq "work"].value eq "mateo@example.com"`, ""},
			"manager":              {`id eq "` + made.id() + `" and manager eq "boss"`, "&attributes=id"},
		} {
			found := h.want(t, 200, "GET", find("/Users", c.filter)+c.attributes, "")
			if ids := found.ids(); len(ids) != 1 || ids[0] != made.id() {
				t.Errorf("%s: found %s", name, found.text)
			}
		}
		for _, c := range []struct {
			name, operation, path string
			want                  any
		}{
			{"disable", `{"op":"Replace","path":"active","value":"False"}`, "active", false},
			{"enable", `{"op":"Replace","path":"active","value":"True"}`, "active", true},
			{"email", `{"op":"Replace","path":"emails[type eq \"work\"].value","value":"mj@example.com"}`, "emails/value", "mj@example.com"},
			{"phone that is not there", `{"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"+51"}`, "phoneNumbers/type", "mobile"},
			{"street", `{"op":"Add","path":"addresses[type eq \"work\"].streetAddress","value":"Main 1"}`, "addresses/streetAddress", "Main 1"},
			{"role", `{"op":"Add","path":"roles[primary eq \"True\"].value","value":"reader"}`, "roles/primary", true},
			{"given name", `{"op":"Replace","path":"name.givenName","value":"M"}`, "name/givenName", "M"},
			{"department", `{"op":"Replace","path":"` + enterprise + `:department","value":"Blue"}`, enterprise + "/department", "Blue"},
			{"manager as a text", `{"op":"Add","path":"` + enterprise + `:manager","value":"b2"}`, enterprise + "/manager/value", "b2"},
			{"manager as a list", `{"op":"Add","path":"` + enterprise + `:manager","value":[{"$ref":"http://x/Users/b3","value":"b3"}]}`, enterprise + "/manager/value", "b3"},
			{"manager by its short name", `{"op":"Replace","path":"manager","value":"b4"}`, enterprise + "/manager/value", "b4"},
			{"manager's value", `{"op":"Replace","path":"` + enterprise + `:manager.value","value":"b5"}`, enterprise + "/manager/value", "b5"},
			{"no manager", `{"op":"Replace","path":"` + enterprise + `:manager","value":""}`, enterprise + "/manager", nil},
			{"manager again", `{"op":"Add","path":"manager","value":{"value":"b6"}}`, enterprise + "/manager/value", "b6"},
			{"manager removed", `{"op":"Remove","path":"` + enterprise + `:manager"}`, enterprise + "/manager", nil},
			{"many at once", `{"op":"replace","value":{"displayName":"b","name.givenName":"K","` + enterprise + `:employeeNumber":"A","emails[type eq \"work\"].value":"k@example.com","unknown":"x"}}`, "name/givenName", "K"},
			{"… and the number", `{"op":"replace","value":{"nickName":"n"}}`, enterprise + "/employeeNumber", "A"},
			{"… and the email", `{"op":"replace","value":{"nickName":"n"}}`, "emails/value", "k@example.com"},
			{"extension as a whole", `{"op":"replace","path":"` + enterprise + `","value":{"division":"d"}}`, enterprise + "/division", "d"},
			{"user name without a path", `{"op":"Replace","value":{"userName":"new@example.com"}}`, "userName", "new@example.com"},
			{"title taken away", `{"op":"Remove","path":"title"}`, "title", nil},
		} {
			r := h.patch(t, at, c.operation)
			if r.status != 200 || r.get(c.path) != c.want {
				t.Errorf("%s: %d, %s = %v, want %v\n%s", c.name, r.status, c.path, r.get(c.path), c.want, r.text)
			}
			if again := h.want(t, 200, "GET", at, ""); again.get(c.path) != c.want {
				t.Errorf("%s: read %v, want %v", c.name, again.get(c.path), c.want)
			}
		}
		h.want(t, 204, "DELETE", at, "")
		h.want(t, 404, "GET", at, "")
		h.want(t, 404, "DELETE", at, "")
	})
}

func TestEntraGroups(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u1, u2 := h.user(t, "u1"), h.user(t, "u2")
		made := h.want(t, 201, "POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
			"externalId":"oid-red","displayName":"Red","meta":{"resourceType":"Group"}}`)
		at := "/Groups/" + made.id()
		if list, ok := made.body["members"].([]any); !ok || len(list) != 0 {
			t.Errorf("created %s, want an empty list of members", made.text)
		}
		for _, f := range []string{`displayName eq "Red"`, `displayName eq "rED"`, `externalId eq "oid-red"`} {
			found := h.want(t, 200, "GET", find("/Groups", f)+"&excludedAttributes=members", "")
			if ids := found.ids(); len(ids) != 1 || ids[0] != made.id() || found.get("Resources/members") != nil {
				t.Errorf("%s: found %s", f, found.text)
			}
		}
		isMember := func(id string) bool {
			asked := h.want(t, 200, "GET", find("/Groups", `id eq "`+made.id()+`" and members eq "`+id+`"`)+"&attributes=id", "")
			listed := h.want(t, 200, "GET", find("/Groups", `members.value eq "`+id+`"`), "")
			in := h.dir.Member(storeID, id, made.id())
			if (len(asked.ids()) == 1) != in || (len(listed.ids()) == 1) != in {
				t.Errorf("asked %s, listed %s, in the index %v", asked.text, listed.text, in)
			}
			return in
		}
		for _, c := range []struct {
			name, operation string
			want1, want2    bool
		}{
			{"add", `{"op":"Add","path":"members","value":[{"$ref":null,"value":"` + u1 + `"}]}`, true, false},
			{"add again", `{"op":"Add","path":"members","value":[{"$ref":null,"value":"` + u1 + `"}]}`, true, false},
			{"add another", `{"op":"add","path":"members","value":[{"value":"` + u2 + `","display":"U 2"}]}`, true, true},
			{"remove by a list", `{"op":"Remove","path":"members","value":[{"$ref":null,"value":"` + u1 + `"}]}`, false, true},
			{"remove by a filter", `{"op":"remove","path":"members[value eq \"` + u2 + `\"]"}`, false, false},
			{"remove who is not in", `{"op":"remove","path":"members[value eq \"` + u2 + `\"]"}`, false, false},
			{"replace", `{"op":"replace","path":"members","value":[{"value":"` + u1 + `"},{"value":"` + u2 + `"}]}`, true, true},
			{"remove two by a filter", `{"op":"remove","path":"members[value eq \"` + u1 + `\" or value eq \"` + u2 + `\"]"}`, false, false},
			{"add without a path", `{"op":"add","value":{"members":[{"value":"` + u1 + `"}]}}`, true, false},
			{"one object", `{"op":"add","path":"members","value":{"value":"` + u2 + `"}}`, true, true},
			{"remove all", `{"op":"remove","path":"members"}`, false, false},
		} {
			if r := h.patch(t, at, c.operation); r.status != 204 || r.text != "" {
				t.Errorf("%s: %d %s, want 204", c.name, r.status, r.text)
			}
			if isMember(u1) != c.want1 || isMember(u2) != c.want2 {
				t.Errorf("%s: members are %v and %v", c.name, isMember(u1), isMember(u2))
			}
		}
		if r := h.patch(t, at, `{"op":"add","path":"members","value":[{"value":"`+u1+`"}]}`, `{"op":"remove","path":"members","value":[{"value":"`+u1+`"}]}`); r.status != 204 || isMember(u1) {
			t.Errorf("added and removed in one request: %d", r.status)
		}
		if r := h.patch(t, at, `{"op":"replace","value":{"id":"`+made.id()+`","displayName":"Reds","externalId":"oid-2"}}`); r.status != 204 {
			t.Errorf("renamed: %d %s", r.status, r.text)
		}
		read := h.want(t, 200, "GET", at, "")
		if read.get("displayName") != "Reds" || read.get("externalId") != "oid-2" {
			t.Errorf("read %s", read.text)
		}
		h.want(t, 204, "DELETE", at, "")
		h.want(t, 404, "DELETE", at, "")
	})
}

func TestOkta(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.want(t, 200, "GET", "/Users?startIndex=1&count=2", "")
		made := h.want(t, 201, "POST", "/Users", `{`+core+`,"userName":"ana@example.com","name":{"givenName":"Ana","familyName":"R"},"emails":[{"primary":true,"value":"ana@example.com","type":"work"}],
			"displayName":"Ana R","locale":"en-US","externalId":"00u1","groups":[],"password":"S3cret-and-ignored","active":true}`)
		if made.get("password") != nil || strings.Contains(made.text, "S3cret") {
			t.Errorf("created %s", made.text)
		}
		at := "/Users/" + made.id()
		found := h.want(t, 200, "GET", find("/Users", `userName eq "ana@example.com"`)+"&startIndex=1&count=100", "")
		if found.get("totalResults") != 1.0 || found.get("startIndex") != 1.0 || found.get("itemsPerPage") != 1.0 {
			t.Errorf("found %s", found.text)
		}
		// Okta reads the user and puts all of it back, changed.
		whole := strings.Replace(h.want(t, 200, "GET", at, "").text, `"Ana R"`, `"Ana Rivera"`, 1)
		put := h.want(t, 200, "PUT", at, whole)
		if put.get("displayName") != "Ana Rivera" || put.get("emails/value") != "ana@example.com" || put.id() != made.id() {
			t.Errorf("put %s", put.text)
		}
		off := h.patch(t, at, `{"op":"replace","value":{"active":false}}`)
		if p, _ := h.dir.User(storeID, made.id()); off.status != 200 || off.get("active") != false || p.Enabled {
			t.Errorf("deactivated: %d %s", off.status, off.text)
		}
		if found := h.want(t, 200, "GET", find("/Users", `userName eq "ana@example.com"`), ""); found.get("totalResults") != 1.0 {
			t.Error("an inactive user is not found")
		}
		g := h.want(t, 201, "POST", "/Groups", `{"displayName":"T","members":[]}`)
		if r := h.patch(t, "/Groups/"+g.id(), `{"op":"replace","value":{"id":"`+g.id()+`","displayName":"T2"}}`); r.status != 204 {
			t.Errorf("renamed: %d %s", r.status, r.text)
		}
		if r := h.patch(t, "/Groups/"+g.id(), `{"op":"replace","value":{"id":"somebody-else","displayName":"T3"}}`); r.status != 400 || r.get("scimType") != "mutability" {
			t.Errorf("another id: %d %s", r.status, r.text)
		}
	})
}

func TestSsosync(t *testing.T) {
	h := fresh(t)
	var members []string
	for i := range 100 {
		members = append(members, `{"value":"`+h.user(t, fmt.Sprintf("u%d", i))+`"}`)
	}
	g := h.group(t, "All")
	if r := h.patch(t, "/Groups/"+g, `{"op":"add","path":"members","value":[`+strings.Join(members, ",")+`]}`); r.status != 204 {
		t.Fatalf("a hundred members: %d %s", r.status, r.text)
	}
	read := h.want(t, 200, "GET", "/Groups/"+g, "")
	if list, _ := read.body["members"].([]any); len(list) != 100 {
		t.Errorf("the group has %d members", len(list))
	}
}

func TestDeletingAPersonEndsMemberships(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u := h.user(t, "u")
		g := h.group(t, "G", u)
		shown := h.want(t, 200, "GET", "/Users/"+u, "")
		if shown.get("groups/value") != g || shown.get("groups/display") != "G" {
			t.Errorf("the user's groups: %s", shown.text)
		}
		if found := h.want(t, 200, "GET", find("/Users", `groups.value eq "`+g+`"`), ""); len(found.ids()) != 1 {
			t.Errorf("by group: %s", found.text)
		}
		h.want(t, 204, "DELETE", "/Users/"+u, "")
		if _, ok := h.dir.User(storeID, u); ok || len(h.dir.GroupsOf(storeID, u)) != 0 {
			t.Error("the index still has the user")
		}
		if list, _ := h.want(t, 200, "GET", "/Groups/"+g, "").body["members"].([]any); len(list) != 0 {
			t.Errorf("the group still has %v", list)
		}
	})
}
