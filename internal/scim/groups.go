package scim

import (
	"context"
	"errors"
	"net/http"

	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/trail"
)

func createGroup(ctx context.Context, req *request) (answer, error) {
	t, err := normalResource(groupType, req.body)
	if err != nil {
		return answer{}, err
	}
	m := newMemberChange()
	if err := m.set(target{}, member(req.body, members.name), true); err != nil {
		return answer{}, err
	}
	if err := m.check(req.h.directory, req.store); err != nil {
		return answer{}, err
	}
	g := directory.Group{StoreID: req.store}
	updateGroup(&g, t)
	if g, err = req.h.directory.CreateGroup(ctx, req.by, g, m.change().Add...); err != nil {
		return answer{}, req.unknownMember(err)
	}
	trail.From(ctx).Response(map[string]any{"groupId": g.ID})
	return req.groupAnswer(ctx, http.StatusCreated, &g)
}

// unknownMember refuses a member that is nobody. The status is not 404, which providers take to be about the group.
func (req *request) unknownMember(err error) error {
	if e, ok := errors.AsType[*directory.Error](err); ok && e.Kind == directory.KindNotFound && e.Resource == directory.ResourceUser {
		if req.h.directory.Flat {
			return bad(invalidValue, "The member %s is not a user.", e.ID)
		}
		return bad(invalidValue, "The member %s is neither a user nor a group.", e.ID)
	}
	return err
}

func getGroup(ctx context.Context, req *request) (answer, error) {
	g, err := req.h.directory.ReadGroup(ctx, req.store, req.id)
	if err != nil {
		return answer{}, missing(err, "Group", req.id)
	}
	if unchanged, err := req.precondition(groupTag(&g)); unchanged || err != nil {
		return statusNotModified(groupTag(&g)), err
	}
	return req.groupAnswer(ctx, http.StatusOK, &g)
}

// putGroup replaces a group. The members stay as they are when the body does not say, because a client that has read a
// group without them would empty it.
func putGroup(ctx context.Context, req *request) (answer, error) {
	t, err := normalResource(groupType, req.body)
	if err != nil {
		return answer{}, err
	}
	m := newMemberChange()
	if list := member(req.body, members.name); list != nil {
		if err := m.set(target{}, list, true); err != nil {
			return answer{}, err
		}
	}
	g, err := req.changeGroup(ctx, func(g *directory.Group, change *directory.Members) error {
		updateGroup(g, t)
		*change = m.change()
		return m.check(req.h.directory, req.store)
	})
	if err != nil {
		return answer{}, err
	}
	return req.groupAnswer(ctx, http.StatusOK, &g)
}

// patchGroup answers without a body, as AWS does: a large group would be sent back for each member added. Who names
// attributes gets them.
func patchGroup(ctx context.Context, req *request) (answer, error) {
	ops, err := parsePatch(req.body)
	if err != nil {
		return answer{}, err
	}
	noteOperations(ctx, ops)
	g, err := req.changeGroup(ctx, func(g *directory.Group, change *directory.Members) error {
		p := &patcher{of: groupType, tree: groupTree(g), members: newMemberChange()}
		for _, o := range ops {
			if err := p.apply(o); err != nil {
				return err
			}
		}
		updateGroup(g, p.tree)
		*change = p.members.change()
		return p.members.check(req.h.directory, req.store)
	})
	if err != nil {
		return answer{}, err
	}
	if !req.URL.Query().Has("attributes") {
		return answer{status: http.StatusNoContent, tag: groupTag(&g)}, nil
	}
	return req.groupAnswer(ctx, http.StatusOK, &g)
}

func (req *request) changeGroup(ctx context.Context, change func(*directory.Group, *directory.Members) error) (directory.Group, error) {
	g, err := req.h.directory.ChangeGroup(ctx, req.by, req.store, req.id, func(g *directory.Group, m *directory.Members) error {
		if _, err := req.precondition(groupTag(g)); err != nil {
			return err
		}
		return change(g, m)
	})
	if err != nil {
		return g, missing(req.unknownMember(err), "Group", req.id)
	}
	return g, nil
}

func deleteGroup(ctx context.Context, req *request) (answer, error) {
	if err := req.h.directory.DeleteGroup(ctx, req.store, req.id, func(g *directory.Group) error {
		_, err := req.precondition(groupTag(g))
		return err
	}); err != nil {
		return answer{}, missing(err, "Group", req.id)
	}
	return answer{status: http.StatusNoContent}, nil
}

func (req *request) groupAnswer(ctx context.Context, status int, g *directory.Group) (answer, error) {
	budget := maxShown
	t, err := req.group(ctx, g).show(parseProjection(groupType, req.URL.Query()), &budget)
	return answer{status: status, body: t, location: req.location(groupType, g.ID), tag: groupTag(g)}, err
}

// maxShown bounds the members in one answer.
const maxShown = 100_000

// show implements resource: it completes the group with its location and its members.
func (s *groupSubject) show(p projection, budget *int) (tree, error) {
	s.tree["meta"].(tree)["location"] = s.req.location(groupType, s.id())
	if p.wants(members) {
		list, err := s.req.membersOf(s.ctx, s.id(), *budget)
		if err != nil {
			return nil, err
		}
		*budget -= len(list)
		s.tree[members.name] = list // an empty list too: it says that there is nobody
	}
	return p.apply(s.tree), nil
}

// membersOf is the members attribute of a group: its direct members, the users before the groups.
func (req *request) membersOf(ctx context.Context, groupID string, most int) ([]any, error) {
	d, out := req.h.directory, []any{}
	users := func(p directory.Page) ([]directory.Membership, error) {
		return d.MembersOfGroup(ctx, req.store, groupID, p)
	}
	err := eachMember(users, func(m directory.Membership) string { return m.UserID }, most, func(id string) {
		u, _ := d.User(req.store, id)
		out = append(out, req.member(userType, id, u.DisplayName))
	})
	if err != nil {
		return nil, err
	}
	nested := func(p directory.Page) ([]string, error) { return d.GroupsInGroup(ctx, req.store, groupID, p) }
	err = eachMember(nested, func(id string) string { return id }, most-len(out), func(id string) {
		name, _ := d.GroupName(req.store, id)
		out = append(out, req.member(groupType, id, name))
	})
	return out, err
}

func (req *request) member(of *resourceType, id, display string) tree {
	item := tree{"value": id, "$ref": req.location(of, id), "type": of.name}
	if display != "" {
		item["display"] = display
	}
	return item
}

// eachMember walks over pages of members, of which there may be so many.
func eachMember[T any](page func(directory.Page) ([]T, error), id func(T) string, most int, do func(id string)) error {
	p := directory.Page{Limit: 1000}
	for {
		members, err := page(p)
		if err != nil {
			return err
		}
		if most -= len(members); most < 0 {
			return bad(tooMany, "The answer would have more than %d members. Ask with excludedAttributes=members.", maxShown)
		}
		for _, m := range members {
			p.After = id(m)
			do(p.After)
		}
		if len(members) < p.Limit {
			return nil
		}
	}
}

// groupSubject is a group of a list, which filters are asked about. Its members are read only by a filter that wants more of them
// than whether somebody is one.
type groupSubject struct {
	ctx  context.Context //nolint:containedctx // lives for one filter of one request
	req  *request
	tree tree
	err  error
}

func (req *request) group(ctx context.Context, g *directory.Group) *groupSubject {
	t := groupTree(g)
	t["meta"].(tree)["version"] = groupTag(g)
	return &groupSubject{ctx: ctx, req: req, tree: t}
}

func (s *groupSubject) match(f filter) (bool, error) {
	ok := f.match(s)
	return ok, s.err
}

func (s *groupSubject) values(r ref) []any { return sortValues(s.tree, r) }

func (s *groupSubject) id() string {
	id, _ := s.tree["id"].(string)
	return id
}

func (s *groupSubject) hasMember(id string) bool {
	return s.req.h.directory.DirectMember(s.req.store, id, s.id())
}

func (s *groupSubject) get(extension *schema, name string) any {
	if extension == nil && name == members.name {
		list, err := s.req.membersOf(s.ctx, s.id(), maxShown)
		if s.err = errors.Join(s.err, err); len(list) > 0 {
			return list
		}
		return nil
	}
	return get(s.tree, extension, name)
}

// groupsSource is where a request's groups come from.
func groupsSource(ctx context.Context, req *request) source {
	d := req.h.directory
	return source{
		of:    groupType,
		total: func() int { return d.Groups(req.store) },
		page: func(p directory.Page) ([]resource, error) {
			groups, err := d.ListGroups(ctx, req.store, directory.GroupFilter{}, p)
			all := make([]resource, len(groups))
			for i := range groups {
				all[i] = req.group(ctx, &groups[i])
			}
			return all, err
		},
		read: func(id string) (resource, error) {
			g, err := d.ReadGroup(ctx, req.store, id)
			return req.group(ctx, &g), err
		},
		likely: func(c *compare) ([]string, bool, error) { return req.likelyGroups(ctx, c) },
	}
}

// likelyGroups finds the few groups that a comparison can be true of, for attributes that are indexed.
func (req *request) likelyGroups(ctx context.Context, c *compare) (ids []string, indexed bool, err error) {
	if c.op != "eq" || c.value.isNull {
		return nil, false, nil
	}
	d := req.h.directory
	switch c.ref.attr.name {
	case "id":
		return []string{c.value.raw}, true, nil
	case "externalId":
		ids, err = d.FindByExternalID(ctx, req.store, directory.KindOfGroup, issuer(req.store), c.value.raw)
		return ids, true, err
	case "displayName":
		g, err := d.FindGroup(ctx, req.store, c.value.raw)
		if e, ok := errors.AsType[*directory.Error](err); ok && e.Kind == directory.KindNotFound {
			return nil, true, nil
		}
		return []string{g.ID}, true, err
	case members.name:
		if c.ref.sub != nil && c.ref.sub.name == "value" {
			return d.DirectGroupsOf(req.store, c.value.raw), true, nil
		}
	}
	return nil, false, nil
}
