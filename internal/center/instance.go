package center

import (
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
)

// Instance is an identity center: of the organization, or of one account.
type Instance struct {
	ARN     string
	Account string
	StoreID string
	Name    string
	// Organization is set for the organization's instance, which all member accounts share.
	Organization bool
	Created      time.Time
	Tags         map[string]string
}

// ID is the last part of the ARN: ssoins- and sixteen hexadecimal digits.
func (i *Instance) ID() string { return i.ARN[strings.LastIndexByte(i.ARN, '/')+1:] }

// StoreARN is the ARN of the instance's identity store.
func (i *Instance) StoreARN() string { return arn.IdentityStore(i.Account, i.StoreID) }

func instanceARN(id string) string { return "arn:" + arn.Partition + ":sso:::instance/" + id }

// instanceOf reads the instance's ARN out of that of an application, issuer or permission set.
func instanceOf(resource string) (string, bool) {
	a, err := arn.Parse(resource)
	if err != nil || a.Service != "sso" {
		return "", false
	}
	_, path, ok := strings.Cut(a.Resource, "/")
	id, _, _ := strings.Cut(path, "/")
	return instanceARN(id), ok
}

// Issuer is a trusted token issuer: whose tokens are accepted, and whom they mean.
type Issuer struct {
	ARN      string
	Instance string
	Name     string
	// URL is the iss of its tokens, compared as text.
	URL string
	// Claim names the claim that says who the person is, Attribute the user's attribute that it is compared with.
	Claim, Attribute string
	Created          time.Time
	Tags             map[string]string
}

func issuerARN(i *Instance, id string) string {
	return arn.New("sso", "", i.Account, "trustedTokenIssuer/"+i.ID()+"/tti-"+id).String()
}
