package explain

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/token"
)

// remedies of the links from an assertion to a claim.
var remedies = map[token.Link]string{
	token.LinkForm:      "Present the ID token or access token as the issuer gave it: a signed JWT of three parts. In strict compatibility its algorithm is RS256.",
	token.LinkTrust:     "Compare the token's iss with the trusted token issuer's URL, letter by letter and with its slash at the end. An issuer that is right but not trusted belongs in the application's grant (put-application-grant).",
	token.LinkReach:     "Let the server reach the issuer over https: name, firewall, certificate. An address that is not public takes issuers.allow_private, http on loopback takes development, in the configuration file.",
	token.LinkName:      "The document's issuer must equal the configured URL, letter by letter. The URL of a trusted token issuer cannot be changed: create another one with the URL that the document names.",
	token.LinkKeys:      "See that the jwks_uri of the discovery document answers with keys for signatures: RSA of 2048 bits or more, P-256, P-384 or Ed25519.",
	token.LinkSignature: "The token was changed on its way, or its key was taken back, or it is of an issuer of another tenant. Get a fresh one. Tokens for other services of the provider may be signed in a way that only these verify.",
	token.LinkTime:      "Get a fresh token, and compare the clocks of the issuer and of this server.",
	token.LinkAudience:  "Put the token's aud into AuthorizedAudiences of the application's grant (put-application-grant), or ask the provider for a token for the application.",
	token.LinkUse:       "A token is good for one exchange. Get a fresh one, or refresh the first exchange's answer.",
	token.LinkClaim:     "Let the provider put the claim into its tokens, or map another one with aws sso-admin update-trusted-token-issuer.",
}

func (s subject) links(all []token.Finding) (ok bool) {
	ok = true
	for _, f := range all {
		if f.Err == nil {
			s.pass(string(f.Link), f.Detail)
			continue
		}
		s.fail(string(f.Link), f.Err.Error(), remedies[f.Link])
		ok = ok && f.Link == token.LinkUse
	}
	return ok
}

// visit examines issuers, several at a time.
func (x *examinee) visit(ctx context.Context, issuers []*center.Issuer) {
	if len(issuers) > maxIssuers {
		x.about("issuers").info("issuers", fmt.Sprintf("%d of %d are looked at", maxIssuers, len(issuers)), "")
		issuers = issuers[:maxIssuers]
	}
	all := make([][]token.Finding, len(issuers))
	slots := make(chan struct{}, maxVisits)
	var wg sync.WaitGroup
	for n, i := range issuers {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			all[n] = x.Tokens.InspectIssuer(ctx, i.URL)
		})
	}
	wg.Wait()
	for n, i := range issuers {
		s := x.about("issuer " + i.Name)
		s.links(all[n])
		s.pass("mapping", "claim "+i.Claim+" is compared with "+i.Attribute)
	}
}

// examineToken goes the way of the sample token, and finds the person whom it means.
func (x *examinee) examineToken(ctx context.Context) error {
	n, err := x.Tokens.InspectAssertion(ctx, x.app, *x.in.Token)
	if err != nil {
		return err
	}
	s := x.about("token")
	if !s.links(n.Findings) || n.Issuer == nil {
		return nil
	}
	found := x.People.FindUsers(x.instance.StoreID, n.Issuer.Attribute, n.Value)
	x.take(s, found, fmt.Sprintf("%s %.256q, which the claim %s holds", n.Issuer.Attribute, n.Value, n.Issuer.Claim),
		"Give exactly one person of the directory that "+n.Issuer.Attribute+": provision the person by SCIM, or compare what the provider sends with aws identitystore list-users. A wrong mapping is changed with update-trusted-token-issuer.")
	return nil
}

// take settles on the one person who was found, who has to be enabled.
func (x *examinee) take(s subject, found []string, by, remedy string) {
	if len(found) != 1 {
		s.fail("person", fmt.Sprintf("%d people have the %s", len(found), by), remedy)
		return
	}
	p, ok := x.People.User(x.instance.StoreID, found[0])
	if !ok {
		s.fail("person", "the person "+found[0]+" is no longer in the directory", remedy)
		return
	}
	s.pass("person", p.UserName+" ("+p.ID+"), by the "+by)
	if !p.Enabled {
		s.fail("active", p.UserName+" is disabled", "Enable the person where people are kept: the identity provider sends active by SCIM.")
		return
	}
	s.pass("active", "")
	x.person = &p
}

// examinePerson finds a person by id, user name, email or external id, and asks whether each issuer could mean them.
func (x *examinee) examinePerson(ctx context.Context, issuers []*center.Issuer) {
	name, storeID := *x.in.Person, x.instance.StoreID
	s := x.about("person " + name)
	var found []string
	if p, ok := x.People.User(storeID, name); ok {
		found = []string{p.ID}
	}
	for _, attribute := range []string{directory.AttributeUserName, directory.AttributeEmail, directory.AttributeExternalID} {
		if len(found) == 0 {
			found = x.People.FindUsers(storeID, attribute, name)
		}
	}
	x.take(s, found, fmt.Sprintf("id, user name, email or external id %.256q", name), "Look for the person with aws identitystore list-users; people come by SCIM or with create-user.")
	if x.person == nil {
		return
	}
	u, err := x.People.ReadUser(ctx, storeID, x.person.ID)
	if err != nil {
		s.fail("mapping", "the person cannot be read", "Try again.")
		return
	}
	for _, i := range issuers {
		x.mapped(s, &u, i)
	}
}

// mapped examines whether a token of an issuer could mean the person, and nobody else.
func (x *examinee) mapped(s subject, u *directory.User, i *center.Issuer) {
	var values []string
	switch i.Attribute {
	case directory.AttributeUserName:
		values = []string{u.UserName}
	case directory.AttributeEmail:
		for _, e := range u.Profile.Emails {
			values = append(values, e.Value)
		}
	case directory.AttributeExternalID:
		for _, e := range u.ExternalIDs {
			values = append(values, e.ID)
		}
	}
	if len(values) == 0 {
		s.fail("mapping", fmt.Sprintf("the person has no %s, with which tokens of %s are compared", i.Attribute, i.Name),
			"Provision the person by SCIM, which brings the external id and the email; a person made by hand has no external id. Or map another claim with update-trusted-token-issuer.")
		return
	}
	for _, v := range values {
		if n := len(x.People.FindUsers(x.instance.StoreID, i.Attribute, v)); n != 1 {
			s.fail("mapping", fmt.Sprintf("%d people have the %s %.256q, with which tokens of %s are compared", n, i.Attribute, v, i.Name), "Let only one person have it, or map a claim that is unique.")
			return
		}
	}
	s.pass("mapping", fmt.Sprintf("tokens of %s mean the person where the claim %s is %s", i.Name, i.Claim, strings.Join(values, " or ")))
}
