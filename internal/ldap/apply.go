package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// membersAtOnce is how many memberships change in one transaction.
const membersAtOnce = 500

// applier makes the changes of a plan, each through an operation of the directory and with a record of its own.
type applier struct {
	directory *directory.Directory
	trail     *trail.Trail
	run       *Run
	issuer    string
	account   string
	region    string
	// users and groups are the ids in the directory by those in the source.
	users, groups map[string]string
}

func newApplier(s *Source, r *Run, account string, have *Present) *applier {
	a := &applier{
		directory: s.Directory, trail: s.Trail, run: r, issuer: s.Settings.Issuer(), account: account, region: s.Region,
		users: map[string]string{}, groups: map[string]string{},
	}
	for _, u := range have.Users {
		if id := owned(u.ExternalIDs, a.issuer); id != "" {
			a.users[id] = u.ID
		}
	}
	for _, g := range have.Groups {
		if id := owned(g.ExternalIDs, a.issuer); id != "" {
			a.groups[id] = g.ID
		}
	}
	return a
}

// errChanged is what a change meets that somebody else made pointless since the plan.
var errChanged = errors.New("it was changed by somebody else during the run; the next run sees to it")

// apply makes the changes in their order. What the directory refuses is a problem of that entry; anything else ends the
// run.
func (a *applier) apply(ctx context.Context, changes []Change) error {
	for _, c := range changes {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		err := a.change(ctx, &c)
		if _, refused := errors.AsType[*directory.Error](err); refused || errors.Is(err, errChanged) {
			a.run.Report.note(problem(c.Name, fmt.Sprintf("%s failed: %v", c.Action, err)))
			continue
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", c.Action, plain(c.Name), err)
		}
		if !c.Parked {
			a.run.Report.count(c.Action)
		}
	}
	return nil
}

func (a *applier) change(ctx context.Context, c *Change) error {
	storeID, by := a.run.StoreID, a.actor()
	switch c.Action {
	case DisableUser, UpdateUser:
		return a.record(ctx, "UpdateUser", map[string]any{"userId": c.ID}, func(ctx context.Context) error {
			_, err := a.directory.ChangeUser(ctx, by, storeID, c.ID, func(u *directory.User) error {
				if owned(u.ExternalIDs, a.issuer) != c.Source {
					return errChanged
				}
				switch {
				case c.Action == DisableUser:
					u.Enabled = false
				case c.Parked:
					u.UserName, u.Profile.Emails = parkedName(c.ID), nil
				default:
					c.Person.put(u)
				}
				return nil
			})
			return err
		})
	case DeleteUser:
		return a.record(ctx, "DeleteUser", map[string]any{"userId": c.ID}, func(ctx context.Context) error {
			return gone(a.directory.DeleteUser(ctx, storeID, c.ID))
		})
	case DeleteGroup:
		return a.record(ctx, "DeleteGroup", map[string]any{"groupId": c.ID}, func(ctx context.Context) error {
			return gone(a.directory.DeleteGroup(ctx, storeID, c.ID))
		})
	case CreateUser:
		return a.record(ctx, "CreateUser", map[string]any{"userName": c.Name}, func(ctx context.Context) error {
			u := directory.User{StoreID: storeID, ExternalIDs: []directory.ExternalID{{Issuer: a.issuer, ID: c.Source}}}
			c.Person.put(&u)
			u, err := a.directory.CreateUser(ctx, by, u)
			if err == nil {
				a.users[c.Source] = u.ID
				trail.From(ctx).Response(map[string]any{"userId": u.ID})
			}
			return err
		})
	case CreateGroup:
		return a.record(ctx, "CreateGroup", map[string]any{"displayName": c.Name}, func(ctx context.Context) error {
			g, err := a.directory.CreateGroup(ctx, by, directory.Group{
				StoreID: storeID, DisplayName: c.Group.Name, Description: c.Group.Description, ExternalIDs: []directory.ExternalID{{Issuer: a.issuer, ID: c.Source}},
			})
			if err == nil {
				a.groups[c.Source] = g.ID
				trail.From(ctx).Response(map[string]any{"groupId": g.ID})
			}
			return err
		})
	case UpdateGroup:
		return a.changeGroup(ctx, c, c.ID, func(g *directory.Group, _ *directory.Members) {
			if g.DisplayName, g.Description = c.Group.Name, c.Group.Description; c.Parked {
				g.DisplayName = parkedName(c.ID)
			}
		})
	case Leave:
		for ids := range slices.Chunk(c.Members, membersAtOnce) {
			if err := a.changeGroup(ctx, c, c.ID, func(_ *directory.Group, m *directory.Members) { m.Remove = ids }); err != nil {
				return err
			}
		}
		return nil
	case Join:
		return a.join(ctx, c)
	}
	return fmt.Errorf("unknown action %s", c.Action)
}

// join makes memberships of people who are in the directory by now. When one of many is refused, say because of a quota,
// the others are tried one by one.
func (a *applier) join(ctx context.Context, c *Change) error {
	groupID := a.groups[c.Source]
	if groupID == "" {
		return nil // could not be created, which was reported
	}
	var ids []string
	for _, source := range c.Members {
		if id := a.users[source]; id != "" {
			ids = append(ids, id)
		}
	}
	var last error
	for part := range slices.Chunk(ids, membersAtOnce) {
		err := a.addMembers(ctx, c, groupID, part)
		_, refused := errors.AsType[*directory.Error](err)
		if refused && len(part) > 1 {
			for _, id := range part {
				if err = a.addMembers(ctx, c, groupID, []string{id}); err != nil {
					if _, refused = errors.AsType[*directory.Error](err); !refused {
						return err
					}
					last = err
				}
			}
			continue
		}
		switch {
		case err == nil:
		case refused:
			last = err
		default:
			return err
		}
	}
	return last
}

func (a *applier) addMembers(ctx context.Context, c *Change, groupID string, ids []string) error {
	return a.changeGroup(ctx, c, groupID, func(_ *directory.Group, m *directory.Members) { m.Add = ids })
}

func (a *applier) changeGroup(ctx context.Context, c *Change, groupID string, change func(*directory.Group, *directory.Members)) error {
	return a.record(ctx, "UpdateGroup", map[string]any{"groupId": groupID}, func(ctx context.Context) error {
		_, err := a.directory.ChangeGroup(ctx, a.actor(), a.run.StoreID, groupID, func(g *directory.Group, m *directory.Members) error {
			if owned(g.ExternalIDs, a.issuer) != c.Source {
				return errChanged
			}
			change(g, m)
			return nil
		})
		return err
	})
}

// parkedName is a name that nobody has, for as long as it takes to free another.
func parkedName(id string) string { return "moving-" + id }

// gone takes it for done that what was to be deleted is not there.
func gone(err error) error {
	if e, ok := errors.AsType[*directory.Error](err); ok && e.Kind == directory.KindNotFound {
		return nil
	}
	return err
}

func (a *applier) actor() directory.Actor { return directory.Actor(actorOf(a.run.Source)) }

// serviceName is who makes the changes, and where they come from, as the trail has it of services.
const serviceName = "ldap.lakegate.internal"

// actorOf is how the changes of a source are signed in the directory.
func actorOf(source string) string { return "ldap/" + source }

// record runs an operation as a request of its own, so that it commits with its record.
func (a *applier) record(ctx context.Context, name string, parameters map[string]any, operation func(context.Context) error) error {
	ctx = caller.WithRequest(ctx, &caller.Request{ID: uuid.NewString(), SourceIP: serviceName, UserAgent: serviceName, Region: a.region, Time: a.directory.Now()})
	ctx, entry := a.trail.Begin(ctx, trail.Operation{Source: "identitystore.amazonaws.com", Name: name})
	entry.Caller(serviceCaller(a.account, a.run.Source))
	parameters["identityStoreId"] = a.run.StoreID
	entry.Parameters(parameters)
	entry.Add(keySync, a.run.ID)
	entry.Add("startedBy", a.run.StartedBy)
	err := operation(ctx)
	return errors.Join(err, a.trail.Finish(ctx, entry, recorded(err)))
}

// keySync joins the records of a run.
const keySync = "directorySyncId"

// serviceCaller is who the trail names for what a source does.
func serviceCaller(account, source string) *caller.Caller {
	return &caller.Caller{Type: caller.Service, Account: account, UserID: actorOf(source), ServiceName: serviceName}
}

// recorded is an error as the trail records it.
func recorded(err error) error {
	e, ok := errors.AsType[*directory.Error](err)
	switch {
	case err == nil:
		return nil
	case !ok && errors.Is(err, errChanged):
		return wire.NewError("ConflictException", 409, err.Error())
	case !ok:
		return wire.NewError("InternalServerException", 500, "The change could not be made because of an internal error.")
	}
	code := map[directory.ErrorKind]string{
		directory.KindNotFound: "ResourceNotFoundException", directory.KindConflict: "ConflictException", directory.KindQuota: "ServiceQuotaExceededException",
	}[e.Kind]
	if code == "" {
		code = "ValidationException"
	}
	return wire.NewError(code, 400, e.Message)
}
