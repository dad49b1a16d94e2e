package devidp

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
)

// The whole of it, with the libraries that applications use: discovery, a sign-in by one click, the code for tokens with
// PKCE, the ID token verified by the published keys, userinfo, and new tokens by the refresh token.
func TestAnApplicationSignsAPersonIn(t *testing.T) {
	for _, tc := range []struct{ client, secret string }{{publicApp, ""}, {secretApp, appSecret}} {
		t.Run(tc.client, func(t *testing.T) {
			r, b, ctx := start(t), newBrowser(t), t.Context()
			app, verify, discovered := r.relyingParty(ctx, tc.client, tc.secret, "openid", "profile", "email", "offline_access")

			pkce := oauth2.GenerateVerifier()
			a := b.get(app.AuthCodeURL("the-state", oidc.Nonce("the-nonce"), oauth2.S256ChallengeOption(pkce)))
			page := b.get(originOf(r.Issuer()) + a.location().String())
			if page.status != http.StatusOK || !strings.Contains(page.text(), "Mateo Jackson") {
				t.Fatalf("sign-in page: %d %s", page.status, page.text())
			}
			a = b.post(r.url(signInPath), url.Values{"request": {a.location().Query().Get("request")}, "person": {MateoOID}})
			if got := a.location(); got.Query().Get("state") != "the-state" || !strings.HasPrefix(got.String(), callback+"?") {
				t.Fatalf("answer went to %s", got)
			}

			got, err := app.Exchange(ctx, a.location().Query().Get("code"), oauth2.VerifierOption(pkce))
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := got.Extra("id_token").(string)
			idToken, err := verify.Verify(ctx, raw)
			if err != nil {
				t.Fatal(err)
			}
			if idToken.Nonce != "the-nonce" {
				t.Errorf("nonce = %q", idToken.Nonce)
			}
			info, err := discovered.UserInfo(ctx, oauth2.StaticTokenSource(got))
			if err != nil {
				t.Fatal(err)
			}
			if info.Subject != idToken.Subject || info.Email != "mateo@example.com" {
				t.Errorf("userinfo = %s %s, the ID token is for %s", info.Subject, info.Email, idToken.Subject)
			}

			expired := *got
			expired.Expiry = time.Now().Add(-time.Minute)
			renewed, err := app.TokenSource(ctx, &expired).Token()
			if err != nil {
				t.Fatal(err)
			}
			again, _ := renewed.Extra("id_token").(string)
			if _, err := verify.Verify(ctx, again); err != nil {
				t.Error(err)
			}
			if again == raw || renewed.RefreshToken == got.RefreshToken {
				t.Error("a refresh has to give a new ID token and a new refresh token")
			}
		})
	}
}

func TestIDTokenHasTheClaimsOfEntra(t *testing.T) {
	r, b := start(t), newBrowser(t)
	now := r.clock.now().Unix()
	got := r.token(exchangeForm(r.code(b, authorizeQuery(), MateoOID)))
	claims := claimsOf(t, got.IDToken)
	for _, name := range []string{"iat", "nbf"} {
		if at := int64(claims[name].(float64)); at < now || at > now+60 {
			t.Errorf("%s = %d, now is %d", name, at, now)
		}
	}
	if exp, iat := claims["exp"].(float64), claims["iat"].(float64); exp-iat != 3600 {
		t.Errorf("valid for %v s", exp-iat)
	}
	if uti := claims["uti"].(string); len(uti) != 22 {
		t.Errorf("uti = %q", uti)
	}
	if sub := claims["sub"].(string); len(sub) != 43 || strings.Contains(sub, MateoOID) {
		t.Errorf("sub = %q", sub)
	}
	for _, name := range []string{"iat", "nbf", "exp", "uti", "sub"} {
		delete(claims, name)
	}
	want := map[string]any{
		"iss": r.Issuer(), "aud": publicApp, "tid": DefaultTenant, "oid": MateoOID, "ver": "2.0", "nonce": "the-nonce",
		"preferred_username": "mateo@example.com", "name": "Mateo Jackson", "email": "mateo@example.com",
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

func TestScopesOpenClaims(t *testing.T) {
	for scope, want := range map[string]string{
		"openid":               "aud exp iat iss nbf nonce sub tid uti ver",
		"openid profile":       "aud exp iat iss name nbf nonce oid preferred_username sub tid uti ver",
		"openid email":         "aud email exp iat iss nbf nonce sub tid uti ver",
		"openid groups phone":  "aud exp iat iss nbf nonce sub tid uti ver", // unknown scopes are not granted
		"openid profile email": "aud email exp iat iss name nbf nonce oid preferred_username sub tid uti ver",
	} {
		t.Run(scope, func(t *testing.T) {
			r, b := start(t), newBrowser(t)
			q := authorizeQuery()
			q.Set("scope", scope)
			got := r.token(exchangeForm(r.code(b, q, MateoOID)))
			names := strings.Join(slices.Sorted(maps.Keys(claimsOf(t, got.IDToken))), " ")
			if names != want {
				t.Errorf("claims %s, want %s", names, want)
			}
			if got.Refresh != "" {
				t.Error("a refresh token without offline_access")
			}
		})
	}
}

func TestSubjectIsPairwise(t *testing.T) {
	r := start(t)
	sub := func(user, client string) string {
		token, err := r.IssueToken(t.Context(), user, client)
		if err != nil {
			t.Fatal(err)
		}
		return claimsOf(t, token)["sub"].(string)
	}
	mateo := sub("mateo@example.com", publicApp)
	if mateo != sub(MateoOID, publicApp) {
		t.Error("the same person at the same client has two subjects")
	}
	if mateo == sub("mateo@example.com", secretApp) || mateo == sub("ana@example.com", publicApp) {
		t.Error("two clients, or two people, share a subject")
	}
}

func TestDiscoveryPromisesWhatIsThere(t *testing.T) {
	r, b := start(t), newBrowser(t)
	if want := "http://" + r.server.Listener.Addr().String() + "/" + DefaultTenant + "/v2.0"; r.Issuer() != want {
		t.Fatalf("issuer %s, want %s", r.Issuer(), want)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(b.get(r.url(discoveryPath)).body), &doc); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "revocation_endpoint", "jwks_uri", "end_session_endpoint"} {
		endpoint, _ := doc[name].(string)
		if got := b.get(endpoint).status; got == http.StatusNotFound || !strings.HasPrefix(endpoint, r.Issuer()+"/") {
			t.Errorf("%s: %q answers %d", name, endpoint, got)
		}
	}
	want := map[string]any{
		"response_types_supported": []any{"code"}, "code_challenge_methods_supported": []any{"S256"},
		"subject_types_supported": []any{"pairwise"}, "id_token_signing_alg_values_supported": []any{"RS256"},
		"grant_types_supported": []any{"authorization_code", "refresh_token"},
	}
	for name, v := range want {
		if diff := cmp.Diff(v, doc[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPasswordSignIn(t *testing.T) {
	r, b := start(t), newBrowser(t)
	id := r.open(b, authorizeQuery())
	a := b.post(r.url(signInPath), url.Values{"request": {id}, "username": {" Mateo@Example.com "}, "password": {mateosPw}})
	if a.status != http.StatusSeeOther || a.location().Query().Get("code") == "" {
		t.Fatalf("%d %s", a.status, a.text())
	}
	c := strings.Join(a.header.Values("Set-Cookie"), "")
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=" + r.issuer.Path + "/"} {
		if !strings.Contains(c, want) {
			t.Errorf("cookie %q lacks %s", c, want)
		}
	}
}

func TestGeneratedPasswordSignsIn(t *testing.T) {
	dir := t.TempDir()
	withKeys(t, dir)
	r := startIn(t, dir, Default())
	pw, ok := r.GeneratedPassword("ana@example.com")
	if !ok || len(pw) < 16 {
		t.Fatalf("generated password %q %v", pw, ok)
	}
	if u, ok := r.checkCredentials(t.Context(), "ana@example.com", pw); !ok || u.OID != AnaOID {
		t.Error("the generated password does not sign Ana in")
	}
	for _, name := range []string{directoryFile, sessionsFile} {
		if data, _ := os.ReadFile(filepath.Join(dir, name)); strings.Contains(string(data), pw) {
			t.Errorf("%s holds the password", name)
		}
	}
	if strings.Contains(r.log.String(), pw) {
		t.Error("the log holds the password")
	}
}

func TestPromptNone(t *testing.T) {
	r, b := start(t), newBrowser(t)
	q := authorizeQuery()
	q.Set("prompt", "none")
	silently := func() url.Values { return b.get(r.url(authorizePath) + "?" + q.Encode()).location().Query() }
	if got := silently(); got.Get("error") != "login_required" || got.Get("state") != "the-state" {
		t.Fatalf("without a session: %v", got)
	}
	r.code(b, authorizeQuery(), AnaOID)
	got := r.token(exchangeForm(silently().Get("code")))
	if claimsOf(t, got.IDToken)["oid"] != AnaOID {
		t.Errorf("signed in as %v", claimsOf(t, got.IDToken))
	}
	r.clock.advance(time.Minute)
	q.Set("max_age", "30")
	if got := silently(); got.Get("error") != "login_required" {
		t.Errorf("with a session older than max_age: %v", got)
	}
	q.Set("max_age", "3600")
	if claims := claimsOf(t, r.token(exchangeForm(silently().Get("code"))).IDToken); claims["auth_time"] == nil {
		t.Error("max_age was asked for, so auth_time is due")
	}
}

func TestLogout(t *testing.T) {
	r, b := start(t), newBrowser(t)
	got := r.token(exchangeForm(r.code(b, authorizeQuery(), MateoOID)))
	if page := b.get(r.url("/")); !strings.Contains(page.text(), "You are signed in as Mateo Jackson") {
		t.Fatalf("home: %s", page.text())
	}
	a := b.get(r.url(logoutPath) + "?" + url.Values{
		"id_token_hint": {got.IDToken}, "post_logout_redirect_uri": {afterward}, "state": {"s"},
	}.Encode())
	if a.status != http.StatusSeeOther || a.location().String() != afterward+"?state=s" {
		t.Fatalf("%d to %s", a.status, a.location())
	}
	if page := b.get(r.url("/")); strings.Contains(page.text(), "signed in as") {
		t.Error("still signed in")
	}
	if again := r.token(refreshForm(got.Refresh)); again.Error != "invalid_grant" {
		t.Errorf("the refresh token of the ended session: %+v", again)
	}
}

// A second start has the same issuer and keys; who was signed in still is, and refresh tokens go on.
func TestSecondStartGoesOn(t *testing.T) {
	r, b := start(t), newBrowser(t)
	got := r.token(exchangeForm(r.code(b, authorizeQuery(), MateoOID)))
	if err := r.RotateKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.AddMember(t.Context(), "Blue Project Group", "mateo@example.com"); err != nil {
		t.Fatal(err)
	}
	r.server.Close()

	again, err := New(Config{Issuer: r.Issuer(), StateDir: r.dir, Directory: &Directory{}, Now: r.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.keys.verify(got.IDToken); err != nil {
		t.Error(err)
	}
	before, err := json.Marshal(r.keys.published())
	if err != nil {
		t.Fatal(err)
	}
	after, err := json.Marshal(again.keys.published())
	if err != nil || string(after) != string(before) {
		t.Errorf("keys before: %s, after: %s %v", before, after, err)
	}
	if diff := cmp.Diff(r.Directory(), again.Directory()); diff != "" {
		t.Errorf("directory (-before +after):\n%s", diff)
	}
	if g, _, err := again.sessions.renew(got.Refresh, publicApp); err != nil || g.OID != MateoOID {
		t.Errorf("refresh token: %+v %v", g, err)
	}
	u, err := url.Parse(r.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(u) {
		if ses, ok := again.sessions.find(c.Value); !ok || ses.OID != MateoOID {
			t.Errorf("session: %+v %v", ses, ok)
		}
	}
}

func TestRotateKeys(t *testing.T) {
	r := start(t)
	verify := func(token string) error {
		// A fresh verifier each time, which has cached no keys.
		_, verify, _ := r.relyingParty(context.Background(), publicApp, "")
		_, err := verify.Verify(t.Context(), token)
		return err
	}
	issue := func() string {
		token, err := r.IssueToken(t.Context(), "mateo@example.com", publicApp)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	if n := len(r.keys.published().Keys); n != 2 {
		t.Fatalf("%d keys published, want the signing one and the standby", n)
	}
	standby := r.keys.published().Keys[1].KeyID
	before := issue()
	if err := r.RotateKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := r.keys.published().Keys[0].KeyID; now != standby {
		t.Errorf("signs with %s, the standby was %s", now, standby)
	}
	for _, k := range r.keys.published().Keys {
		if !k.IsPublic() {
			t.Errorf("key %s is published with its private half", k.KeyID)
		}
	}
	for _, token := range []string{before, issue()} {
		if err := verify(token); err != nil {
			t.Error(err)
		}
	}
	r.clock.advance(time.Hour + time.Second) // the last token of the former key has expired
	if n := len(r.keys.published().Keys); n != 2 {
		t.Errorf("%d keys published after the former key's last token expired", n)
	}
}

func TestIssueToken(t *testing.T) {
	r := start(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	token, err := r.IssueToken(t.Context(), "mateo@example.com", publicApp,
		WithNonce("n"), WithIssuedAt(at), WithClaim("aud", "another"), WithoutClaim("email"))
	if err != nil {
		t.Fatal(err)
	}
	claims := claimsOf(t, token)
	got := []any{claims["nonce"], claims["iat"], claims["exp"], claims["aud"], claims["email"]}
	want := []any{"n", float64(at.Unix()), float64(at.Unix() + 3600), "another", nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, tc := range []struct {
		user, client string
		want         error
	}{
		{"nobody@example.com", publicApp, ErrNoUser},
		{"mateo@example.com", "no-app", ErrNoClient},
		{"gone@example.com", publicApp, ErrDisabled},
	} {
		if _, err := r.IssueToken(t.Context(), tc.user, tc.client); !isErr(err, tc.want) {
			t.Errorf("IssueToken(%s, %s) = %v, want %v", tc.user, tc.client, err, tc.want)
		}
	}
}

func TestNewWarnsAndRefuses(t *testing.T) {
	r := start(t)
	if log := r.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "for development") {
		t.Errorf("log: %s", log)
	}
	dir := t.TempDir()
	withKeys(t, dir)
	for name, c := range map[string]Config{
		"no state directory":   {Listen: "127.0.0.1:9422"},
		"no address":           {StateDir: dir},
		"port that is not one": {StateDir: dir, Listen: "127.0.0.1:0"},
		"scheme":               {StateDir: dir, Issuer: "ftp://127.0.0.1/t/v2.0"},
		"query":                {StateDir: dir, Issuer: "http://127.0.0.1/t/v2.0?x=y"},
		"slash at the end":     {StateDir: dir, Issuer: "http://127.0.0.1/t/v2.0/"},
		"pattern":              {StateDir: dir, Issuer: "http://127.0.0.1/{t}/v2.0"},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
