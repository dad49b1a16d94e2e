package token_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/token"
)

const registered = "client-of-the-command-line"

// access is what a sign-in at the instance gives to a client.
func (h *house) access(client string, scopes ...string) token.Access {
	return token.Access{Client: client, Person: caller.Identity{UserID: h.person, InstanceARN: h.Instance.ARN}, Scopes: scopes}
}

// issued begins a sign-in that can be refreshed.
func (h *house) issued(t testing.TB, client string, scopes ...string) token.Tokens {
	t.Helper()
	out, err := h.tokens.IssueAccess(t.Context(), h.access(client, scopes...), true)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (h *house) enablePerson(t testing.TB, on bool) {
	t.Helper()
	if _, err := h.Directory.ChangeUser(t.Context(), "test", h.Instance.StoreID, h.person, func(u *directory.User) error { u.Enabled = on; return nil }); err != nil {
		t.Fatal(err)
	}
}

// enable changes the status of an application.
func (h *house) enable(t testing.TB, app string, on bool) {
	t.Helper()
	status := ssoadmin.ApplicationStatusDISABLED
	if on {
		status = ssoadmin.ApplicationStatusENABLED
	}
	if _, err := h.Service.UpdateApplication(h.As(t.Context(), member, "Admin"), &ssoadmin.UpdateApplicationInput{ApplicationArn: app, Status: &status}); err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// open opens an access token that must be good.
func (h *house) open(t testing.TB, accessToken string) token.Access {
	t.Helper()
	a, err := h.tokens.OpenAccess(t.Context(), accessToken)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestIssuedAccess(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		begun := h.Now()
		first := h.issued(t, registered, "sso:account:access")
		a := h.open(t, first.AccessToken)
		want := token.Access{
			Client: registered, Scopes: []string{"sso:account:access"}, SignedIn: begun, Expires: begun.Add(time.Hour), Family: a.Family,
			Person: caller.Identity{UserID: h.person, IdentityStoreID: h.Instance.StoreID, IdentityStoreARN: h.Instance.StoreARN(), InstanceARN: h.Instance.ARN, CredentialID: a.Person.CredentialID},
		}
		if diff := cmp.Diff(want, a); diff != "" || a.Family == "" || a.Person.CredentialID == "" || first.ExpiresIn != time.Hour {
			t.Errorf("expires in %s\n%s", first.ExpiresIn, diff)
		}
		h.Pass(30 * time.Minute)
		second, err := h.tokens.RefreshAccess(t.Context(), registered, first.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		b := h.open(t, second.AccessToken)
		if b.Family != a.Family || b.Person.CredentialID == a.Person.CredentialID || !b.SignedIn.Equal(begun) || !b.Expires.Equal(h.Now().Add(time.Hour)) {
			t.Errorf("after the refresh: %+v", b)
		}
		h.open(t, first.AccessToken) // it has half an hour left
		h.Pass(30 * time.Minute)
		_, err = h.tokens.OpenAccess(t.Context(), first.AccessToken)
		wantErr(t, "after an hour", err, token.ErrExpired)

		// The first refresh token comes back: somebody has stolen one of the two, so everything ends.
		_, err = h.tokens.RefreshAccess(t.Context(), registered, first.RefreshToken)
		wantErr(t, "the first refresh token again", err, token.ErrEnded)
		_, err = h.tokens.RefreshAccess(t.Context(), registered, second.RefreshToken)
		wantErr(t, "the second refresh token", err, token.ErrEnded)
		_, err = h.tokens.OpenAccess(t.Context(), second.AccessToken)
		wantErr(t, "the second access token", err, token.ErrEnded)
		if !h.tokens.SignInEnded(&b.Person) || !h.tokens.SignInEnded(&a.Person) {
			t.Error("sessions of the sign-in go on")
		}
		if h.tokens.SignInEnded(&caller.Identity{CredentialID: "made-up"}) || h.tokens.SignInEnded(&caller.Identity{}) {
			t.Error("somebody else's session has ended")
		}
	})
}

// What is not an access token of this server's, or not whole.
func TestForgedAccessTokens(t *testing.T) {
	h := newHouse(t)
	h.grantRefresh(t)
	out, err := h.exchange(t.Context(), h.good(t))
	if err != nil {
		t.Fatal(err)
	}
	good, issued := *out.AccessToken, h.issued(t, registered)
	sealed, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	other := newHouse(t) // the same master key, another database
	foreign := other.issued(t, registered)
	for name, text := range map[string]string{
		"nothing": "", "made up": "abc", "not base64url": good + "=", "cut": good[:len(good)-4], "longer": good + "AAAA", "huge": strings.Repeat("A", 100<<10),
		"an identity token": *out.IdToken, "an identity context": *out.AwsAdditionalDetails.IdentityContext, "a refresh token": issued.RefreshToken,
		"sealed elsewhere": base64.RawURLEncoding.EncodeToString(h.DB.Seal("elsewhere", []byte(`{"f":"x"}`))), "of another server": foreign.AccessToken,
	} {
		_, err := h.tokens.OpenAccess(t.Context(), text)
		wantErr(t, name, err, token.ErrInvalid)
	}
	for i := range sealed {
		sealed[i] ^= 1
		if _, err := h.tokens.OpenAccess(t.Context(), base64.RawURLEncoding.EncodeToString(sealed)); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("with bit 0 of byte %d changed: %v", i, err)
		}
		sealed[i] ^= 1
	}
	h.open(t, good)
}

// A right that is lost is lost at once, and back when it is given back.
func TestAccessIsOfNow(t *testing.T) {
	h := newHouse(t)
	byApplication, err := h.tokens.IssueAccess(t.Context(), h.access(h.app, scopeS3), true)
	if err != nil {
		t.Fatal(err)
	}
	byClient := h.issued(t, registered)
	for name, c := range map[string]struct {
		change     func(on bool)
		client     bool // the registered client feels it too
		issueFails bool
	}{
		"the person is disabled":      {func(on bool) { h.enablePerson(t, on) }, true, true},
		"the application is disabled": {func(on bool) { h.enable(t, h.app, on) }, false, true},
		"nobody is assigned":          {func(on bool) { h.requireAssignment(t, !on) }, false, true},
	} {
		c.change(false)
		_, err := h.tokens.OpenAccess(t.Context(), byApplication.AccessToken)
		wantErr(t, name, err, token.ErrInactive)
		_, err = h.tokens.RefreshAccess(t.Context(), h.app, byApplication.RefreshToken)
		wantErr(t, name+", refresh", err, token.ErrInactive)
		_, err = h.tokens.IssueAccess(t.Context(), h.access(h.app), false)
		wantErr(t, name+", issue", err, token.ErrInactive)
		_, err = h.tokens.OpenAccess(t.Context(), byClient.AccessToken)
		if (err != nil) != c.client {
			t.Errorf("%s, a registered client: %v", name, err)
		}
		c.change(true)
		h.open(t, byApplication.AccessToken)
	}
	if err := h.Directory.DeleteUser(t.Context(), h.Instance.StoreID, h.person); err != nil {
		t.Fatal(err)
	}
	_, err = h.tokens.OpenAccess(t.Context(), byClient.AccessToken)
	wantErr(t, "the person is gone", err, token.ErrInactive)
}

func TestEndSession(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		one, two := h.issued(t, registered), h.issued(t, registered)
		a := h.open(t, one.AccessToken)
		for range 2 {
			if err := h.tokens.EndSession(t.Context(), a.Family); err != nil {
				t.Fatal(err)
			}
		}
		_, err := h.tokens.OpenAccess(t.Context(), one.AccessToken)
		wantErr(t, "access", err, token.ErrEnded)
		_, err = h.tokens.RefreshAccess(t.Context(), registered, one.RefreshToken)
		wantErr(t, "refresh", err, token.ErrEnded)
		b := h.open(t, two.AccessToken)
		if !h.tokens.SignInEnded(&a.Person) || h.tokens.SignInEnded(&b.Person) {
			t.Error("not the one that was ended")
		}
		wantErr(t, "made up", h.tokens.EndSession(t.Context(), "made up"), token.ErrInvalid)
		again := h.access(registered)
		again.Family = a.Family
		_, err = h.tokens.IssueAccess(t.Context(), again, true)
		wantErr(t, "begun again", err, token.ErrEnded)

		// The end outlasts the sign-in, for the sessions that were made from it; then it is forgotten.
		next := h.again(t, "ES256")
		tend := func() {
			if err := h.tokens.Tend(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		h.Pass(71 * time.Hour)
		tend()
		if !h.tokens.SignInEnded(&a.Person) || !next.tokens.SignInEnded(&a.Person) {
			t.Error("the end is forgotten while a session may last")
		}
		if got := rows(t, h, `SELECT id FROM token_families`); len(got) != 1 || got[0] != a.Family {
			t.Errorf("families %v", got)
		}
		h.Pass(2 * time.Hour)
		tend()
		if h.tokens.SignInEnded(&a.Person) || len(rows(t, h, `SELECT id FROM token_families`)) != 0 || len(rows(t, h, `SELECT family FROM token_refreshes`)) != 0 {
			t.Error("the end is never forgotten")
		}
	})
}

// How long what is issued lasts, and what is not issued at all.
func TestIssueLimits(t *testing.T) {
	h := newHouse(t)
	now := h.Now()
	for name, c := range map[string]struct {
		signedIn, expires time.Time
		want              time.Duration
		err               error
	}{
		"just now":                 {now, time.Time{}, time.Hour, nil},
		"no time":                  {time.Time{}, time.Time{}, time.Hour, nil},
		"longer is asked for":      {now, now.Add(8 * time.Hour), 8 * time.Hour, nil},
		"too long is asked for":    {now, now.Add(90 * 24 * time.Hour), 8 * time.Hour, nil},
		"near the sign-in's end":   {now.Add(-7*time.Hour - 45*time.Minute), time.Time{}, 15 * time.Minute, nil},
		"the sign-in is over":      {now.Add(-8 * time.Hour), time.Time{}, 0, token.ErrExpired},
		"the sign-in is over long": {now.Add(-80 * time.Hour), now.Add(time.Hour), 0, token.ErrExpired},
	} {
		a := h.access(registered)
		a.SignedIn, a.Expires = c.signedIn, c.expires
		out, err := h.tokens.IssueAccess(t.Context(), a, false)
		if !errors.Is(err, c.err) || out.ExpiresIn != c.want || out.RefreshToken != "" {
			t.Errorf("%s: %s, %v", name, out.ExpiresIn, err)
		}
	}
	own, err := h.Service.CreateInstance(h.As(t.Context(), member, "Admin"), &ssoadmin.CreateInstanceInput{})
	if err != nil {
		t.Fatal(err)
	}
	a := h.access(registered)
	a.Person.InstanceARN = *own.InstanceArn
	_, err = h.tokens.IssueAccess(t.Context(), a, false)
	wantErr(t, "a person of another instance", err, token.ErrInactive)
	a = h.access(registered)
	a.Person.UserID = "nobody"
	_, err = h.tokens.IssueAccess(t.Context(), a, false)
	wantErr(t, "nobody", err, token.ErrInactive)
}

// A refresh token belongs to its client, and to the way in which it was given.
func TestRefreshTokensOfOthers(t *testing.T) {
	h := newHouse(t)
	h.grantRefresh(t)
	byExchange := h.signIn(t)
	_, err := h.tokens.RefreshAccess(t.Context(), h.app, byExchange)
	wantErr(t, "one of CreateTokenWithIAM without its checks", err, token.ErrInvalid)
	issued := h.issued(t, h.app)
	h.refused(t, refreshInput(h, issued.RefreshToken), "InvalidGrantException", "refresh token")
	for _, client := range []string{"", "other", strings.ToUpper(h.app)} {
		_, err = h.tokens.RefreshAccess(t.Context(), client, issued.RefreshToken)
		wantErr(t, "client "+client, err, token.ErrInvalid)
	}
	if _, err := h.tokens.RefreshAccess(t.Context(), h.app, issued.RefreshToken); err != nil {
		t.Errorf("after the others were refused: %v", err)
	}
	if _, err := h.refresh(t.Context(), byExchange); err != nil {
		t.Errorf("after the others were refused: %v", err)
	}
}

// Many use one refresh token at once: at most one wins, and if anybody lost, nothing is left.
func TestRefreshAccessInParallel(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		first := h.issued(t, registered)
		const n = 8
		out := make([]token.Tokens, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { out[i], _ = h.tokens.RefreshAccess(t.Context(), registered, first.RefreshToken) })
		}
		wg.Wait()
		won := 0
		for _, x := range out {
			if x.RefreshToken == "" {
				continue
			}
			won++
			_, err := h.tokens.OpenAccess(t.Context(), x.AccessToken)
			wantErr(t, "the winner", err, token.ErrEnded)
		}
		if won > 1 {
			t.Errorf("%d won", won)
		}
	})
}
