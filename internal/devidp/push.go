package devidp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"
)

// Report counts what a push changed at the endpoint. A second push of the same directory changes nothing.
type Report struct {
	UsersCreated   int `json:"usersCreated"`
	UsersUpdated   int `json:"usersUpdated"` // disabling and enabling among them
	UsersDeleted   int `json:"usersDeleted"`
	GroupsCreated  int `json:"groupsCreated"`
	GroupsUpdated  int `json:"groupsUpdated"`
	GroupsDeleted  int `json:"groupsDeleted"`
	MembersAdded   int `json:"membersAdded"`
	MembersRemoved int `json:"membersRemoved"`
	Requests       int `json:"requests"` // sent, questions included
}

// Changed says whether the push changed anything.
func (r Report) Changed() bool {
	r.Requests = 0
	return r != Report{}
}

// maxMembersPerPatch is how many membership changes AWS takes in one request.
const maxMembersPerPatch = 100

// provisioned is what was pushed to one endpoint: without it, nobody would know later what has to be deleted there.
type provisioned struct {
	Users  map[string]string           `json:"users"`  // oid → id at the endpoint
	Groups map[string]provisionedGroup `json:"groups"` // by oid
}

type provisionedGroup struct {
	ID      string   `json:"id"`
	Members []string `json:"members,omitempty"` // ids at the endpoint
}

// Connect remembers a target and pushes the directory to it. From then on every change of the directory is pushed there
// before the change returns. It does so even when this first push fails.
func (p *Provider) Connect(ctx context.Context, t Target) (Report, error) {
	if err := t.check(); err != nil {
		return Report{}, err
	}
	p.target.Store(new(t))
	return p.Push(ctx, t)
}

// Push makes the people and groups at a SCIM endpoint what they are in the directory, in the dialect of Entra's
// provisioning service:
//
//  1. It asks for a user that cannot exist, to see that the endpoint and the token are good.
//  2. It looks each person up by externalId (their oid), then by userName; creates who is missing and patches what
//     differs, one operation an attribute, active as the string "True" or "False". Who is not active is disabled if they
//     are there, and not created if they are not.
//  3. It looks each group up by externalId, then by displayName; creates or patches it; asks for each membership in
//     question (endpoints need not show members) and adds and removes what differs.
//  4. It deletes the groups and people that it created or adopted earlier and that are no longer in the directory.
//
// It never touches anyone it did not look up. One person's failure does not keep the rest from being pushed; the errors
// come back joined, each an ErrPush.
func (p *Provider) Push(ctx context.Context, t Target) (Report, error) {
	if err := t.check(); err != nil {
		return Report{}, err
	}
	p.push.Lock()
	defer p.push.Unlock()

	base, err := url.Parse(t.Endpoint)
	if err != nil {
		return Report{}, fmt.Errorf("%w: parse endpoint: %w", ErrPush, err)
	}
	endpoints := map[string]provisioned{}
	if _, err := p.state.readJSON(provisioningFile, &endpoints); err != nil {
		return Report{}, err
	}
	run := &pushRun{
		client: &scimClient{base: base, token: t.Token, http: p.pushHTTP, pause: p.pause},
		book:   p.book.Load(),
		known:  endpoints[t.Endpoint],
		next:   provisioned{Users: map[string]string{}, Groups: map[string]provisionedGroup{}},
	}
	err = run.all(ctx)
	run.report.Requests = run.client.requests
	endpoints[t.Endpoint] = run.next
	if saveErr := p.state.writeJSON(provisioningFile, endpoints); saveErr != nil {
		err = errors.Join(err, fmt.Errorf("%w: %w", ErrPush, saveErr))
	}
	p.log.LogAttrs(ctx, slog.LevelInfo, "pushed the directory", slog.Any("target", t), slog.Any("report", run.report), slog.Any("error", err))
	return run.report, err
}

// pushRun is one push. next starts empty and gets what is known to be at the endpoint after it, also for what failed.
type pushRun struct {
	client *scimClient
	book   *book
	known  provisioned
	next   provisioned
	report Report
	errs   []error
}

func (r *pushRun) all(ctx context.Context) error {
	if _, err := list[scimUser](ctx, r.client, "/Users", eq("userName", uuid.NewString()), nil); err != nil {
		r.next = r.known
		return fmt.Errorf("%w: probe: %w", ErrPush, err)
	}
	for i := range r.book.Users {
		u := &r.book.Users[i]
		if err := r.user(ctx, u); err != nil {
			r.failed("user "+u.UserName, err)
			r.keepUser(u.OID)
		}
	}
	for i := range r.book.Groups {
		g := &r.book.Groups[i]
		if err := r.group(ctx, g); err != nil {
			r.failed("group "+g.DisplayName, err)
			r.keepGroup(g.OID)
		}
	}
	r.deletions(ctx)
	return errors.Join(r.errs...)
}

func (r *pushRun) failed(what string, err error) {
	r.errs = append(r.errs, fmt.Errorf("%w: %s: %w", ErrPush, what, err))
}

// keepUser and keepGroup carry over what an earlier push knew about something that this one failed at.
func (r *pushRun) keepUser(oid string) {
	if id, ok := r.known.Users[oid]; ok && r.next.Users[oid] == "" {
		r.next.Users[oid] = id
	}
}

func (r *pushRun) keepGroup(oid string) {
	if g, ok := r.known.Groups[oid]; ok && r.next.Groups[oid].ID == "" {
		r.next.Groups[oid] = g
	}
}

func (r *pushRun) user(ctx context.Context, u *User) error {
	found, err := list[scimUser](ctx, r.client, "/Users", eq("externalId", u.OID), nil)
	if err == nil && len(found) == 0 {
		found, err = list[scimUser](ctx, r.client, "/Users", eq("userName", u.UserName), nil)
	}
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return r.createUser(ctx, u)
	}
	at := found[0]
	r.next.Users[u.OID] = at.ID
	var ops []patchOp
	for _, f := range []struct{ path, was, want string }{
		{"externalId", at.ExternalID, u.OID},
		{"userName", at.UserName, u.UserName},
		{"displayName", at.DisplayName, u.DisplayName},
		{"name.givenName", at.Name.GivenName, u.GivenName},
		{"name.familyName", at.Name.FamilyName, u.FamilyName},
		{`emails[type eq "work"].value`, at.workEmail(), u.Email},
	} {
		if f.was != f.want {
			ops = append(ops, set(f.path, f.was, f.want))
		}
	}
	switch {
	case at.Active.inactive && u.IsActive():
		ops = append(ops, patchOp{"Replace", "active", "True"})
	case !at.Active.inactive && !u.IsActive():
		ops = append(ops, patchOp{"Replace", "active", "False"})
	}
	if len(ops) == 0 {
		return nil
	}
	if err := r.client.do(ctx, http.MethodPatch, "/Users/"+url.PathEscape(at.ID), nil, patch(ops...), nil); err != nil {
		return err
	}
	r.report.UsersUpdated++
	return nil
}

func (r *pushRun) createUser(ctx context.Context, u *User) error {
	if !u.IsActive() {
		return nil
	}
	var made scimUser
	err := r.client.do(ctx, http.MethodPost, "/Users", nil, map[string]any{
		"schemas":     []string{urnUser, urnEnterprise},
		"externalId":  u.OID,
		"userName":    u.UserName,
		"active":      true,
		"displayName": u.DisplayName,
		"emails":      []map[string]any{{"primary": true, "type": "work", "value": u.Email}},
		"meta":        map[string]string{"resourceType": "User"},
		"name":        map[string]string{"formatted": u.DisplayName, "givenName": u.GivenName, "familyName": u.FamilyName},
		"roles":       []string{},
	}, &made)
	if err == nil && made.ID == "" {
		err = errors.New("the endpoint created a user without an id")
	}
	if err != nil {
		return err
	}
	r.next.Users[u.OID] = made.ID
	r.report.UsersCreated++
	return nil
}

func (r *pushRun) group(ctx context.Context, g *Group) error {
	withoutMembers := url.Values{"excludedAttributes": {"members"}}
	found, err := list[scimGroup](ctx, r.client, "/Groups", eq("externalId", g.OID), withoutMembers)
	if err == nil && len(found) == 0 {
		found, err = list[scimGroup](ctx, r.client, "/Groups", eq("displayName", g.DisplayName), withoutMembers)
	}
	if err != nil {
		return err
	}
	var at scimGroup
	if len(found) == 0 {
		at, err = r.createGroup(ctx, g)
	} else {
		at = found[0]
		err = r.updateGroup(ctx, g, at)
	}
	if err != nil {
		return err
	}
	return r.members(ctx, g, at.ID, len(found) == 0)
}

func (r *pushRun) createGroup(ctx context.Context, g *Group) (scimGroup, error) {
	var made scimGroup
	err := r.client.do(ctx, http.MethodPost, "/Groups", nil, map[string]any{
		"schemas":     []string{urnGroup, urnEntraGroup},
		"externalId":  g.OID,
		"displayName": g.DisplayName,
		"meta":        map[string]string{"resourceType": "Group"},
	}, &made)
	if err == nil && made.ID == "" {
		err = errors.New("the endpoint created a group without an id")
	}
	if err == nil {
		r.report.GroupsCreated++
	}
	return made, err
}

func (r *pushRun) updateGroup(ctx context.Context, g *Group, at scimGroup) error {
	var ops []patchOp
	if at.ExternalID != g.OID {
		ops = append(ops, set("externalId", at.ExternalID, g.OID))
	}
	if at.DisplayName != g.DisplayName {
		ops = append(ops, set("displayName", at.DisplayName, g.DisplayName))
	}
	if len(ops) == 0 {
		return nil
	}
	if err := r.client.do(ctx, http.MethodPatch, "/Groups/"+url.PathEscape(at.ID), nil, patch(ops...), nil); err != nil {
		return err
	}
	r.report.GroupsUpdated++
	return nil
}

// members asks for every membership that should be or may be, then adds and removes the difference. Of a group met for
// the first time, anybody we know may be a member; later, only who we put in.
func (r *pushRun) members(ctx context.Context, g *Group, id string, fresh bool) error {
	want := map[string]bool{}
	for _, name := range g.Members {
		if at := r.next.Users[r.book.byName[fold(name)].OID]; at != "" {
			want[at] = true
		}
	}
	known := r.known.Groups[g.OID]
	question := maps.Clone(want)
	switch {
	case fresh:
		question = nil
	case known.ID == id:
		for _, m := range known.Members {
			question[m] = true
		}
	default:
		for _, m := range r.next.Users {
			question[m] = true
		}
	}
	is := map[string]bool{}
	// Whatever happens below, these are ours to look after at the next push.
	defer func() {
		both := maps.Clone(want)
		maps.Copy(both, is)
		r.next.Groups[g.OID] = provisionedGroup{ID: id, Members: slices.Sorted(maps.Keys(both))}
	}()
	for _, m := range slices.Sorted(maps.Keys(question)) {
		found, err := list[scimGroup](ctx, r.client, "/Groups", eq("id", id)+" and "+eq("members", m), url.Values{"attributes": {"id"}})
		if err != nil && !isStatus(err, http.StatusNotFound) { // AWS: a member that does not exist is not found
			is[m] = true // unknown, so still to be looked after
			return err
		}
		if len(found) > 0 {
			is[m] = true
		}
	}
	var add, remove []string
	for m := range want {
		if !is[m] {
			add = append(add, m)
		}
	}
	for m := range is {
		if !want[m] {
			remove = append(remove, m)
		}
	}
	if err := r.changeMembers(ctx, id, "Add", add, &r.report.MembersAdded); err != nil {
		return err
	}
	if err := r.changeMembers(ctx, id, "Remove", remove, &r.report.MembersRemoved); err != nil {
		return err
	}
	is = map[string]bool{}
	return nil
}

func (r *pushRun) changeMembers(ctx context.Context, group, op string, members []string, count *int) error {
	slices.Sort(members)
	for part := range slices.Chunk(members, maxMembersPerPatch) {
		var refs []memberRef
		for _, m := range part {
			refs = append(refs, memberRef{Value: m})
		}
		if err := r.client.do(ctx, http.MethodPatch, "/Groups/"+url.PathEscape(group), nil, patch(patchOp{op, "members", refs}), nil); err != nil {
			return err
		}
		*count += len(part)
	}
	return nil
}

// deletions removes what an earlier push put at the endpoint and the directory no longer has: groups first, so that
// nobody is seen as a member who does not exist.
func (r *pushRun) deletions(ctx context.Context) {
	for _, oid := range slices.Sorted(maps.Keys(r.known.Groups)) {
		if r.book.groups[oid] == nil {
			r.delete(ctx, "/Groups/", r.known.Groups[oid].ID, &r.report.GroupsDeleted, func() { r.keepGroup(oid) })
		}
	}
	for _, oid := range slices.Sorted(maps.Keys(r.known.Users)) {
		if r.book.byOID[oid] == nil {
			r.delete(ctx, "/Users/", r.known.Users[oid], &r.report.UsersDeleted, func() { r.keepUser(oid) })
		}
	}
}

func (r *pushRun) delete(ctx context.Context, path, id string, count *int, keep func()) {
	err := r.client.do(ctx, http.MethodDelete, path+url.PathEscape(id), nil, nil, nil)
	switch {
	case err == nil:
		*count++
	case !isStatus(err, http.StatusNotFound):
		r.failed("delete "+path+id, err)
		keep()
	}
}
