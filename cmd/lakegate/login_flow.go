package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc/types"
	"github.com/aws/smithy-go"
	"golang.org/x/oauth2"
)

// loginFlow signs a person in as the AWS CLI does: by the browser of this machine (RFC 8252), or with a code (RFC 8628).
type loginFlow struct {
	place  *loginPlace
	api    *ssooidc.Client
	s      *streams
	opens  bool
	client *ssooidc.RegisterClientOutput
}

const (
	callbackPath = "/oauth/callback"
	deviceGrant  = "urn:ietf:params:oauth:grant-type:device_code"
)

func newLoginFlow(place *loginPlace, s *streams, opens bool) *loginFlow {
	return &loginFlow{place: place, s: s, opens: opens, api: ssooidc.New(ssooidc.Options{Region: place.Region, BaseEndpoint: &place.Endpoint})}
}

// explained puts into words what the service answered: the SDK leaves the description out of its errors.
func explained(what string, err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if described, ok := errors.AsType[interface {
			error
			ErrorMessage() string
		}](err); ok && described.ErrorMessage() != "" {
			return fmt.Errorf("%s: %s: %s", what, api.ErrorCode(), described.ErrorMessage())
		}
		return fmt.Errorf("%s: %s", what, api.ErrorCode())
	}
	return fmt.Errorf("%s: %w", what, err)
}

func (f *loginFlow) register(ctx context.Context, grants []string, redirects ...string) (err error) {
	f.client, err = f.api.RegisterClient(ctx, &ssooidc.RegisterClientInput{
		ClientName: aws.String("lakegate login"), ClientType: aws.String("public"), Scopes: []string{"sso:account:access"},
		GrantTypes: grants, RedirectUris: redirects, IssuerUrl: &f.place.StartURL,
	})
	if err != nil {
		return explained("register with the server", err)
	}
	return nil
}

// browser signs in by authorization code with PKCE, answered at a port of this machine.
func (f *loginFlow) browser(ctx context.Context) (*ssoToken, error) {
	if err := f.register(ctx, []string{"authorization_code", "refresh_token"}, "http://127.0.0.1"+callbackPath); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("wait for the browser: %w", err)
	}
	redirect := "http://" + listener.Addr().String() + callbackPath
	state, verifier := randomText(), oauth2.GenerateVerifier()
	answers := make(chan url.Values, 1)
	server := &http.Server{Handler: answered(state, answers), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer func() {
		// The browser gets its page before the listener goes.
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	}()
	f.show("Sign in with your browser:", f.place.Endpoint+"/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {aws.ToString(f.client.ClientId)}, "redirect_uri": {redirect}, "state": {state},
		"code_challenge_method": {"S256"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "scopes": {"sso:account:access"},
	}.Encode())
	var q url.Values
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the browser: %w", ctx.Err())
	case q = <-answers:
	}
	if problem := q.Get("error"); problem != "" {
		return nil, fmt.Errorf("sign in: %.100q: %.200q", problem, q.Get("error_description"))
	}
	out, err := f.api.CreateToken(ctx, &ssooidc.CreateTokenInput{
		ClientId: f.client.ClientId, ClientSecret: f.client.ClientSecret, GrantType: aws.String("authorization_code"),
		Code: aws.String(q.Get("code")), RedirectUri: &redirect, CodeVerifier: &verifier,
	})
	if err != nil {
		return nil, explained("redeem code", err)
	}
	return f.token(out), nil
}

// answered takes the answer that the browser brings. What does not have our state is not the answer to our question.
func answered(state string, answers chan<- url.Values) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+callbackPath, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		page := func(status int, title, text string) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "<!doctype html><html lang=\"en\"><title>%[1]s</title><h1>%[1]s</h1><p>%[2]s</p></html>\n", html.EscapeString(title), html.EscapeString(text))
		}
		if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
			page(http.StatusBadRequest, "Not this sign-in", "The answer belongs to another sign-in.")
			return
		}
		if q.Get("error") != "" || q.Get("code") == "" {
			page(http.StatusOK, "Not signed in", "The command line was told. You can close this page.")
		} else {
			page(http.StatusOK, "Signed in", "The command line goes on. You can close this page.")
		}
		select {
		case answers <- q:
		default: // one answer counts
		}
	})
	return mux
}

// device signs in with a code that a person confirms in any browser.
func (f *loginFlow) device(ctx context.Context) (*ssoToken, error) {
	if err := f.register(ctx, []string{deviceGrant, "refresh_token"}); err != nil {
		return nil, err
	}
	d, err := f.api.StartDeviceAuthorization(ctx, &ssooidc.StartDeviceAuthorizationInput{
		ClientId: f.client.ClientId, ClientSecret: f.client.ClientSecret, StartUrl: &f.place.StartURL,
	})
	if err != nil {
		return nil, explained("start device sign-in", err)
	}
	// What the server says is shown on a terminal and opened by a browser.
	complete, err := url.Parse(aws.ToString(d.VerificationUriComplete))
	if err != nil || complete.Host == "" || complete.Scheme != "http" && complete.Scheme != "https" {
		return nil, fmt.Errorf("start device sign-in: the server answered the address %.200q", aws.ToString(d.VerificationUriComplete))
	}
	for _, text := range []string{aws.ToString(d.VerificationUri), aws.ToString(d.UserCode)} {
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return nil, fmt.Errorf("start device sign-in: the server answered %.200q", text)
		}
	}
	f.show(fmt.Sprintf("Open %s and enter the code %s, or open:", aws.ToString(d.VerificationUri), aws.ToString(d.UserCode)), complete.String())
	wait := time.Duration(max(d.Interval, 1)) * time.Second
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the person: %w", ctx.Err())
		case <-time.After(wait):
		}
		out, err := f.api.CreateToken(ctx, &ssooidc.CreateTokenInput{
			ClientId: f.client.ClientId, ClientSecret: f.client.ClientSecret, GrantType: aws.String(deviceGrant), DeviceCode: d.DeviceCode,
		})
		if _, slow := errors.AsType[*types.SlowDownException](err); slow {
			wait += 5 * time.Second // RFC 8628 §3.5
			continue
		}
		if _, pending := errors.AsType[*types.AuthorizationPendingException](err); pending {
			continue
		}
		if err != nil {
			return nil, explained("sign in", err)
		}
		return f.token(out), nil
	}
}

// show prints where to go, and opens it.
func (f *loginFlow) show(text, address string) {
	_, _ = fmt.Fprintf(f.s.err, "%s\n\n  %s\n\n", text, address)
	if f.opens {
		openBrowser(context.Background(), address)
	}
}

func (f *loginFlow) token(out *ssooidc.CreateTokenOutput) *ssoToken {
	return &ssoToken{
		StartURL: f.place.StartURL, Region: f.place.Region, AccessToken: aws.ToString(out.AccessToken), RefreshToken: aws.ToString(out.RefreshToken),
		ExpiresAt: time.Now().Add(time.Duration(out.ExpiresIn) * time.Second).UTC().Truncate(time.Second),
		ClientID:  aws.ToString(f.client.ClientId), ClientSecret: aws.ToString(f.client.ClientSecret),
		RegistrationExpiresAt: time.Unix(f.client.ClientSecretExpiresAt, 0).UTC(),
	}
}

// randomText makes 32 random bytes as text.
func randomText() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
