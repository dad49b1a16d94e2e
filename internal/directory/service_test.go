package directory_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	api "github.com/lakegate/lakegate/internal/api/identitystore"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/wire"
)

var _ api.Service = (*directory.Service)(nil)

// fails sees that an error has a code and fields.
func fails(t *testing.T, name string, err error, code string, fields ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: succeeded, want %s", name, code)
		return
	}
	e := wire.AsError(err)
	if e.Code != code {
		t.Errorf("%s: %v, want %s", name, err, code)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if e.Fields[fields[i]] != fields[i+1] {
			t.Errorf("%s: %s = %q, want %q", name, fields[i], e.Fields[fields[i]], fields[i+1])
		}
	}
}

func newUser(name string) *api.CreateUserInput {
	return &api.CreateUserInput{
		IdentityStoreId: shared, UserName: &name, DisplayName: &name, Name: &api.Name{GivenName: &name, FamilyName: &name},
		Emails: []api.Email{{Value: new(name + "@example.com"), Type: new("work"), Primary: new(true)}},
	}
}

func TestUsersThroughTheAPI(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx := h.as(t, management)
		in := newUser("mateo")
		in.Title, in.Website, in.Birthdate = new("Analyst"), new("https://example.com"), new("1990-01-31")
		in.Addresses = []api.Address{{Locality: new("Lima"), Primary: new(true)}}
		in.PhoneNumbers, in.Roles, in.Photos = []api.PhoneNumber{{Value: new("+1")}}, []api.Role{{Value: new("r")}}, []api.Photo{{Value: "p", Display: new("d")}}
		in.Extensions = map[string]json.RawMessage{"aws:identitystore:enterprise": json.RawMessage(`{"department":"Red","manager":{"value":"m1"}}`)}
		made, err := h.service.CreateUser(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.service.DescribeUser(ctx, &api.DescribeUserInput{IdentityStoreId: shared, UserId: made.UserId, Extensions: []string{"aws:identitystore:enterprise"}})
		if err != nil {
			t.Fatal(err)
		}
		now := h.db.Now()
		maker := "arn:aws:sts::222222222222:assumed-role/tester/s"
		want := &api.DescribeUserOutput{
			IdentityStoreId: shared, UserId: made.UserId, UserName: in.UserName, DisplayName: in.DisplayName, Name: in.Name, Emails: in.Emails, Title: in.Title,
			Website: in.Website, Birthdate: in.Birthdate, Addresses: in.Addresses, Roles: []api.Role{{Value: new("r"), Primary: new(false)}},
			PhoneNumbers: []api.PhoneNumber{{Value: new("+1"), Primary: new(false)}}, Photos: []api.Photo{{Value: "p", Display: new("d"), Primary: new(false)}},
			UserStatus: new(api.UserStatusENABLED), CreatedAt: &now, UpdatedAt: &now, CreatedBy: &maker, UpdatedBy: &maker, Extensions: in.Extensions,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("described:\n%s", diff)
		}
		list, err := h.service.ListUsers(ctx, &api.ListUsersInput{IdentityStoreId: shared})
		if err != nil || len(list.Users) != 1 || list.Users[0].UserId != made.UserId || list.Users[0].Extensions != nil {
			t.Errorf("listed %+v, %v", list, err)
		}
		if _, err := h.service.DeleteUser(ctx, &api.DeleteUserInput{IdentityStoreId: shared, UserId: made.UserId}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.service.DeleteUser(ctx, &api.DeleteUserInput{IdentityStoreId: shared, UserId: made.UserId}); err != nil {
			t.Errorf("deleted twice: %v", err)
		}
		_, err = h.service.DescribeUser(ctx, &api.DescribeUserInput{IdentityStoreId: shared, UserId: made.UserId})
		fails(t, "describe a deleted user", err, "ResourceNotFoundException", "ResourceType", "USER", "ResourceId", made.UserId, "RequestId", "11111111-2222-3333-4444-555555555555")
	})
}

func TestCreateUserRefuses(t *testing.T) {
	h := open(t, sqlite(t))
	ctx := h.as(t, management)
	if _, err := h.service.CreateUser(ctx, newUser("ana")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, code string
		change     func(*api.CreateUserInput)
	}{
		{"no user name", "ValidationException", func(in *api.CreateUserInput) { in.UserName = nil }},
		{"no display name", "ValidationException", func(in *api.CreateUserInput) { in.DisplayName = nil }},
		{"no name", "ValidationException", func(in *api.CreateUserInput) { in.Name = nil }},
		{"no family name", "ValidationException", func(in *api.CreateUserInput) { in.Name.FamilyName = nil }},
		{"reserved name", "ValidationException", func(in *api.CreateUserInput) { in.UserName = new("Administrator") }},
		{"birthdate", "ValidationException", func(in *api.CreateUserInput) { in.Birthdate = new("yesterday") }},
		{"unknown extension", "ValidationException", func(in *api.CreateUserInput) {
			in.Extensions = map[string]json.RawMessage{"aws:identitystore:other": []byte(`{}`)}
		}},
		{"a text as extension", "ValidationException", func(in *api.CreateUserInput) {
			in.Extensions = map[string]json.RawMessage{"aws:identitystore:enterprise": []byte(`"x"`)}
		}},
		{"unknown part of an extension", "ValidationException", func(in *api.CreateUserInput) {
			in.Extensions = map[string]json.RawMessage{"aws:identitystore:enterprise": []byte(`{"admin":true}`)}
		}},
		{"taken name", "ConflictException", func(in *api.CreateUserInput) { in.UserName = new("ANA") }},
		{"taken email", "ConflictException", func(in *api.CreateUserInput) { in.Emails[0].Value = new("ana@example.com") }},
	} {
		in := newUser("bob")
		c.change(in)
		_, err := h.service.CreateUser(ctx, in)
		if c.code == "ConflictException" {
			fails(t, c.name, err, c.code, "Reason", "UNIQUENESS_CONSTRAINT_VIOLATION")
		} else {
			fails(t, c.name, err, c.code)
		}
	}
}

func TestUpdateUserByPaths(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx := h.as(t, management)
		u, err := h.dir.CreateUser(ctx, "test", full())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			path, value string
			want        func(*directory.User)
		}{
			{"title", `"Chief"`, func(u *directory.User) { u.Profile.Title = "Chief" }},
			{"TITLE", ``, func(u *directory.User) { u.Profile.Title = "" }},
			{"nickName", `null`, func(u *directory.User) { u.Profile.NickName = "" }},
			{"userName", `"mj"`, func(u *directory.User) { u.UserName = "mj" }},
			{"name.givenName", `"M"`, func(u *directory.User) { u.Profile.Name.GivenName = "M" }},
			{"name", `{"familyName":"J"}`, func(u *directory.User) { u.Profile.Name = directory.Name{FamilyName: "J"} }},
			{"emails", `[{"value":"new@example.com","type":"work","primary":true}]`, func(u *directory.User) {
				u.Profile.Emails = []directory.Item{{Value: "new@example.com", Type: "work", Primary: true}}
			}},
			{"emails", ``, func(u *directory.User) { u.Profile.Emails = nil }},
			{"addresses", `[{"locality":"Quito"}]`, func(u *directory.User) { u.Profile.Addresses = []directory.Address{{Locality: "Quito"}} }},
			{"phoneNumbers", `[{"value":"+2"}]`, func(u *directory.User) { u.Profile.PhoneNumbers = []directory.Item{{Value: "+2"}} }},
			{"roles", `[]`, func(u *directory.User) { u.Profile.Roles = nil }},
			{"photos", `[{"value":"a"},{"value":"b"},{"value":"c"}]`, func(u *directory.User) {
				u.Profile.Photos = []directory.Item{{Value: "a"}, {Value: "b"}, {Value: "c"}}
			}},
			{"birthdate", `"2000-02-29"`, func(u *directory.User) { u.Profile.Birthdate = "2000-02-29" }},
			{"aws:identitystore:enterprise.department", `"Blue"`, func(u *directory.User) { u.Profile.Enterprise.Department = "Blue" }},
			{"aws:identitystore:enterprise.manager", `{"value":"m2"}`, func(u *directory.User) { u.Profile.Enterprise.Manager = "m2" }},
			{"aws:identitystore:enterprise.manager", `{"value":"m3","$ref":"../Users/m3","displayName":"Boss"}`, func(u *directory.User) { u.Profile.Enterprise.Manager = "m3" }},
			{"aws:identitystore:enterprise.manager.value", ``, func(u *directory.User) { u.Profile.Enterprise.Manager = "" }},
			{"aws:identitystore:enterprise", `{"division":"x"}`, func(u *directory.User) { u.Profile.Enterprise = directory.Enterprise{Division: "x"} }},
		} {
			c.want(&u)
			_, err := h.service.UpdateUser(ctx, &api.UpdateUserInput{IdentityStoreId: shared, UserId: u.ID, Operations: []api.AttributeOperation{{AttributePath: c.path, AttributeValue: []byte(c.value)}}})
			if err != nil {
				t.Errorf("%s = %s: %v", c.path, c.value, err)
			}
			got, err := h.dir.ReadUser(ctx, shared, u.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(u, got, cmpopts.IgnoreFields(directory.User{}, "Stamps")); diff != "" {
				t.Errorf("%s = %s:\n%s", c.path, c.value, diff)
			}
		}
		before, err := h.dir.ReadUser(ctx, shared, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ path, value string }{
			{"nobody", `"x"`}, {"name.nobody", `"x"`}, {"userName", ``}, {"title", `1`}, {"title", `["x"]`}, {"title", `"\u0000"`}, {"emails", `"a@b"`}, {"emails", `{"value":"a"}`},
			{"emails", `[{"value":"a"},{"value":"b"}]`}, {"emails", `[{"address":"a"}]`}, {"photos", `[{},{},{},{}]`}, {"birthdate", `"x"`}, {"userStatus", `"DISABLED"`},
			{"externalIds", `[]`}, {"aws:identitystore:enterprise.nobody", `"x"`}, {"aws:identitystore:other", `{}`}, {"id", `"x"`},
		} {
			_, err := h.service.UpdateUser(ctx, &api.UpdateUserInput{IdentityStoreId: shared, UserId: u.ID, Operations: []api.AttributeOperation{
				{AttributePath: "locale", AttributeValue: []byte(`"xx"`)}, {AttributePath: c.path, AttributeValue: []byte(c.value)},
			}})
			fails(t, c.path+" = "+c.value, err, "ValidationException")
		}
		after, err := h.dir.ReadUser(ctx, shared, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("half of a refused update was done:\n%s", diff)
		}
	})
}

func TestGroupsThroughTheAPI(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx := h.as(t, management)
		made, err := h.service.CreateGroup(ctx, &api.CreateGroupInput{IdentityStoreId: shared, DisplayName: new("Red Project Group"), Description: new("red")})
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.service.CreateGroup(ctx, &api.CreateGroupInput{IdentityStoreId: shared, DisplayName: new("red project group")})
		fails(t, "the name again", err, "ConflictException", "Reason", "UNIQUENESS_CONSTRAINT_VIOLATION")
		_, err = h.service.CreateGroup(ctx, &api.CreateGroupInput{IdentityStoreId: shared})
		fails(t, "no name", err, "ValidationException")
		update := func(path, value string) error {
			_, err := h.service.UpdateGroup(ctx, &api.UpdateGroupInput{IdentityStoreId: shared, GroupId: made.GroupId, Operations: []api.AttributeOperation{{AttributePath: path, AttributeValue: []byte(value)}}})
			return err
		}
		if err := update("DisplayName", `"Reds"`); err != nil {
			t.Error(err)
		}
		if err := update("description", ``); err != nil {
			t.Error(err)
		}
		fails(t, "no name left", update("displayName", `null`), "ValidationException")
		fails(t, "unknown path", update("members", `[]`), "ValidationException")
		got, err := h.service.DescribeGroup(ctx, &api.DescribeGroupInput{IdentityStoreId: shared, GroupId: made.GroupId})
		if err != nil || *got.DisplayName != "Reds" || got.Description != nil {
			t.Errorf("described %+v, %v", got, err)
		}
		list, err := h.service.ListGroups(ctx, &api.ListGroupsInput{IdentityStoreId: shared, Filters: []api.Filter{{AttributePath: "displayname", AttributeValue: "REDS"}}})
		if err != nil || len(list.Groups) != 1 {
			t.Errorf("listed %+v, %v", list, err)
		}
		for range 2 {
			if _, err := h.service.DeleteGroup(ctx, &api.DeleteGroupInput{IdentityStoreId: shared, GroupId: made.GroupId}); err != nil {
				t.Error(err)
			}
		}
		_, err = h.service.DescribeGroup(ctx, &api.DescribeGroupInput{IdentityStoreId: shared, GroupId: made.GroupId})
		fails(t, "a deleted group", err, "ResourceNotFoundException", "ResourceType", "GROUP")
	})
}

func TestMembershipsThroughTheAPI(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx := h.as(t, management)
		u, other := h.user(t, "u"), h.user(t, "other")
		g := h.group(t, "Red")
		member := func(id string) *api.MemberId { return &api.MemberId{UserId: &id} }
		made, err := h.service.CreateGroupMembership(ctx, &api.CreateGroupMembershipInput{IdentityStoreId: shared, GroupId: g.ID, MemberId: member(u.ID)})
		if err != nil {
			t.Fatal(err)
		}
		const nobody = "00000000-0000-4000-8000-000000000000"
		_, err = h.service.CreateGroupMembership(ctx, &api.CreateGroupMembershipInput{IdentityStoreId: shared, GroupId: g.ID, MemberId: member(u.ID)})
		fails(t, "twice", err, "ConflictException", "Reason", "UNIQUENESS_CONSTRAINT_VIOLATION")
		_, err = h.service.CreateGroupMembership(ctx, &api.CreateGroupMembershipInput{IdentityStoreId: shared, GroupId: g.ID, MemberId: member(nobody)})
		fails(t, "nobody", err, "ResourceNotFoundException", "ResourceType", "USER")
		_, err = h.service.CreateGroupMembership(ctx, &api.CreateGroupMembershipInput{IdentityStoreId: shared, GroupId: nobody, MemberId: member(u.ID)})
		fails(t, "no group", err, "ResourceNotFoundException", "ResourceType", "GROUP")
		id, err := h.service.GetGroupMembershipId(ctx, &api.GetGroupMembershipIdInput{IdentityStoreId: shared, GroupId: g.ID, MemberId: member(u.ID)})
		if err != nil || id.MembershipId != made.MembershipId {
			t.Errorf("found %+v, %v", id, err)
		}
		got, err := h.service.DescribeGroupMembership(ctx, &api.DescribeGroupMembershipInput{IdentityStoreId: shared, MembershipId: made.MembershipId})
		if err != nil || got.GroupId != g.ID || *got.MemberId.UserId != u.ID {
			t.Errorf("described %+v, %v", got, err)
		}
		of, err := h.service.ListGroupMemberships(ctx, &api.ListGroupMembershipsInput{IdentityStoreId: shared, GroupId: g.ID})
		if err != nil || len(of.GroupMemberships) != 1 || *of.GroupMemberships[0].MembershipId != made.MembershipId {
			t.Errorf("listed %+v, %v", of, err)
		}
		mine, err := h.service.ListGroupMembershipsForMember(ctx, &api.ListGroupMembershipsForMemberInput{IdentityStoreId: shared, MemberId: member(u.ID)})
		if err != nil || len(mine.GroupMemberships) != 1 || *mine.GroupMemberships[0].GroupId != g.ID {
			t.Errorf("listed %+v, %v", mine, err)
		}
		_, err = h.service.ListGroupMemberships(ctx, &api.ListGroupMembershipsInput{IdentityStoreId: shared, GroupId: nobody})
		fails(t, "members of no group", err, "ResourceNotFoundException", "ResourceType", "GROUP")
		_, err = h.service.ListGroupMembershipsForMember(ctx, &api.ListGroupMembershipsForMemberInput{IdentityStoreId: shared, MemberId: member(nobody)})
		fails(t, "groups of nobody", err, "ResourceNotFoundException", "ResourceType", "USER")
		is, err := h.service.IsMemberInGroups(ctx, &api.IsMemberInGroupsInput{IdentityStoreId: shared, MemberId: member(u.ID), GroupIds: []string{nobody, g.ID}})
		if err != nil || len(is.Results) != 2 || *is.Results[0].MembershipExists || !*is.Results[1].MembershipExists || *is.Results[1].GroupId != g.ID {
			t.Errorf("answered %+v, %v", is, err)
		}
		is, err = h.service.IsMemberInGroups(ctx, &api.IsMemberInGroupsInput{IdentityStoreId: shared, MemberId: member(other.ID), GroupIds: []string{g.ID}})
		if err != nil || *is.Results[0].MembershipExists {
			t.Errorf("answered %+v, %v", is, err)
		}
		for range 2 {
			if _, err := h.service.DeleteGroupMembership(ctx, &api.DeleteGroupMembershipInput{IdentityStoreId: shared, MembershipId: made.MembershipId}); err != nil {
				t.Error(err)
			}
		}
		_, err = h.service.GetGroupMembershipId(ctx, &api.GetGroupMembershipIdInput{IdentityStoreId: shared, GroupId: g.ID, MemberId: member(u.ID)})
		fails(t, "a membership that ended", err, "ResourceNotFoundException", "ResourceType", "GROUP_MEMBERSHIP")
	})
}

func TestLookUp(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx := h.as(t, memberAcct)
		u, err := h.dir.CreateUser(ctx, "test", full())
		if err != nil {
			t.Fatal(err)
		}
		g, err := h.dir.CreateGroup(ctx, "test", directory.Group{StoreID: shared, DisplayName: "Red", ExternalIDs: []directory.ExternalID{{Issuer: "a", ID: "g-1"}}})
		if err != nil {
			t.Fatal(err)
		}
		two := full()
		two.UserName, two.Profile.Emails = "two", []directory.Item{{Value: "two@example.com"}, {Value: "mateo@example.com"}}
		two.ExternalIDs = []directory.ExternalID{{Issuer: "c", ID: "OID-1"}}
		if _, err := h.dir.CreateUser(ctx, "test", two); err != nil {
			t.Fatal(err)
		}
		unique := func(path, value string) *api.AlternateIdentifier {
			return &api.AlternateIdentifier{UniqueAttribute: &api.UniqueAttribute{AttributePath: path, AttributeValue: []byte(value)}}
		}
		external := func(issuer, id string) *api.AlternateIdentifier {
			return &api.AlternateIdentifier{ExternalId: &api.ExternalId{Issuer: issuer, Id: id}}
		}
		for _, c := range []struct {
			name string
			by   *api.AlternateIdentifier
			kind string
			want string // "user", "group" or an error code
		}{
			{"user name", unique("userName", `"Mateo"`), "user", "user"},
			{"user name and path in another case", unique("USERNAME", `"mATEO"`), "user", "user"},
			{"an email", unique("emails.value", `"OTHER@example.com"`), "user", "user"},
			{"an email of two users", unique("emails.value", `"mateo@example.com"`), "user", "ValidationException"},
			{"external id as attribute", unique("externalId", `"oid-1"`), "user", "user"},
			{"external id of two issuers", unique("externalId", `"OID-1"`), "user", "ValidationException"},
			{"external id", external("b", "OID-1"), "user", "user"},
			{"external id in another case", external("b", "oid-1"), "user", "ResourceNotFoundException"},
			{"external id of another issuer", external("z", "oid-1"), "user", "ResourceNotFoundException"},
			{"group name for a user", unique("displayName", `"Red"`), "user", "ValidationException"},
			{"not unique attribute", unique("title", `"Analyst"`), "user", "ValidationException"},
			{"number", unique("userName", `1`), "user", "ValidationException"},
			{"nobody", unique("userName", `"nobody"`), "user", "ResourceNotFoundException"},
			{"group name", unique("DisplayName", `"rED"`), "group", "group"},
			{"group's external id", external("a", "g-1"), "group", "group"},
			{"group's external id as attribute", unique("externalId", `"g-1"`), "group", "group"},
			{"user's external id for a group", external("a", "oid-1"), "group", "ResourceNotFoundException"},
			{"no group", unique("displayName", `"Blue"`), "group", "ResourceNotFoundException"},
		} {
			var got string
			var err error
			if c.kind == "user" {
				var out *api.GetUserIdOutput
				if out, err = h.service.GetUserId(ctx, &api.GetUserIdInput{IdentityStoreId: shared, AlternateIdentifier: c.by}); err == nil {
					got = out.UserId
				}
			} else {
				var out *api.GetGroupIdOutput
				if out, err = h.service.GetGroupId(ctx, &api.GetGroupIdInput{IdentityStoreId: shared, AlternateIdentifier: c.by}); err == nil {
					got = out.GroupId
				}
			}
			switch {
			case err != nil:
				fails(t, c.name, err, c.want)
			case got != map[string]string{"user": u.ID, "group": g.ID}[c.want]:
				t.Errorf("%s: found %s, want the %s", c.name, got, c.want)
			}
		}
	})
}

func TestPagesOfTheAPISurviveChanges(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx := h.as(t, management)
		var all []string
		for _, n := range []string{"a", "b", "c", "d", "e", "f"} {
			all = append(all, h.user(t, n).ID)
		}
		slices.Sort(all)
		first, err := h.service.ListUsers(ctx, &api.ListUsersInput{IdentityStoreId: shared, MaxResults: new(2)})
		if err != nil || len(first.Users) != 2 || first.NextToken == nil {
			t.Fatalf("first page %+v, %v", first, err)
		}
		// Who was seen goes; the next page begins where it would have.
		for _, u := range first.Users {
			if err := h.dir.DeleteUser(ctx, shared, u.UserId); err != nil {
				t.Fatal(err)
			}
		}
		var rest []string
		for token := first.NextToken; token != nil; {
			page, err := h.service.ListUsers(ctx, &api.ListUsersInput{IdentityStoreId: shared, MaxResults: new(3), NextToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range page.Users {
				rest = append(rest, u.UserId)
			}
			token = page.NextToken
		}
		if !slices.Equal(rest, all[2:]) {
			t.Errorf("the rest is %v, want %v", rest, all[2:])
		}
		g := h.group(t, "Red", all[2:]...)
		members, err := h.service.ListGroupMemberships(ctx, &api.ListGroupMembershipsInput{IdentityStoreId: shared, GroupId: g.ID, MaxResults: new(3)})
		if err != nil || len(members.GroupMemberships) != 3 {
			t.Fatalf("members %+v, %v", members, err)
		}
		last, err := h.service.ListGroupMemberships(ctx, &api.ListGroupMembershipsInput{IdentityStoreId: shared, GroupId: g.ID, MaxResults: new(3), NextToken: members.NextToken})
		if err != nil || len(last.GroupMemberships) != 1 || last.NextToken != nil {
			t.Errorf("last members %+v, %v", last, err)
		}
		for name, list := range map[string]func(token *string) error{
			"the same list with a filter": func(token *string) error {
				_, err := h.service.ListUsers(ctx, &api.ListUsersInput{IdentityStoreId: shared, NextToken: token, Filters: []api.Filter{{AttributePath: "UserName", AttributeValue: "c"}}})
				return err
			},
			"another list": func(token *string) error {
				_, err := h.service.ListGroups(ctx, &api.ListGroupsInput{IdentityStoreId: shared, NextToken: token})
				return err
			},
			"members": func(token *string) error {
				_, err := h.service.ListGroupMemberships(ctx, &api.ListGroupMembershipsInput{IdentityStoreId: shared, GroupId: g.ID, NextToken: token})
				return err
			},
		} {
			for _, token := range []string{*first.NextToken, "", "AAAA", "AAAAAAAAAAAAAAAA", "x", strings.Repeat("A", 60000)} {
				fails(t, name+" with the token "+token[:min(len(token), 20)], list(&token), "ValidationException")
			}
		}
		_, err = h.service.ListUsers(ctx, &api.ListUsersInput{IdentityStoreId: shared, Filters: []api.Filter{{AttributePath: "title", AttributeValue: "x"}}})
		fails(t, "a filter by title", err, "ValidationException")
	})
}

// The organization shares its store with its members, who read. Other accounts do not see it; nor does anybody see the
// store of a member's own instance but that member.
func TestWhoReachesAStore(t *testing.T) {
	h := open(t, sqlite(t))
	u := h.user(t, "u")
	mine, err := h.dir.CreateUser(t.Context(), "test", directory.User{StoreID: private, UserName: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	read := func(ctx context.Context, storeID, id string) error {
		_, err := h.service.DescribeUser(ctx, &api.DescribeUserInput{IdentityStoreId: storeID, UserId: id})
		return err
	}
	write := func(ctx context.Context, storeID, id string) error {
		_, err := h.service.UpdateUser(ctx, &api.UpdateUserInput{IdentityStoreId: storeID, UserId: id, Operations: []api.AttributeOperation{{AttributePath: "title", AttributeValue: []byte(`"x"`)}}})
		return err
	}
	const ok, no, gone = "", "AccessDenied", "ResourceNotFoundException"
	for _, c := range []struct {
		account, store, id string
		read, write        string
	}{
		{management, shared, u.ID, ok, ok},
		{delegate, shared, u.ID, ok, ok},
		{memberAcct, shared, u.ID, ok, "AccessDeniedException"},
		{outsider, shared, u.ID, gone, gone},
		{memberAcct, private, mine.ID, ok, ok},
		{management, private, mine.ID, gone, gone},
		{delegate, private, mine.ID, gone, gone},
		{outsider, private, mine.ID, gone, gone},
		{memberAcct, private, u.ID, gone, gone}, // the user of another store
		{management, "d-ffffffffff", u.ID, gone, gone},
	} {
		ctx := h.as(t, c.account)
		for _, x := range []struct {
			name, want string
			err        error
		}{{"read", c.read, read(ctx, c.store, c.id)}, {"write", c.write, write(ctx, c.store, c.id)}} {
			name := c.account + " " + x.name + "s " + c.store
			if x.want == ok && x.err != nil {
				t.Errorf("%s: %v", name, x.err)
			} else if x.want != ok {
				fails(t, name, x.err, x.want)
			}
		}
	}
	for name, text := range map[string]string{
		"no action":        `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sso:*","Resource":"*"}}`,
		"no user":          `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"identitystore:*","Resource":"arn:aws:identitystore::*:identitystore/*"}}`,
		"another user":     `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"identitystore:*","Resource":["arn:aws:identitystore::*:identitystore/*","arn:aws:identitystore:::user/other"]}}`,
		"another store":    `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"identitystore:*","Resource":["arn:aws:identitystore::222222222222:identitystore/d-1111111111","arn:aws:identitystore:::user/*"]}}`,
		"an explicit deny": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"identitystore:*","Resource":"arn:aws:identitystore:::user/` + u.ID + `"}]}`,
	} {
		ctx := h.as(t, management, text)
		fails(t, name+": read", read(ctx, shared, u.ID), no)
		fails(t, name+": write", write(ctx, shared, u.ID), no)
	}
	// Out of reach and not there are told apart by nothing.
	out := h.as(t, outsider)
	a, b := wire.AsError(read(out, shared, u.ID)), wire.AsError(read(out, "d-ffffffffff", u.ID))
	if strings.ReplaceAll(a.Message, shared, "") != strings.ReplaceAll(b.Message, "d-ffffffffff", "") || a.Fields["ResourceType"] != "IDENTITY_STORE" {
		t.Errorf("%v and %v differ", a, b)
	}
	none := h.as(t, outsider, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`)
	if err := read(none, shared, u.ID); err == nil || strings.Contains(err.Error(), management) {
		t.Errorf("a refusal tells whose store it is: %v", err)
	}
}
