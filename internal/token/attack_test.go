package token_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
)

// hs256 signs a text with a shared secret, whatever the header says.
func hs256(header, payload string, secret []byte) string {
	text := b64(header) + "." + b64(payload)
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Forged and malformed tokens: the step that refuses each. The client reads the same words every time.
func TestForgedTokens(t *testing.T) {
	h := newHouse(t)
	h.issuer.addKey("ec", jose.ES256, newEC(elliptic.P256()))
	h.issuer.addKey("weak", jose.RS256, newRSA(1024))
	mine := newRSA(2048)
	public, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	payload := func() string { return text(t, h.claims(nil)) }
	rs := func(header map[string]any, payload string) string {
		return signText(t, jose.RS256, rsaKey(), header, payload)
	}
	myJWK := jose.JSONWebKey{Key: mine.Public(), KeyID: "one", Algorithm: "RS256"}
	kid := map[string]any{"kid": "one"}
	good := strings.Split(h.good(t), ".")
	ec := strings.Split(h.issuer.sign(t, "ec", h.claims(nil)), ".")
	for name, c := range map[string]struct{ token, step string }{
		"empty parts":               {"..", "assertion"},
		"two parts":                 {good[0] + "." + good[1], "assertion"},
		"four parts":                {h.good(t) + ".x", "assertion"},
		"an encrypted form":         {strings.Repeat(b64("x")+".", 4) + b64("x"), "assertion"},
		"JSON serialisation":        {`{"payload":"","signatures":[]}`, "assertion"},
		"too large":                 {good[0] + "." + b64(strings.Repeat("x", 17<<10)) + "." + good[2], "assertion"},
		"padding":                   {good[0] + "=." + good[1] + "." + good[2], "assertion"},
		"a line end":                {good[0] + "\n." + good[1] + "." + good[2], "assertion"},
		"alg none":                  {b64(`{"alg":"none"}`) + "." + b64(payload()) + ".", "assertion"},
		"alg None":                  {b64(`{"alg":"None"}`) + "." + b64(payload()) + ".", "assertion"},
		"alg none with a signature": {b64(`{"alg":"none"}`) + "." + good[1] + "." + good[2], "assertion"},
		"no alg":                    {b64(`{"kid":"one"}`) + "." + good[1] + "." + good[2], "assertion"},
		"alg as a number":           {b64(`{"alg":256}`) + "." + good[1] + "." + good[2], "assertion"},
		"alg as null":               {b64(`{"alg":null}`) + "." + good[1] + "." + good[2], "assertion"},
		"HMAC with the public key":  {hs256(`{"alg":"HS256","kid":"one"}`, payload(), publicPEM), "assertion"},
		"HMAC with the modulus":     {hs256(`{"alg":"HS256","kid":"one"}`, payload(), rsaKey().N.Bytes()), "assertion"},
		"HMAC called RS256":         {hs256(`{"alg":"RS256","kid":"one"}`, payload(), publicPEM), "signature"},
		"HMAC called ES256":         {hs256(`{"alg":"ES256","kid":"ec"}`, payload(), publicPEM), "signature"},
		"another key":               {signText(t, jose.RS256, mine, kid, payload()), "signature"},
		"another key, no kid":       {signText(t, jose.RS256, mine, nil, payload()), "signature"},
		"RS256 on an EC key":        {signText(t, jose.RS256, rsaKey(), map[string]any{"kid": "ec"}, payload()), "signature"},
		"ES256 on an RSA key":       {signText(t, jose.ES256, newEC(elliptic.P256()), kid, payload()), "signature"},
		"unknown kid":               {rs(map[string]any{"kid": "two"}, payload()), "signature"},
		"kid as a path":             {rs(map[string]any{"kid": "../../../../dev/null"}, payload()), "signature"},
		"kid as SQL":                {rs(map[string]any{"kid": "' OR 1=1 --"}, payload()), "signature"},
		"kid as a number":           {rs(map[string]any{"kid": 1}, payload()), "assertion"},
		"a weak key":                {signText(t, jose.RS256, weakSigner(h), map[string]any{"kid": "weak"}, payload()), "signature"},
		"embedded jwk":              {signText(t, jose.RS256, mine, map[string]any{"jwk": myJWK, "kid": "one"}, payload()), "assertion"},
		"jku":                       {rs(map[string]any{"jku": h.issuer.URL + "/jwks", "kid": "one"}, payload()), "assertion"},
		"x5u":                       {rs(map[string]any{"x5u": h.issuer.URL, "kid": "one"}, payload()), "assertion"},
		"x5c":                       {rs(map[string]any{"x5c": []string{}, "kid": "one"}, payload()), "assertion"},
		"crit":                      {rs(map[string]any{"crit": []string{"exp"}, "exp": 1, "kid": "one"}, payload()), "assertion"},
		"b64":                       {b64(`{"alg":"RS256","b64":false}`) + "." + good[1] + "." + good[2], "assertion"},
		"zip":                       {b64(`{"alg":"RS256","zip":"DEF"}`) + "." + good[1] + "." + good[2], "assertion"},
		"typ of a logout token":     {rs(map[string]any{"typ": "logout+jwt", "kid": "one"}, payload()), "assertion"},
		"typ of a security event":   {rs(map[string]any{"typ": "application/secevent+jwt", "kid": "one"}, payload()), "assertion"},
		"typ of DPoP":               {rs(map[string]any{"typ": "dpop+jwt", "kid": "one"}, payload()), "assertion"},
		"alg twice":                 {b64(`{"alg":"RS256","alg":"none"}`) + "." + good[1] + "." + good[2], "assertion"},
		"sub twice":                 {rs(kid, payload()[:len(payload())-1]+`,"sub":"again"}`), "assertion"},
		"oid twice, one escaped":    {rs(kid, payload()[:len(payload())-1]+`,"\u006fid":"oid-of-ana"}`), "assertion"},
		"duplicate deep inside":     {rs(kid, payload()[:len(payload())-1]+`,"x":[{"a":1,"a":2}]}`), "assertion"},
		"nested too deeply":         {rs(kid, payload()[:len(payload())-1]+`,"x":`+strings.Repeat("[", 50)+strings.Repeat("]", 50)+`}`), "assertion"},
		"claims as a list":          {rs(kid, `[]`), "assertion"},
		"claims as null":            {rs(kid, `null`), "assertion"},
		"two values":                {rs(kid, payload()+payload()), "assertion"},
		"not UTF-8":                 {rs(kid, "{\"iss\":\"\xff\"}"), "assertion"},
		"another payload":           {good[0] + "." + b64(payload()) + "." + good[2], "signature"},
		"another header":            {b64(`{"alg":"RS256","kid":"one","typ":"JWT" }`) + "." + good[1] + "." + good[2], "signature"},
		"no signature":              {good[0] + "." + good[1] + ".", "signature"},
		"a signature of zeros":      {ec[0] + "." + ec[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)), "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := h.refusedAssertion(t, c.token, c.step); got != "Invalid grant provided" {
				t.Errorf("the client reads %q", got)
			}
		})
	}
	if _, err := h.exchange(t.Context(), strings.Join(good, ".")); err != nil {
		t.Errorf("the good token: %v", err)
	}
}

func weakSigner(h *house) (k crypto.Signer) {
	h.issuer.publish(func() { k = h.issuer.keys["weak"] })
	return k
}

// Signed by the issuer, and still not good for an exchange.
func TestUnfitTokens(t *testing.T) {
	h := newHouse(t)
	now := h.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for name, c := range map[string]struct {
		changes map[string]any
		step    string // empty: it is fine
	}{
		"another issuer":                  {map[string]any{"iss": "https://login.example.com"}, "issuer"},
		"issuer with a slash":             {map[string]any{"iss": h.issuer.URL + "/"}, "issuer"},
		"issuer in capitals":              {map[string]any{"iss": strings.ToUpper(h.issuer.URL)}, "issuer"},
		"no issuer":                       {map[string]any{"iss": nil}, "assertion"},
		"issuer as a list":                {map[string]any{"iss": []string{h.issuer.URL}}, "assertion"},
		"another audience":                {map[string]any{"aud": "other"}, "audience"},
		"audience as a prefix":            {map[string]any{"aud": audience + "x"}, "audience"},
		"audience list without ours":      {map[string]any{"aud": []string{"a", "b"}}, "audience"},
		"audience list with ours":         {map[string]any{"aud": []string{"a", audience}}, ""},
		"no audience":                     {map[string]any{"aud": nil}, "assertion"},
		"empty audience":                  {map[string]any{"aud": ""}, "assertion"},
		"empty audience list":             {map[string]any{"aud": []string{}}, "assertion"},
		"audience as a number":            {map[string]any{"aud": []any{1}}, "assertion"},
		"no subject":                      {map[string]any{"sub": nil}, "assertion"},
		"no expiry":                       {map[string]any{"exp": nil}, "assertion"},
		"expiry as a text":                {map[string]any{"exp": fmt.Sprint(at(time.Hour))}, "assertion"},
		"expiry as null":                  {map[string]any{"exp": json.RawMessage("null")}, "assertion"},
		"negative expiry":                 {map[string]any{"exp": -1}, "assertion"},
		"expiry beyond all time":          {map[string]any{"exp": 1e300}, "assertion"},
		"expired":                         {map[string]any{"exp": at(-2 * time.Minute)}, "time"},
		"expired a moment ago":            {map[string]any{"exp": at(-30 * time.Second)}, ""},
		"expired as long ago as allowed":  {map[string]any{"exp": at(-time.Minute)}, "time"},
		"expires after a year":            {map[string]any{"exp": at(365 * 24 * time.Hour)}, "time"},
		"expires after a day":             {map[string]any{"exp": at(24 * time.Hour)}, ""},
		"not yet valid":                   {map[string]any{"nbf": at(2 * time.Minute)}, "time"},
		"valid in a moment":               {map[string]any{"nbf": at(30 * time.Second)}, ""},
		"issued in the future":            {map[string]any{"iat": at(2 * time.Minute)}, "time"},
		"no nbf, no iat, no jti":          {map[string]any{"nbf": nil, "iat": nil, "jti": nil}, ""},
		"fractions of seconds":            {map[string]any{"exp": float64(at(time.Hour)) + 0.5}, ""},
		"no claim for the person":         {map[string]any{"oid": nil}, "person"},
		"empty claim for the person":      {map[string]any{"oid": ""}, "person"},
		"person as a number":              {map[string]any{"oid": 7}, "person"},
		"person as a list":                {map[string]any{"oid": []string{"oid-of-mateo"}}, "person"},
		"unknown person":                  {map[string]any{"oid": "nobody"}, "person"},
		"external id with another case":   {map[string]any{"oid": "OID-of-mateo"}, "person"},
		"person by sub, which is not oid": {map[string]any{"oid": nil, "sub": "oid-of-mateo"}, "person"},
	} {
		t.Run(name, func(t *testing.T) {
			assertion := h.issuer.sign(t, "one", h.claims(c.changes))
			if c.step != "" {
				if got := h.refusedAssertion(t, assertion, c.step); got != "Invalid grant provided" {
					t.Errorf("the client reads %q", got)
				}
				return
			}
			if _, err := h.exchange(t.Context(), assertion); err != nil {
				t.Error(err)
			}
		})
	}
}

// Many try the same token at once, on both engines: exactly one gets an answer.
func TestReplayInParallel(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for name, changes := range map[string]map[string]any{"with jti": nil, "without jti": {"jti": nil}} {
			assertion := h.issuer.sign(t, "one", h.claims(changes))
			const n = 12
			codes := make([]string, n)
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					_, err := h.exchange(t.Context(), assertion)
					codes[i] = code(err)
				})
			}
			wg.Wait()
			won := 0
			for _, c := range codes {
				if c == "" {
					won++
				} else if c != "InvalidGrantException" {
					t.Errorf("%s: %s", name, c)
				}
			}
			if won != 1 {
				t.Errorf("%s: %d of %d exchanges won", name, won, n)
			}
			h.refusedAssertion(t, assertion, "first use")
		}
	})
}

// What makes a token the same token.
func TestReplayKey(t *testing.T) {
	h := newHouse(t)
	claims := h.claims(map[string]any{"jti": "same"})
	if _, err := h.exchange(t.Context(), h.issuer.sign(t, "one", claims)); err != nil {
		t.Fatal(err)
	}
	claims["exp"] = h.Now().Add(30 * time.Minute).Unix()
	h.refusedAssertion(t, h.issuer.sign(t, "one", claims), "first use") // another text with the same jti

	h.issuer.addKey("pss", jose.PS256, rsaKey())
	h.Pass(2 * time.Minute) // an unknown key is asked for once a minute
	delete(claims, "jti")
	// PSS signatures are random: the same text has many of them.
	first := h.issuer.sign(t, "pss", claims)
	parts := strings.Split(first, ".")
	second := h.issuer.sign(t, "pss", claims)
	if first == second || !strings.HasPrefix(second, parts[0]+"."+parts[1]) {
		t.Fatal("the two tokens are not the same text under two signatures")
	}
	if _, err := h.exchange(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	h.refusedAssertion(t, second, "first use")

	// Another issuer may use the same jti.
	other := newIssuer(t)
	h.grantIssuer(t, h.trust(t, other.URL, "oid", "externalId"), audience)
	if _, err := h.exchange(t.Context(), other.sign(t, "one", h.claims(map[string]any{"iss": other.URL, "jti": "same"}))); err != nil {
		t.Errorf("another issuer's jti was taken for the same: %v", err)
	}

	// The memory of a token ends when the token does, and not before.
	if err := h.tokens.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.grantIssuer(t, h.tti, audience)
	h.refusedAssertion(t, second, "first use")
	h.Pass(2 * time.Hour)
	if err := h.tokens.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.refusedAssertion(t, second, "time")
}

// People who may not: gone, disabled, ambiguous, not assigned.
func TestPeople(t *testing.T) {
	h := newHouse(t)
	by := directory.Actor("test")
	enable := func(on bool) {
		if _, err := h.Directory.ChangeUser(t.Context(), by, h.Instance.StoreID, h.person, func(u *directory.User) error { u.Enabled = on; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	enable(false)
	h.refusedAssertion(t, h.good(t), "person")
	enable(true)
	if _, err := h.exchange(t.Context(), h.good(t)); err != nil {
		t.Fatal(err)
	}
	// Two issuers of external ids may give the same id to two people: then it means nobody.
	twin, err := h.Directory.CreateUser(t.Context(), by, directory.User{StoreID: h.Instance.StoreID, UserName: "twin", Enabled: true, ExternalIDs: []directory.ExternalID{{Issuer: "another", ID: "oid-of-mateo"}}})
	if err != nil {
		t.Fatal(err)
	}
	h.refusedAssertion(t, h.good(t), "person")
	if err := h.Directory.DeleteUser(t.Context(), h.Instance.StoreID, twin.ID); err != nil {
		t.Fatal(err)
	}
	h.requireAssignment(t, true)
	assertion := h.good(t)
	if got := h.refused(t, &ssooidc.CreateTokenWithIAMInput{ClientId: h.app, GrantType: center.GrantJWTBearer, Assertion: &assertion}, "AccessDeniedException", "assignment"); got != "" {
		t.Errorf("the client reads %q", got)
	}
	if err := h.Directory.DeleteUser(t.Context(), h.Instance.StoreID, h.person); err != nil {
		t.Fatal(err)
	}
	h.refusedAssertion(t, h.good(t), "person")
}

// Who may act as the application.
func TestWhoMayExchange(t *testing.T) {
	h := newHouse(t)
	const denied = "AccessDeniedException"
	as := func(account, role string) string {
		assertion := h.good(t)
		_, err := h.tokens.CreateTokenWithIAM(h.As(t.Context(), account, role), &ssooidc.CreateTokenWithIAMInput{ClientId: h.app, GrantType: center.GrantJWTBearer, Assertion: &assertion})
		return code(err)
	}
	want := func(name, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	want("the application's role", as(member, "ApplicationRole"), "")
	want("another role of the account", as(member, "Other"), denied)
	want("a role of that name elsewhere", as("333333333333", "ApplicationRole"), denied)
	want("an administrator of the instance", as(management, "Admin"), denied)

	h.Accounts.Role(member, "ApplicationRole", "")
	want("a role without permission of its own", as(member, "ApplicationRole"), denied)
	h.Accounts.Role(member, "ApplicationRole", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sso-oauth:CreateTokenWithIAM","Resource":"`+h.app+`"}}`)
	want("a role with permission for the application", as(member, "ApplicationRole"), "")
	h.Accounts.Role(member, "ApplicationRole", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sso-oauth:CreateTokenWithIAM","Resource":"`+h.app[:len(h.app)-1]+`?x"}}`)
	want("a role with permission for another application", as(member, "ApplicationRole"), denied)
	h.Accounts.Role(member, "ApplicationRole", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)

	h.putPolicy(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"sso-oauth:CreateTokenWithIAM","Resource":"*"}]}`)
	want("the account of the instance, named", as(management, "Admin"), "")
	want("the member, not named any more", as(member, "ApplicationRole"), denied)
	h.putPolicy(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sso-oauth:CreateTokenWithIAM","Resource":"*"},
		{"Effect":"Deny","Principal":{"AWS":"111111111111"},"Action":"sso-oauth:CreateTokenWithIAM","Resource":"*"}]}`)
	want("an explicit deny", as(member, "ApplicationRole"), denied)
	anonymous := caller.With(t.Context(), &caller.Caller{Type: caller.Anonymous})
	assertion := h.good(t)
	_, err := h.tokens.CreateTokenWithIAM(anonymous, &ssooidc.CreateTokenWithIAMInput{ClientId: h.app, GrantType: center.GrantJWTBearer, Assertion: &assertion})
	want("nobody at all", code(err), denied)

	_, err = h.Service.DeleteApplicationAuthenticationMethod(h.As(t.Context(), member, "Admin"), &ssoadmin.DeleteApplicationAuthenticationMethodInput{ApplicationArn: h.app, AuthenticationMethodType: "IAM"})
	if err != nil {
		t.Fatal(err)
	}
	want("no authentication method", as(member, "ApplicationRole"), denied)
	want("no authentication method, account of the instance", as(management, "Admin"), denied)
}

// Requests that cannot be served, and what the application is not set up for.
func TestClients(t *testing.T) {
	h := newHouse(t)
	assertion := h.good(t)
	in := func(change func(*ssooidc.CreateTokenWithIAMInput)) *ssooidc.CreateTokenWithIAMInput {
		x := &ssooidc.CreateTokenWithIAMInput{ClientId: h.app, GrantType: center.GrantJWTBearer, Assertion: &assertion}
		change(x)
		return x
	}
	for name, c := range map[string]struct {
		in         *ssooidc.CreateTokenWithIAMInput
		code, step string
	}{
		"unknown application": {in(func(x *ssooidc.CreateTokenWithIAMInput) { x.ClientId += "0" }), "InvalidClientException", "find application"},
		"not an ARN":          {in(func(x *ssooidc.CreateTokenWithIAMInput) { x.ClientId = "client" }), "InvalidClientException", "find application"},
		"an instance's ARN":   {in(func(x *ssooidc.CreateTokenWithIAMInput) { x.ClientId = h.Instance.ARN }), "InvalidClientException", "find application"},
		"no assertion":        {in(func(x *ssooidc.CreateTokenWithIAMInput) { x.Assertion = nil }), "InvalidRequestException", "assertion"},
		"empty assertion":     {in(func(x *ssooidc.CreateTokenWithIAMInput) { x.Assertion = new("") }), "InvalidRequestException", "assertion"},
		"unknown grant type":  {in(func(x *ssooidc.CreateTokenWithIAMInput) { x.GrantType = "password" }), "UnsupportedGrantTypeException", "grant type"},
		"device code":         {in(func(x *ssooidc.CreateTokenWithIAMInput) { x.GrantType = "urn:ietf:params:oauth:grant-type:device_code" }), "UnsupportedGrantTypeException", "grant type"},
		"refresh without the grant": {in(func(x *ssooidc.CreateTokenWithIAMInput) {
			x.GrantType, x.RefreshToken = center.GrantRefreshToken, new("x")
		}), "UnauthorizedClientException", "grant type"},
		"code without the grant":     {in(func(x *ssooidc.CreateTokenWithIAMInput) { x.GrantType = center.GrantAuthorizationCode }), "UnauthorizedClientException", "grant type"},
		"exchange without the grant": {in(func(x *ssooidc.CreateTokenWithIAMInput) { x.GrantType = center.GrantTokenExchange }), "UnauthorizedClientException", "grant type"},
	} {
		t.Run(name, func(t *testing.T) { h.refused(t, c.in, c.code, c.step) })
	}
	h.grant(t, center.GrantTokenExchange, &ssoadmin.Grant{TokenExchange: &ssoadmin.TokenExchangeGrant{}})
	h.refused(t, in(func(x *ssooidc.CreateTokenWithIAMInput) { x.GrantType = center.GrantTokenExchange }), "InvalidRequestException", "subject token")
	h.grantCodes(t, callback)
	h.refused(t, in(func(x *ssooidc.CreateTokenWithIAMInput) { x.GrantType = center.GrantAuthorizationCode }), "InvalidRequestException", "code")

	admin := h.As(t.Context(), member, "Admin")
	status := func(s ssoadmin.ApplicationStatus) {
		if _, err := h.Service.UpdateApplication(admin, &ssoadmin.UpdateApplicationInput{ApplicationArn: h.app, Status: &s}); err != nil {
			t.Fatal(err)
		}
	}
	unchanged := in(func(*ssooidc.CreateTokenWithIAMInput) {})
	status("DISABLED")
	h.refused(t, unchanged, "UnauthorizedClientException", "application")
	status("ENABLED")
	_, err := h.Service.DeleteTrustedTokenIssuer(h.As(t.Context(), management, "Admin"), &ssoadmin.DeleteTrustedTokenIssuerInput{TrustedTokenIssuerArn: h.tti})
	if err != nil {
		t.Fatal(err)
	}
	h.refused(t, unchanged, "InvalidGrantException", "issuer")
	if _, err := h.Service.DeleteApplication(admin, &ssoadmin.DeleteApplicationInput{ApplicationArn: h.app}); err != nil {
		t.Fatal(err)
	}
	h.refused(t, unchanged, "InvalidClientException", "find application")
}
