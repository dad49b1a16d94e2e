package devidp

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// recorder is a SCIM endpoint that is as stubborn as AWS's: it never shows the members of a group, takes one value for
// an attribute, at most 100 membership changes in a request and the filters that it documents. It writes every request
// down.
type recorder struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	users    map[string]*recordedUser
	groups   map[string]*recordedGroup
	requests []recorded
	serial   int
	// intercept, when set, may answer in the recorder's place.
	intercept func(w http.ResponseWriter, r *http.Request) bool
}

type recorded struct {
	method, path, filter string
	body                 map[string]any
	header               http.Header
}

func (r recorded) String() string {
	s := r.method + " " + r.path
	if r.filter != "" {
		s += " " + r.filter
	}
	return s
}

type recordedUser struct {
	id, externalID, userName, displayName, given, family, email string
	active                                                      bool
}

type recordedGroup struct {
	id, externalID, displayName string
	members                     map[string]bool
}

const recorderToken = "the-bearer-token"

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	rec := &recorder{t: t, users: map[string]*recordedUser{}, groups: map[string]*recordedGroup{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /scim/v2/Users", rec.listUsers)
	mux.HandleFunc("POST /scim/v2/Users", rec.createUser)
	mux.HandleFunc("PATCH /scim/v2/Users/{id}", rec.patchUser)
	mux.HandleFunc("DELETE /scim/v2/Users/{id}", rec.deleteUser)
	mux.HandleFunc("GET /scim/v2/Groups", rec.listGroups)
	mux.HandleFunc("POST /scim/v2/Groups", rec.createGroup)
	mux.HandleFunc("PATCH /scim/v2/Groups/{id}", rec.patchGroup)
	mux.HandleFunc("DELETE /scim/v2/Groups/{id}", rec.deleteGroup)
	rec.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		in := recorded{method: r.Method, path: strings.TrimPrefix(r.URL.Path, "/scim/v2"), filter: r.URL.Query().Get("filter"), header: r.Header}
		if data, err := io.ReadAll(r.Body); err == nil && len(data) > 0 {
			if err := json.Unmarshal(data, &in.body); err != nil {
				t.Errorf("%s: body is no JSON: %v", in, err)
			}
			r.Body = io.NopCloser(strings.NewReader(string(data)))
		}
		rec.requests = append(rec.requests, in)
		if rec.intercept != nil && rec.intercept(w, r) {
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+recorderToken {
			rec.refuse(w, http.StatusUnauthorized, "token")
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(rec.Close)
	return rec
}

func (rec *recorder) target() Target { return Target{rec.URL + "/scim/v2", recorderToken} }

// take returns the requests since the last call.
func (rec *recorder) take() []recorded {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	out := rec.requests
	rec.requests = nil
	return out
}

// writes are the requests that change something, as "METHOD /path".
func writes(requests []recorded) []string {
	var out []string
	for _, r := range requests {
		if r.method != http.MethodGet {
			out = append(out, r.String())
		}
	}
	return out
}

// world is what the endpoint holds, by names.
func (rec *recorder) world() (people map[string]string, members map[string][]string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	people, members = map[string]string{}, map[string][]string{}
	for _, u := range rec.users {
		people[u.externalID] = fmt.Sprintf("%s|%s|%s|%s|%s|%v", u.userName, u.displayName, u.given, u.family, u.email, u.active)
	}
	for _, g := range rec.groups {
		members[g.displayName] = []string{}
		for id := range g.members {
			members[g.displayName] = append(members[g.displayName], rec.users[id].userName)
		}
		slices.Sort(members[g.displayName])
	}
	return people, members
}

func (rec *recorder) refuse(w http.ResponseWriter, status int, detail string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"}, "status": fmt.Sprint(status), "detail": detail})
}

func (rec *recorder) nextID() string {
	rec.serial++
	return fmt.Sprintf("id-%04d", rec.serial)
}

func (rec *recorder) reply(w http.ResponseWriter, resources []any) {
	json.NewEncoder(w).Encode(map[string]any{
		"schemas":      []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": len(resources), "itemsPerPage": len(resources), "startIndex": 1, "Resources": resources,
	})
}

var (
	simpleFilter = regexp.MustCompile(`^(\w+) eq "([^"\\]*)"$`)
	memberFilter = regexp.MustCompile(`^id eq "([^"\\]*)" and members eq "([^"\\]*)"$`)
)

func (rec *recorder) listUsers(w http.ResponseWriter, r *http.Request) {
	m := simpleFilter.FindStringSubmatch(r.URL.Query().Get("filter"))
	if m == nil || m[1] != "userName" && m[1] != "externalId" {
		rec.refuse(w, http.StatusBadRequest, "filter")
		return
	}
	found := []any{}
	for _, id := range slices.Sorted(maps.Keys(rec.users)) {
		u := rec.users[id]
		if m[1] == "externalId" && u.externalID == m[2] || m[1] == "userName" && strings.EqualFold(u.userName, m[2]) {
			found = append(found, map[string]any{
				"id": u.id, "externalId": u.externalID, "userName": u.userName, "displayName": u.displayName, "active": u.active,
				"name":   map[string]string{"givenName": u.given, "familyName": u.family},
				"emails": []map[string]any{{"value": u.email, "type": "work", "primary": true}},
			})
		}
	}
	rec.reply(w, found)
}

func (rec *recorder) createUser(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ExternalID, UserName, DisplayName string
		Active                            bool
		Name                              struct{ GivenName, FamilyName string }
		Emails                            []struct {
			Value, Type string
			Primary     bool
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.UserName == "" || in.DisplayName == "" || in.Name.GivenName == "" || in.Name.FamilyName == "" || len(in.Emails) != 1 || !in.Emails[0].Primary {
		rec.refuse(w, http.StatusBadRequest, "user")
		return
	}
	for _, u := range rec.users {
		if strings.EqualFold(u.userName, in.UserName) {
			rec.refuse(w, http.StatusConflict, "userName")
			return
		}
	}
	u := &recordedUser{rec.nextID(), in.ExternalID, in.UserName, in.DisplayName, in.Name.GivenName, in.Name.FamilyName, in.Emails[0].Value, in.Active}
	rec.users[u.id] = u
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(map[string]string{"id": u.id})
}

// operations reads the body of a PATCH as Entra writes it.
func (rec *recorder) operations(w http.ResponseWriter, r *http.Request) ([]patchOp, bool) {
	var in struct {
		Schemas    []string
		Operations []patchOp
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !slices.Equal(in.Schemas, []string{urnPatch}) || len(in.Operations) == 0 {
		rec.refuse(w, http.StatusBadRequest, "patch")
		return nil, false
	}
	return in.Operations, true
}

func (rec *recorder) patchUser(w http.ResponseWriter, r *http.Request) {
	u := rec.users[r.PathValue("id")]
	if u == nil {
		rec.refuse(w, http.StatusNotFound, "user")
		return
	}
	ops, ok := rec.operations(w, r)
	if !ok {
		return
	}
	for _, op := range ops {
		field := map[string]*string{
			"externalId": &u.externalID, "userName": &u.userName, "displayName": &u.displayName,
			"name.givenName": &u.given, "name.familyName": &u.family, `emails[type eq "work"].value`: &u.email,
		}[op.Path]
		value, isString := op.Value.(string)
		switch {
		case op.Path == "active" && op.Op == "Replace" && isString && (value == "True" || value == "False"):
			u.active = value == "True"
		case field != nil && isString && (op.Op == "Replace" && *field != "" || op.Op == "Add" && *field == ""):
			*field = value
		default:
			rec.refuse(w, http.StatusBadRequest, fmt.Sprintf("operation %+v", op))
			return
		}
	}
	json.NewEncoder(w).Encode(map[string]string{"id": u.id})
}

func (rec *recorder) deleteUser(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if rec.users[id] == nil {
		rec.refuse(w, http.StatusNotFound, "user")
		return
	}
	delete(rec.users, id)
	for _, g := range rec.groups {
		delete(g.members, id)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (rec *recorder) listGroups(w http.ResponseWriter, r *http.Request) {
	filter := r.URL.Query().Get("filter")
	found := []any{}
	if m := memberFilter.FindStringSubmatch(filter); m != nil {
		if rec.users[m[2]] == nil {
			rec.refuse(w, http.StatusNotFound, "member")
			return
		}
		if g := rec.groups[m[1]]; g != nil && g.members[m[2]] {
			found = append(found, map[string]any{"id": g.id})
		}
		rec.reply(w, found)
		return
	}
	m := simpleFilter.FindStringSubmatch(filter)
	if m == nil || m[1] != "displayName" && m[1] != "externalId" {
		rec.refuse(w, http.StatusBadRequest, "filter")
		return
	}
	for _, id := range slices.Sorted(maps.Keys(rec.groups)) {
		g := rec.groups[id]
		if m[1] == "externalId" && g.externalID == m[2] || m[1] == "displayName" && g.displayName == m[2] {
			found = append(found, map[string]any{"id": g.id, "externalId": g.externalID, "displayName": g.displayName, "members": []any{}})
		}
	}
	rec.reply(w, found)
}

func (rec *recorder) createGroup(w http.ResponseWriter, r *http.Request) {
	var in struct{ ExternalID, DisplayName string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.DisplayName == "" {
		rec.refuse(w, http.StatusBadRequest, "group")
		return
	}
	for _, g := range rec.groups {
		if g.displayName == in.DisplayName {
			rec.refuse(w, http.StatusConflict, "displayName")
			return
		}
	}
	g := &recordedGroup{rec.nextID(), in.ExternalID, in.DisplayName, map[string]bool{}}
	rec.groups[g.id] = g
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(map[string]string{"id": g.id})
}

func (rec *recorder) patchGroup(w http.ResponseWriter, r *http.Request) {
	g := rec.groups[r.PathValue("id")]
	if g == nil {
		rec.refuse(w, http.StatusNotFound, "group")
		return
	}
	ops, ok := rec.operations(w, r)
	if !ok {
		return
	}
	changes := 0
	for _, op := range ops {
		switch value := op.Value.(type) {
		case string:
			if field := map[string]*string{"displayName": &g.displayName, "externalId": &g.externalID}[op.Path]; field != nil {
				*field = value
				continue
			}
		case []any:
			if op.Path != "members" || op.Op != "Add" && op.Op != "Remove" {
				break
			}
			for _, v := range value {
				id, _ := v.(map[string]any)["value"].(string)
				if changes++; rec.users[id] == nil || changes > 100 {
					rec.refuse(w, http.StatusBadRequest, "members")
					return
				}
				if op.Op == "Add" {
					g.members[id] = true
				} else {
					delete(g.members, id)
				}
			}
			continue
		}
		rec.refuse(w, http.StatusBadRequest, fmt.Sprintf("operation %+v", op))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (rec *recorder) deleteGroup(w http.ResponseWriter, r *http.Request) {
	if rec.groups[r.PathValue("id")] == nil {
		rec.refuse(w, http.StatusNotFound, "group")
		return
	}
	delete(rec.groups, r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
}
