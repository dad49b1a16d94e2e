package center

import (
	"maps"
	"slices"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/policy"
)

// The grant types.
const (
	GrantAuthorizationCode = "authorization_code"
	GrantRefreshToken      = "refresh_token"
	GrantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	GrantTokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// The providers that applications come from.
const (
	providerPrefix = "arn:" + arn.Partition + ":sso::aws:applicationProvider/"
	// ProviderCustom is that of applications which people create.
	ProviderCustom = providerPrefix + "custom"
	// ProviderAccessGrants is that of the application which stands for an access grants instance.
	ProviderAccessGrants = providerPrefix + "s3-access-grants"
)

const (
	enabled  = "ENABLED"
	disabled = "DISABLED"
)

// Application is an OAuth client of an instance.
type Application struct {
	ARN, Instance, Provider string
	// Account created the application; Owner has the instance.
	Account, Owner    string
	Name, Description string
	Enabled           bool
	Portal            Portal
	// AssignmentRequired says that only people who are assigned, themselves or through a group, may use it.
	AssignmentRequired bool
	// Background is the status of user background sessions, empty when never set.
	Background  string
	Created     time.Time
	CreatedFrom string
	Tags        map[string]string

	// Grants by type.
	Grants map[string]Grant
	// Scopes by name, each with the targets that it is limited to; none means all.
	Scopes map[string][]string
	// Method says which principals may act as the application; nil when nobody was named.
	Method *Method
}

// Portal is how the application shows in the access portal. Origin is empty when sign-in options were never given.
type Portal struct {
	Origin, URL, Visibility string
}

// Grant is what a grant type admits. The JSON form is that of the database.
type Grant struct {
	// Issuers are those whose tokens jwt-bearer accepts.
	Issuers []AuthorizedIssuer `json:"issuers,omitempty"`
	// RedirectURIs belong to authorization_code.
	RedirectURIs []string `json:"redirectUris,omitempty"`
}

// AuthorizedIssuer is an issuer and the audiences of which a token must name one.
type AuthorizedIssuer struct {
	ARN       string   `json:"arn"`
	Audiences []string `json:"audiences,omitempty"`
}

// ScopeNames returns the configured scopes, sorted.
func (a *Application) ScopeNames() []string { return slices.Sorted(maps.Keys(a.Scopes)) }

// ScopeReaches reports whether the application has a scope, for one of the targets: the ARN of an application or of an
// instance. A scope without targets is for all.
func (a *Application) ScopeReaches(scope string, targets ...string) bool {
	limited, ok := a.Scopes[scope]
	return ok && (len(limited) == 0 || slices.ContainsFunc(targets, func(t string) bool { return t != "" && slices.Contains(limited, t) }))
}

// ActorPolicy is the policy that CreateTokenWithIAM asks; nil when no method is set.
func (a *Application) ActorPolicy() *policy.Named {
	if a.Method == nil {
		return nil
	}
	return &policy.Named{Name: "actor policy of " + a.ARN, Document: a.Method.Document}
}

// isService reports whether a service made the application for itself.
func (a *Application) isService() bool { return a.Provider != ProviderCustom }

func applicationARN(i *Instance, id string) string {
	return arn.New("sso", "", i.Account, "application/"+i.ID()+"/apl-"+id).String()
}
