package dataapp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// issuer is an OpenID Connect provider that signs in whoever person names, without asking. It checks PKCE, takes each code
// once and rotates refresh tokens.
type issuer struct {
	*httptest.Server
	t      *testing.T
	clock  *clock
	signer jose.Signer
	key    jose.JSONWebKey

	mu        sync.Mutex
	person    map[string]any
	codes     map[string]url.Values
	refreshes map[string]map[string]any
	// noRefresh withholds refresh tokens; refused makes the provider send people back with this error.
	noRefresh bool
	refused   string
	// nonce, when set, stands in the next ID tokens in the place of the one asked for.
	nonce   string
	prompts []string
}

const clientID = "client-of-the-dataapp"

func newIssuer(t *testing.T, clock *clock) *issuer {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: private, KeyID: "one", Algorithm: "RS256", Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{
		t: t, clock: clock, signer: signer, key: key.Public(),
		person: map[string]any{"sub": "mateo", "name": "Mateo Jackson", "email": "mateo@example.com"},
		codes:  map[string]url.Values{}, refreshes: map[string]map[string]any{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func (i *issuer) keys(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.key}})
}

func (i *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	q := r.URL.Query()
	i.prompts = append(i.prompts, q.Get("prompt"))
	back := url.Values{"state": {q.Get("state")}}
	switch {
	case i.refused != "":
		back.Set("error", i.refused)
		back.Set("error_description", "<b>not you</b>")
	case q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("client_id") != clientID:
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	default:
		code := rand.Text()
		i.codes[code] = q
		back.Set("code", code)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	claims := map[string]any{}
	switch r.FormValue("grant_type") {
	case "authorization_code":
		asked, ok := i.codes[r.FormValue("code")]
		delete(i.codes, r.FormValue("code"))
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") {
			writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
			return
		}
		claims["nonce"] = asked.Get("nonce")
		if i.nonce != "" {
			claims["nonce"] = i.nonce
		}
		for k, v := range i.person {
			claims[k] = v
		}
	case "refresh_token":
		person, ok := i.refreshes[r.FormValue("refresh_token")]
		delete(i.refreshes, r.FormValue("refresh_token"))
		if !ok {
			writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
			return
		}
		for k, v := range person {
			claims[k] = v
		}
	}
	answer := map[string]any{"access_token": "opaque", "token_type": "Bearer", "expires_in": 3600, "id_token": i.sign(claims)}
	if !i.noRefresh {
		delete(claims, "nonce")
		refresh := rand.Text()
		i.refreshes[refresh] = claims
		answer["refresh_token"] = refresh
	}
	writeJSON(w, http.StatusOK, answer)
}

func (i *issuer) sign(claims map[string]any) string {
	now := i.clock.now()
	claims["iss"], claims["aud"], claims["iat"], claims["exp"] = i.URL, clientID, now.Unix(), now.Add(time.Hour).Unix()
	claims["uti"] = rand.Text()
	payload, err := json.Marshal(claims)
	if err != nil {
		i.t.Error(err)
	}
	signed, err := i.signer.Sign(payload)
	if err != nil {
		i.t.Error(err)
		return ""
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		i.t.Error(err)
	}
	return token
}

// cloud answers the five calls of the chain as the AWS services do, in their envelopes, with rights that a test sets. It
// stands in for them here so that a test can take any link away; it checks no signature.
type cloud struct {
	*httptest.Server
	clock *clock

	mu sync.Mutex
	// scopes are the grants: person → scope without its star → grantee.
	scopes  map[string]map[string]string
	objects map[string]string
	used    map[string]bool
	gone    map[string]bool
	issued  int
	calls   []string
	names   []string
	// inClaim puts the identity context into the token's claim alone, as older answers do.
	inClaim bool
	down    bool
}

func newCloud(t *testing.T, clock *clock) *cloud {
	t.Helper()
	c := &cloud{
		clock: clock, scopes: map[string]map[string]string{}, objects: map[string]string{}, used: map[string]bool{}, gone: map[string]bool{},
	}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("X-Amzn-Requestid", "request-of-the-service")
	w.Header().Set("X-Amz-Request-Id", "request-of-the-service")
	switch {
	case c.down:
		http.Error(w, "", http.StatusServiceUnavailable)
	case r.URL.Path == "/token" && r.URL.Query().Get("aws_iam") == "t":
		c.createToken(w, r)
	case r.URL.Path == "/" && r.FormValue("Action") == "AssumeRole":
		c.assumeRole(w, r)
	case strings.HasPrefix(r.URL.Path, "/v20180820/accessgrantsinstance/dataaccess"):
		c.getDataAccess(w, r)
	default:
		c.storage(w, r)
	}
}

func (c *cloud) issue(kind, who string) string {
	c.issued++
	return fmt.Sprintf("%s|%s|%d", kind, who, c.issued)
}

// holder is who a credential of the kind was issued to.
func (c *cloud) holder(r *http.Request, kind string) (string, bool) {
	token := r.Header.Get("X-Amz-Security-Token")
	parts := strings.Split(token, "|")
	return parts[min(1, len(parts)-1)], parts[0] == kind && !c.gone[token]
}

func (c *cloud) createToken(w http.ResponseWriter, r *http.Request) {
	c.calls = append(c.calls, "CreateTokenWithIAM")
	var in struct{ ClientID, GrantType, Assertion string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.GrantType != jwtBearer || c.used[in.Assertion] {
		w.Header().Set("X-Amzn-Errortype", "InvalidGrantException")
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "the assertion was used before"})
		return
	}
	c.used[in.Assertion] = true
	payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(in.Assertion, ".")[1])
	var claims struct{ Sub string }
	_ = json.Unmarshal(payload, &claims)
	if c.scopes[claims.Sub] == nil {
		w.Header().Set("X-Amzn-Errortype", "InvalidGrantException")
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "no such user"})
		return
	}
	context := c.issue("context", claims.Sub)
	inside, _ := json.Marshal(map[string]string{"sts:identity_context": context})
	out := map[string]any{"accessToken": "opaque", "expiresIn": 3600, "idToken": "e30." + base64.RawURLEncoding.EncodeToString(inside) + ".c2ln"}
	if !c.inClaim {
		out["awsAdditionalDetails"] = map[string]any{"identityContext": context}
	}
	writeJSON(w, http.StatusOK, out)
}

func (c *cloud) assumeRole(w http.ResponseWriter, r *http.Request) {
	c.calls = append(c.calls, "AssumeRole")
	c.names = append(c.names, r.FormValue("RoleSessionName"))
	context := r.FormValue("ProvidedContexts.member.1.ContextAssertion")
	if !strings.HasPrefix(context, "context|") || r.FormValue("ProvidedContexts.member.1.ProviderArn") != identityCenter || c.gone[context] {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredTokenException</Code><Message>expired</Message></Error><RequestId>r</RequestId></ErrorResponse>`)
		return
	}
	fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>%s</AssumeRoleResult></AssumeRoleResponse>`,
		c.credentials("session", strings.Split(context, "|")[1]))
}

func (c *cloud) credentials(kind, who string) string {
	token := c.issue(kind, who)
	return fmt.Sprintf(`<Credentials><AccessKeyId>ASIA%08d</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>`,
		c.issued, token, c.clock.now().Add(time.Hour).UTC().Format(time.RFC3339))
}

func (c *cloud) getDataAccess(w http.ResponseWriter, r *http.Request) {
	c.calls = append(c.calls, "GetDataAccess")
	who, ok := c.holder(r, "session")
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `<ErrorResponse><Error><Code>ExpiredToken</Code><Message>expired</Message></Error><RequestId>r</RequestId></ErrorResponse>`)
		return
	}
	target, permission := r.URL.Query().Get("target"), r.URL.Query().Get("permission")
	for scope, grantee := range c.scopes[who] {
		if strings.HasPrefix(target, scope) && permission != "READWRITE" {
			fmt.Fprintf(w, `<GetDataAccessResult>%s<MatchedGrantTarget>%s*</MatchedGrantTarget><Grantee><GranteeType>DIRECTORY_GROUP</GranteeType><GranteeIdentifier>%s</GranteeIdentifier></Grantee></GetDataAccessResult>`,
				c.credentials("vended", scope), scope, grantee)
			return
		}
	}
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprintf(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>You do not have %s permissions to the requested S3 Prefix: %s</Message></Error><RequestId>r</RequestId></ErrorResponse>`, permission, target)
}

func (c *cloud) storage(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	where := "s3://" + bucket + "/" + key
	listing := r.URL.Query().Get("list-type") == "2"
	if listing {
		c.calls = append(c.calls, "ListObjectsV2")
		where = "s3://" + bucket + "/" + r.URL.Query().Get("prefix")
	} else {
		c.calls = append(c.calls, "GetObject")
	}
	scope, ok := c.holder(r, "vended")
	if !ok || !strings.HasPrefix(where, scope) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>r</RequestId></Error>`)
		return
	}
	if !listing {
		body, ok := c.objects[where]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>`)
			return
		}
		fmt.Fprint(w, body)
		return
	}
	type content struct {
		Key  string
		Size int
	}
	var out struct {
		XMLName  xml.Name `xml:"ListBucketResult"`
		Contents []content
	}
	for name, body := range c.objects {
		if strings.HasPrefix(name, where) {
			out.Contents = append(out.Contents, content{strings.TrimPrefix(name, "s3://"+bucket+"/"), len(body)})
		}
	}
	slices.SortFunc(out.Contents, func(a, b content) int { return strings.Compare(a.Key, b.Key) })
	_ = xml.NewEncoder(w).Encode(out)
}

// made returns the calls since it was last asked.
func (c *cloud) made() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return calls
}

// change edits the rights or the data while nobody is reading them.
func (c *cloud) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
