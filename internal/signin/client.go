package signin

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/trail"
)

// The grant types of CreateToken.
const (
	grantCode    = "authorization_code"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
	grantRefresh = "refresh_token"
)

// scopeAccounts is the one scope that public clients may have: to see and use the accounts that the person is assigned to.
const scopeAccounts = center.ScopeAccountAccess

// Bounds of a registration.
const (
	// registrationTime is how long a client's secret is good, as on AWS.
	registrationTime = 90 * 24 * time.Hour
	maxClientName    = 128
	maxRedirectURIs  = 5
	maxRedirectURI   = 256
	// maxClientID bounds what is looked at as one.
	maxClientID = 4096
)

// client is what a public client said of itself. Its client id is this, sealed; nothing is kept of it here.
type client struct {
	Name string `json:"n"`
	// Instance is the id of the instance that the client named, empty for none.
	Instance     string   `json:"i,omitempty"`
	RedirectURIs []string `json:"r,omitempty"`
	Grants       []string `json:"g"`
	Scopes       []string `json:"s"`
	Expires      int64    `json:"e"`
}

// clientSecret proves that whoever has it registered the client.
type clientSecret struct {
	Client string `json:"c"` // SHA-256 of the client id
}

func (c *client) may(grant string) bool { return slices.Contains(c.Grants, grant) }

// RegisterClient makes a public client, such as the AWS CLI of one person. Nobody has to be anybody for that, and a client
// gets nothing by it: what it says of itself is shown to the person who is asked.
func (s *Service) RegisterClient(ctx context.Context, in *ssooidc.RegisterClientInput) (*ssooidc.RegisterClientOutput, error) {
	authz.Open(ctx)
	// The source first: one that asks without end does not use up what is there for all.
	if !s.limits.register.take(caller.RequestFrom(ctx).Network()) || !s.limits.registerAll.take("") {
		return nil, slowDown(ctx, "too many clients are registered")
	}
	c, err := s.readClient(in)
	if err != nil {
		return nil, err
	}
	now := s.db.Now()
	expires := now.Add(registrationTime)
	c.Expires = expires.Unix()
	id, err := s.sealed(placeClient, c)
	if err != nil {
		return nil, err
	}
	secret, err := s.sealed(placeSecret, clientSecret{digest(id)})
	if err != nil {
		return nil, err
	}
	return &ssooidc.RegisterClientOutput{ClientId: &id, ClientSecret: &secret, ClientIdIssuedAt: new(now.Unix()), ClientSecretExpiresAt: new(expires.Unix())}, nil
}

func digest(id string) string { return base64.RawURLEncoding.EncodeToString(hashOf(id)) }

// readClient holds a registration against the rules.
func (s *Service) readClient(in *ssooidc.RegisterClientInput) (*client, error) {
	if in.ClientType != "public" {
		return nil, ssooidc.InvalidClientMetadataException("Only clients of the type public can be registered")
	}
	if in.ClientName == "" || len(in.ClientName) > maxClientName || strings.ContainsFunc(in.ClientName, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return nil, ssooidc.InvalidClientMetadataException(fmt.Sprintf("The client name must have 1 to %d printable characters", maxClientName))
	}
	if in.EntitledApplicationArn != nil {
		return nil, ssooidc.InvalidRequestException("Clients of an entitled application are not supported")
	}
	c := &client{Name: in.ClientName, Grants: sortedSet(in.GrantTypes), Scopes: sortedSet(in.Scopes), RedirectURIs: sortedSet(in.RedirectUris)}
	for _, g := range c.Grants {
		if g != grantCode && g != grantDevice && g != grantRefresh {
			return nil, ssooidc.UnsupportedGrantTypeException("The grant type is not supported for public clients")
		}
	}
	// A client that names no grants is one of before there was a choice.
	if len(c.Grants) == 0 {
		c.Grants = []string{grantRefresh, grantDevice}
	}
	for _, scope := range c.Scopes {
		if scope != scopeAccounts {
			return nil, ssooidc.InvalidScopeException("The scope is not supported for public clients")
		}
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{scopeAccounts}
	}
	if len(c.RedirectURIs) > maxRedirectURIs || c.may(grantCode) && len(c.RedirectURIs) == 0 {
		return nil, ssooidc.InvalidRedirectUriException(fmt.Sprintf("Between 1 and %d redirect URIs are needed for the authorization code grant", maxRedirectURIs))
	}
	for _, u := range c.RedirectURIs {
		if _, err := loopback(u); err != nil {
			return nil, ssooidc.InvalidRedirectUriException("A redirect URI must be http://127.0.0.1[:port]/path or http://[::1][:port]/path").Because(err)
		}
	}
	if in.IssuerUrl != nil {
		i, ok := s.instanceOf(*in.IssuerUrl)
		if !ok {
			return nil, ssooidc.InvalidRequestException("The issuer URL is not the start URL of an instance to which people can sign in")
		}
		c.Instance = i.ID()
	}
	return c, nil
}

func sortedSet(all []string) []string {
	all = slices.Clone(all)
	slices.Sort(all)
	return slices.Compact(all)
}

// loopback reads a redirect URI of this machine: an address, not a name, which somebody else may have a say in (RFC 8252
// §8.3), and nothing in which a browser and this server may disagree about where it leads.
func loopback(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > maxRedirectURI {
		return nil, errors.New("not a URL")
	}
	host := u.Hostname()
	a, err := netip.ParseAddr(host)
	if err != nil || a != netip.IPv6Loopback() && a != netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
		return nil, fmt.Errorf("%.64q is not 127.0.0.1 or ::1", host)
	}
	if a.Is6() {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return nil, errors.New("there is no such port")
		}
		host += ":" + port
	}
	// Written again from what was understood, it has to be what it was.
	if u.Scheme != "http" || raw != "http://"+host+u.EscapedPath() || u.Path != "" && u.Path != u.EscapedPath() {
		return nil, errors.New("more than an address, a port and a plain path")
	}
	return u, nil
}

// sends says whether an answer for the client may go to an address: one that it registered, at whatever port it got
// (RFC 8252 §7.3).
func (c *client) sends(raw string) bool {
	asked, err := loopback(raw)
	return err == nil && slices.ContainsFunc(c.RedirectURIs, func(r string) bool {
		u, err := loopback(r)
		return err == nil && u.Hostname() == asked.Hostname() && u.Path == asked.Path
	})
}

// publicClient reads a client id.
func (s *Service) publicClient(id string) (*client, error) {
	if len(id) > maxClientID {
		return nil, errSealed
	}
	var c client
	if err := s.unsealed(placeClient, id, &c); err != nil {
		return nil, err
	}
	if !s.db.Now().Before(time.Unix(c.Expires, 0)) {
		return nil, errors.New("the registration of the client has expired")
	}
	return &c, nil
}

// authenticate finds the client that an id and a secret are of.
func (s *Service) authenticate(ctx context.Context, id, secret string) (*client, error) {
	c, err := s.publicClient(id)
	if err == nil {
		var proof clientSecret
		if err = s.unsealed(placeSecret, secret, &proof); err == nil && subtle.ConstantTimeCompare([]byte(proof.Client), []byte(digest(id))) != 1 {
			err = errors.New("the secret is of another client")
		}
	}
	if err != nil {
		trail.From(ctx).Step("client", trail.Fail, err.Error())
		return nil, ssooidc.InvalidClientException("Invalid client provided").Because(err)
	}
	trail.From(ctx).Step("client", trail.Pass, c.Name)
	return c, nil
}

func slowDown(ctx context.Context, why string) error {
	trail.From(ctx).Step("limit", trail.Fail, why)
	return ssooidc.SlowDownException("Too many requests").Because(errors.New(why))
}
