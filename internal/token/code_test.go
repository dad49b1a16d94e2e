package token_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/token"
)

const (
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B
	callback = "https://app.example.com/callback"
)

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (h *house) codeFor(client string) token.Code {
	return token.Code{
		Client: client, RedirectURI: callback, Challenge: challengeOf(verifier), Scopes: []string{"openid", "aws"},
		Person: caller.Identity{UserID: h.person, InstanceARN: h.Instance.ARN}, SignedIn: h.Now(),
	}
}

func (h *house) code(t testing.TB, client string) string {
	t.Helper()
	code, err := h.tokens.IssueCode(t.Context(), h.codeFor(client))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func (h *house) grantCodes(t testing.TB, uris ...string) {
	t.Helper()
	h.grant(t, center.GrantAuthorizationCode, &ssoadmin.Grant{AuthorizationCode: &ssoadmin.AuthorizationCodeGrant{RedirectUris: uris}})
}

func TestCodes(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		in := h.codeFor(registered)
		code := h.code(t, registered)
		for _, row := range rows(t, h, `SELECT client FROM token_codes WHERE CAST(hash AS TEXT) LIKE '%`+code+`%'`) {
			t.Errorf("the code is stored as it is, for %s", row)
		}
		out, err := h.tokens.RedeemCode(t.Context(), registered, code, callback, verifier)
		if err != nil {
			t.Fatal(err)
		}
		want := in
		want.Family = out.Family
		want.Person = caller.Identity{UserID: h.person, IdentityStoreID: h.Instance.StoreID, IdentityStoreARN: h.Instance.StoreARN(), InstanceARN: h.Instance.ARN}
		if diff := cmp.Diff(want, out); diff != "" || out.Family == "" {
			t.Error(diff)
		}
		a := h.access(registered)
		a.Family = out.Family
		tokens, err := h.tokens.IssueAccess(t.Context(), a, true)
		if err != nil {
			t.Fatal(err)
		}
		h.open(t, tokens.AccessToken)

		// The code comes again, whoever sends it, and long after: what came from it ends.
		h.Pass(30 * time.Minute)
		if err := h.tokens.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err = h.tokens.RedeemCode(t.Context(), "somebody else", code, "", "")
		wantErr(t, "again", err, token.ErrEnded)
		_, err = h.tokens.OpenAccess(t.Context(), tokens.AccessToken)
		wantErr(t, "what came from it", err, token.ErrEnded)
		_, err = h.tokens.RefreshAccess(t.Context(), registered, tokens.RefreshToken)
		wantErr(t, "its refresh token", err, token.ErrEnded)
	})
}

// The second use comes before the first was made into tokens: it never is.
func TestCodeTwiceBeforeTokens(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		code := h.code(t, registered)
		first, err := h.tokens.RedeemCode(t.Context(), registered, code, callback, verifier)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err = h.tokens.RedeemCode(t.Context(), registered, code, callback, verifier)
			wantErr(t, "again", err, token.ErrEnded)
		}
		a := h.access(registered)
		a.Family = first.Family
		_, err = h.tokens.IssueAccess(t.Context(), a, true)
		wantErr(t, "tokens for the first use", err, token.ErrEnded)
	})
}

// A presentation that does not fit is refused, and uses the code up.
func TestCodesThatDoNotFit(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]struct {
		client, redirect, verifier string
		after                      time.Duration
		want                       error
	}{
		"another client":         {"other", callback, verifier, 0, token.ErrInvalid},
		"no client":              {"", callback, verifier, 0, token.ErrInvalid},
		"no redirect URI":        {registered, "", verifier, 0, token.ErrInvalid},
		"a slash more":           {registered, callback + "/", verifier, 0, token.ErrInvalid},
		"a query more":           {registered, callback + "?x=1", verifier, 0, token.ErrInvalid},
		"another case":           {registered, strings.ToUpper(callback), verifier, 0, token.ErrInvalid},
		"no verifier":            {registered, callback, "", 0, token.ErrInvalid},
		"the challenge itself":   {registered, callback, challengeOf(verifier), 0, token.ErrInvalid},
		"another verifier":       {registered, callback, strings.Repeat("x", 43), 0, token.ErrInvalid},
		"a character more":       {registered, callback, verifier + "x", 0, token.ErrInvalid},
		"after a minute":         {registered, callback, verifier, time.Minute, token.ErrExpired},
		"at the last moment":     {registered, callback, verifier, time.Minute - time.Millisecond, nil},
		"as it should be":        {registered, callback, verifier, 0, nil},
		"another, after its end": {"other", callback, verifier, time.Hour, token.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			code := h.code(t, registered)
			h.Pass(c.after)
			_, err := h.tokens.RedeemCode(t.Context(), c.client, code, c.redirect, c.verifier)
			wantErr(t, "first", err, c.want)
			_, err = h.tokens.RedeemCode(t.Context(), registered, code, callback, verifier)
			wantErr(t, "then as it should be", err, token.ErrEnded)
		})
	}
	_, err := h.tokens.RedeemCode(t.Context(), registered, "made-up", callback, verifier)
	wantErr(t, "made up", err, token.ErrInvalid)
}

// Verifiers that RFC 7636 does not admit, under challenges that were made from them.
func TestVerifiers(t *testing.T) {
	h := newHouse(t)
	for text, good := range map[string]bool{
		strings.Repeat("a", 42): false, strings.Repeat("a", 43): true, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
		strings.Repeat("-._~", 16): true, strings.Repeat("a", 43) + " ": false, strings.Repeat("a", 22) + "é" + strings.Repeat("a", 22): false, strings.Repeat("a", 22) + "\x00" + strings.Repeat("a", 22): false,
	} {
		in := h.codeFor(registered)
		in.Challenge = challengeOf(text)
		code, err := h.tokens.IssueCode(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = h.tokens.RedeemCode(t.Context(), registered, code, callback, text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What no code is made for.
func TestIssueCodeRefuses(t *testing.T) {
	h := newHouse(t)
	own, err := h.Service.CreateInstance(h.As(t.Context(), member, "Admin"), &ssoadmin.CreateInstanceInput{})
	if err != nil {
		t.Fatal(err)
	}
	with := func(client string, change func(*token.Code)) token.Code {
		c := h.codeFor(client)
		change(&c)
		return c
	}
	nothing := func(*token.Code) {}
	_, err = h.tokens.IssueCode(t.Context(), h.codeFor(h.app))
	wantErr(t, "the application has no such grant", err, token.ErrInvalid)
	h.grantCodes(t, callback, "https://app.example.com/other")
	for name, c := range map[string]struct {
		code token.Code
		want error
	}{
		"as it should be":       {with(h.app, nothing), nil},
		"no challenge":          {with(h.app, func(c *token.Code) { c.Challenge = "" }), token.ErrInvalid},
		"a plain challenge":     {with(registered, func(c *token.Code) { c.Challenge = "my-verifier-in-plain-text-which-is-long-en?" }), token.ErrInvalid},
		"a short challenge":     {with(registered, func(c *token.Code) { c.Challenge = c.Challenge[:42] }), token.ErrInvalid},
		"a padded challenge":    {with(registered, func(c *token.Code) { c.Challenge += "=" }), token.ErrInvalid},
		"a challenge with ends": {with(registered, func(c *token.Code) { c.Challenge = c.Challenge[:20] + "\n" + c.Challenge[20:] }), token.ErrInvalid},
		"another redirect URI":  {with(h.app, func(c *token.Code) { c.RedirectURI = "https://evil.example.com/callback" }), token.ErrInvalid},
		"a path below":          {with(h.app, func(c *token.Code) { c.RedirectURI += "/x" }), token.ErrInvalid},
		"a query":               {with(h.app, func(c *token.Code) { c.RedirectURI += "?x=1" }), token.ErrInvalid},
		"another instance":      {with(h.app, func(c *token.Code) { c.Person.InstanceARN = *own.InstanceArn }), token.ErrInvalid},
		"nobody":                {with(registered, func(c *token.Code) { c.Person.UserID = "nobody" }), token.ErrInactive},
		"no instance":           {with(registered, func(c *token.Code) { c.Person.InstanceARN = "" }), token.ErrInactive},
	} {
		if _, err := h.tokens.IssueCode(t.Context(), c.code); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Many redeem one code at once: one is first, and since the others came too, it gets nothing lasting.
func TestCodeInParallel(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		code := h.code(t, registered)
		const n = 8
		errs := make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				c, err := h.tokens.RedeemCode(t.Context(), registered, code, callback, verifier)
				if errs[i] = err; err != nil {
					return
				}
				a := h.access(registered)
				a.Family = c.Family
				if out, err := h.tokens.IssueAccess(t.Context(), a, false); err == nil {
					defer func() {
						_, err := h.tokens.RedeemCode(t.Context(), registered, code, callback, verifier)
						wantErr(t, "once more", err, token.ErrEnded)
						_, err = h.tokens.OpenAccess(t.Context(), out.AccessToken)
						wantErr(t, "the winner's token", err, token.ErrEnded)
					}()
				}
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			wantErr(t, "a loser", err, token.ErrEnded)
		}
		if won != 1 {
			t.Errorf("%d of %d were first", won, n)
		}
	})
}
