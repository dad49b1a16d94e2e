package scim

import (
	"context"
	"errors"
	"net/http"

	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/trail"
)

func createUser(ctx context.Context, req *request) (answer, error) {
	t, err := normalResource(userType, req.body)
	if err != nil {
		return answer{}, err
	}
	u := directory.User{StoreID: req.store, Enabled: true}
	if err := updateUser(&u, t); err != nil {
		return answer{}, err
	}
	if u, err = req.h.directory.CreateUser(ctx, req.by, u); err != nil {
		return answer{}, err
	}
	trail.From(ctx).Response(map[string]any{"userId": u.ID})
	return req.userAnswer(http.StatusCreated, &u)
}

func getUser(ctx context.Context, req *request) (answer, error) {
	u, err := req.h.directory.ReadUser(ctx, req.store, req.id)
	if err != nil {
		return answer{}, missing(err, "User", req.id)
	}
	if unchanged, err := req.precondition(req.userTag(&u)); unchanged || err != nil {
		return statusNotModified(req.userTag(&u)), err
	}
	return req.userAnswer(http.StatusOK, &u)
}

// missing names the resource of the path in the answer to a request for one that is not there.
func missing(err error, what, id string) error {
	if f := faultOf(err); f.status == http.StatusNotFound {
		return notFound(what, id)
	}
	return err
}

// putUser replaces what SCIM has of a user. Whether the user is active stays as it is when the body does not say.
func putUser(ctx context.Context, req *request) (answer, error) {
	t, err := normalResource(userType, req.body)
	if err != nil {
		return answer{}, err
	}
	return req.changeUser(ctx, func(u *directory.User) error { return updateUser(u, t) })
}

func patchUser(ctx context.Context, req *request) (answer, error) {
	ops, err := parsePatch(req.body)
	if err != nil {
		return answer{}, err
	}
	noteOperations(ctx, ops)
	return req.changeUser(ctx, func(u *directory.User) error {
		t, err := userTree(u)
		if err != nil {
			return err
		}
		p := &patcher{of: userType, tree: t}
		for _, o := range ops {
			if err := p.apply(o); err != nil {
				return err
			}
		}
		return updateUser(u, t)
	})
}

// noteOperations puts into the trail what a PATCH is about, without its values.
func noteOperations(ctx context.Context, ops []operation) {
	var list []any
	for _, o := range ops[:min(len(ops), 50)] {
		list = append(list, map[string]any{"op": o.op, "path": o.path})
	}
	trail.From(ctx).Add("operations", list)
}

func (req *request) changeUser(ctx context.Context, change func(*directory.User) error) (answer, error) {
	u, err := req.h.directory.ChangeUser(ctx, req.by, req.store, req.id, func(u *directory.User) error {
		if _, err := req.precondition(req.userTag(u)); err != nil {
			return err
		}
		return change(u)
	})
	if err != nil {
		return answer{}, missing(err, "User", req.id)
	}
	return req.userAnswer(http.StatusOK, &u)
}

func deleteUser(ctx context.Context, req *request) (answer, error) {
	if err := req.h.directory.DeleteUser(ctx, req.store, req.id, func(u *directory.User) error {
		_, err := req.precondition(req.userTag(u))
		return err
	}); err != nil {
		return answer{}, missing(err, "User", req.id)
	}
	return answer{status: http.StatusNoContent}, nil
}

func (req *request) userAnswer(status int, u *directory.User) (answer, error) {
	s, err := req.user(u)
	if err != nil {
		return answer{}, err
	}
	return answer{status: status, body: req.showUser(s.tree, parseProjection(userType, req.URL.Query())), location: req.location(userType, u.ID), tag: req.userTag(u)}, nil
}

// showUser completes a user for an answer: its location, its groups, and no more than was asked for.
func (req *request) showUser(t tree, p projection) tree {
	id, _ := t["id"].(string)
	t["meta"].(tree)["location"] = req.location(userType, id)
	if p.wants(groups) {
		if list := req.groupsOf(id); len(list) > 0 {
			t["groups"] = list
		}
	}
	return p.apply(t)
}

// groupsOf is the groups attribute of a user: also those that the user belongs to by groups within groups, which are
// "indirect" (RFC 7643 §4.1.2).
func (req *request) groupsOf(userID string) (list []any) {
	for _, id := range req.h.directory.GroupsOf(req.store, userID) {
		g := tree{"value": id, "$ref": req.location(groupType, id), "type": "indirect"}
		if req.h.directory.DirectMember(req.store, userID, id) {
			g["type"] = "direct"
		}
		if name, ok := req.h.directory.GroupName(req.store, id); ok {
			g["display"] = name
		}
		list = append(list, g)
	}
	return list
}

// userSubject is a user of a list, which filters are asked about. Its groups come from the index, if a filter wants them.
type userSubject struct {
	req  *request
	tree tree
}

func (req *request) user(u *directory.User) (*userSubject, error) {
	t, err := userTree(u)
	if err != nil {
		return nil, err
	}
	t["meta"].(tree)["version"] = req.userTag(u)
	return &userSubject{req, t}, nil
}

func (s *userSubject) id() string {
	id, _ := s.tree["id"].(string)
	return id
}

func (s *userSubject) match(f filter) (bool, error) { return f.match(s), nil }
func (s *userSubject) values(r ref) []any           { return sortValues(s.tree, r) }

func (s *userSubject) show(p projection, _ *int) (tree, error) { return s.req.showUser(s.tree, p), nil }

func (s *userSubject) get(extension *schema, name string) any {
	if extension == nil && name == groups.name {
		if list := s.req.groupsOf(s.id()); list != nil {
			return list
		}
		return nil
	}
	return get(s.tree, extension, name)
}

// usersOf is where a request's users come from.
func usersOf(ctx context.Context, req *request) source {
	d := req.h.directory
	return source{
		of:    userType,
		total: func() int { return d.Users(req.store) },
		page: func(p directory.Page) ([]resource, error) {
			users, err := d.ListUsers(ctx, req.store, directory.UserFilter{}, p)
			if err != nil {
				return nil, err
			}
			all := make([]resource, len(users))
			for i := range users {
				if all[i], err = req.user(&users[i]); err != nil {
					return nil, err
				}
			}
			return all, nil
		},
		read: func(id string) (resource, error) {
			u, err := d.ReadUser(ctx, req.store, id)
			if err != nil {
				return nil, err
			}
			return req.user(&u)
		},
		likely: func(c *compare) ([]string, bool, error) { return req.likelyUsers(ctx, c) },
	}
}

// likelyUsers finds the few users that a comparison can be true of, for attributes that are indexed.
func (req *request) likelyUsers(ctx context.Context, c *compare) (ids []string, indexed bool, err error) {
	if c.op != "eq" || c.value.isNull || c.ref.extension != nil {
		return nil, false, nil
	}
	d := req.h.directory
	switch c.ref.attr.name {
	case "id":
		return []string{c.value.raw}, true, nil
	case "userName":
		return d.FindUsers(req.store, directory.AttributeUserName, c.value.raw), true, nil
	case "externalId":
		ids, err = d.FindByExternalID(ctx, req.store, directory.KindOfUser, issuer(req.store), c.value.raw)
		return ids, true, err
	case groups.name:
		if c.ref.sub != nil && c.ref.sub.name == "value" {
			return req.peopleIn(ctx, c.value.raw)
		}
	case "emails":
		if c.ref.sub != nil && c.ref.sub.name == "value" {
			return d.FindUsers(req.store, directory.AttributeEmail, c.value.raw), true, nil
		}
	}
	return nil, false, nil
}

// peopleIn lists who belongs to a group, directly or by groups within groups; of a group with very many people it says
// nothing, as of an attribute that is not indexed.
func (req *request) peopleIn(ctx context.Context, groupID string) (ids []string, few bool, err error) {
	d, seen := req.h.directory, map[string]bool{groupID: true}
	for waiting := []string{groupID}; len(waiting) > 0; waiting = waiting[1:] {
		page, err := d.MembersOfGroup(ctx, req.store, waiting[0], directory.Page{Limit: maxLikely + 1})
		if e, ok := errors.AsType[*directory.Error](err); ok && e.Kind == directory.KindNotFound {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		for _, m := range page {
			ids = append(ids, m.UserID)
		}
		inner, err := d.GroupsInGroup(ctx, req.store, waiting[0], directory.Page{Limit: maxLikely + 1})
		if err != nil {
			return nil, false, err
		}
		for _, g := range inner {
			if !seen[g] {
				seen[g] = true
				waiting = append(waiting, g)
			}
		}
		if len(ids) > maxLikely || len(seen) > maxLikely {
			return nil, false, nil
		}
	}
	return ids, true, nil
}
