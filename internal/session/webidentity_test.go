package session_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/issuer"
	"github.com/lakegate/lakegate/internal/visit"
)

// cluster is an issuer as Kubernetes is one for its service accounts.
type cluster struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == issuer.DiscoveryPath {
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": c.URL, "jwks_uri": c.URL + "/openid/v1/jwks"})
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: c.key.Public(), KeyID: "k", Use: "sig"}}})
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *cluster) name() string { return strings.TrimPrefix(c.URL, "http://") }

func signed(key crypto.PrivateKey, alg jose.SignatureAlgorithm, kid string, claims map[string]any) string {
	s := must(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", kid)))
	return must(must(s.Sign(must(json.Marshal(claims)))).CompactSerialize())
}

const robot = "system:serviceaccount:lake:robot"

// federated is a house whose role trusts the service account robot of a cluster.
func federated(t *testing.T) (h *house, c *cluster, role string) {
	t.Helper()
	h, c = newHouse(t), newCluster(t)
	visitor := visit.New(visit.Config{Development: true})
	h.sts.Issuers, h.sts.Algorithms = issuer.NewKeys(visitor, h.sts.Now), issuer.Extended
	h.iam.CheckIssuer = visitor.CheckURL
	p := must(h.iam.CreateOpenIDConnectProvider(h.admin(), &iam.CreateOpenIDConnectProviderInput{Url: c.URL, ClientIDList: []string{"sts.amazonaws.com"}}))
	role = h.role("robot", statement{
		"Effect": "Allow", "Principal": map[string]string{"Federated": *p.OpenIDConnectProviderArn}, "Action": []string{"sts:AssumeRoleWithWebIdentity", "sts:TagSession"},
		"Condition": map[string]any{"StringEquals": map[string]string{c.name() + ":sub": robot, c.name() + ":aud": "sts.amazonaws.com"}},
	})
	return h, c, role
}

func (h *house) claims(c *cluster, change ...func(map[string]any)) map[string]any {
	m := map[string]any{
		"iss": c.URL, "sub": robot, "aud": []string{"sts.amazonaws.com"}, "iat": h.now.Unix(), "nbf": h.now.Unix(), "exp": h.now.Add(time.Hour).Unix(),
	}
	for _, f := range change {
		f(m)
	}
	return m
}

func with(name string, value any) func(map[string]any) {
	return func(m map[string]any) { m[name] = value }
}

func TestAServiceAccountGetsItsRole(t *testing.T) {
	h, c, role := federated(t)
	token := signed(c.key, jose.ES256, "k", h.claims(c, with("https://aws.amazon.com/tags", map[string]any{
		"principal_tags": map[string][]string{"team": {"lake"}}, "transitive_tag_keys": []string{"team"},
	})))
	for range 2 { // a token can be used again
		out, err := h.sts.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{RoleArn: role, RoleSessionName: "pod", WebIdentityToken: token})
		if err != nil {
			t.Fatal(err)
		}
		if *out.SubjectFromWebIdentityToken != robot || *out.Audience != "sts.amazonaws.com" || !strings.HasSuffix(*out.Provider, "oidc-provider/"+c.name()) {
			t.Errorf("%q %q %q", *out.SubjectFromWebIdentityToken, *out.Audience, *out.Provider)
		}
		who := caller.From(h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken))
		if who.Session.RoleARN != role || who.Session.Tags["team"] != "lake" || who.Session.TransitiveTags[0] != "team" || who.Session.Provider != *out.Provider {
			t.Errorf("%+v", who.Session)
		}
	}
}

func TestAttackWebIdentity(t *testing.T) {
	h, c, role := federated(t)
	stranger := newCluster(t)
	b64 := base64.RawURLEncoding.EncodeToString
	body := b64(must(json.Marshal(h.claims(c))))
	public := must(json.Marshal(jose.JSONWebKey{Key: c.key.Public()}))
	for name, a := range map[string]struct{ token, code string }{
		"none":                 {b64([]byte(`{"alg":"none"}`)) + "." + body + ".", "InvalidIdentityToken"},
		"HMAC by a public key": {signed(public, jose.HS256, "k", h.claims(c)), "InvalidIdentityToken"},
		"no token":             {"not a token", "InvalidIdentityToken"},
		"key of another":       {signed(stranger.key, jose.ES256, "k", h.claims(c)), "InvalidIdentityToken"},
		"unknown kid":          {signed(c.key, jose.ES256, "../../k", h.claims(c)), "InvalidIdentityToken"},
		"unknown issuer":       {signed(stranger.key, jose.ES256, "k", h.claims(stranger)), "InvalidIdentityToken"},
		"issuer with a slash":  {signed(c.key, jose.ES256, "k", h.claims(c, with("iss", c.URL+"/"))), "InvalidIdentityToken"},
		"issuer by https":      {signed(c.key, jose.ES256, "k", h.claims(c, with("iss", "https://"+c.name()))), "InvalidIdentityToken"},
		"another audience":     {signed(c.key, jose.ES256, "k", h.claims(c, with("aud", "https://kubernetes.default.svc"))), "InvalidIdentityToken"},
		"azp of another":       {signed(c.key, jose.ES256, "k", h.claims(c, with("azp", "evil"))), "InvalidIdentityToken"},
		"azp no text":          {signed(c.key, jose.ES256, "k", h.claims(c, with("azp", []string{"sts.amazonaws.com"}))), "InvalidIdentityToken"},
		"another subject":      {signed(c.key, jose.ES256, "k", h.claims(c, with("sub", robot+"2"))), "AccessDenied"},
		"expired":              {signed(c.key, jose.ES256, "k", h.claims(c, with("exp", h.now.Add(-time.Hour).Unix()))), "ExpiredTokenException"},
		"not yet":              {signed(c.key, jose.ES256, "k", h.claims(c, with("nbf", h.now.Add(time.Hour).Unix()))), "InvalidIdentityToken"},
		"from the future":      {signed(c.key, jose.ES256, "k", h.claims(c, with("iat", h.now.Add(time.Hour).Unix()))), "InvalidIdentityToken"},
		"huge":                 {signed(c.key, jose.ES256, "k", h.claims(c, with("x", strings.Repeat("x", 20<<10)))), "InvalidIdentityToken"},
		"a tag twice over": {signed(c.key, jose.ES256, "k", h.claims(c, with("https://aws.amazon.com/tags", map[string]any{
			"principal_tags": map[string][]string{"team": {"a", "b"}}}))), "IDPRejectedClaim"},
		"a source identity that the trust does not know": {signed(c.key, jose.ES256, "k", h.claims(c, with("https://aws.amazon.com/source_identity", "root"))), "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.sts.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{RoleArn: role, RoleSessionName: "pod", WebIdentityToken: a.token})
			wantCode(t, err, a.code)
		})
	}
}

// A role that trusts everybody, or the account, trusts no bearer of a token; a role that is not there is answered the same.
func TestWebIdentityNeedsTheProviderNamed(t *testing.T) {
	h, c, role := federated(t)
	everybody := h.role("everybody", statement{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity"})
	ours := h.role("ours", trust("sts:AssumeRoleWithWebIdentity", "sts:AssumeRole"))
	token := signed(c.key, jose.ES256, "k", h.claims(c))
	for _, name := range []string{everybody, ours, role + "-that-is-not"} {
		_, err := h.sts.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{RoleArn: name, RoleSessionName: "pod", WebIdentityToken: token})
		wantCode(t, err, "AccessDenied")
		if err == nil || !strings.Contains(err.Error(), "Not authorized to perform sts:AssumeRoleWithWebIdentity") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Once the provider is gone, so is the trust in its tokens.
	for _, p := range must(h.iam.ListOpenIDConnectProviders(h.admin(), &iam.ListOpenIDConnectProvidersInput{})).OpenIDConnectProviderList {
		must(h.iam.DeleteOpenIDConnectProvider(h.admin(), &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: *p.Arn}))
	}
	_, err := h.sts.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{RoleArn: role, RoleSessionName: "pod", WebIdentityToken: token})
	wantCode(t, err, "InvalidIdentityToken")
}

func TestUnsignedRequestsAreBounded(t *testing.T) {
	h, _, role := federated(t)
	in := &sts.AssumeRoleWithWebIdentityInput{RoleArn: role, RoleSessionName: "pod", WebIdentityToken: "not a token"}
	at := func(ip string) error {
		_, err := h.sts.AssumeRoleWithWebIdentity(caller.WithRequest(t.Context(), &caller.Request{SourceIP: ip}), in)
		return err
	}
	for range 200 {
		wantCode(t, at("192.0.2.1"), "InvalidIdentityToken")
	}
	wantCode(t, at("192.0.2.1"), "Throttling")
	wantCode(t, at("192.0.2.2"), "InvalidIdentityToken")
	h.now = h.now.Add(time.Second)
	wantCode(t, at("192.0.2.1"), "InvalidIdentityToken")
}

func TestOpenIDConnectProviders(t *testing.T) {
	h := newHouse(t)
	ctx := h.admin()
	p := must(h.iam.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: "https://kubernetes.default.svc", ClientIDList: []string{"a", "a"}}))
	name := p.OpenIDConnectProviderArn
	if *name != "arn:aws:iam::"+management+":oidc-provider/kubernetes.default.svc" {
		t.Fatal(*name)
	}
	_, err := h.iam.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: "https://kubernetes.default.svc"})
	wantCode(t, err, "EntityAlreadyExists")
	for _, bad := range []string{"http://example.com", "https://example.com?x", "https://u@example.com", "https://example.com#f", "kubernetes.default.svc", "https://*.example.com"} {
		_, err := h.iam.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: bad})
		wantCode(t, err, "InvalidInput")
	}
	must(h.iam.AddClientIDToOpenIDConnectProvider(ctx, &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: *name, ClientID: "b"}))
	must(h.iam.RemoveClientIDFromOpenIDConnectProvider(ctx, &iam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: *name, ClientID: "a"}))
	must(h.iam.TagOpenIDConnectProvider(ctx, &iam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: *name, Tags: []iam.Tag{{Key: "k", Value: "v"}}}))
	must(h.iam.UpdateOpenIDConnectProviderThumbprint(ctx, &iam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: *name, ThumbprintList: []string{strings.Repeat("A", 40)}}))
	again := must(account.Open(t.Context(), account.Config{DB: h.db}))
	for _, r := range []*account.Registry{h.registry, again} {
		got, ok := r.OIDCProvider(management, "https://kubernetes.default.svc")
		if !ok || len(got.Clients) != 1 || got.Clients[0] != "b" || len(got.Tags) != 1 || got.Thumbprints[0] != strings.Repeat("a", 40) {
			t.Errorf("%+v", got)
		}
	}
	elsewhere := strings.Replace(*name, management, "999999999999", 1)
	if _, err := h.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: elsewhere}); err == nil {
		t.Error("a provider of another account is shown")
	}
}

// TestABoundaryHoldsForWebIdentities, as for every other session of the role: what it leaves out no policy brings back.
func TestABoundaryHoldsForWebIdentities(t *testing.T) {
	h, c, role := federated(t)
	bound := *must(h.iam.CreatePolicy(h.admin(), &iam.CreatePolicyInput{PolicyName: "bound", PolicyDocument: document(allow("s3:GetObject"))})).Policy.Arn
	must(h.iam.PutRolePolicy(h.admin(), &iam.PutRolePolicyInput{RoleName: "robot", PolicyName: "own", PolicyDocument: document(allow("s3:*"))}))
	out := must(h.sts.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{RoleArn: role, RoleSessionName: "pod", WebIdentityToken: signed(c.key, jose.ES256, "k", h.claims(c))}))
	within := h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken)
	if !h.may(within, "s3:PutObject", nil) {
		t.Fatal("the role's own policy does not hold")
	}
	must(h.iam.PutRolePermissionsBoundary(h.admin(), &iam.PutRolePermissionsBoundaryInput{RoleName: "robot", PermissionsBoundary: bound}))
	if h.may(within, "s3:PutObject", nil) || !h.may(within, "s3:GetObject", nil) {
		t.Error("the boundary does not hold for a session that is out already")
	}
}
