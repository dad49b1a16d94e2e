package center

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/arn"
)

// PermissionSet is a set of policies that people and groups get in accounts: in each of them it is provisioned as a role.
type PermissionSet struct {
	// ARN is arn:aws:sso:::permissionSet/ssoins-…/ps-….
	ARN, Instance, Name, Description string
	// Duration is the longest session as it was written, an ISO 8601 duration such as PT1H.
	Duration   string
	RelayState string
	// Inline is the text of the set's own policy, "" for none.
	Inline string
	// Policies are the managed ones, those of AWS first.
	Policies []PolicyReference
	// Boundary bounds the roles; the zero value is none.
	Boundary PolicyReference
	// Version grows with each change that roles have to be brought up to date with.
	Version int64
	Created time.Time
	Tags    map[string]string
}

// PolicyReference names a managed policy: one of AWS by its ARN in Name, with no Path; or one that is to be found under
// Path and Name in each account where the set is provisioned.
type PolicyReference struct{ Path, Name string }

func (r PolicyReference) isAWS() bool { return r.Path == "" && r.Name != "" }

// in is the ARN of the policy in an account.
func (r PolicyReference) in(account string) string {
	if r.Path == "" {
		return r.Name
	}
	return arn.New("iam", "", account, "policy"+r.Path+r.Name).String()
}

// key orders references. A path holds no space.
func (r PolicyReference) key() string { return r.Path + " " + r.Name }

func compareReferences(a, b PolicyReference) int { return strings.Compare(a.key(), b.key()) }

// id is the last part of the ARN: ps- and sixteen hexadecimal digits.
func (p *PermissionSet) id() string { return p.ARN[strings.LastIndexByte(p.ARN, '/')+1:] }

func permissionSetARN(i *Instance, id string) string {
	return "arn:" + arn.Partition + ":sso:::permissionSet/" + i.ID() + "/ps-" + id
}

// accountARN is how policies name an account as something that people are assigned to.
func accountARN(account string) string { return "arn:" + arn.Partition + ":sso:::account/" + account }

// The bounds of a session and what it lasts when nothing is said.
const (
	shortestSession = time.Hour
	longestSession  = 12 * time.Hour
	usualSession    = "PT1H"
)

// The model admits every ISO 8601 duration. What is of use has hours, minutes and seconds, and few digits.
var duration = regexp.MustCompile(`^P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})S)?)?$`)

// readDuration reads an ISO 8601 duration between an hour and twelve.
func readDuration(text string) (time.Duration, error) {
	m := duration.FindStringSubmatch(text)
	if m == nil {
		return 0, ssoadmin.ValidationException("The session duration " + text + " is not valid. Use an ISO 8601 duration of hours, minutes and seconds, such as PT8H.")
	}
	var d time.Duration
	for n, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		count, _ := strconv.Atoi("0" + m[n+1]) // up to five digits
		d += time.Duration(count) * unit
	}
	if d < shortestSession || d > longestSession {
		return 0, ssoadmin.ValidationException("The session duration " + text + " is not valid. It has to be between PT1H and PT12H.")
	}
	return d, nil
}

// inlineName is what the set's own policy is called on the role.
const inlineName = "AwsSSOInlinePolicy"

// rolePath is where the roles are: AWS names the Region, but for its first.
func rolePath(region string) string {
	path := "/aws-reserved/sso.amazonaws.com/"
	if region != "us-east-1" {
		path += region + "/"
	}
	return path
}

// trust is the trust policy of the roles of an instance. It names the SAML provider by which AWS lets the identity center
// in. Nobody can be that provider here: no principal of sts:AssumeRole is one, and IAM makes none. The identity center
// itself issues the sessions of these roles, after it looked the assignment up.
func trust(i *Instance, account string) string {
	provider := arn.New("iam", "", account, "saml-provider/AWSSSO_"+strings.TrimPrefix(i.ID(), "ssoins-")+"_DO_NOT_DELETE").String()
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + provider +
		`"},"Action":["sts:AssumeRoleWithSAML","sts:TagSession"],"Condition":{"StringEquals":{"SAML:aud":"https://signin.aws.amazon.com/saml"}}}]}`
}

// roleIn is the role that the set is to be in an account. id is that of the role that it is already, "" for none.
func (p *PermissionSet) roleIn(i *Instance, target, region, id string) (account.ReservedRole, error) {
	d, err := readDuration(p.Duration)
	if err != nil {
		return account.ReservedRole{}, fmt.Errorf("read %s: %w", p.ARN, err)
	}
	r := account.ReservedRole{
		ID: id, Account: target, Path: rolePath(region), Name: "AWSReservedSSO_" + p.Name + "_" + randomHex(16),
		Description: p.Description, Trust: trust(i, target), MaxSession: d, InlineName: inlineName, Inline: p.Inline,
	}
	for _, ref := range p.Policies {
		r.Attached = append(r.Attached, ref.in(target))
	}
	if p.Boundary.Name != "" {
		r.Boundary = p.Boundary.in(target)
	}
	return r, nil
}

// find returns the place of a reference among the set's policies.
func (p *PermissionSet) find(r PolicyReference) (int, bool) {
	return slices.BinarySearchFunc(p.Policies, r, compareReferences)
}

func readReference(r *ssoadmin.CustomerManagedPolicyReference) PolicyReference {
	return PolicyReference{Path: cmp.Or(value(r.Path), "/"), Name: r.Name}
}

func (r PolicyReference) write() *ssoadmin.CustomerManagedPolicyReference {
	return &ssoadmin.CustomerManagedPolicyReference{Name: r.Name, Path: &r.Path}
}
