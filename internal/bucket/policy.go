package bucket

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/wire"
)

// MaxPolicy is how many bytes a bucket policy may have.
const MaxPolicy = 20 << 10

// Policy is a bucket policy: the text as it was put, the ids that the users and roles named in it had then, and the
// policy as it is compared, in which ids stand for those ARNs.
type Policy struct {
	Text string
	// Document is nil for a policy that cannot be read (any more), which denies everything.
	Document *policy.Document
	// Public says that the policy lets in somebody whom nobody chose.
	Public bool

	ids map[string]string // ARN → id
}

// Principals finds who a policy names.
type Principals interface {
	// PrincipalID is the id of the user or role that has the ARN now.
	PrincipalID(arn string) (id string, ok bool)
}

// newPolicy compiles a policy with ids in place of ARNs.
func newPolicy(text string, ids map[string]string) *Policy {
	p := &Policy{Text: text, ids: ids, Public: true}
	resolved, err := policy.RenamePrincipals(text, ids)
	if err != nil {
		return p
	}
	if p.Document, err = policy.Parse([]byte(resolved), policy.Resource); err == nil {
		p.Public = isPublic(p.Document)
	}
	return p
}

// Show is the policy as people read it: as it was put, but with the id in the place of the ARN of a user or role that is
// gone, even when another one has its name now.
func (p *Policy) Show(principals Principals) string {
	gone := map[string]string{}
	for name, id := range p.ids {
		if now, ok := principals.PrincipalID(name); !ok || now != id {
			gone[name] = id
		}
	}
	text, err := policy.RenamePrincipals(p.Text, gone)
	if err != nil {
		return p.Text
	}
	return text
}

func malformed(message string) *wire.Error {
	return wire.NewError("MalformedPolicy", http.StatusBadRequest, message)
}

// readPolicy checks a policy that is about to hang on the bucket.
func readPolicy(bucket string, text []byte, principals Principals) (*Policy, error) {
	d, err := policy.Limits{Bytes: MaxPolicy}.Parse(text, policy.Resource)
	if err != nil {
		return nil, malformed("Policies must be valid JSON and the policy language: " + err.Error()).Because(err)
	}
	ids := map[string]string{}
	for _, s := range d.Statements() {
		for _, action := range slices.Concat(s.Actions, s.NotActions) {
			if service, _, _ := strings.Cut(action, ":"); action != "*" && !strings.EqualFold(service, "s3") {
				return nil, malformed("Policy has invalid action").With("Detail", action)
			}
		}
		for _, resource := range slices.Concat(s.Resources, s.NotResources) {
			if !isOf(bucket, resource) {
				return nil, malformed("Policy has invalid resource").With("Detail", resource)
			}
		}
		for _, p := range slices.Concat(s.Principals, s.NotPrincipals) {
			a, err := arn.Parse(p.Value)
			if p.Type != "AWS" || err != nil || a.Service != "iam" || a.Resource == "root" {
				continue
			}
			id, ok := principals.PrincipalID(p.Value)
			if !ok {
				return nil, malformed("Invalid principal in policy").With("Detail", p.Value)
			}
			ids[p.Value] = id
		}
	}
	return newPolicy(string(text), ids), nil
}

// isOf says whether a resource is the bucket or in it. A wildcard may stand in the key, not in the name of the bucket.
func isOf(bucket, resource string) bool {
	rest, ok := strings.CutPrefix(resource, arn.Bucket(bucket))
	return ok && (rest == "" || rest[0] == '/' && len(rest) > 1)
}

// isPublic is AWS's meaning of public ("The meaning of public", S3 Block Public Access): a statement that allows everybody,
// unless a condition ties it to values that someone chose. What is not understood counts as public.
func isPublic(d *policy.Document) bool {
	return slices.ContainsFunc(d.Statements(), func(s policy.Statement) bool {
		everybody := len(s.NotPrincipals) > 0 || slices.ContainsFunc(s.Principals, func(p policy.PolicyPrincipal) bool {
			return p.Value == "*" && (p.Type == "*" || p.Type == "AWS")
		})
		return s.Effect == policy.Allow && everybody && !slices.ContainsFunc(s.Conditions, ties)
	})
}

// tying are the condition keys whose fixed values make a policy not public.
var tying = []string{
	"aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn", "aws:userid", "aws:sourcearn", "aws:sourcevpc", "aws:sourcevpce",
	"aws:sourceowner", "aws:sourceaccount", "aws:sourceip", "aws:vpcsourceip", "s3:dataaccesspointarn", "s3:dataaccesspointaccount",
}

func ties(c policy.Condition) bool {
	if !slices.Contains(tying, strings.ToLower(c.Key)) || len(c.Values) == 0 {
		return false
	}
	operator := strings.TrimPrefix(strings.ToLower(c.Operator), "foranyvalue:")
	switch operator {
	// Operators that hold without a value (…IfExists, ForAllValues:…) or that exclude (…Not…) tie nobody down.
	case "stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike":
		return !slices.ContainsFunc(c.Values, func(v string) bool { return strings.ContainsAny(v, "*?$") })
	case "ipaddress":
		return !slices.ContainsFunc(c.Values, broad)
	}
	return false
}

// broad says that a range of addresses is so wide that nobody can have chosen those in it.
func broad(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return false
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return true
	}
	if p.Addr().Is4() {
		return p.Bits() < 8
	}
	return p.Bits() < 32
}
