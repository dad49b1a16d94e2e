package token_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/center"
)

// What an exchange costs on the server, by grant type, with the issuer's keys at hand: what is checked, the decision, the
// answer's signature and the durable note of what was used and begun. What is exchanged is made outside of the measurement.
func BenchmarkExchange(b *testing.B) {
	h := newHouse(b)
	h.grantRefresh(b)
	h.grantCodes(b, callback)
	back := h.newApplication(b, "Back")
	h.at(back, func() {
		h.requireAssignment(b, false)
		h.grant(b, center.GrantTokenExchange, &ssoadmin.Grant{TokenExchange: &ssoadmin.TokenExchangeGrant{}})
		h.putScope(b, scopeS3)
	})
	ctx := h.As(b.Context(), member, "ApplicationRole")
	first, err := h.exchange(b.Context(), h.good(b))
	if err != nil {
		b.Fatal(err)
	}
	refresh := *first.RefreshToken
	for _, c := range []struct {
		name string
		in   func() *ssooidc.CreateTokenWithIAMInput
	}{
		{"assertion", func() *ssooidc.CreateTokenWithIAMInput {
			return &ssooidc.CreateTokenWithIAMInput{ClientId: h.app, GrantType: center.GrantJWTBearer, Assertion: new(h.good(b))}
		}},
		{"code", func() *ssooidc.CreateTokenWithIAMInput { return codeInput(h, h.applicationCode(b, h.Now())) }},
		{"subject token", func() *ssooidc.CreateTokenWithIAMInput {
			return &ssooidc.CreateTokenWithIAMInput{ClientId: back, GrantType: center.GrantTokenExchange, SubjectToken: first.AccessToken, SubjectTokenType: new(typeAccess)}
		}},
		{"refresh token", func() *ssooidc.CreateTokenWithIAMInput { return refreshInput(h, refresh) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var cpu time.Duration
			for b.Loop() {
				b.StopTimer()
				in := c.in()
				before := cpuTime(b)
				b.StartTimer()
				out, err := h.tokens.CreateTokenWithIAM(ctx, in)
				if err != nil {
					b.Fatal(err)
				}
				cpu += cpuTime(b) - before
				if c.name == "refresh token" {
					refresh = *out.RefreshToken
				}
			}
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkOpenAccess is what the portal pays for each request.
func BenchmarkOpenAccess(b *testing.B) {
	h := newHouse(b)
	access := h.issued(b, registered).AccessToken
	for b.Loop() {
		if _, err := h.tokens.OpenAccess(b.Context(), access); err != nil {
			b.Fatal(err)
		}
	}
}

// cpuTime is what the process has used so far.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
