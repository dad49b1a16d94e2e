package policy

import (
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/arn"
)

// PrincipalType is the kind of principal of a request, spelt as the condition key aws:PrincipalType spells it.
type PrincipalType string

// The types of principal that a policy can speak of. Evaluate refuses any other.
const (
	Root        PrincipalType = "Root"
	User        PrincipalType = "IAMUser"
	AssumedRole PrincipalType = "AssumedRole"
	Service     PrincipalType = "AWSService"
	// Federated is the bearer of a token of an identity provider, FederatedUser the session of GetFederationToken.
	Federated     PrincipalType = "WebIdentityUser"
	FederatedUser PrincipalType = "FederatedUser"
	Anonymous     PrincipalType = "Anonymous"
)

// Principal is who makes a request.
type Principal struct {
	Type PrincipalType
	// Account is the principal's account; empty for services, federated users and anonymous requests.
	Account string
	// ARN is the user's ARN, or for a session the assumed-role ARN.
	ARN string
	// RoleARN is the ARN of a session's role, with the role's path: the value of aws:PrincipalArn. Of a FederatedUser it is
	// that of the user who asked for the session.
	RoleARN string
	// UniqueID is the id of the user (AIDA…) or of the session's role (AROA…), by which a policy keeps naming a
	// principal that was deleted; of a FederatedUser that of the user who asked. Optional.
	UniqueID string
	// CanonicalUser is the canonical id of the principal's account. Optional.
	CanonicalUser string
	// Service is the service principal of Type Service, such as "access-grants.s3.amazonaws.com".
	Service string
	// Provider is the identity provider of Type Federated.
	Provider string
}

// grade says how directly a resource-based policy names the principal, which decides what else must allow.
type grade int

const (
	unnamed grade = iota
	// delegated: the account is named, and leaves it to its identity policies.
	delegated
	// named: the role or everyone; within one account no identity policy is needed, but the limits of a boundary and
	// of session policies stay.
	named
	// direct: the user or the very session; within one account nothing else is asked.
	direct
)

// principals is a compiled Principal or NotPrincipal element.
type principals struct {
	everyone  bool
	accounts  []string
	arns      []string
	sessions  []string // of the arns, those of assumed roles, up to the session's name
	ids       []string
	services  []string
	providers []string
	canonical []string
}

func compilePrincipals(place string, list []PolicyPrincipal) (*principals, error) {
	out := new(principals)
	for _, p := range list {
		at := place + "." + p.Type
		if p.Value == "*" && (p.Type == "*" || p.Type == "AWS") {
			out.everyone = true
			continue
		}
		if strings.ContainsAny(p.Value, "*?") {
			return nil, bad(at, "%q: wildcards are not allowed inside a principal", p.Value)
		}
		ok := true
		switch p.Type {
		case "AWS":
			ok = out.addAWS(p.Value)
		case "Service":
			ok = onlyASCII(p.Value, ".-") && strings.Contains(p.Value, ".")
			out.services = append(out.services, p.Value)
		case "Federated":
			ok = isPrintable(p.Value)
			out.providers = append(out.providers, p.Value)
		case "CanonicalUser":
			ok = onlyASCII(p.Value, "")
			out.canonical = append(out.canonical, p.Value)
		}
		if !ok {
			return nil, bad(at, "%q is not a principal", p.Value)
		}
	}
	return out, nil
}

func (ps *principals) addAWS(text string) bool {
	if arn.IsAccountID(text) {
		ps.accounts = append(ps.accounts, text)
		return true
	}
	if (strings.HasPrefix(text, "AROA") || strings.HasPrefix(text, "AIDA")) && len(text) >= 16 && onlyASCII(text, "") {
		ps.ids = append(ps.ids, text)
		return true
	}
	a, err := arn.Parse(text)
	if err != nil || a.Partition != arn.Partition || a.Region != "" || !arn.IsAccountID(a.Account) || !isPrintable(a.Resource) {
		return false
	}
	kind, rest, _ := strings.Cut(a.Resource, "/")
	if rest == "" && a.Resource != "root" || strings.HasSuffix(rest, "/") {
		return false
	}
	switch a.Service + " " + kind {
	case "iam root":
		ps.accounts = append(ps.accounts, a.Account)
		return rest == ""
	case "iam user", "iam role", "sts federated-user":
	case "sts assumed-role":
		role, session, found := strings.Cut(rest, "/")
		if !found || role == "" || session == "" || strings.Contains(session, "/") {
			return false
		}
		ps.sessions = append(ps.sessions, strings.TrimSuffix(text, session))
	default:
		return false
	}
	ps.arns = append(ps.arns, text)
	return true
}

// isPrintable reports whether s holds nothing but visible ASCII, as the names and paths of principals do.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

// match is the most direct way in which the element names the principal.
func (ps *principals) match(p *Principal, everyoneDelegates bool) grade {
	g := unnamed
	if ps.everyone {
		g = named
		if everyoneDelegates {
			g = delegated
		}
	}
	switch p.Type {
	case Service:
		if p.Service != "" && slices.Contains(ps.services, p.Service) {
			return named
		}
	case Federated:
		if p.Provider != "" && slices.Contains(ps.providers, p.Provider) {
			return named
		}
	case Root, User, AssumedRole, FederatedUser:
		switch {
		case ps.namesSelf(p):
			return direct
		case (p.Type == AssumedRole || p.Type == FederatedUser) && ps.namesRole(p):
			return named
		case g == unnamed && ps.namesAccount(p):
			return delegated
		}
	}
	return g
}

func (ps *principals) namesAccount(p *Principal) bool {
	return p.Account != "" && slices.Contains(ps.accounts, p.Account) ||
		p.CanonicalUser != "" && slices.Contains(ps.canonical, p.CanonicalUser)
}

func (ps *principals) namesRole(p *Principal) bool {
	return p.RoleARN != "" && slices.Contains(ps.arns, p.RoleARN) || p.UniqueID != "" && slices.Contains(ps.ids, p.UniqueID)
}

// namesSelf reports whether the user or session itself is named. Root is named by its account alone.
func (ps *principals) namesSelf(p *Principal) bool {
	if p.Type == Root || p.ARN == "" {
		return false
	}
	return slices.Contains(ps.arns, p.ARN) || p.Type == User && p.UniqueID != "" && slices.Contains(ps.ids, p.UniqueID)
}

// spares reports whether a Deny statement with this NotPrincipal element leaves the principal alone. AWS looks at the
// account, then the role, then the session, and denies at the first that the element does not list: all of them must
// be listed, the session only if the element picks sessions of its role.
func (ps *principals) spares(p *Principal) bool {
	switch p.Type {
	case Root:
		return ps.namesAccount(p)
	case User, FederatedUser:
		return ps.namesAccount(p) && ps.namesSelf(p)
	case AssumedRole:
		if !ps.namesAccount(p) || !ps.namesRole(p) {
			return false
		}
		role := p.ARN[:strings.LastIndexByte(p.ARN, '/')+1]
		return ps.namesSelf(p) || !slices.Contains(ps.sessions, role)
	}
	return ps.match(p, false) != unnamed
}

// excludes reports whether an Allow statement with this NotPrincipal element leaves the principal out: any of its names
// is enough.
func (ps *principals) excludes(p *Principal) bool {
	return ps.match(p, false) != unnamed
}
