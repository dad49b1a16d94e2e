package scim_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// bulk sends operations and returns their statuses.
func (h *house) bulk(t *testing.T, more string, operations ...string) (statuses []string, r reply) {
	t.Helper()
	r = h.want(t, 200, "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],`+more+`"Operations":[`+strings.Join(operations, ",")+`]}`)
	list, _ := r.body["Operations"].([]any)
	for _, x := range list {
		m, _ := x.(map[string]any)
		s, _ := m["status"].(string)
		statuses = append(statuses, s)
	}
	return statuses, r
}

func (r reply) operation(i int) reply {
	list, _ := r.body["Operations"].([]any)
	m, _ := list[i].(map[string]any)
	return reply{body: m}
}

func TestBulk(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		// References to what comes later, to what came before, in a path, and in a PATCH.
		statuses, r := h.bulk(t, "",
			`{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"Red","members":[{"value":"bulkId:u"},{"value":"bulkId:v"}]}}`,
			`{"method":"post","path":"/Users","bulkId":"u","data":{`+core+`,"userName":"u","`+enterprise+`":{"manager":{"value":"bulkId:v"}}}}`,
			`{"method":"POST","path":"Users","bulkId":"v","data":{"userName":"v","active":false}}`,
			`{"method":"PATCH","path":"/Users/bulkId:v","data":{`+patchOp+`,"Operations":[{"op":"replace","path":"active","value":true}]}}`,
			`{"method":"PATCH","path":"/Groups/bulkId:g","data":{"Operations":[{"op":"remove","path":"members","value":[{"value":"bulkId:v"}]}]}}`,
		)
		if !slices.Equal(statuses, []string{"201", "201", "201", "200", "204"}) {
			t.Fatalf("%v: %s", statuses, r.text)
		}
		id := func(i int) string {
			at, _ := r.operation(i).get("location").(string)
			return at[strings.LastIndex(at, "/")+1:]
		}
		g, u, v := id(0), id(1), id(2)
		if !h.dir.Member(storeID, u, g) || h.dir.Member(storeID, v, g) {
			t.Error("the group has not the members of the request")
		}
		if p, ok := h.dir.User(storeID, v); !ok || !p.Enabled {
			t.Errorf("v is %+v", p)
		}
		if read := h.want(t, 200, "GET", "/Users/"+u, ""); read.get(enterprise+"/manager/value") != v {
			t.Errorf("u is %s", read.text)
		}
		if at := "http://127.0.0.1:9421/scim/v2/" + storeID + "/Users/" + u; r.operation(1).get("location") != at || r.operation(1).get("bulkId") != "u" || r.operation(3).get("version") == nil {
			t.Errorf("answered %s", r.text)
		}

		// Each fails alone, and what needs it fails with it.
		statuses, r = h.bulk(t, "",
			`{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"U"}}`,
			`{"method":"PATCH","path":"/Groups/`+g+`","data":{"Operations":[{"op":"add","path":"members","value":[{"value":"bulkId:a"}]}]}}`,
			`{"method":"PUT","path":"/Users/`+u+`","data":{"userName":"u2","title":"bulkId:nobody"}}`,
			`{"method":"DELETE","path":"/Users/nobody"}`,
			`{"method":"PUT","path":"/Users/`+u+`","version":"W/\"77\"","data":{"userName":"u2"}}`,
			`{"method":"DELETE","path":"/Users"}`,
			`{"method":"POST","path":"/Bulk","bulkId":"b","data":{"Operations":[]}}`,
			`{"method":"POST","path":"/.search","bulkId":"s","data":{}}`,
			`{"method":"POST","path":"/Groups","bulkId":"x","data":{"displayName":"X","members":[{"value":"bulkId:y"}]}}`,
			`{"method":"POST","path":"/Groups","bulkId":"y","data":{"displayName":"Y","members":[{"value":"bulkId:x"}]}}`,
			`{"method":"DELETE","path":"/Users/`+v+`"}`,
		)
		if want := []string{"409", "409", "400", "404", "412", "400", "400", "400", "409", "409", "204"}; !slices.Equal(statuses, want) {
			t.Errorf("%v, want %v: %s", statuses, want, r.text)
		}
		if r.operation(0).get("response/scimType") != "uniqueness" || r.operation(0).get("location") != nil || r.operation(3).get("location") == nil {
			t.Errorf("answered %s", r.text)
		}
		if h.dir.Users(storeID) != 1 || h.dir.Groups(storeID) != 1 {
			t.Errorf("%d users and %d groups", h.dir.Users(storeID), h.dir.Groups(storeID))
		}
	})
}

func TestBulkStopsAfterErrors(t *testing.T) {
	h := fresh(t)
	wrong := `{"method":"DELETE","path":"/Users/nobody"}`
	create := func(name string) string {
		return `{"method":"POST","path":"/Users","bulkId":"` + name + `","data":{"userName":"` + name + `"}}`
	}
	for n, want := range map[int][]string{1: {"201", "404"}, 2: {"201", "404", "201", "404"}, 3: {"201", "404", "201", "404", "201"}, 0: {"201", "404", "201", "404", "201"}} {
		name := func(i int) string { return fmt.Sprintf("u%d-%d", n, i) }
		statuses, r := h.bulk(t, fmt.Sprintf(`"failOnErrors":%d,`, n), create(name(1)), wrong, create(name(2)), wrong, create(name(3)))
		if !slices.Equal(statuses, want) {
			t.Errorf("failOnErrors %d: %v, want %v: %s", n, statuses, want, r.text)
		}
	}
}

func TestWhatIsNoBulk(t *testing.T) {
	h := fresh(t)
	made := `{"method":"POST","path":"/Users","bulkId":"u","data":{"userName":"u"}}`
	var much []string
	for range 501 {
		much = append(much, `{"method":"DELETE","path":"/Users/x"}`)
	}
	for _, c := range []struct {
		name, body string
		status     int
		scimType   any
	}{
		{"no operations", `{}`, 400, "invalidSyntax"},
		{"none", `{"Operations":[]}`, 400, "invalidSyntax"},
		{"an operation that is none", `{"Operations":[` + made + `,1]}`, 400, "invalidSyntax"},
		{"GET", `{"Operations":[` + made + `,{"method":"GET","path":"/Users"}]}`, 400, "invalidSyntax"},
		{"no method", `{"Operations":[{"path":"/Users"}]}`, 400, "invalidSyntax"},
		{"a bulkId twice", `{"Operations":[` + made + `,` + made + `]}`, 400, "invalidValue"},
		{"no bulkId", `{"Operations":[{"method":"POST","path":"/Users","data":{"userName":"u"}}]}`, 400, "invalidSyntax"},
		{"no data", `{"Operations":[` + made + `,{"method":"PATCH","path":"/Users/x"}]}`, 400, "invalidSyntax"},
		{"data of another kind", `{"Operations":[{"method":"PATCH","path":"/Users/x","data":"x"}]}`, 400, "invalidSyntax"},
		{"a path of another kind", `{"Operations":[{"method":"DELETE","path":7}]}`, 400, "invalidSyntax"},
		{"a number that is none", `{"failOnErrors":"x","Operations":[` + made + `]}`, 400, "invalidValue"},
		{"fewer errors than none", `{"failOnErrors":-1,"Operations":[` + made + `]}`, 400, "invalidValue"},
		{"too many", `{"Operations":[` + strings.Join(much, ",") + `]}`, 413, "tooMany"},
	} {
		if r := h.do(t, "POST", "/Bulk", c.body); r.status != c.status || r.get("scimType") != c.scimType {
			t.Errorf("%s: %d %s", c.name, r.status, r.text)
		}
	}
	if n := h.dir.Users(storeID); n != 0 {
		t.Errorf("%d users were made", n)
	}
	h.want(t, 405, "GET", "/Bulk", "")
}

// A token changes its own store in bulk and no other, and every operation has a record of its own.
func TestBulkIsRecorded(t *testing.T) {
	h := fresh(t)
	foreign := userNamed("x")
	foreign.StoreID = other
	theirs, err := h.dir.CreateUser(t.Context(), "test", foreign)
	if err != nil {
		t.Fatal(err)
	}
	statuses, _ := h.bulk(t, "", `{"method":"POST","path":"/Users","bulkId":"one","data":{"userName":"u"}}`, `{"method":"DELETE","path":"/Users/`+theirs.ID+`"}`, `{"method":"DELETE","path":"/../`+other+`/Users/`+theirs.ID+`"}`)
	if !slices.Equal(statuses, []string{"201", "404", "400"}) {
		t.Errorf("%v", statuses)
	}
	if _, ok := h.dir.User(other, theirs.ID); !ok {
		t.Error("a user of another store is gone")
	}
	records, _ := h.records(t)
	var got []string
	ids := map[any]bool{}
	for _, x := range records {
		r := reply{body: x}
		code, _ := r.get("errorCode").(string)
		got = append(got, fmt.Sprint(r.get("eventName"), " ", code))
		ids[r.get("eventID")] = true
		if by, _ := r.get("userIdentity/principalId").(string); by == "" || !strings.Contains(h.token, by) {
			text, _ := json.Marshal(x)
			t.Errorf("recorded %s", text)
		}
	}
	if want := []string{"CreateUser ", "DeleteUser ResourceNotFoundException", "Bulk "}; !slices.Equal(got, want) || len(ids) != len(want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}
