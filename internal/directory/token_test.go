package directory_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/wire"
)

func sqlite(t testing.TB) string { return storetest.URL(t, "sqlite") }

func TestAThirdTokenRetiresTheOldest(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		var ids, secrets []string
		for i := range 4 {
			tok, secret, retired, err := h.dir.CreateToken(ctx, shared, "", 0)
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if i >= 2 {
				want = ids[i-2]
			}
			if retired != want {
				t.Errorf("token %d retired %q, want %q", i, retired, want)
			}
			ids, secrets = append(ids, tok.ID), append(secrets, secret)
			h.pass(time.Second)
		}
		for i, secret := range secrets {
			_, err := h.dir.Provisioner(ctx, shared, secret)
			if good := i >= 2; good != (err == nil) {
				t.Errorf("token %d: %v", i, err)
			}
		}
	})
}

func TestAnExpiredTokenMakesRoom(t *testing.T) {
	h := open(t, sqlite(t))
	short, _, _, err := h.dir.CreateToken(t.Context(), shared, "", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	long, _, _, err := h.dir.CreateToken(t.Context(), shared, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	h.pass(2 * time.Hour)
	_, _, retired, err := h.dir.CreateToken(t.Context(), shared, "", 0)
	if err != nil || retired != "" {
		t.Fatalf("retired %q, %v, want none: one had expired", retired, err)
	}
	all, err := h.dir.Tokens(t.Context(), shared)
	if err != nil || len(all) != 2 || all[1].ID != long.ID {
		t.Errorf("tokens = %+v, %v; %s had expired", all, err, short.ID)
	}
}

// Everything that is wrong with a token is the same error to whoever presents it.
func TestWhatIsNoToken(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		tok, secret, _, err := h.dir.CreateToken(ctx, shared, "", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if id, err := h.dir.Provisioner(ctx, shared, secret); err != nil || id != tok.ID {
			t.Fatalf("the token itself: %q, %v", id, err)
		}
		last := secret[len(secret)-1:]
		if last == "A" {
			last = "B"
		} else {
			last = "A"
		}
		for name, bearer := range map[string]string{
			"nothing": "", "the prefix": "lgscim_", "the id alone": tok.ID, "no secret": "lgscim_" + tok.ID + "_", "a cut secret": secret[:len(secret)-1],
			"a longer secret": secret + "A", "another secret": secret[:len(secret)-1] + last, "upper case": strings.ToUpper(secret),
			"an unknown id": "lgscim_00000000-0000-4000-8000-000000000000" + secret[43:], "huge": strings.Repeat("x", 1<<20), "blank in front": " " + secret,
		} {
			if _, err := h.dir.Provisioner(ctx, shared, bearer); !errors.Is(err, directory.ErrToken) {
				t.Errorf("%s: %v, want it refused", name, err)
			}
		}
		for _, storeID := range []string{private, "", "d-ffffffffff"} {
			if _, err := h.dir.Provisioner(ctx, storeID, secret); !errors.Is(err, directory.ErrToken) {
				t.Errorf("in store %q: %v, want it refused", storeID, err)
			}
		}
		h.pass(time.Hour)
		if _, err := h.dir.Provisioner(ctx, shared, secret); !errors.Is(err, directory.ErrToken) || !strings.Contains(err.Error(), "expired") {
			t.Errorf("after it has expired: %v", err)
		}
	})
}

func TestATokenIsNotKept(t *testing.T) {
	h := open(t, sqlite(t))
	_, secret, _, err := h.dir.CreateToken(t.Context(), shared, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	err = h.db.View(t.Context(), func(q store.Querier) error {
		rows, err := store.All(t.Context(), q, store.Text, `SELECT id || store || hex(hash) || description FROM scim_tokens`)
		for _, r := range rows {
			if strings.Contains(r, secret[43:]) {
				t.Error("the secret is in the database")
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAUseIsWrittenDownOnceAMinute(t *testing.T) {
	h := open(t, sqlite(t))
	_, secret, _, err := h.dir.CreateToken(t.Context(), shared, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	start := h.db.Now()
	for _, c := range []struct{ at, want time.Duration }{{10 * time.Second, 10 * time.Second}, {40 * time.Second, 10 * time.Second}, {70 * time.Second, 70 * time.Second}} {
		h.clock.Store(start.Add(c.at).UnixNano())
		revision := h.db.Revision()
		if _, err := h.dir.Provisioner(t.Context(), shared, secret); err != nil {
			t.Fatal(err)
		}
		all, err := h.dir.Tokens(t.Context(), shared)
		if err != nil || !all[0].Used.Equal(start.Add(c.want)) {
			t.Errorf("used at %v: written down %v, %v", c.at, all[0].Used.Sub(start), err)
		}
		if h.db.Revision() != revision {
			t.Error("a use is no change that gets a revision")
		}
	}
}

func TestTokenOperations(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		made, err := h.tokens.CreateScimToken(h.as(t, management), &lakegate.CreateScimTokenInput{Description: new("provider"), ExpiresInDays: new(30)})
		if err != nil {
			t.Fatal(err)
		}
		if made.IdentityStoreId != shared || made.Endpoint != "http://127.0.0.1:9421/scim/v2/"+shared || !made.ExpiresAt.Equal(h.db.Now().AddDate(0, 0, 30)) {
			t.Errorf("made %+v", made)
		}
		if _, err := h.dir.Provisioner(t.Context(), shared, made.Token); err != nil {
			t.Errorf("the token is not good: %v", err)
		}
		list, err := h.tokens.ListScimTokens(h.as(t, delegate), &lakegate.ListScimTokensInput{IdentityStoreId: new(shared)})
		if err != nil || len(list.Tokens) != 1 || list.Tokens[0].TokenId != made.TokenId || list.Tokens[0].LastUsedAt == nil || *list.Tokens[0].Description != "provider" {
			t.Errorf("listed %+v, %v", list, err)
		}
		if _, err := h.tokens.DeleteScimToken(h.as(t, management), &lakegate.DeleteScimTokenInput{TokenId: made.TokenId}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.dir.Provisioner(t.Context(), shared, made.Token); !errors.Is(err, directory.ErrToken) {
			t.Errorf("a deleted token: %v", err)
		}
	})
}

func TestWhoMayHaveTokens(t *testing.T) {
	h := open(t, sqlite(t))
	const noTokens = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"identitystore:*","Resource":"*"}}`
	for _, c := range []struct {
		name, account, store string
		policy               []string
		want                 string
	}{
		{"owner", management, shared, nil, ""},
		{"delegated administrator", delegate, shared, nil, ""},
		{"member", memberAcct, shared, nil, "AccessDenied"},
		{"outsider", outsider, shared, nil, "ResourceNotFoundException"},
		{"the management account in a member's own store", management, private, nil, "ResourceNotFoundException"},
		{"member in its own store", memberAcct, private, nil, ""},
		{"owner without permission", management, shared, []string{noTokens}, "AccessDenied"},
		{"no such store", management, "d-ffffffffff", nil, "ResourceNotFoundException"},
	} {
		ctx := h.as(t, c.account, c.policy...)
		_, list := h.tokens.ListScimTokens(ctx, &lakegate.ListScimTokensInput{IdentityStoreId: &c.store})
		_, create := h.tokens.CreateScimToken(ctx, &lakegate.CreateScimTokenInput{IdentityStoreId: &c.store})
		for op, err := range map[string]error{"list": list, "create": create} {
			got := ""
			if err != nil {
				got = wire.AsError(err).Code
			}
			if got != c.want {
				t.Errorf("%s: %s: %q, want %q (%v)", c.name, op, got, c.want, err)
			}
		}
	}
	h.pass(time.Second)
	sharedToken, _, _, err := h.dir.CreateToken(t.Context(), shared, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for account, want := range map[string]string{memberAcct: "AccessDenied", outsider: "ResourceNotFoundException"} {
		_, err := h.tokens.DeleteScimToken(h.as(t, account), &lakegate.DeleteScimTokenInput{TokenId: sharedToken.ID})
		if err == nil || wire.AsError(err).Code != want {
			t.Errorf("account %s deletes the token: %v, want %s", account, err, want)
		}
	}
}

// Without a name it is the store of the caller's own instance, and the organization's else.
func TestTheStoreThatIsMeant(t *testing.T) {
	h := open(t, sqlite(t))
	for account, want := range map[string]string{management: shared, delegate: shared, memberAcct: private} {
		out, err := h.tokens.CreateScimToken(h.as(t, account), &lakegate.CreateScimTokenInput{})
		if err != nil || out.IdentityStoreId != want {
			t.Errorf("account %s: %+v, %v, want %s", account, out, err, want)
		}
	}
	if _, err := h.tokens.CreateScimToken(h.as(t, outsider), &lakegate.CreateScimTokenInput{}); err == nil || wire.AsError(err).Code != "ResourceNotFoundException" {
		t.Errorf("an outsider: %v", err)
	}
}
