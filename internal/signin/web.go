package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
		name := p.name
		if r.URL.Path == devicePath && r.URL.Query().Has("user_code") {
			name = "FindDevice" // without a code it is an empty form
		}
		if name != "" {
			ctx, entry = s.trail.Begin(ctx, trail.Operation{Source: "signin.amazonaws.com", Name: name})
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
