package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// The paths of the pages below the web door. Those of an instance are beside StartURL.
const (
	authorizePath = "/authorize"
	devicePath    = "/device"
	decidePath    = "/device/decision"
	signOutPath   = "/sign-out"
	stylePath     = "/sign-in/style.css"
)

// Mount puts the pages on the mux of the web door.
func (s *Service) Mount(mux *http.ServeMux) {
	cross := http.NewCrossOriginProtection()
	// A proxy in front may give the host another name than browsers do.
	if u, err := url.Parse(s.webURL); err == nil && u.Host != "" {
		if err := cross.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			s.log.Error("cannot trust the origin of the web door", slog.Any("error", err))
		}
	}
	for pattern, p := range map[string]page{
		"GET /{instance}" + startPath:    {"", s.showStart},
		"GET /{instance}" + callbackPath: {"UserAuthentication", s.finishSignIn},
		"GET " + authorizePath:           {"Authorize", s.showAuthorize},
		"POST " + authorizePath:          {"Authorize", s.decideAuthorize},
		"GET " + devicePath:              {"", s.showDevice},
		"POST " + devicePath:             {"FindDevice", s.findDevice},
		"POST " + decidePath:             {"AuthorizeDevice", s.decideDevice},
		"POST " + signOutPath:            {"UserLogout", s.signOut},
	} {
		mux.Handle(pattern, cross.Handler(s.handler(p)))
	}
	mux.HandleFunc("GET "+stylePath, serveStyle)
}

// Authorize sends a browser that came to the API door's /authorize, which is where the AWS CLI leads it, on to the page.
func (s *Service) Authorize(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	if len(r.URL.RawQuery) > maxReturn {
		http.Error(w, "the query is too long", http.StatusRequestURITooLong)
		return
	}
	http.Redirect(w, r, s.webURL+authorizePath+"?"+r.URL.RawQuery, http.StatusFound)
}

// OwnsAuthorize reports whether a request at the API door is a browser's for Authorize, and not one for a bucket of that
// name: those are signed, and have no client.
func OwnsAuthorize(r *http.Request) bool {
	if r.Method != http.MethodGet || r.URL.Path != authorizePath || r.Header.Get("Authorization") != "" {
		return false
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	return err == nil && q.Has("client_id") && q.Has("response_type")
}

// page is what a request is for: its name in the trail, empty for what tells nobody anything, and what answers it.
type page struct {
	name string
	do   func(context.Context, *http.Request) (*answer, error)
}

// answer is what a request is answered with: a page, a redirect or a document.
type answer struct {
	status   int
	page     string
	view     any
	redirect string
	document any
	// formTarget is where the answer to the page's form may lead besides here, for its content policy.
	formTarget string
	cookies    []*http.Cookie
}

// code is the status that the answer is sent with.
func (a *answer) code() int {
	switch {
	case a.redirect != "":
		return http.StatusSeeOther
	case a.status == 0:
		return http.StatusOK
	}
	return a.status
}

// refusal is an error with a page for the person. The cause is for the trail alone.
type refusal struct {
	status        int
	heading, text string
	cause         error
	cookies       []*http.Cookie
}

func (e *refusal) Error() string { return e.cause.Error() }
func (e *refusal) Unwrap() error { return e.cause }

func refuse(status int, heading, text string, cause error) *refusal {
	return &refusal{status: status, heading: heading, text: text, cause: cause}
}

const (
	maxForm  = 16 << 10
	maxQuery = 8 << 10
)

// handler answers a request with a page and records it. Nothing is answered that could not be recorded.
func (s *Service) handler(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := s.origin(r)
		ctx := caller.WithRequest(r.Context(), origin)
		var entry *trail.Entry
		if p.name == "" && r.URL.Path == devicePath && r.URL.Query().Has("user_code") {
			p.name = "FindDevice"
		}
		if p.name != "" {
			ctx, entry = s.trail.Begin(ctx, trail.Operation{Source: "signin.amazonaws.com", Name: p.name})
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		out, err := s.answer(ctx, r, p)
		var no *refusal
		if err != nil && !errors.As(err, &no) {
			s.log.ErrorContext(ctx, "sign-in request failed", slog.String("request", origin.ID), slog.String("page", r.URL.Path), slog.Any("error", err))
			no = refuse(http.StatusInternalServerError, "Something went wrong", "The server could not do this. Try again later.", err)
		}
		var outcome error
		if no != nil {
			entry.Step("sign-in", trail.Fail, no.cause.Error())
			outcome = wire.NewError(codeOf(no.status), no.status, no.heading)
		}
		if entry != nil {
			if err := s.trail.Finish(ctx, entry, outcome); err != nil {
				no = refuse(http.StatusServiceUnavailable, "Try again later", "The request cannot be recorded.", err)
			}
		}
		if no != nil {
			out = &answer{status: no.status, page: "notice", view: notice{frame: s.frame(no.heading), Text: no.text, Reference: origin.ID}, cookies: no.cookies}
		}
		s.write(ctx, w, r, out)
		s.log.InfoContext(ctx, "sign-in request", slog.String("request", origin.ID), slog.String("page", r.URL.Path), slog.Int("status", out.code()), slog.String("source", origin.SourceIP))
	})
}

// codeOf is how the trail spells a status.
func codeOf(status int) string {
	switch {
	case status >= http.StatusInternalServerError:
		return "InternalFailure"
	case status == http.StatusTooManyRequests:
		return "ThrottlingException"
	case status == http.StatusForbidden:
		return "AccessDenied"
	case status == http.StatusNotFound:
		return "ResourceNotFoundException"
	}
	return "InvalidRequestException"
}

func (s *Service) answer(ctx context.Context, r *http.Request, p page) (*answer, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return nil, refuse(http.StatusRequestURITooLong, "This link cannot be used", "It is too long.", errors.New("the query is too long"))
	}
	if r.Method == http.MethodPost {
		r.URL.RawQuery = "" // what is decided is in the form alone
		if err := r.ParseForm(); err != nil {
			return nil, refuse(http.StatusBadRequest, "The form cannot be read", "Go back and try again.", err)
		}
	}
	return p.do(ctx, r)
}

// write sends an answer. The policy lets a page load our style sheet and send its form here, and nothing else.
func (s *Service) write(ctx context.Context, w http.ResponseWriter, r *http.Request, a *answer) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// Not no-referrer: with it, browsers send "Origin: null" along with our own forms. Other origins are told nothing.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	for _, c := range a.cookies {
		http.SetCookie(w, c)
	}
	if a.redirect != "" {
		http.Redirect(w, r, a.redirect, a.code())
		return
	}
	var b bytes.Buffer
	var err error
	if a.document != nil {
		h.Set("Content-Type", "application/json")
		err = json.NewEncoder(&b).Encode(a.document)
	} else {
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", strings.TrimSpace("default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' "+a.formTarget))
		err = s.pages.ExecuteTemplate(&b, a.page, a.view)
	}
	if err != nil {
		s.log.ErrorContext(ctx, "cannot render page", slog.String("page", a.page), slog.Any("error", err))
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(a.code())
	_, _ = w.Write(b.Bytes()) // a browser that went away needs no answer
}

// signIn sends a browser to the provider of an instance; afterwards it goes on at the path and query.
func (s *Service) signIn(ctx context.Context, instance, next string) (*answer, error) {
	i, ok := s.center.Instance(instance)
	p, has := s.providers.Get(instance)
	if !ok || !has {
		return nil, refuse(http.StatusNotFound, "There is no sign-in here", "Nobody can sign in to this identity center yet.", errors.New("the instance has no sign-in provider"))
	}
	if len(next) > maxReturn {
		return nil, refuse(http.StatusRequestURITooLong, "This link cannot be used", "It is too long.", errors.New("the request is too long to return to"))
	}
	f := &flow{
		Instance: i.ARN, Issuer: p.Issuer, State: newSecret(), Nonce: newSecret(), Verifier: newSecret(), Return: next, Expires: s.db.Now().Add(flowTime).Unix(),
	}
	to, err := s.relying.begin(ctx, &p, s.RedirectURI(i), f)
	if err != nil {
		s.log.WarnContext(ctx, "cannot send a browser to the sign-in provider", slog.String("instance", i.ARN), slog.Any("error", err))
		return nil, refuse(http.StatusBadGateway, "The sign-in page cannot be reached", "Your organisation's sign-in page does not answer as it should. Try again later.", err)
	}
	sealed, err := s.sealed(placeFlow, f)
	if err != nil {
		return nil, err
	}
	return &answer{redirect: to, cookies: []*http.Cookie{s.cookie(flowCookie, sealed, flowTime)}}, nil
}

// cannotSignIn is the one page for whoever cannot be signed in: an unknown person, a disabled one and a forged token read the
// same.
func cannotSignIn(cause error) *refusal {
	return refuse(http.StatusForbidden, "You could not be signed in", "If you should have access, ask an administrator of the identity center and give them the reference below.", cause)
}

// finishSignIn is where the provider sends the browser back to.
func (s *Service) finishSignIn(ctx context.Context, r *http.Request) (*answer, error) {
	i, ok := s.instanceByID(r.PathValue("instance"))
	if !ok {
		return nil, refuse(http.StatusNotFound, "There is no sign-in here", "Nobody can sign in to this identity center yet.", errors.New("no such instance, or it has no sign-in provider"))
	}
	p, _ := s.providers.Get(i.ARN)
	entry := trail.From(ctx)
	noteInstance(entry, i)
	spent := []*http.Cookie{s.cookie(flowCookie, "", 0)}
	person, cause := s.believe(ctx, r, &p)
	if cause != nil {
		no := cannotSignIn(cause)
		if errors.Is(cause, errFlow) {
			no = refuse(http.StatusBadRequest, "This sign-in is no longer open", "It took more than ten minutes, was finished before, or was begun in another window. Go back to where you started and try again.", cause)
		}
		no.cookies = spent
		return nil, no
	}
	cookie, err := s.newBrowser(ctx, r, i, &p, person.Person)
	if err != nil {
		return nil, err
	}
	who := identity(i, person.ID)
	s.note(ctx, &who)
	entry.Caller(&caller.Caller{Type: caller.Person, Account: i.Account, UserID: person.ID, OnBehalf: &who})
	entry.Step("person", trail.Pass, person.UserName)
	// Not a redirect: the page of the provider may forbid that its form leads on to whoever asked us for a sign-in.
	return &answer{
		page: "continue", view: continued{frame: s.frame("Signed in"), Person: person.shown(), Next: person.next},
		cookies: append(spent, cookie),
	}, nil
}

// errFlow says that an answer of the provider does not belong to a sign-in of this browser.
var errFlow = errors.New("the answer does not belong to a sign-in that this browser began")

// believe holds what the provider answered against the sign-in that the browser began, and finds the person.
func (s *Service) believe(ctx context.Context, r *http.Request, p *Provider) (*arrived, error) {
	q := r.URL.Query()
	var f flow
	if err := s.unsealed(placeFlow, s.cookieOf(r, flowCookie), &f); err != nil {
		return nil, fmt.Errorf("the browser has no sign-in under way: %w", errFlow)
	}
	switch {
	case !sameText(f.State, q.Get("state")) || len(q["state"]) != 1:
		return nil, fmt.Errorf("the state differs: %w", errFlow)
	case s.db.Now().Unix() >= f.Expires:
		return nil, fmt.Errorf("it was begun more than ten minutes ago: %w", errFlow)
	case f.Instance != p.Instance:
		return nil, fmt.Errorf("it was begun at another instance: %w", errFlow)
	case f.Issuer != p.Issuer:
		return nil, fmt.Errorf("the instance has another provider by now: %w", errFlow)
	case q.Has("error"):
		return nil, fmt.Errorf("the provider answered %.100q", q.Get("error"))
	case len(q["code"]) != 1:
		return nil, errors.New("the provider answered without a code")
	}
	secret, err := p.secret(s.db)
	if err != nil {
		return nil, err
	}
	i, ok := s.center.Instance(p.Instance)
	if !ok {
		return nil, errors.New("the instance is gone")
	}
	claims, err := s.relying.finish(ctx, p, secret, s.RedirectURI(i), q.Get("code"), q.Get("iss"), &f)
	if err != nil {
		return nil, err
	}
	value, err := valueOf(claims, p.Claim)
	if err != nil {
		return nil, err
	}
	found := s.people.FindUsers(i.StoreID, p.Attribute, value)
	if len(found) != 1 {
		return nil, fmt.Errorf("%d people have the %s %.256q that claim %s holds", len(found), p.Attribute, value, p.Claim)
	}
	person, ok := s.people.User(i.StoreID, found[0])
	if !ok || !person.Enabled {
		return nil, fmt.Errorf("the person %s is disabled or gone", found[0])
	}
	return &arrived{Person: person, next: f.Return}, nil
}

// showStart is the start page of an instance: who is signed in, and how to set up a client. A program gets what it needs to
// set itself up, without a sign-in.
func (s *Service) showStart(ctx context.Context, r *http.Request) (*answer, error) {
	i, ok := s.instanceByID(r.PathValue("instance"))
	if !ok {
		return nil, refuse(http.StatusNotFound, "There is no sign-in here", "Nobody can sign in to this identity center yet.", errors.New("no such instance, or it has no sign-in provider"))
	}
	if accept := r.Header.Get("Accept"); strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") {
		return &answer{document: Place{StartURL: s.StartURL(i), Region: s.region, Endpoint: s.apiURL}}, nil
	}
	b, err := s.browserOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if b == nil || b.instance.ARN != i.ARN {
		return s.signIn(ctx, i.ARN, "/"+i.ID()+startPath)
	}
	return &answer{page: "start", view: started{frame: s.frame("Signed in"), Person: shown(b.person), StartURL: s.StartURL(i), Region: s.region, Endpoint: s.apiURL}}, nil
}

// Place is what a program has to know to sign somebody in: the document at a start URL, for who accepts JSON.
type Place struct {
	StartURL string `json:"startUrl"`
	Region   string `json:"region"`
	Endpoint string `json:"endpoint"`
}

// signOut ends the browser session. What clients were given goes on: each is signed out by itself.
func (s *Service) signOut(ctx context.Context, r *http.Request) (*answer, error) {
	b, err := s.browserOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if b != nil {
		who := identity(b.instance, b.person.ID)
		s.note(ctx, &who)
		trail.From(ctx).Caller(&caller.Caller{Type: caller.Person, Account: b.instance.Account, UserID: b.person.ID, OnBehalf: &who})
		if err := s.endBrowser(ctx, b.hash); err != nil {
			return nil, err
		}
	}
	return &answer{
		page: "notice", cookies: []*http.Cookie{s.cookie(sessionCookie, "", 0), s.cookie(flowCookie, "", 0)},
		view: notice{frame: s.frame("Signed out"), Text: "This browser is signed out of Lakegate. You may still be signed in at your organisation's sign-in page, and in command line tools: run aws sso logout to end those."},
	}, nil
}
