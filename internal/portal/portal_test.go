package portal_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/directory"
)

// TestAPersonSeesWhatIsAssigned: directly and through groups, each once, and nothing of anybody else.
func TestAPersonSeesWhatIsAssigned(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		reader, writer := h.set("Reader"), h.set("Writer")
		analysts := h.Group(t, "Analysts", h.mateo)
		strangers := h.Group(t, "Strangers")
		h.assign(reader, member, "USER", h.mateo)
		h.assign(reader, member, "GROUP", analysts)
		h.assign(writer, member, "GROUP", analysts)
		h.assign(reader, management, "GROUP", analysts)
		h.assign(writer, management, "GROUP", strangers)
		h.assign(writer, other, "USER", h.Person(t, "jorge", ""))
		bearer := h.signIn(h.mateo, scope)
		if diff := cmp.Diff([]string{member, management}, h.accounts(bearer)); diff != "" {
			t.Errorf("accounts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"Reader", "Writer"}, h.roles(bearer, member)); diff != "" {
			t.Errorf("roles (-want +got):\n%s", diff)
		}
		for _, account := range []string{other, "123456789012", "../etc", ""} {
			got := h.ask("GET", "/assignment/roles", bearer, "account_id", account)
			got.want(t, http.StatusForbidden, "ForbiddenException")
		}
	})
}

// TestRoleCredentials: a session of the provisioned role that says whose it is and on what it rests, and lasts as long as
// the permission set says.
func TestRoleCredentials(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		set := h.set("Reader")
		h.assign(set, member, "USER", h.mateo)
		if _, err := h.Service.CreateInstanceAccessControlAttributeConfiguration(h.As(t.Context(), management, "Admin"), &ssoadmin.CreateInstanceAccessControlAttributeConfigurationInput{
			InstanceArn: h.Instance.ARN, InstanceAccessControlAttributeConfiguration: &ssoadmin.InstanceAccessControlAttributeConfiguration{
				AccessControlAttributes: []ssoadmin.AccessControlAttribute{{Key: "who", Value: &ssoadmin.AccessControlAttributeValue{Source: []string{"${path:userName}"}}}},
			},
		}); err != nil {
			t.Fatal(err)
		}
		creds := h.credentials(h.signIn(h.mateo, scope), member, "Reader")
		who := h.within(creds)
		role, ok := h.Center.AccountRole(h.Instance.ARN, h.mateo, nil, member, set)
		if !ok {
			t.Fatal("nothing is assigned")
		}
		if who.PrincipalARN != role.RoleARN || who.Session.RoleID != role.RoleID || !strings.HasSuffix(who.ARN, "/mateo") || who.Account != member {
			t.Errorf("the session is %s of %s", who.ARN, who.PrincipalARN)
		}
		if want := h.Now().Add(2 * time.Hour); creds.Expiration != want.UnixMilli() || !who.Session.Expires.Equal(want) {
			t.Errorf("the session ends at %d, %v; want %v", creds.Expiration, who.Session.Expires, want)
		}
		if diff := cmp.Diff(&caller.Portal{PermissionSet: set, Account: member}, who.Session.Portal); diff != "" {
			t.Error(diff)
		}
		if who.OnBehalf == nil || who.OnBehalf.UserID != h.mateo || who.OnBehalf.ApplicationARN != "" || who.OnBehalf.CredentialID == "" || who.Session.Audit != nil {
			t.Errorf("the session is for %+v", who.OnBehalf)
		}
		if diff := cmp.Diff(map[string]string{"who": "mateo"}, who.Session.Tags); diff != "" {
			t.Error(diff)
		}
		// No guard-rail: the permission set's own policy is what counts.
		if err := h.may(who); err != nil {
			t.Error(err)
		}
	})
}

// TestStrictSessionsActForNobody: as on AWS; the trail names the person all the same.
func TestStrictSessionsActForNobody(t *testing.T) {
	h := newHouse(t)
	h.portal.Strict = true
	set := h.set("Reader")
	h.assign(set, member, "USER", h.mateo)
	who := h.within(h.credentials(h.signIn(h.mateo, scope), member, "Reader"))
	if who.OnBehalf != nil || who.Named() == nil || who.Named().UserID != h.mateo {
		t.Errorf("acts for %+v, named %+v", who.OnBehalf, who.Named())
	}
	if err := h.may(who); err != nil {
		t.Fatal(err)
	}
	h.unassign(set, member, "USER", h.mateo)
	if h.may(who) == nil {
		t.Error("the session outlived the assignment")
	}
}

// TestALostRightEndsOpenSessions: whatever a session rests on, when it goes the next request is refused.
func TestALostRightEndsOpenSessions(t *testing.T) {
	for name, lose := range map[string]func(h *house, set, group string){
		"assignment ended": func(h *house, set, group string) { h.unassign(set, member, "GROUP", group) },
		"person disabled":  func(h *house, _, _ string) { h.disable(h.mateo) },
		"person deleted": func(h *house, _, _ string) {
			noError(h.t, h.Directory.DeleteUser(h.t.Context(), h.Instance.StoreID, h.mateo))
		},
		"group deleted": func(h *house, _, group string) {
			noError(h.t, h.Directory.DeleteGroup(h.t.Context(), h.Instance.StoreID, group))
		},
		"account suspended": func(h *house, _, _ string) { h.closeAccount(member) },
		"left the group": func(h *house, _, group string) {
			m := must(h.Directory.FindMembership(h.t.Context(), h.Instance.StoreID, group, h.mateo))
			noError(h.t, h.Directory.Leave(h.t.Context(), h.Instance.StoreID, m.ID))
		},
		"set deleted": func(h *house, set, group string) {
			h.unassign(set, member, "GROUP", group)
			must(h.Service.DeletePermissionSet(h.As(h.t.Context(), management, "Admin"), &ssoadmin.DeletePermissionSetInput{InstanceArn: h.Instance.ARN, PermissionSetArn: set}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				set, group := h.set("Reader"), h.Group(t, "Analysts", h.mateo)
				h.assign(set, member, "GROUP", group)
				bearer := h.signIn(h.mateo, scope)
				who := h.within(h.credentials(bearer, member, "Reader"))
				// What followed from it: another role, taken on with it, and credentials of a grant asked for with it.
				chained := *who
				chained.OnBehalf, chained.Session = nil, clone(who.Session)
				chained.Session.Audit, chained.Session.Chained = who.OnBehalf, true
				for _, c := range []*caller.Caller{who, &chained} {
					if err := h.may(c); err != nil {
						t.Fatalf("before: %v", err)
					}
				}
				lose(h, set, group)
				for _, c := range []*caller.Caller{who, &chained} {
					if h.may(c) == nil || h.portal.Standing(c) == nil {
						t.Errorf("the session goes on (chained: %v)", c.Session.Chained)
					}
				}
				if got := h.ask("GET", "/federation/credentials", bearer, "account_id", member, "role_name", "Reader"); got.status == http.StatusOK {
					t.Error("the portal gives credentials as before")
				}
			})
		})
	}
}

func clone[T any](v *T) *T { c := *v; return &c }

// TestAnotherAssignmentDoesNotHoldASession: a session rests on its own permission set and account.
func TestAnotherAssignmentDoesNotHoldASession(t *testing.T) {
	h := newHouse(t)
	reader, writer := h.set("Reader"), h.set("Writer")
	h.assign(reader, member, "USER", h.mateo)
	h.assign(writer, member, "USER", h.mateo)
	h.assign(reader, other, "USER", h.mateo)
	who := h.within(h.credentials(h.signIn(h.mateo, scope), member, "Reader"))
	h.unassign(reader, member, "USER", h.mateo)
	if h.may(who) == nil {
		t.Error("the session lives on another assignment")
	}
	alone := clone(who)
	alone.OnBehalf = nil
	if h.portal.Standing(alone) == nil {
		t.Error("a session of the portal without a person stands")
	}
	if err := h.portal.Standing(&caller.Caller{Type: caller.User}); err != nil {
		t.Errorf("somebody else is held to an assignment: %v", err)
	}
}

// TestWhatIsNoTokenForThePortal: one answer to all of them, which does not say why.
func TestWhatIsNoTokenForThePortal(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		set := h.set("Reader")
		h.assign(set, member, "USER", h.mateo)
		good := h.signIn(h.mateo, scope)
		elsewhere := h.foreign()
		bearers := map[string]string{
			"nonsense": "nonsense", "altered": good[:len(good)-4] + "AAAA", "without the scope": h.signIn(h.mateo, "openid"), "no scope": h.signIn(h.mateo),
			"a JWT": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + ".e30.", "very long": strings.Repeat("A", 60<<10),
			"of a foreign instance": elsewhere,
		}
		for name, bearer := range bearers {
			for _, request := range [][]string{
				{"GET", "/assignment/accounts"}, {"GET", "/assignment/roles", "account_id", member},
				{"GET", "/federation/credentials", "account_id", member, "role_name", "Reader"}, {"POST", "/logout"},
			} {
				got := h.ask(request[0], request[1], bearer, request[2:]...)
				got.want(t, http.StatusUnauthorized, "UnauthorizedException")
				if !strings.Contains(string(got.body), "Session token not found or invalid") {
					t.Errorf("%s: %s: %s", name, request[1], got.body)
				}
			}
		}
		h.ask("GET", "/assignment/accounts", "").want(t, http.StatusBadRequest, "InvalidRequestException")
		h.accounts(good)
		h.Pass(day)
		h.ask("GET", "/assignment/accounts", good).want(t, http.StatusUnauthorized, "UnauthorizedException")
	})
}

// TestRoleNamesAreNames: nothing but the name of an assigned permission set opens a role.
func TestRoleNamesAreNames(t *testing.T) {
	h := newHouse(t)
	reader := h.set("Reader")
	h.set("Admin")
	h.assign(reader, member, "USER", h.mateo)
	bearer := h.signIn(h.mateo, scope)
	role, _ := h.Center.AccountRole(h.Instance.ARN, h.mateo, nil, member, reader)
	for _, name := range []string{
		"", "Admin", "reader", "Reader ", "Reader\x00", "Reader/../Admin", "*", "Reader_", role.RoleARN, role.RoleARN[strings.LastIndexByte(role.RoleARN, '/')+1:], reader,
		strings.Repeat("R", 10_000),
	} {
		h.ask("GET", "/federation/credentials", bearer, "account_id", member, "role_name", name).want(t, http.StatusForbidden, "ForbiddenException")
	}
	for _, id := range []string{"", "*", management, member + " ", "0" + member} {
		h.ask("GET", "/federation/credentials", bearer, "account_id", id, "role_name", "Reader").want(t, http.StatusForbidden, "ForbiddenException")
	}
	h.ask("GET", "/federation/credentials", bearer, "account_id", member).want(t, http.StatusBadRequest, "InvalidRequestException")
}

// TestLogoutEndsTheSignIn: the token, and the sessions that were opened with it, by what the server asks of each identity.
func TestLogoutEndsTheSignIn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.assign(h.set("Reader"), member, "USER", h.mateo)
		bearer, untouched := h.signIn(h.mateo, scope), h.signIn(h.mateo, scope)
		who := h.within(h.credentials(bearer, member, "Reader"))
		if got := h.ask("POST", "/logout", bearer); got.status != http.StatusOK || len(got.body) != 0 {
			t.Fatalf("%d %q", got.status, got.body)
		}
		h.ask("GET", "/assignment/accounts", bearer).want(t, http.StatusUnauthorized, "UnauthorizedException")
		if !h.tokens.SignInEnded(who.OnBehalf) {
			t.Error("the session does not know that its sign-in ended")
		}
		if got := h.accounts(untouched); !slices.Equal(got, []string{member}) {
			t.Errorf("another sign-in sees %v", got)
		}
	})
}

func TestSuspendedAccountsDoNotShow(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		set := h.set("Reader")
		h.assign(set, member, "USER", h.mateo)
		h.assign(set, other, "USER", h.mateo)
		bearer := h.signIn(h.mateo, scope)
		h.closeAccount(other)
		if got := h.accounts(bearer); !slices.Equal(got, []string{member}) {
			t.Errorf("accounts %v", got)
		}
		h.ask("GET", "/assignment/roles", bearer, "account_id", other).want(t, http.StatusForbidden, "ForbiddenException")
		h.ask("GET", "/federation/credentials", bearer, "account_id", other, "role_name", "Reader").want(t, http.StatusForbidden, "ForbiddenException")
	})
}

// TestPages: pages of every size join to the whole, and a token serves the list alone that it was made for.
func TestPages(t *testing.T) {
	h := newHouse(t)
	var want []string
	for i := range 7 {
		want = append(want, fmt.Sprintf("Set%d", i))
		h.assign(h.set(want[i]), member, "USER", h.mateo)
		if i < 2 {
			h.assign(h.lastSet(want[i]), other, "USER", h.mateo)
		}
	}
	bearer := h.signIn(h.mateo, scope)
	var foreign string
	for size := 1; size <= 8; size++ {
		var got []string
		next := ""
		for {
			var out struct {
				NextToken string
				RoleList  []struct{ RoleName string }
			}
			query := []string{"account_id", member, "max_result", fmt.Sprint(size)}
			if next != "" {
				query = append(query, "next_token", next)
			}
			h.ask("GET", "/assignment/roles", bearer, query...).read(t, &out)
			if len(out.RoleList) > size {
				t.Errorf("%d on a page of %d", len(out.RoleList), size)
			}
			for _, r := range out.RoleList {
				got = append(got, r.RoleName)
			}
			if next = out.NextToken; next == "" {
				break
			}
			foreign = next
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("size %d (-want +got):\n%s", size, diff)
		}
	}
	for _, token := range []string{foreign, "x", "AAAA", strings.Repeat("A", 4096)} {
		h.ask("GET", "/assignment/accounts", bearer, "next_token", token).want(t, http.StatusBadRequest, "InvalidRequestException")
		if token != foreign {
			h.ask("GET", "/assignment/roles", bearer, "account_id", member, "next_token", token).want(t, http.StatusBadRequest, "InvalidRequestException")
		}
	}
	h.ask("GET", "/assignment/roles", bearer, "account_id", other, "next_token", foreign).want(t, http.StatusBadRequest, "InvalidRequestException")
	for _, size := range []string{"0", "101", "-1", "x"} {
		h.ask("GET", "/assignment/accounts", bearer, "max_result", size).want(t, http.StatusBadRequest, "InvalidRequestException")
	}
}

// TestPace: a person's loop is held back, and nobody else by it.
func TestPace(t *testing.T) {
	h := newHouse(t)
	h.assign(h.set("Reader"), member, "USER", h.mateo)
	bearer := h.signIn(h.mateo, scope)
	for range 100 {
		h.accounts(bearer)
	}
	h.ask("GET", "/assignment/accounts", bearer).want(t, http.StatusTooManyRequests, "TooManyRequestsException")
	h.ask("GET", "/assignment/accounts", h.signIn(h.mateo, scope)).want(t, http.StatusTooManyRequests, "TooManyRequestsException")
	h.accounts(h.signIn(h.Person(t, "jorge", ""), scope))
	h.Pass(50 * time.Millisecond)
	h.accounts(bearer)
	h.ask("GET", "/assignment/accounts", bearer).want(t, http.StatusTooManyRequests, "TooManyRequestsException")
}

// TestRecords: a request of the portal is the person's, as CloudTrail tells it, and no token is in it.
func TestRecords(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		set := h.set("Reader")
		h.assign(set, member, "USER", h.mateo)
		bearer := h.signIn(h.mateo, scope)
		got := h.ask("GET", "/federation/credentials", bearer, "account_id", member, "role_name", "Reader")
		var out struct{ RoleCredentials credentials }
		got.read(t, &out)
		r := got.record
		if r.EventSource != "sso.amazonaws.com" || r.EventName != "GetRoleCredentials" || r.EventType != "AwsServiceEvent" {
			t.Errorf("%s %s %s", r.EventSource, r.EventName, r.EventType)
		}
		if u := r.UserIdentity; u.Type != "IdentityCenterUser" || u.AccountID != management || u.CredentialID == "" || u.OnBehalfOf.UserID != h.mateo || u.OnBehalfOf.IdentityStoreArn != h.Instance.StoreARN() {
			t.Errorf("userIdentity %+v", r.UserIdentity)
		}
		if diff := cmp.Diff(map[string]string{"role_name": "Reader", "account_id": member}, r.ServiceEventDetails); diff != "" || r.RequestParameters != nil {
			t.Errorf("%s %v", diff, r.RequestParameters)
		}
		if r.AdditionalEventData["vendedAccessKeyId"] != out.RoleCredentials.AccessKeyID {
			t.Errorf("additional %v", r.AdditionalEventData)
		}
		if len(r.Resources) != 1 || r.Resources[0].Account != member {
			t.Errorf("resources %v", r.Resources)
		}
		for _, secret := range []string{bearer, out.RoleCredentials.SecretAccessKey, out.RoleCredentials.SessionToken} {
			if strings.Contains(r.Text, secret) {
				t.Errorf("the record holds a secret: %s", r.Text)
			}
		}
		refused := h.ask("GET", "/federation/credentials", bearer, "account_id", member, "role_name", "Admin").record
		if refused.AdditionalEventData["decision"] != "refused" || !strings.Contains(fmt.Sprint(refused.AdditionalEventData["reason"]), "Admin") {
			t.Errorf("refusal %v", refused.AdditionalEventData)
		}
	})
}

// foreign is a token of an account's own instance with every right there.
func (h *house) foreign() string {
	h.t.Helper()
	out := must(h.Service.CreateInstance(h.As(h.t.Context(), member, "Admin"), &ssoadmin.CreateInstanceInput{}))
	i, ok := h.Center.Instance(*out.InstanceArn)
	if !ok {
		h.t.Fatal("no instance")
	}
	u := must(h.Directory.CreateUser(h.t.Context(), "test", directory.User{StoreID: i.StoreID, UserName: "mateo", Enabled: true}))
	return h.signInAt(i, u.ID, "openid")
}

func (h *house) lastSet(name string) string {
	h.t.Helper()
	for _, r := range h.Center.AccountRoles(h.Instance.ARN, h.mateo, nil) {
		if r.PermissionSetName == name {
			return r.PermissionSetARN
		}
	}
	h.t.Fatalf("no set %s", name)
	return ""
}

// closeAccount suspends an account, as its organization's management account.
func (h *house) closeAccount(id string) {
	h.t.Helper()
	profiles := must(h.Registry.Profiles(h.t.Context()))
	for _, p := range profiles {
		if !p.Management {
			continue
		}
		_, c, err := h.Registry.Lookup(p.AccessKeyID)
		noError(h.t, err)
		o := &account.Organizations{Registry: h.Registry, Authorizer: h.auth}
		must(o.CloseAccount(caller.With(h.t.Context(), c), &organizations.CloseAccountInput{AccountId: id}))
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
