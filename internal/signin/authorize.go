package signin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/token"
	"github.com/lakegate/lakegate/internal/trail"
)

// freshTime is how long ago somebody may have signed in with the browser when a client is to be given tokens. After that the
// provider is asked again, so that a client gets a sign-in with some life in it.
const freshTime = 4 * time.Hour

const maxState = 1024

// authorization is an authorization request that may be answered at its redirect URI.
type authorization struct {
	client   string
	name     string
	public   bool
	instance *center.Instance
	app      *center.Application

	redirect  string
	state     string
	challenge string
	scopes    []string
	// problem is what is to be answered, an error code of RFC 6749 §4.1.2.1; empty when there is none.
	problem, why string
}

// readAuthorize takes an authorization request apart. Until it is known that the redirect URI is the client's, nothing may
// be sent there: an error is a page here. After that, problems are for the client.
func (s *Service) readAuthorize(rawQuery string) (*authorization, error) {
	q, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, badLink(err)
	}
	one := func(name string) string {
		if len(q[name]) != 1 {
			return ""
		}
		return q[name][0]
	}
	a := &authorization{client: one("client_id"), redirect: one("redirect_uri"), state: one("state"), challenge: one("code_challenge")}
	if err := s.findClient(a); err != nil {
		return nil, badLink(err)
	}
	refuse := func(problem, why string) (*authorization, error) {
		a.problem, a.why = problem, why
		return a, nil
	}
	for _, values := range q {
		if len(values) > 1 {
			return refuse("invalid_request", "a parameter is there twice")
		}
	}
	switch sum, err := base64.RawURLEncoding.Strict().DecodeString(a.challenge); {
	case len(a.state) > maxState:
		a.state = ""
		return refuse("invalid_request", "the state is too long")
	case one("response_type") != "code":
		return refuse("unsupported_response_type", "the response type must be code")
	case one("code_challenge_method") != "S256" || err != nil || len(sum) != sha256.Size:
		return refuse("invalid_request", "a code challenge of S256 is required")
	}
	// The AWS CLI calls it scopes; RFC 6749 scope.
	a.scopes = sortedSet(strings.Fields(one("scopes") + " " + one("scope")))
	if !a.narrow() {
		return refuse("invalid_scope", "not every scope is one of the client")
	}
	return a, nil
}

func badLink(cause error) *refusal {
	return refuse(http.StatusBadRequest, "This link cannot be used", "It does not come from a client that is known here. Start the sign-in again, from the application or the command line.", cause)
}

// findClient finds the client and asks whether the redirect URI is its own.
func (s *Service) findClient(a *authorization) error {
	if app, ok := s.center.Application(a.client); ok {
		g, has := app.Grants[center.GrantAuthorizationCode]
		switch i, known := s.center.Instance(app.Instance); {
		case !known:
			return errors.New("the instance of the application is gone")
		case !app.Enabled:
			return errors.New("the application is disabled")
		case !has:
			return errors.New("the application does not have the authorization code grant")
		case !slices.Contains(g.RedirectURIs, a.redirect):
			return fmt.Errorf("the application does not have the redirect URI %.256q", a.redirect)
		default:
			a.app, a.instance, a.name = app, i, app.Name
			return nil
		}
	}
	c, err := s.publicClient(a.client)
	if err != nil {
		return fmt.Errorf("read client id: %w", err)
	}
	ok := false
	if c.Instance != "" {
		a.instance, ok = s.instanceByID(c.Instance)
	} else {
		a.instance, ok = s.onlyInstance()
	}
	switch {
	case !ok:
		return errors.New("the client does not say to which instance, and there is not exactly one with a sign-in provider")
	case !c.may(grantCode):
		return errors.New("the client is not registered for the authorization code grant")
	case !c.sends(a.redirect):
		return fmt.Errorf("the client did not register the redirect URI %.256q", a.redirect)
	}
	a.public, a.name, a.scopes = true, c.Name, c.Scopes
	return nil
}

// narrow holds the scopes that were asked for against those of the client.
func (a *authorization) narrow() bool {
	have := []string{scopeAccounts}
	if !a.public {
		have = append(a.app.ScopeNames(), center.ImpliedScopes()...)
	} else if len(a.scopes) == 0 {
		a.scopes = have
	}
	return !slices.ContainsFunc(a.scopes, func(s string) bool { return !slices.Contains(have, s) })
}

// answered is the redirect URI with an answer.
func (a *authorization) answered(values url.Values) string {
	if a.state != "" {
		values.Set("state", a.state)
	}
	separator := "?"
	if strings.Contains(a.redirect, "?") {
		separator = "&"
	}
	return a.redirect + separator + values.Encode()
}

func (a *authorization) failed(problem, why string) *answer {
	return &answer{redirect: a.answered(url.Values{"error": {problem}, "error_description": {why}})}
}

// trusted reports whether the client needs no word of the person: an application that whoever owns the instance registered,
// who decides over its people anyway. A public client could be any program that opens a browser, and an application of
// another account anybody's who administers one of the organization's accounts: either could act as whoever follows a link.
func (a *authorization) trusted() bool {
	return !a.public && a.app.Account == a.instance.Account
}

// formTarget is the origin of the redirect URI, for the policy of a page whose form leads there. A policy cannot name an
// IPv6 address, and what a URI admits in a host or scheme must not write into the policy.
func (a *authorization) formTarget() string {
	u, err := url.Parse(a.redirect)
	switch {
	case err != nil || u.Scheme == "" || strings.ContainsAny(u.Host, ";,'\"*()<>"):
		return ""
	case u.Host == "" || strings.HasPrefix(u.Host, "["):
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

// showAuthorize is the authorization endpoint. Who uses an application of the instance's own account was told of it by their
// administrators and goes on at once; for any other client the person is asked.
func (s *Service) showAuthorize(ctx context.Context, r *http.Request) (*answer, error) {
	a, b, out, err := s.authorize(ctx, r, r.URL.RawQuery)
	if out != nil || err != nil {
		return out, err
	}
	if a.trusted() {
		return s.giveCode(ctx, a, b)
	}
	ticket, err := s.sealed(placeTicket, ticket{Kind: "authorize", Session: b.hash, Subject: r.URL.RawQuery, Expires: s.db.Now().Add(flowTime).Unix()})
	if err != nil {
		return nil, err
	}
	noteOutcome(trail.From(ctx), "asked the person")
	q := question{frame: s.frame("Allow access?"), Client: a.name, Person: shown(b.person), Ticket: ticket}
	if !a.public {
		asked := a.scopes
		if len(asked) == 0 { // it gets all that it has
			asked = a.app.ScopeNames()
		}
		q.Account, q.Site, q.Accounts = a.app.Account, a.redirect, slices.Contains(asked, scopeAccounts)
	}
	return &answer{page: "authorize", formTarget: a.formTarget(), view: q}, nil
}

// authorize reads the request and finds who is signed in. When there is nothing left to decide it returns the answer.
func (s *Service) authorize(ctx context.Context, r *http.Request, rawQuery string) (*authorization, *browser, *answer, error) {
	a, err := s.readAuthorize(rawQuery)
	if err != nil {
		return nil, nil, nil, err
	}
	entry := trail.From(ctx)
	noteInstance(entry, a.instance)
	entry.Step("client", trail.Pass, a.name)
	entry.Parameters(map[string]any{"clientName": a.name, "redirectUri": a.redirect, "scope": strings.Join(a.scopes, " ")})
	if a.app != nil {
		entry.Add(trail.KeyApplication, a.app.ARN)
	}
	if a.problem != "" {
		entry.Step("request", trail.Fail, a.why)
		noteOutcome(entry, a.problem)
		return a, nil, a.failed(a.problem, a.why), nil
	}
	b, err := s.freshBrowser(ctx, r, a.instance)
	if err != nil {
		return nil, nil, nil, err
	}
	if b == nil {
		entry.Step("browser session", trail.Info, "none: on to the provider")
		noteOutcome(entry, "sent to the provider")
		out, err := s.signIn(ctx, r, a.instance.ARN, authorizePath+"?"+rawQuery)
		return a, nil, out, err
	}
	s.noteBrowser(ctx, b)
	return a, b, nil, nil
}

// noteOutcome says in the record what became of a request: most of them are answered, but not with what was asked for.
func noteOutcome(e *trail.Entry, outcome string) {
	e.Response(map[string]any{"outcome": outcome})
}

// freshBrowser finds who signed in to an instance with the browser, lately enough for a client to be given tokens.
func (s *Service) freshBrowser(ctx context.Context, r *http.Request, i *center.Instance) (*browser, error) {
	b, err := s.browserOf(ctx, r)
	if err != nil || b == nil || b.instance.ARN != i.ARN || s.db.Now().Sub(b.signedIn) >= freshTime {
		return nil, err
	}
	return b, nil
}

func (s *Service) noteBrowser(ctx context.Context, b *browser) {
	who := identity(b.instance, b.person.ID)
	s.note(ctx, &who)
	trail.From(ctx).Caller(&caller.Caller{Type: caller.Person, Account: b.instance.Account, UserID: b.person.ID, OnBehalf: &who})
}

// ticket is what a page asks a person, sealed: the answer counts for this question, this browser session and a short time.
type ticket struct {
	Kind    string `json:"k"`
	Session []byte `json:"s"`
	Subject string `json:"q"`
	Expires int64  `json:"e"`
}

// openTicket reads the ticket of a form. An answer that is not of this browser session is none.
func (s *Service) openTicket(r *http.Request, kind string, b *browser) (*ticket, error) {
	var t ticket
	err := s.unsealed(placeTicket, r.PostForm.Get("ticket"), &t)
	switch {
	case err != nil:
	case t.Kind != kind:
		err = errors.New("the form is of another page")
	case b == nil || subtle.ConstantTimeCompare(t.Session, b.hash) != 1:
		err = errors.New("the form was shown to another browser session")
	case s.db.Now().Unix() >= t.Expires:
		err = errors.New("the form was shown more than ten minutes ago")
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "This page is no longer open", "Start the sign-in again, from the application or the command line.", err)
	}
	return &t, nil
}

// decideAuthorize takes the person's answer.
func (s *Service) decideAuthorize(ctx context.Context, r *http.Request) (*answer, error) {
	current, err := s.browserOf(ctx, r)
	if err != nil {
		return nil, err
	}
	t, err := s.openTicket(r, "authorize", current)
	if err != nil {
		return nil, err
	}
	a, b, out, err := s.authorize(ctx, r, t.Subject)
	if out != nil || err != nil {
		return out, err
	}
	if r.PostForm.Get("answer") != "allow" {
		trail.From(ctx).Step("person", trail.Fail, "refused")
		noteOutcome(trail.From(ctx), "the person refused")
		return a.failed("access_denied", "the person refused"), nil
	}
	trail.From(ctx).Step("person", trail.Pass, "allowed it")
	return s.giveCode(ctx, a, b)
}

// giveCode sends the browser to the client with a code.
func (s *Service) giveCode(ctx context.Context, a *authorization, b *browser) (*answer, error) {
	who := identity(b.instance, b.person.ID)
	if a.app != nil {
		who.ApplicationARN = a.app.ARN
		if !s.center.Assigned(a.app.ARN, b.person.ID, s.people.GroupsOf(b.instance.StoreID, b.person.ID)) {
			trail.From(ctx).Step("assignment", trail.Fail, "the person is not assigned to the application, nor is a group of theirs")
			noteOutcome(trail.From(ctx), "the person is not assigned")
			return a.failed("access_denied", "the person may not use the application"), nil
		}
	}
	code, err := s.tokens.IssueCode(ctx, token.Code{Client: a.client, RedirectURI: a.redirect, Challenge: a.challenge, Person: who, Scopes: a.scopes, SignedIn: b.signedIn})
	if errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrInactive) || errors.Is(err, token.ErrScope) {
		trail.From(ctx).Step("code", trail.Fail, err.Error())
		noteOutcome(trail.From(ctx), "gave no code")
		return a.failed("access_denied", "no code can be given"), nil
	}
	if err != nil {
		return nil, fmt.Errorf("issue code: %w", err)
	}
	trail.From(ctx).Step("code", trail.Pass, "")
	noteOutcome(trail.From(ctx), "gave a code")
	return &answer{redirect: a.answered(url.Values{"code": {code}})}, nil
}
