package scimprobe

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// person is somebody whom the probe made.
type person struct{ id, userName, externalID string }

func (u person) path() string { return "/Users/" + u.id }

// all asks everything. What needs something that is not there is skipped.
func (p *probe) all(ctx context.Context) {
	if !p.step(ctx, "connect: list people with the token", p.connect) {
		p.skip("there is no endpoint to ask further", "everything else")
		return
	}
	p.step(ctx, "refuse a wrong token", p.wrongToken)
	p.step(ctx, "say what the server can do", p.serviceConfig)
	p.step(ctx, "find nobody as an empty list", p.findNobody)
	a := p.people(ctx)
	if a.id == "" {
		return
	}
	p.groups(ctx, a)
}

func (p *probe) connect(ctx context.Context) error {
	if p.base.Scheme == "http" && !isLoopback(p.base.Hostname()) {
		p.remark("the endpoint is plain http: the token can be read on the way, and Entra and Okta refuse it")
	}
	r, err := p.ask(ctx, http.MethodGet, "/Users", url.Values{"startIndex": {"1"}, "count": {"2"}}, nil, http.StatusOK)
	if err != nil {
		return err
	}
	_, err = listOf(r)
	return err
}

func (p *probe) wrongToken(ctx context.Context) error {
	_, err := p.askAs(ctx, "not-"+p.name, http.MethodGet, "/Users", url.Values{"count": {"1"}}, nil, http.StatusUnauthorized, http.StatusForbidden)
	return err
}

func (p *probe) serviceConfig(ctx context.Context) error {
	r, err := p.ask(ctx, http.MethodGet, "/ServiceProviderConfig", nil, nil, http.StatusOK)
	if err != nil {
		return err
	}
	for _, name := range []string{"patch", "filter"} {
		if m, _ := r.body[name].(object); m["supported"] != true {
			p.remark("the server says that it does not support %s, without which providers do not work", name)
		}
	}
	return nil
}

// findNobody is how Entra tests a connection: 404 would be a failure.
func (p *probe) findNobody(ctx context.Context) error {
	return p.finds(ctx, "/Users", `userName eq "nobody-`+p.name+`"`)
}

// finds holds what a filter finds against the ids that it should.
func (p *probe) finds(ctx context.Context, path, filter string, want ...string) error {
	q := url.Values{"filter": {filter}}
	switch {
	case p.Dialect == Okta:
		q.Set("startIndex", "1")
		q.Set("count", "100")
	case path == "/Groups":
		q.Set("excludedAttributes", "members")
	}
	r, err := p.ask(ctx, http.MethodGet, path, q, nil, http.StatusOK)
	if err != nil {
		return err
	}
	got, err := listOf(r)
	if err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return wrong("the filter %s found %q, want %q", filter, got, want)
	}
	return nil
}

// listOf holds a reply against the form of a list and returns the ids in it.
func listOf(r reply) (ids []string, err error) {
	if total, ok := r.body["totalResults"].(float64); !ok || total < 0 {
		return nil, wrong("the reply has no totalResults as a number")
	}
	list, ok := r.body["Resources"].([]any)
	if !ok && r.body["totalResults"] != 0.0 {
		return nil, wrong("the reply has no list of Resources")
	}
	for _, x := range list {
		m, _ := x.(object)
		id, _ := m["id"].(string)
		if id == "" {
			return nil, wrong("a resource of the list has no id")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// people makes, finds, changes, disables and enables people; the one that it returns is still there.
func (p *probe) people(ctx context.Context) (a person) {
	if !p.step(ctx, "create a person", func(ctx context.Context) (err error) { a, err = p.createPerson(ctx, "a"); return err }) {
		p.skip("nobody could be made", "everything about people and groups")
		return person{}
	}
	p.step(ctx, "refuse to create the person twice", func(ctx context.Context) error {
		r, err := p.ask(ctx, http.MethodPost, "/Users", nil, p.personBody(a.userName, "other-"+a.externalID, "other"), http.StatusConflict)
		p.keepTrack(r, "/Users/")
		if err == nil && r.body["scimType"] != "uniqueness" {
			p.remark("the refusal does not have the scimType uniqueness")
		}
		return err
	})
	p.step(ctx, "read the person", func(ctx context.Context) error { return p.shows(ctx, a.path(), "userName", a.userName) })
	p.step(ctx, "find the person by userName", func(ctx context.Context) error {
		return p.finds(ctx, "/Users", `userName eq "`+a.userName+`"`, a.id)
	})
	p.step(ctx, "find the person by userName in another letter case", func(ctx context.Context) error {
		return p.finds(ctx, "/Users", `userName eq "`+strings.ToUpper(a.userName)+`"`, a.id)
	})
	p.step(ctx, "find the person by externalId", func(ctx context.Context) error {
		return p.finds(ctx, "/Users", `externalId eq "`+a.externalID+`"`, a.id)
	})
	p.step(ctx, "change name, email and department", func(ctx context.Context) error { return p.changePerson(ctx, a) })
	for _, c := range []struct {
		name   string
		active bool
	}{{"disable the person", false}, {"enable the person again", true}} {
		p.step(ctx, c.name, func(ctx context.Context) error {
			if err := p.send(ctx, a.path(), p.setActive(c.active), http.StatusOK, http.StatusNoContent); err != nil {
				return err
			}
			if err := p.shows(ctx, a.path(), "active", c.active); err != nil {
				return err
			}
			return p.finds(ctx, "/Users", `userName eq "`+a.userName+`"`, a.id) // also who is disabled
		})
	}
	p.step(ctx, "refuse a filter that is none", func(ctx context.Context) error {
		_, err := p.ask(ctx, http.MethodGet, "/Users", url.Values{"filter": {"userName eq"}}, nil, http.StatusBadRequest)
		return err
	})
	return a
}

func (p *probe) personBody(userName, externalID, displayName string) object {
	return object{
		"schemas": []string{urnUser, urnEnterprise}, "userName": userName, "externalId": externalID, "displayName": displayName, "active": true,
		"name":   object{"givenName": "Probe", "familyName": "Lakegate"},
		"emails": []object{{"value": userName, "type": "work", "primary": true}},
		"meta":   object{"resourceType": "User"},
	}
}

func (p *probe) createPerson(ctx context.Context, which string) (person, error) {
	u := person{userName: p.name + "-" + which + "@example.invalid", externalID: p.name + "-" + which}
	r, err := p.ask(ctx, http.MethodPost, "/Users", nil, p.personBody(u.userName, u.externalID, "Probe "+which), http.StatusCreated)
	u.id = p.keepTrack(r, "/Users/")
	switch {
	case err != nil:
		return person{}, err
	case u.id == "":
		return person{}, wrong("the reply has no id that can stand in a URL")
	}
	if r.header.Get("Location") == "" {
		p.remark("the reply has no Location (RFC 7644 §3.3)")
	}
	if r.body["externalId"] != u.externalID {
		p.remark("the reply does not have the externalId; applications that match by it will not find the person")
	}
	return u, nil
}

// keepTrack notes what a reply says was made, so that it is taken away, and returns its id.
func (p *probe) keepTrack(r reply, under string) string {
	id, _ := r.body["id"].(string)
	if id == "." || id == ".." || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`/?#%"\`, c) }) {
		return "" // it would be something else in a path, or in a filter
	}
	if id != "" && r.status >= 200 && r.status < 300 {
		p.made = append(p.made, under+id)
	}
	return id
}

// send changes a resource.
func (p *probe) send(ctx context.Context, path string, c change, good ...int) error {
	_, err := p.ask(ctx, c.method, path, nil, c.body, good...)
	return err
}

// shows reads a resource and holds one attribute against what it should be.
func (p *probe) shows(ctx context.Context, path, name string, want any) error {
	r, err := p.ask(ctx, http.MethodGet, path, nil, nil, http.StatusOK)
	if err == nil && r.body[name] != want {
		return wrong("%s is %v, want %v", name, r.body[name], want)
	}
	return err
}

func (p *probe) changePerson(ctx context.Context, a person) error {
	is, err := p.ask(ctx, http.MethodGet, a.path(), nil, nil, http.StatusOK)
	if err != nil {
		return err
	}
	email := "changed-" + a.userName
	if err := p.send(ctx, a.path(), p.rename(is.body, "Changed", email, "Red"), http.StatusOK, http.StatusNoContent); err != nil {
		return err
	}
	r, err := p.ask(ctx, http.MethodGet, a.path(), nil, nil, http.StatusOK)
	if err != nil {
		return err
	}
	if r.body["displayName"] != "Changed" {
		return wrong("displayName is %v, want Changed", r.body["displayName"])
	}
	emails, _ := r.body["emails"].([]any)
	if len(emails) != 1 {
		return wrong("there are %d emails, want the one that was changed", len(emails))
	}
	if m, _ := emails[0].(object); m["value"] != email {
		return wrong("the email is %v, want %s", m["value"], email)
	}
	if x, _ := r.body[urnEnterprise].(object); x["department"] != "Red" {
		p.remark("the department was not kept")
	}
	return nil
}

// groups makes a group, fills it, empties it and deletes it; then the people go.
func (p *probe) groups(ctx context.Context, a person) {
	var b person
	if !p.step(ctx, "create another person", func(ctx context.Context) (err error) { b, err = p.createPerson(ctx, "b"); return err }) {
		return
	}
	var group string
	path := func() string { return "/Groups/" + group }
	if !p.step(ctx, "create a group without members", func(ctx context.Context) error {
		r, err := p.ask(ctx, http.MethodPost, "/Groups", nil, object{"schemas": []string{urnGroup}, "displayName": p.name, "externalId": p.name + "-g"}, http.StatusCreated)
		if group = p.keepTrack(r, "/Groups/"); err == nil && group == "" {
			return wrong("the reply has no id that can stand in a URL")
		}
		return err
	}) {
		p.skip("there is no group", "everything about groups")
		return
	}
	p.step(ctx, "find the group by displayName", func(ctx context.Context) error {
		return p.finds(ctx, "/Groups", `displayName eq "`+p.name+`"`, group)
	})
	for _, c := range []struct {
		name     string
		change   change
		inA, inB bool
	}{
		{"add two members", p.addMembers(a.id, b.id), true, true},
		{"add a member who is one", p.addMembers(a.id), true, true},
		{"remove one member; the other stays", p.removeMember(a.id), false, true},
		{"remove a member who is none", p.removeMember(a.id), false, true},
		{"rename the group; the member stays", p.renameGroup(group, p.name+"-renamed"), false, true},
	} {
		p.step(ctx, c.name, func(ctx context.Context) error {
			if err := p.send(ctx, path(), c.change, http.StatusOK, http.StatusNoContent); err != nil {
				return err
			}
			return p.members(ctx, group, map[string]bool{a.id: c.inA, b.id: c.inB})
		})
	}
	p.step(ctx, "find the group by its new name", func(ctx context.Context) error {
		return p.finds(ctx, "/Groups", `displayName eq "`+p.name+`-renamed"`, group)
	})
	if p.Keep {
		p.skip("they are to be kept", "delete the group", "delete the people")
		return
	}
	p.step(ctx, "delete the group", func(ctx context.Context) error { return p.remove(ctx, path()) })
	p.step(ctx, "delete the people", func(ctx context.Context) error {
		if err := p.remove(ctx, a.path()); err != nil {
			return err
		}
		return p.remove(ctx, b.path())
	})
}

// members holds who is in a group against who should be. Some endpoints, AWS's among them, never show members; they are
// asked of each person then, as Entra does.
func (p *probe) members(ctx context.Context, group string, want map[string]bool) error {
	r, err := p.ask(ctx, http.MethodGet, "/Groups/"+group, nil, nil, http.StatusOK)
	if err != nil {
		return err
	}
	shown := map[string]bool{}
	list, _ := r.body["members"].([]any)
	for _, x := range list {
		m, _ := x.(object)
		if id, ok := m["value"].(string); ok {
			shown[id] = true
		}
	}
	for id, in := range want {
		is := shown[id]
		if len(list) == 0 && in {
			r, err := p.ask(ctx, http.MethodGet, "/Groups", url.Values{"filter": {`id eq "` + group + `" and members eq "` + id + `"`}}, nil, http.StatusOK)
			if err != nil {
				return err
			}
			ids, err := listOf(r)
			if err != nil {
				return err
			}
			if is = len(ids) == 1; is {
				p.remark("the group is shown without its members; providers that compare members (authentik, Okta's import) cannot")
			}
		}
		if is != in {
			return wrong("%s is a member: %v, want %v", id, is, in)
		}
	}
	return nil
}

// remove deletes a resource, which is not there afterwards.
func (p *probe) remove(ctx context.Context, path string) error {
	if _, err := p.ask(ctx, http.MethodDelete, path, nil, nil, http.StatusNoContent); err != nil {
		return err
	}
	p.made = slices.DeleteFunc(p.made, func(s string) bool { return s == path })
	if _, err := p.ask(ctx, http.MethodGet, path, nil, nil, http.StatusNotFound); err != nil {
		return err
	}
	_, err := p.ask(ctx, http.MethodDelete, path, nil, nil, http.StatusNotFound)
	return err
}
