package dataapp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	s3controltypes "github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
)

const (
	jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	// identityCenter is the one provider of identity contexts, the same in every account.
	identityCenter = "arn:aws:iam::aws:contextProvider/IdentityCenter"
	auditContext   = "dataapp"
)

// chain walks from a sign-in to credentials for a location. Each link is renewed only when it is used and has run out.
type chain struct {
	application, role, account string

	provider  *provider
	tokens    *ssooidc.Client
	sts       *sts.Client
	grants    *s3control.Client
	aws       aws.Config
	pathStyle bool
	now       func() time.Time
}

// A stepError says at which step of the chain an error came up.
type stepError struct {
	step step
	err  error
}

type step string

const (
	stepSignIn   step = "renew the sign-in"
	stepExchange step = "exchange the sign-in for an identity"
	stepAssume   step = "open a session in the person's name"
	stepGrant    step = "ask for access"
	stepList     step = "list the location"
	stepRead     step = "read an object"
)

func (e *stepError) Error() string { return string(e.step) + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

func at(s step, err error) error {
	if err == nil {
		return nil
	}
	return &stepError{step: s, err: err}
}

// with calls use with credentials for the location, vended in the person's name. When storage refuses credentials that were
// vended for an earlier request it throws them away and asks once more: the grant may have been replaced since, and if it
// is gone, GetDataAccess says so in better words than storage can.
func (c *chain) with(ctx context.Context, p *person, l Location, permission string, use func(*access) error) (*access, error) {
	got, kept, err := c.access(ctx, p, l, permission)
	if err != nil {
		return nil, err
	}
	err = use(got)
	if !refusedCredentials(err) {
		return got, err
	}
	if err := c.forget(ctx, p, l, permission); err != nil {
		return got, err
	}
	if !kept {
		return got, err
	}
	if got, _, err = c.access(ctx, p, l, permission); err != nil {
		return nil, err
	}
	return got, use(got)
}

func (c *chain) forget(ctx context.Context, p *person, l Location, permission string) error {
	if err := p.lock(ctx); err != nil {
		return err
	}
	defer p.unlock()
	delete(p.vended, ask{l.Target(), permission})
	return nil
}

// access is what GetDataAccess vends for the location, and whether that was already at hand.
func (c *chain) access(ctx context.Context, p *person, l Location, permission string) (got *access, kept bool, err error) {
	if err := p.lock(ctx); err != nil {
		return nil, false, err
	}
	defer p.unlock()
	key := ask{l.Target(), permission}
	if got, ok := p.vended[key]; ok && c.lives(got.Expires) {
		return got, true, nil
	}
	had := c.lives(p.session.Expires)
	session, err := c.session(ctx, p)
	if err != nil {
		return nil, false, err
	}
	got, err = c.vend(ctx, session, key)
	if had && refusedSession(err) {
		p.session = aws.Credentials{}
		if session, err = c.session(ctx, p); err != nil {
			return nil, false, err
		}
		got, err = c.vend(ctx, session, key)
	}
	if err != nil {
		return nil, false, at(stepGrant, err)
	}
	p.keep(key, got)
	return got, false, nil
}

func (c *chain) vend(ctx context.Context, session aws.Credentials, key ask) (*access, error) {
	out, err := c.grants.GetDataAccess(ctx, &s3control.GetDataAccessInput{
		AccountId: &c.account, Target: &key.target, Permission: s3controltypes.Permission(key.permission),
		// Default vends for the whole matched grant, and so names it.
		Privilege: s3controltypes.PrivilegeDefault, AuditContext: new(auditContext),
	}, func(o *s3control.Options) { o.Credentials = fixed(session) })
	if err != nil {
		return nil, err
	}
	vended := out.Credentials
	if vended == nil || vended.AccessKeyId == nil || vended.SecretAccessKey == nil || vended.Expiration == nil {
		return nil, errors.New("the answer has no credentials")
	}
	got := &access{
		Target: key.target, Permission: key.permission, Scope: aws.ToString(out.MatchedGrantTarget),
		AccessKeyID: *vended.AccessKeyId, Expires: *vended.Expiration,
		objects: s3.NewFromConfig(c.aws, func(o *s3.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(*vended.AccessKeyId, *vended.SecretAccessKey, aws.ToString(vended.SessionToken))
			o.UsePathStyle = c.pathStyle
		}),
	}
	if out.Grantee != nil {
		got.GranteeType, got.Grantee = string(out.Grantee.GranteeType), aws.ToString(out.Grantee.GranteeIdentifier)
	}
	return got, nil
}

// session is the person's own session, assumed anew while the identity context lives, else after a fresh exchange.
func (c *chain) session(ctx context.Context, p *person) (aws.Credentials, error) {
	if c.lives(p.session.Expires) {
		return p.session, nil
	}
	if c.lives(p.identityExpires) {
		err := c.assume(ctx, p)
		if !refusedContext(err) {
			return p.session, at(stepAssume, err)
		}
	}
	if err := c.exchange(ctx, p); err != nil {
		return aws.Credentials{}, err
	}
	return p.session, at(stepAssume, c.assume(ctx, p))
}

func (c *chain) assume(ctx context.Context, p *person) error {
	p.session = aws.Credentials{}
	out, err := c.sts.AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: &c.role, RoleSessionName: new(p.sessionName()),
		ProvidedContexts: []ststypes.ProvidedContext{{ProviderArn: new(identityCenter), ContextAssertion: &p.identity}},
	})
	if err != nil {
		return err
	}
	if out.Credentials == nil || out.Credentials.Expiration == nil {
		return errors.New("the answer has no credentials")
	}
	p.session = aws.Credentials{
		AccessKeyID: aws.ToString(out.Credentials.AccessKeyId), SecretAccessKey: aws.ToString(out.Credentials.SecretAccessKey),
		SessionToken: aws.ToString(out.Credentials.SessionToken), Expires: *out.Credentials.Expiration, CanExpire: true,
	}
	return nil
}

// exchange turns an ID token that has not been used yet into an identity context.
func (c *chain) exchange(ctx context.Context, p *person) error {
	p.identity, p.identityExpires = "", time.Time{}
	if p.spent || !c.lives(p.tokens.expires) {
		renewed, err := c.provider.renew(ctx, p.tokens)
		if err != nil {
			return at(stepSignIn, err)
		}
		p.tokens, p.spent = renewed, false
	}
	out, err := c.tokens.CreateTokenWithIAM(ctx, &ssooidc.CreateTokenWithIAMInput{
		ClientId: &c.application, GrantType: new(jwtBearer), Assertion: &p.tokens.idToken,
	})
	if err != nil {
		// A refusal may come after the token was noted as used. Where nobody answered, it can be tried again.
		if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok && answer.HTTPStatusCode() < http.StatusInternalServerError {
			p.spent = true
		}
		return at(stepExchange, err)
	}
	p.spent = true
	if p.identity, err = identityContext(out); err != nil {
		return at(stepExchange, err)
	}
	p.identityExpires = c.now().Add(time.Duration(out.ExpiresIn) * time.Second)
	return nil
}

// identityContext takes the context from where it stands in the clear, or from the claim of the identity token, where older
// answers have it alone. The token came over the SDK's own connection and is not a proof to anybody here, so its signature
// is not checked; the context itself is sealed, and STS checks it.
func identityContext(out *ssooidc.CreateTokenWithIAMOutput) (string, error) {
	if d := out.AwsAdditionalDetails; d != nil && aws.ToString(d.IdentityContext) != "" {
		return *d.IdentityContext, nil
	}
	parts := strings.Split(aws.ToString(out.IdToken), ".")
	if len(parts) != 3 {
		return "", errors.New("the answer has no identity context")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return "", fmt.Errorf("decode identity token: %w", err)
	}
	var claims struct {
		Context string `json:"sts:identity_context"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", fmt.Errorf("decode identity token: %w", err)
	}
	if claims.Context == "" {
		return "", errors.New("the identity token has no identity context")
	}
	return claims.Context, nil
}

func (c *chain) lives(expires time.Time) bool { return c.now().Add(early).Before(expires) }

func fixed(creds aws.Credentials) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(creds.AccessKeyID, creds.SecretAccessKey, creds.SessionToken)
}

// What the services say of credentials that no longer serve.
var (
	outlived = []string{"ExpiredToken", "ExpiredTokenException", "InvalidToken", "InvalidAccessKeyId", "InvalidClientTokenId", "RequestExpired"}
	refused  = append([]string{"AccessDenied", "AccessDeniedException"}, outlived...)
)

func refusedCredentials(err error) bool { return hasCode(err, refused) }
func refusedSession(err error) bool     { return hasCode(err, outlived) }

// refusedContext includes the codes of a context that STS does not take any more.
func refusedContext(err error) bool {
	return hasCode(err, append([]string{"InvalidIdentityToken", "InvalidIdentityTokenException"}, outlived...))
}

func hasCode(err error, codes []string) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains(codes, api.ErrorCode())
}
