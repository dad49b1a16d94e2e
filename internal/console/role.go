package console

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// role is the session of a permission set that the person took.
type role struct {
	*caller.Caller
	Name, AccountName string
	Until             time.Time
}

// taken says which permission set somebody took, and when. It is sealed into a cookie, counts with the browser session in
// which it was taken and no other, and gives nothing: whether the set is assigned is asked on each request.
type taken struct {
	Session []byte `json:"s"`
	Account string `json:"a"`
	Set     string `json:"p"`
	At      int64  `json:"t"`
}

const roleCookie = "lakegate_console_role"

// maxRole bounds the cookie's life; the permission set's session duration bounds the session.
const maxRole = 12 * time.Hour

// cookie makes a cookie that scripts cannot read and other sites cannot make a browser send along with a form. Under TLS the
// prefix __Host- keeps neighbours of the host's domain from setting it.
func (c *Console) cookie(value string) *http.Cookie {
	k := &http.Cookie{Name: c.cookieName(), Value: value, Path: "/", MaxAge: int(maxRole / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: c.secure()}
	if value == "" {
		k.MaxAge = -1
	}
	return k
}

func (c *Console) cookieName() string {
	if c.secure() {
		return "__Host-" + roleCookie
	}
	return roleCookie
}

// currentRole is the role that the person acts in, nil for none. A cookie that cannot be believed is none.
func (v *visit) currentRole() *role {
	found := v.r.CookiesNamed(v.cookieName())
	if len(found) != 1 {
		return nil
	}
	var t taken
	if err := v.unsealed(placeRole, found[0].Value, &t); err != nil || !bytes.Equal(t.Session, v.guest.Session) {
		return nil
	}
	c, err := v.Portal.SessionOf(v.ctx, v.id, t.Account, t.Set, time.Unix(t.At, 0))
	if err != nil {
		v.ended = true
		return nil
	}
	r := &role{Caller: c, Name: v.nameOf(t.Account, t.Set), Until: c.Session.Expires}
	if a, ok := v.Accounts.Account(c.Account); ok {
		r.AccountName = a.Name
	}
	return r
}

// nameOf is the name of a permission set that the person has; empty for any other.
func (v *visit) nameOf(account, set string) string {
	for _, r := range v.Portal.RolesOf(v.id) {
		if r.Account == account && r.PermissionSetARN == set {
			return r.PermissionSetName
		}
	}
	return ""
}

// administrators lets nobody onto a page who acts in no role. What the role may do is for each operation to say.
func administrators(p page) page {
	return func(v *visit) (*answer, error) {
		if v.role == nil {
			return nil, &refusal{http.StatusForbidden, "This page is for administrators", "In your own name you see what is yours. To administer, take a role that an administrator of the identity center assigned to you."}
		}
		return p(v)
	}
}

// way is a permission set that the person may take.
type way struct {
	center.AccountRole
	AccountName string
	Current     bool
}

func (v *visit) showRoles() (*answer, error) {
	var ways []way
	for _, r := range v.Portal.RolesOf(v.id) {
		w := way{AccountRole: r, Current: v.role != nil && v.role.Caller.Account == r.Account && v.role.Session.Portal.PermissionSet == r.PermissionSetARN}
		if a, ok := v.Accounts.Account(r.Account); ok {
			w.AccountName = a.Name
		}
		ways = append(ways, w)
	}
	return &answer{page: "roles", title: "Act as", view: ways}, nil
}

// takeRole has the person act in a role. AWS's portal records it as Federate.
func (v *visit) takeRole() (*answer, error) {
	account, set := v.field("account"), v.field("set")
	ctx, e := v.Trail.Begin(v.ctx, trail.Operation{Source: "sso.amazonaws.com", Name: "Federate"})
	e.Caller(v.person)
	e.Parameters(map[string]any{"accountId": fmt.Sprintf("%.64s", account), "roleName": v.nameOf(account, set)})
	now := v.Now()
	c, err := v.Portal.SessionOf(ctx, v.id, account, set, now)
	var outcome error
	switch {
	case errors.Is(err, ErrNoRole):
		e.Step("assignment", trail.Fail, fmt.Sprintf("%v: %.256q", err, set))
		outcome = wire.NewError("ForbiddenException", http.StatusForbidden, "No access")
	case err != nil:
		return nil, err
	default:
		e.Step("assignment", trail.Pass, set)
		e.Resource("AWS::IAM::Role", c.PrincipalARN, c.Account)
	}
	if err := v.Trail.Finish(ctx, e, outcome); err != nil {
		return nil, err
	}
	if outcome != nil {
		return nil, &refusal{http.StatusForbidden, "No access", "The role is not assigned to you."}
	}
	cookie := v.cookie(v.sealed(placeRole, taken{Session: v.guest.Session, Account: account, Set: set, At: now.Unix()}))
	return &answer{redirect: Prefix + "?done=role", cookies: []*http.Cookie{cookie}}, nil
}

// leaveRole has the person act in their own name again.
func (v *visit) leaveRole() (*answer, error) {
	return &answer{redirect: Prefix + "?done=left", cookies: []*http.Cookie{v.cookie("")}}, nil
}
