package trail

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/sso"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/wire"
)

func TestNamesOfSecrets(t *testing.T) {
	secret := []string{
		"secretAccessKey", "SecretAccessKey", "sessionToken", "session_token", "X-Amz-Security-Token", "x-amz-sso_bearer_token", "accessToken", "idToken", "refreshToken",
		"assertion", "contextAssertion", "SAMLAssertion", "webIdentityToken", "subjectToken", "clientSecret", "client_secret", "password", "oldPassword", "passwordHash",
		"code", "codeVerifier", "deviceCode", "userCode", "tokenCode", "Authorization", "cookie", "Set-Cookie", "identityContext", "privateKey", "token", "Token", "scimToken",
		"X-Amz-Signature", "x-amz-server-side-encryption-customer-key", "apiKey", "tradeInToken",
	}
	open := []string{
		"nextToken", "NextToken", "clientToken", "clientRequestToken", "continuation-token", "next-continuation-token", "tokenType", "issuedTokenType", "requestedTokenType", "tokenId",
		"subjectTokenType", "accessKeyId", "trustedTokenIssuerArn", "errorCode", "codec", "key", "name", "signatureVersion", "target", "permission",
	}
	for _, name := range secret {
		if !isSecret(name) {
			t.Errorf("%s is not taken for a secret", name)
		}
	}
	for _, name := range open {
		if isSecret(name) {
			t.Errorf("%s is taken for a secret", name)
		}
	}
}

const webToken = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiJtYXRlbyIsImp0aSI6ImNhbmFyeSJ9.MEUCIQDcanary-_0"

func TestWebTokensAreHiddenInTexts(t *testing.T) {
	for in, want := range map[string]string{
		webToken:                         hidden,
		"parse " + webToken + ": bad":    "parse " + hidden + ": bad",
		webToken + " " + webToken:        hidden + " " + hidden,
		"Bearer " + webToken[:70] + "…":  "Bearer " + hidden + "…",
		webToken + ".eyJ.five":           hidden,
		"monkeyJ.x eyJ eyJa.b eyJhbGciO": "monkeyJ.x eyJ eyJa.b eyJhbGciO",
		"eyJhbGciOiJFUzI1NiJ9.":          "eyJhbGciOiJFUzI1NiJ9.",
		"grüße":                          "grüße",
	} {
		if got := scrub(in); got != want {
			t.Errorf("scrub(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestTokensAreHiddenInWhatIsWritten: to look through what is written hides the same as to look through the text before.
func TestTokensAreHiddenInWhatIsWritten(t *testing.T) {
	part := rapid.OneOf(rapid.SampledFrom([]string{webToken, webToken[:20], "eyJ", "eyJhbGciOi", ".", ".a", "\n", "\x00", "\u202e", "\xff", `"`, `\`, "é", " "}), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "text"), "")
		if want, got := string(appendText(nil, scrub(s))), string(scrubbed(appendText(nil, s))); want != got {
			t.Fatalf("%q: %s, want %s", s, got, want)
		}
	})
}

// canaries are secrets of every kind as they look here. Each test that plants them makes them distinct.
const (
	canary    = "cAnArY"
	plantable = canary + "%dwJalrXUtnFEMI/K7MDENG+bPxRfiCY"
)

// plant fills every field of a value: those that the model calls sensitive or whose name is a secret's get a canary, and
// all others something harmless.
func plant(v reflect.Value, secret bool, n *int) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		plant(v.Elem(), secret, n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(start))
			return
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			plant(v.Field(i), secret || strings.Contains(f.Tag.Get("aws"), ",sensitive") || isSecret(f.Name), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		plant(v.Index(0), secret, n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		one := reflect.New(v.Type().Elem()).Elem()
		plant(one, secret, n)
		v.SetMapIndex(reflect.ValueOf("name").Convert(v.Type().Key()), one)
	case reflect.String:
		v.SetString("harmless")
		if secret {
			*n++
			v.SetString(fmt.Sprintf(plantable, *n))
		}
	}
}

// TestNoSecretOfAnyOperation plants secrets into the inputs and outputs of the operations that have any, and looks for
// them in everything that the trail keeps.
func TestNoSecretOfAnyOperation(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	planted := 0
	for _, message := range []any{
		&sts.AssumeRoleInput{}, &sts.AssumeRoleOutput{}, &sts.GetSessionTokenInput{}, &sts.GetSessionTokenOutput{}, &sts.AssumeRoleWithWebIdentityInput{}, &sts.AssumeRoleWithSAMLInput{},
		&ssooidc.CreateTokenWithIAMInput{}, &ssooidc.CreateTokenWithIAMOutput{}, &ssooidc.CreateTokenInput{}, &ssooidc.CreateTokenOutput{},
		&ssooidc.RegisterClientOutput{}, &ssooidc.StartDeviceAuthorizationInput{}, &ssooidc.StartDeviceAuthorizationOutput{},
		&sso.GetRoleCredentialsInput{}, &sso.GetRoleCredentialsOutput{}, &sso.ListAccountsInput{}, &sso.LogoutInput{},
		&s3control.GetDataAccessOutput{}, &iam.CreateAccessKeyOutput{}, &lakegate.CreateScimTokenOutput{},
	} {
		before := planted
		plant(reflect.ValueOf(message).Elem(), false, &planted)
		if planted == before {
			t.Errorf("%T has no secret: the test plants nothing", message)
		}
		ctx, e := h.request(session(dataAccount, "AppRole", "app"), Operation{Source: "sts.amazonaws.com", Name: "AssumeRole"})
		e.Parameters(wire.Parameters(message))
		e.Response(wire.Parameters(message))
		h.finish(t, ctx, e, nil)
	}
	noCanary(t, h)
}

// TestNoSecretByAnyWay puts secrets where rooms and libraries might: as members with a secret's name wherever they nest,
// and as web tokens in every text that a request can carry.
func TestNoSecretByAnyWay(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	c := session(dataAccount, "AppRole", webToken)
	c.Session.SourceIdentity = webToken
	ctx, e := h.request(c, writeOp)
	names := []string{"assertion", "accessToken", "secretAccessKey", "sessionToken", "Token", "password", "clientSecret", "Authorization", "X-Amz-Signature", "X-Amz-Security-Token"}
	parameters := map[string]any{}
	for i, name := range names {
		secret := fmt.Sprintf(plantable, i)
		parameters[name] = secret
		parameters["in"+fmt.Sprint(i)] = []any{map[string]any{"x": map[string]any{name: []string{secret}}}}
		e.Add(name, secret)
		e.Add("nested"+fmt.Sprint(i), map[string]string{name: secret})
	}
	parameters[webToken] = webToken
	e.Parameters(parameters)
	e.Response(parameters)
	e.Add(KeyAuditContext, "Bearer "+webToken)
	e.Resource("AWS::S3::Object", "arn:aws:s3:::data/"+webToken, dataAccount)
	e.Step("token "+webToken, Fail, "cannot verify "+webToken)
	h.change(t, ctx, "x")
	h.finish(t, ctx, e, wire.Invalid("Value '"+webToken+"' at 'name' is not valid").Because(fmt.Errorf("secret "+plantable, 1)))
	noCanary(t, h)
}

// noCanary looks for the planted secrets in the log and in every column of the database.
func noCanary(t *testing.T, h *house) {
	t.Helper()
	h.Flush(t.Context())
	kept := h.lines(t)
	for _, f := range h.stored(t) {
		kept = append(kept, f.record, f.steps, f.user, f.name, f.source, f.accessKey, fmt.Sprint(f.resources))
	}
	if len(kept) < 8 {
		t.Fatalf("nothing was kept: %q", kept)
	}
	for _, text := range kept {
		if strings.Contains(text, canary) || strings.Contains(text, webToken[:40]) {
			t.Errorf("a secret is kept: %.2000s", text)
		}
	}
}
