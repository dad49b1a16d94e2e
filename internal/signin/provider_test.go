package signin_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

func setting() *lakegate.PutSignInProviderInput {
	return &lakegate.PutSignInProviderInput{
		IssuerUrl: "https://login.example.com/tenant/v2.0", ClientId: "c", ClientSecret: new(clientSecret), Scopes: []string{"profile", "email", "profile"},
		ClaimAttributePath: "oid", IdentityStoreAttributePath: "externalId", SessionMinutes: new(60),
	}
}

func TestSignInProvider(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx, entry, _ := h.Request(t.Context(), management, "Admin")
		out, err := h.svc.PutSignInProvider(ctx, setting())
		if err != nil {
			t.Fatal(err)
		}
		if out.InstanceArn != h.Instance.ARN || out.StartUrl != h.start || out.RedirectUri != h.web.URL+"/"+h.Instance.ID()+"/callback" {
			t.Errorf("put: %+v", out)
		}
		if r := h.Record(t, ctx, entry, nil, management); strings.Contains(r.Text, clientSecret) || len(r.Resources) != 1 || r.Resources[0].ARN != h.Instance.ARN {
			t.Errorf("the record: %s", r.Text)
		}
		got, err := h.svc.GetSignInProvider(h.As(t.Context(), management, "Admin"), &lakegate.GetSignInProviderInput{})
		if err != nil {
			t.Fatal(err)
		}
		if got.IssuerUrl != setting().IssuerUrl || got.ClientId != "c" || !got.HasClientSecret || strings.Join(got.Scopes, " ") != "openid email profile" || got.SessionMinutes != 60 {
			t.Errorf("get: %+v", got)
		}
		// The secret is sealed: the database does not have it, and neither has what the API can say.
		if found := anywhere(t, h.DB, clientSecret); found {
			t.Error("the database has the client secret in the clear")
		}
		in := setting()
		in.ClientSecret, in.SessionMinutes, in.Scopes = nil, nil, nil
		if _, err := h.svc.PutSignInProvider(h.As(t.Context(), management, "Admin"), in); err != nil {
			t.Fatal(err)
		}
		if got, err = h.svc.GetSignInProvider(h.As(t.Context(), management, "Admin"), &lakegate.GetSignInProviderInput{InstanceArn: &h.Instance.ARN}); err != nil || got.HasClientSecret || got.SessionMinutes != 480 || strings.Join(got.Scopes, " ") != "openid" {
			t.Errorf("put in its place: %+v, %v", got, err)
		}
		if _, err := h.svc.DeleteSignInProvider(h.As(t.Context(), management, "Admin"), &lakegate.DeleteSignInProviderInput{}); err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func() error{
			"get": func() error {
				_, err := h.svc.GetSignInProvider(h.As(t.Context(), management, "Admin"), &lakegate.GetSignInProviderInput{})
				return err
			},
			"delete": func() error {
				_, err := h.svc.DeleteSignInProvider(h.As(t.Context(), management, "Admin"), &lakegate.DeleteSignInProviderInput{})
				return err
			},
		} {
			if got := codeOf(t, call()); got != "ResourceNotFoundException" {
				t.Errorf("%s without a provider: %q", name, got)
			}
		}
		if page := newBrowser(h).get(h.start); page.status != 404 {
			t.Errorf("the start page without a provider: %d", page.status)
		}
	})
}

// anywhere looks for a text in every column of the provider's row.
func anywhere(t *testing.T, db *store.DB, text string) (found bool) {
	t.Helper()
	err := db.View(t.Context(), func(q store.Querier) error {
		rows, err := q.Query(t.Context(), `SELECT instance, issuer, client_id, secret, scopes, claim, attribute FROM sign_in_providers`)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var c [7][]byte
			if err := rows.Scan(&c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &c[6]); err != nil {
				return err
			}
			for _, v := range c {
				found = found || strings.Contains(string(v), text)
			}
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Who decides where people sign in decides who they are.
func TestOnlyTheOwnerDecidesWherePeopleSignIn(t *testing.T) {
	h := newHouse(t)
	h.Accounts.Delegate(member)
	h.Accounts.Role(management, "Nothing", "")
	h.Accounts.Role(management, "Other", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"lakegate:*","Resource":"arn:aws:sso:::instance/ssoins-0000000000000000"}}`)
	unknown := "arn:aws:sso:::instance/ssoins-0000000000000000"
	for name, x := range map[string]struct {
		account, role, instance, want string
	}{
		"a member that is a delegate": {member, "Admin", h.Instance.ARN, "ResourceNotFoundException"},
		"another member":              {"333333333333", "Admin", h.Instance.ARN, "ResourceNotFoundException"},
		"an outsider":                 {"999999999999", "Admin", h.Instance.ARN, "ResourceNotFoundException"},
		"of an unknown instance":      {management, "Admin", unknown, "ResourceNotFoundException"},
		"without a policy":            {management, "Nothing", h.Instance.ARN, "AccessDenied"},
		"with one for another":        {management, "Other", h.Instance.ARN, "AccessDenied"},
		"the owner":                   {management, "Admin", h.Instance.ARN, ""},
	} {
		in := setting()
		in.InstanceArn = &x.instance
		_, put := h.svc.PutSignInProvider(h.As(t.Context(), x.account, x.role), in)
		_, get := h.svc.GetSignInProvider(h.As(t.Context(), x.account, x.role), &lakegate.GetSignInProviderInput{InstanceArn: &x.instance})
		for op, err := range map[string]error{"put": put, "get": get} {
			if got := wireCode(err); got != x.want {
				t.Errorf("%s: %s: %q (%v), want %q", name, op, got, err, x.want)
			}
		}
		if x.want == "" {
			continue
		}
		_, del := h.svc.DeleteSignInProvider(h.As(t.Context(), x.account, x.role), &lakegate.DeleteSignInProviderInput{InstanceArn: &x.instance})
		if got := wireCode(del); got != x.want {
			t.Errorf("%s: delete: %q, want %q", name, got, x.want)
		}
	}
}

func wireCode(err error) string {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestIssuersThatCannotBeUsed(t *testing.T) {
	h := newHouse(t)
	for _, url := range []string{"http://login.example.com", "http://10.0.0.1", "https://login.example.com/?tenant=1", "https://user@login.example.com", "https://login.example.com/#x", "ftp://login.example.com"} {
		in := setting()
		in.IssuerUrl = url
		_, err := h.svc.PutSignInProvider(h.As(t.Context(), management, "Admin"), in)
		if got := codeOf(t, err); got != "ValidationException" {
			t.Errorf("%s: %q", url, got)
		}
	}
}

// An instance that is deleted takes its provider along.
func TestProviderOfADeletedInstance(t *testing.T) {
	h := newHouse(t)
	out, err := h.Service.CreateInstance(h.As(t.Context(), member, "Admin"), &ssoadmin.CreateInstanceInput{Name: new("second")})
	if err != nil {
		t.Fatal(err)
	}
	h.put(*out.InstanceArn, member, h.idp.URL)
	second, _ := h.Center.Instance(*out.InstanceArn)
	if _, err := h.Service.DeleteInstance(h.As(t.Context(), member, "Admin"), &ssoadmin.DeleteInstanceInput{InstanceArn: *out.InstanceArn}); err != nil {
		t.Fatal(err)
	}
	if page := newBrowser(h).get(h.svc.StartURL(second)); page.status != 404 {
		t.Errorf("before it is tended: %d", page.status)
	}
	if err := h.svc.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	var n int64
	err = h.DB.View(t.Context(), func(q store.Querier) error {
		n, err = store.One(t.Context(), q, store.Int, `SELECT count(*) FROM sign_in_providers`)
		return err
	})
	if err != nil || n != 1 {
		t.Errorf("%d providers are left, %v", n, err)
	}
}
