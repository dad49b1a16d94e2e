package scim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whatever is wrong with a token or a store, the answer is the same to the byte, but for the request id.
func TestAWrongTokenLearnsNothing(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u := h.user(t, "u")
		_, foreign, _, err := h.dir.CreateToken(t.Context(), other, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		_, short, _, err := h.dir.CreateToken(t.Context(), storeID, "", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		h.clock.Add(int64(time.Hour))
		var first string
		for _, c := range []struct{ name, store, authorization, path string }{
			{"no header", storeID, "", "/Users"},
			{"another scheme", storeID, "Basic " + h.token, "/Users"},
			{"no scheme", storeID, h.token, "/Users"},
			{"empty", storeID, "Bearer ", "/Users"},
			{"made up", storeID, "Bearer lgscim_00000000-0000-4000-8000-000000000000_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "/Users"},
			{"cut", storeID, "Bearer " + h.token[:len(h.token)-1], "/Users"},
			{"expired", storeID, "Bearer " + short, "/Users"},
			{"of another store", storeID, "Bearer " + foreign, "/Users"},
			{"good, in another store", other, "Bearer " + h.token, "/Users"},
			{"good, in no store", "d-ffffffffff", "Bearer " + h.token, "/Users"},
			{"good, in something else", "x", "Bearer " + h.token, "/Users"},
			{"for a user that is there", storeID, "Bearer x", "/Users/" + u},
			{"for a user that is not", storeID, "Bearer x", "/Users/nobody"},
			{"for no endpoint", storeID, "Bearer x", "/nothing"},
			{"for a document", storeID, "Bearer x", "/ServiceProviderConfig"},
		} {
			r := h.send(t, "GET", "/scim/v2/"+c.store+c.path, "", func(r *http.Request) {
				r.Header.Del("Authorization")
				if c.authorization != "" {
					r.Header.Set("Authorization", c.authorization)
				}
			})
			id, _ := r.get("exceptionRequestId").(string)
			text := strings.ReplaceAll(r.text, id, "")
			if first == "" {
				first = text
			}
			if r.status != 401 || text != first || r.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: %d %s, want 401 %s", c.name, r.status, text, first)
			}
		}
		if r := h.send(t, "GET", "/scim/v2/"+storeID+"/Users", "", func(r *http.Request) { r.Header.Set("Authorization", "bearer  "+h.token) }); r.status != 200 {
			t.Errorf("the good token, spelt otherwise: %d", r.status)
		}
	})
}

// A token is good for its own store: ids of another are not there, not as resources, not as members, not in filters.
func TestStoresAreApart(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		mine := h.user(t, "mine")
		g := h.group(t, "G", mine)
		_, theirs, _, err := h.dir.CreateToken(t.Context(), other, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		their := func(method, path, body string) reply {
			return h.send(t, method, "/scim/v2/"+other+path, body, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+theirs) })
		}
		for _, c := range []struct{ method, path, body string }{
			{"GET", "/Users/" + mine, ""}, {"PUT", "/Users/" + mine, `{"userName":"x"}`}, {"DELETE", "/Users/" + mine, ""}, {"DELETE", "/Groups/" + g, ""}, {"GET", "/Groups/" + g, ""},
			{"PATCH", "/Users/" + mine, `{"Operations":[{"op":"replace","path":"active","value":false}]}`},
			{"PATCH", "/Groups/" + g, `{"Operations":[{"op":"remove","path":"members"}]}`},
		} {
			if r := their(c.method, c.path, c.body); r.status != 404 {
				t.Errorf("%s %s: %d %s", c.method, c.path, r.status, r.text)
			}
		}
		if r := their("POST", "/Groups", `{"displayName":"G","members":[{"value":"`+mine+`"}]}`); r.status != 400 {
			t.Errorf("a foreign member: %d %s", r.status, r.text)
		}
		for _, path := range []string{"/Users", find("/Users", `userName eq "mine"`), find("/Users", `id eq "`+mine+`"`), find("/Groups", `members eq "`+mine+`"`), find("/Users", `userName pr`)} {
			if r := their("GET", path, ""); r.status != 200 || r.get("totalResults") != 0.0 {
				t.Errorf("%s: %d %s", path, r.status, r.text)
			}
		}
		if p, ok := h.dir.User(storeID, mine); !ok || !p.Enabled || !h.dir.Member(storeID, mine, g) {
			t.Error("another store's token changed something")
		}
	})
}

// Keys in the index are store/id. An id with a slash must not reach over.
func TestIDsDoNotReachOver(t *testing.T) {
	h := fresh(t)
	u := h.user(t, "u")
	for _, id := range []string{"..%2F" + storeID + "%2F" + u, other + "%2F" + u, "%00", "%27%20OR%201=1--", "%25", "_", "u%2F..%2F" + u, strings.Repeat("x", 5000)} {
		if r := h.do(t, "GET", "/Users/"+id, ""); r.status != 404 {
			t.Errorf("%.40s: %d %s", id, r.status, r.text)
		}
		if r := h.do(t, "DELETE", "/Users/"+id, ""); r.status != 404 {
			t.Errorf("delete %.40s: %d %s", id, r.status, r.text)
		}
	}
	for _, value := range []string{`' OR '1'='1`, `%`, `_`, `\`, `" or userName pr or userName eq "`} {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)
		if r := h.do(t, "GET", find("/Users", `userName eq "`+quoted+`"`), ""); r.status != 200 || r.get("totalResults") != 0.0 {
			t.Errorf("%s: %d %s", value, r.status, r.text)
		}
	}
}

// The audit log tells what was done, by which token, and holds neither the token nor what a body had of a person.
func TestTheTrail(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u := h.user(t, "u", `"title":"very-private"`, `"password":"hunter2"`)
		h.patch(t, "/Users/"+u, `{"op":"replace","path":"active","value":false}`)
		h.want(t, 404, "DELETE", "/Users/nobody", "")
		h.want(t, 204, "DELETE", "/Users/"+u, "")
		h.send(t, "GET", "/scim/v2/"+storeID+"/Users", "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer guessed-secret") })
		records, text := h.records(t)
		want := []struct{ name, code, account string }{
			{"CreateUser", "", account}, {"UpdateUser", "", account}, {"DeleteUser", "ResourceNotFoundException", account}, {"DeleteUser", "", account}, {"ListUsers", "UnauthorizedException", ""},
		}
		if len(records) != len(want) {
			t.Fatalf("%d records, want %d", len(records), len(want))
		}
		for i, w := range want {
			r := reply{body: records[i]}
			code, _ := r.get("errorCode").(string)
			recipient, _ := r.get("recipientAccountId").(string)
			if r.get("eventName") != w.name || code != w.code || recipient != w.account || r.get("eventSource") != "identitystore.amazonaws.com" {
				t.Errorf("record %d: %v", i, records[i])
			}
			if by, _ := r.get("userIdentity/principalId").(string); w.account != "" && !strings.Contains(h.token, by) {
				t.Errorf("record %d is by %q", i, by)
			}
		}
		for _, secret := range []string{h.token, h.token[44:], "hunter2", "very-private", "guessed-secret"} {
			if strings.Contains(text, secret) {
				t.Errorf("the audit log has %q", secret)
			}
		}
	})
}

// A request names a bounded number of members.
func TestTheMembersOfARequestAreBounded(t *testing.T) {
	h := fresh(t)
	var members []string
	for range 5001 {
		members = append(members, `{"value":"x"}`)
	}
	r := h.do(t, "POST", "/Groups", `{"displayName":"G","members":[`+strings.Join(members, ",")+`]}`)
	if r.status != 400 || r.get("scimType") != "tooMany" {
		t.Errorf("%d %s", r.status, r.text)
	}
}

// Who presents bad tokens is told to wait and stops writing into the audit log. A good token from the same address, which
// a provider shares with its other customers, is not kept out by it.
func TestBadTokensAreThrottled(t *testing.T) {
	h := fresh(t)
	from := func(ip, token string) reply {
		return h.send(t, "GET", "/scim/v2/"+storeID+"/Users", "", func(r *http.Request) {
			r.RemoteAddr = ip + ":4000"
			r.Header.Set("Authorization", "Bearer "+token)
		})
	}
	let := 0
	for ; from("192.0.2.1", "x").status == 401; let++ {
		if let > 1000 {
			t.Fatal("nothing bounds bad tokens")
		}
	}
	records, _ := h.records(t)
	before := len(records)
	r := from("192.0.2.1", "x")
	if after := r.header.Get("Retry-After"); r.status != 429 || after == "" || after == "0" || !strings.Contains(r.text, "messages:2.0:Error") {
		t.Errorf("after %d: %d %q %s", let, r.status, after, r.text)
	}
	if records, _ = h.records(t); len(records) != before {
		t.Errorf("%d records were written for throttled requests", len(records)-before)
	}
	if r := from("192.0.2.1", h.token); r.status != 200 {
		t.Errorf("the good token: %d", r.status)
	}
	if r := from("192.0.2.2", "x"); r.status != 401 {
		t.Errorf("another source: %d", r.status)
	}
	h.clock.Add(int64(time.Hour))
	if r := from("192.0.2.1", "x"); r.status != 401 {
		t.Errorf("an hour later: %d", r.status)
	}
}
