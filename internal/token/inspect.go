package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/issuer"
	"github.com/lakegate/lakegate/internal/store"
)

// Link is a part of the way from an assertion to a person that an inspection looks at.
type Link string

// The links, in the order of the way.
const (
	// LinkForm: the text is a signed JWT with an algorithm that is accepted.
	LinkForm Link = "token"
	// LinkTrust: the application's grant has an issuer of the token's iss.
	LinkTrust Link = "trusted issuer"
	// LinkReach: the issuer answers with a discovery document.
	LinkReach Link = "issuer reachable"
	// LinkName: the discovery document names the issuer by the URL that was configured.
	LinkName Link = "discovery document"
	// LinkKeys: the key set that it points to has keys.
	LinkKeys Link = "keys of the issuer"
	// LinkSignature: one of the keys signed the token.
	LinkSignature Link = "signature"
	// LinkTime: the token is valid now.
	LinkTime Link = "validity"
	// LinkAudience: the token is for an audience that the grant authorises.
	LinkAudience Link = "audience"
	// LinkUse: nobody exchanged the token yet.
	LinkUse Link = "first use"
	// LinkClaim: the token has the claim that the issuer maps.
	LinkClaim Link = "mapped claim"
)

// Finding is what an inspection says of one link; Err is nil where it holds. No finding has the text of a token in it.
type Finding struct {
	Link   Link
	Detail string
	Err    error
}

// Inspection is what was found, up to the first link that does not hold. A token that was used up does not end it.
type Inspection struct {
	Findings []Finding
	// Issuer is the trusted token issuer that the token is of, once its audience is known; Value is what its claim says.
	Issuer *center.Issuer
	Value  string
}

// note adds a finding and reports whether its link holds.
func (n *Inspection) note(link Link, detail string, err error) bool {
	n.Findings = append(n.Findings, Finding{link, detail, err})
	return err == nil
}

// InspectIssuer visits an issuer, whatever is remembered of it, and leaves what is remembered as it is.
func (s *Service) InspectIssuer(ctx context.Context, url string) []Finding {
	var n Inspection
	n.visit(ctx, s, url)
	return n.Findings
}

func (n *Inspection) visit(ctx context.Context, s *Service, url string) (issuer.KeySet, bool) {
	set, err := s.issuers.Visit(ctx, url)
	at := issuer.Stage(0)
	if err != nil {
		at = issuer.Reaching
		if e, ok := errors.AsType[*issuer.VisitError](err); ok {
			at = e.At
		}
	}
	for _, step := range []struct {
		at     issuer.Stage
		link   Link
		detail string
	}{{issuer.Reaching, LinkReach, url}, {issuer.Naming, LinkName, "it names " + url}, {issuer.ReadingKeys, LinkKeys, fmt.Sprintf("%d usable", len(set))}} {
		if step.at == at {
			return nil, n.note(step.link, "", err)
		}
		n.note(step.link, step.detail, nil)
	}
	return set, true
}

// InspectAssertion goes the way that an exchange of the assertion by the application would go, as far as it leads. The
// assertion is not used up, and nothing is issued or written down.
func (s *Service) InspectAssertion(ctx context.Context, app *center.Application, text string) (n Inspection, err error) {
	a, err := issuer.Parse(text, s.algorithms)
	if err != nil {
		n.note(LinkForm, "", err)
		return n, nil
	}
	n.note(LinkForm, "a JWT signed with "+string(a.Algorithm), nil)
	candidates := s.issuersOf(app, a.Claims.Issuer)
	if len(candidates) == 0 {
		n.note(LinkTrust, "", fmt.Errorf("the application's grant has no trusted token issuer with the URL %.512q", a.Claims.Issuer))
		return n, nil
	}
	n.note(LinkTrust, a.Claims.Issuer, nil)
	set, ok := n.visit(ctx, s, a.Claims.Issuer)
	if !ok {
		return n, nil
	}
	err = nil
	if !set.Verifies(a) {
		err = fmt.Errorf("no key of the issuer for %s verifies it", a.Algorithm)
	}
	if !n.note(LinkSignature, "by a key of the issuer", err) {
		return n, nil
	}
	if !n.note(LinkTime, "until "+a.Claims.Expires.UTC().Format("2006-01-02 15:04:05Z"), a.Claims.CheckTimes(s.db.Now(), clockSkew, s.longest)) {
		return n, nil
	}
	i := slices.IndexFunc(candidates, func(c candidate) bool { return c.meant(&a.Claims) })
	if i < 0 {
		n.note(LinkAudience, "", fmt.Errorf("the token is for %.512q, which the grant does not authorise", a.Claims.Audiences))
		return n, nil
	}
	n.note(LinkAudience, strings.Join(candidates[i].audiences, ", "), nil)
	used := false
	err = s.db.View(ctx, func(q store.Querier) (err error) {
		used, err = tokenUsed(ctx, q, tokenID(app.Instance, a))
		return err
	})
	if err != nil {
		return n, fmt.Errorf("look up use of token: %w", err)
	}
	if used {
		err = errors.New("the token was exchanged already")
	}
	// A token that was used up ends an exchange, but what follows holds for the next token of the person as well.
	n.note(LinkUse, "not exchanged so far", err)
	value, err := a.Claims.Claim(candidates[i].issuer.Claim)
	if n.note(LinkClaim, candidates[i].issuer.Claim, err) {
		n.Issuer, n.Value = candidates[i].issuer, value
	}
	return n, nil
}
