package token_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/token"
)

// revocations ends what was signed in by a moment: of a person, or of an application where one is named.
type revocations struct {
	user, application string
	before            time.Time
}

func (r *revocations) CheckPerson(userID, application string, at time.Time) error {
	if (r.user == userID || r.application != "" && r.application == application) && !at.After(r.before) {
		return errors.New("revoked")
	}
	return nil
}

func newRevoked(t *testing.T) (*house, *revocations) {
	t.Helper()
	r := &revocations{}
	return open(t, storetest.URL(t, "sqlite"), func(cfg *token.Config) { cfg.Revocations = r }), r
}

// Whoever took an assertion from a laptop before its person was revoked gets nothing for it afterwards; the person, who
// signs in again, goes on.
func TestAnAssertionOfBeforeARevocation(t *testing.T) {
	h, r := newRevoked(t)
	stolen := h.good(t)
	r.user, r.before = h.person, h.Now().Add(time.Second)
	h.Pass(2 * time.Second)
	h.refusedAssertion(t, stolen, "assertion")
	if _, err := h.exchange(t.Context(), h.good(t)); err != nil {
		t.Errorf("a new sign-in: %v", err)
	}
}

// An issuer whose clock is ahead, as far as that is tolerated, does not carry a sign-in past a revocation.
func TestASignInOfTheFutureIsRevoked(t *testing.T) {
	h, r := newRevoked(t)
	h.grantRefresh(t)
	out, err := h.exchange(t.Context(), h.issuer.sign(t, "one", h.claims(map[string]any{"iat": h.Now().Add(50 * time.Second).Unix()})))
	if err != nil {
		t.Fatal(err)
	}
	h.Pass(time.Second)
	r.user, r.before = h.person, h.Now()
	h.Pass(time.Second)
	h.refused(t, refreshInput(h, *out.RefreshToken), "InvalidGrantException", "refresh token")
	_, err = h.tokens.OpenAccess(t.Context(), *out.AccessToken)
	wantErr(t, "the access token", err, token.ErrEnded)
}

// An application that was broken into exchanged the tokens of its people at another one: revoking it ends those too.
func TestARevokedApplicationTakesWhatWasExchanged(t *testing.T) {
	h, r := newRevoked(t)
	c := newChain(t, h)
	h.at(c.back, func() { h.grantRefresh(t) })
	in := c.input(c.subject(t))
	in.RequestedTokenType = new(typeRefresh)
	out := h.create(t, in)
	h.Pass(time.Second)
	r.application, r.before = h.app, h.Now()
	_, err := h.tokens.OpenAccess(t.Context(), *out.AccessToken)
	wantErr(t, "the access token", err, token.ErrEnded)
	h.refused(t, &ssooidc.CreateTokenWithIAMInput{ClientId: c.back, GrantType: center.GrantRefreshToken, RefreshToken: out.RefreshToken}, "InvalidGrantException", "refresh token")
}
