package account

import (
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
)

// OIDCProvider is an issuer of OpenID Connect whose tokens the roles of an account may trust. It is immutable.
type OIDCProvider struct {
	Account string
	// Name is the URL without its scheme: the ARN, and the condition keys of its claims, name the provider by it.
	Name string
	// URL is the issuer as tokens name it, compared as text.
	URL string
	// Clients are the audiences that tokens may be for.
	Clients []string
	// Thumbprints are kept and shown. Certificates are verified by the roots of the server.
	Thumbprints []string
	Tags        []Tag
	Created     time.Time
}

const oidcResource = "oidc-provider/"

// ARN of the provider.
func (p *OIDCProvider) ARN() string { return oidcARN(p.Account, p.Name) }

func oidcARN(account, name string) string {
	return arn.New("iam", "", account, oidcResource+name).String()
}

func oidcKey(account, name string) string { return account + " " + name }

// OIDCProvider finds the provider of an account that a token's issuer is.
func (r *Registry) OIDCProvider(account, issuer string) (*OIDCProvider, bool) {
	_, name, _ := strings.Cut(issuer, "://")
	p, ok := r.oidc.Get(oidcKey(account, name))
	if !ok || p.URL != issuer || !r.isActive(account) {
		return nil, false
	}
	return p, true
}

// oidcOf lists an account's providers, in order of their names.
func (r *Registry) oidcOf(account string) []*OIDCProvider {
	var out []*OIDCProvider
	for _, p := range r.oidc.Each() {
		if p.Account == account {
			out = append(out, p)
		}
	}
	return sortedByName(out)
}
