package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/issuer"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// The claims by which a token brings session tags and a source identity along (IAM user guide, passing session tags).
const (
	tagsClaim           = "https://aws.amazon.com/tags"
	sourceIdentityClaim = "https://aws.amazon.com/source_identity"
)

const (
	// tokenSkew is how far an issuer's clock may differ from this one.
	tokenSkew = time.Minute
	// anyLifetime: how long a token lives is the issuer's business. It can be used again as long as it lives, as at AWS.
	anyLifetime = 100 * 365 * 24 * time.Hour
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// webIdentity is the bearer of a token that was believed.
type webIdentity struct {
	provider Provider
	claims   *issuer.Claims
	// audience is the client id of the provider that the token is for; authorized says that it is the token's azp.
	audience   string
	authorized bool

	tags           []sts.Tag
	transitive     []string
	sourceIdentity *string
}

// AssumeRoleWithWebIdentity gives the credentials of a role's session to the bearer of an OpenID Connect token. The request
// is not signed: the token, and the trust policy of the role, are all that speaks for it. Whether a role exists is not told
// to those who may not assume it.
func (s *Service) AssumeRoleWithWebIdentity(ctx context.Context, in *sts.AssumeRoleWithWebIdentityInput) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	if !s.pace.admit(caller.RequestFrom(ctx).Network(), s.Now()) {
		authz.Open(ctx)
		return nil, wire.NewError("Throttling", http.StatusBadRequest, "Rate exceeded")
	}
	if in.ProviderId != nil {
		authz.Open(ctx)
		return nil, wire.Invalid("ProviderId is for OAuth 2.0 access tokens, which are not taken. Leave it out for an OpenID Connect token.")
	}
	w, err := s.believe(ctx, in)
	if err != nil {
		authz.Open(ctx)
		return nil, err
	}
	bearer := &caller.Caller{
		Type: caller.WebIdentity, Provider: w.provider.ARN, UserName: w.claims.Subject,
		UserID: w.provider.ARN + ":" + w.audience + ":" + w.claims.Subject,
	}
	e := trail.From(ctx)
	e.Caller(bearer)
	ask, err := s.newAssumption(bearer, &sts.AssumeRoleInput{
		RoleArn: in.RoleArn, RoleSessionName: in.RoleSessionName, Policy: in.Policy, PolicyArns: in.PolicyArns, DurationSeconds: in.DurationSeconds,
		Tags: w.tags, TransitiveTagKeys: w.transitive, SourceIdentity: w.sourceIdentity,
	})
	if err != nil {
		authz.Open(ctx)
		return nil, err
	}
	role, ok := s.Accounts.RoleToAssume(in.RoleArn)
	if !ok {
		authz.Open(ctx)
		e.Step("find role", trail.Fail, "no role "+in.RoleArn)
		return nil, notAuthorized()
	}
	e.Step("find role", trail.Pass, role.ARN)
	e.Resource("AWS::IAM::Role", role.ARN, role.Account)
	ask.role = role
	ask.provider = w.provider.ARN
	if err := s.authorizeWebIdentity(ctx, bearer, w, ask); err != nil {
		return nil, err
	}
	if err := s.findPolicies(ask); err != nil {
		return nil, err
	}
	if err := ask.limit(); err != nil {
		return nil, err
	}
	creds, err := s.issue(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := &sts.AssumeRoleWithWebIdentityOutput{
		Credentials: toWire(creds), SubjectFromWebIdentityToken: &w.claims.Subject, Provider: &w.provider.ARN, Audience: &w.audience,
		AssumedRoleUser: &sts.AssumedRoleUser{Arn: arn.AssumedRole(role.Account, role.Name, in.RoleSessionName), AssumedRoleId: role.ID + ":" + in.RoleSessionName},
		SourceIdentity:  w.sourceIdentity,
	}
	if size := ask.packedSize(); size > 0 {
		out.PackedPolicySize = &size
	}
	return out, nil
}

func notAuthorized() *wire.Error {
	return wire.AccessDenied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
}

// authorizeWebIdentity asks the role's trust policy for each action that the request amounts to. There are no other
// policies: the bearer has no account.
func (s *Service) authorizeWebIdentity(ctx context.Context, bearer *caller.Caller, w *webIdentity, ask *assumption) error {
	actions := []string{"sts:AssumeRoleWithWebIdentity"}
	if len(w.tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if w.sourceIdentity != nil {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	values := ask.values()
	maps.Copy(values, w.values())
	for _, action := range actions {
		err := s.Authorizer.Authorize(ctx, authz.Request{
			Action: action, Resource: ask.role.ARN, Account: ask.role.Account, ResourcePolicy: &ask.role.Trust, MustAllow: true, Context: values, As: bearer,
		})
		if _, denied := errors.AsType[*authz.Denied](err); denied {
			return notAuthorized().Because(err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// values are the condition keys of the token: those of its claims begin with the provider's name.
func (w *webIdentity) values() policy.Values {
	v := policy.Values{}
	v.Set(w.provider.Name+":sub", w.claims.Subject)
	v.Set(w.provider.Name+":aud", w.audience)
	if w.authorized {
		v.Set(w.provider.Name+":oaud", w.claims.Audiences...)
	}
	var methods []string
	if json.Unmarshal(w.claims.All["amr"], &methods) == nil && len(methods) > 0 {
		v.Set(w.provider.Name+":amr", methods...)
	}
	return v
}

// believe reads the token and holds it against the providers of the role's account, the keys of its issuer, the clock and
// the client ids.
func (s *Service) believe(ctx context.Context, in *sts.AssumeRoleWithWebIdentityInput) (*webIdentity, error) {
	e := trail.From(ctx)
	refuse := func(step string, refusal *wire.Error, why error) (*webIdentity, error) {
		e.Step(step, trail.Fail, why.Error())
		return nil, refusal.Because(why)
	}
	name, err := arn.Parse(in.RoleArn)
	if err != nil || name.Service != "iam" {
		return nil, wire.Invalid("Invalid ARN: " + in.RoleArn)
	}
	t, err := issuer.Parse(in.WebIdentityToken, s.Algorithms)
	if err != nil {
		return refuse("token", sts.InvalidIdentityTokenException("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"), err)
	}
	c := &t.Claims
	p, ok := s.Accounts.OIDCProviderOf(name.Account, c.Issuer)
	if !ok {
		// The issuer is what the token says: nothing was verified so far, and nobody is visited.
		return refuse("provider", sts.InvalidIdentityTokenException(fmt.Sprintf("No OpenIDConnect provider found in your account for %.255s", c.Issuer)),
			fmt.Errorf("the account %s has no provider with the URL %.255q", name.Account, c.Issuer))
	}
	e.Step("provider", trail.Pass, p.ARN)
	if err := s.Issuers.Verify(ctx, c.Issuer, t); err != nil {
		if v, ok := errors.AsType[*issuer.VisitError](err); ok && v.At == issuer.Reaching {
			return refuse("signature", sts.IDPCommunicationErrorException("Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"), err)
		} else if ok {
			return refuse("signature", sts.InvalidIdentityTokenException("Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"), err)
		}
		return refuse("signature", sts.InvalidIdentityTokenException("Provided Token is not valid: its signature cannot be verified."), err)
	}
	e.Step("signature", trail.Pass, "by a key of the issuer")
	now := s.Now()
	switch err := c.CheckTimes(now, tokenSkew, anyLifetime); {
	case !now.Before(c.Expires.Add(tokenSkew)):
		return refuse("time", sts.ExpiredTokenException(fmt.Sprintf("Token expired: current date/time %d must be before the expiration date/time %d", now.Unix(), c.Expires.Unix())), err)
	case err != nil:
		return refuse("time", sts.InvalidIdentityTokenException("The token is not valid yet."), err)
	case c.Issued.IsZero():
		return refuse("time", sts.InvalidIdentityTokenException("Missing a required claim: iat"), errors.New("the token has no iat"))
	}
	w := &webIdentity{provider: p, claims: c}
	if err := w.readAudience(); err != nil {
		return refuse("audience", sts.InvalidIdentityTokenException("Incorrect token audience"), err)
	}
	e.Step("audience", trail.Pass, w.audience)
	if err := w.readSession(); err != nil {
		return refuse("claims of the session", sts.IDPRejectedClaimException("The token's claims for the session cannot be used: "+err.Error()+"."), err)
	}
	return w, nil
}

// readAudience finds the client id of the provider that the token is for: its azp if it has one, as at AWS.
func (w *webIdentity) readAudience() error {
	candidates := w.claims.Audiences
	if raw, ok := w.claims.All["azp"]; ok {
		var azp string
		if err := json.Unmarshal(raw, &azp); err != nil || azp == "" {
			return errors.New("azp must be a text")
		}
		candidates, w.authorized = []string{azp}, true
	}
	i := slices.IndexFunc(candidates, func(a string) bool { return slices.Contains(w.provider.Clients, a) })
	if i < 0 {
		return fmt.Errorf("the token is for %.512q, which is no client id of the provider", candidates)
	}
	w.audience = candidates[i]
	return nil
}

// readSession reads what the token says of the session: its tags, and its source identity.
func (w *webIdentity) readSession() error {
	if raw, ok := w.claims.All[sourceIdentityClaim]; ok {
		var text string
		if json.Unmarshal(raw, &text) != nil || !isSourceIdentity(text) {
			return errors.New("the source identity must have 2 to 64 letters, digits and _+=,.@-")
		}
		w.sourceIdentity = &text
	}
	raw, ok := w.claims.All[tagsClaim]
	if !ok {
		return nil
	}
	var in struct {
		Principal  map[string][]string `json:"principal_tags"`
		Transitive []string            `json:"transitive_tag_keys"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return errors.New("the tags are not of the form that is documented")
	}
	if len(in.Principal) > maxTags || len(in.Transitive) > maxTags {
		return fmt.Errorf("more than %d tags", maxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(in.Principal)) {
		values := in.Principal[key]
		if len(values) != 1 || !isTag(key, values[0]) {
			return fmt.Errorf("the tag %.128q must have one value, of at most %d characters that a tag can have", key, maxTagValue)
		}
		w.tags = append(w.tags, sts.Tag{Key: key, Value: values[0]})
	}
	w.transitive = in.Transitive
	return nil
}

func isTag(key, value string) bool {
	return key != "" && utf8.RuneCountInString(key) <= maxTagKey && utf8.RuneCountInString(value) <= maxTagValue && tagText.MatchString(key) && tagText.MatchString(value)
}

func isSourceIdentity(text string) bool { return sourceIdentityText.MatchString(text) }
