package console

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Prefix is the path of the web door below which the console is.
const Prefix = "/console/"

// Operations calls an operation of a service in somebody's name: the input is checked, the operation asks for authorisation,
// and the record is made, as for a request at the API door. The server provides it. The context carries the request's origin.
type Operations interface {
	// Do returns a pointer to the operation's output, or a *Failure.
	Do(ctx context.Context, who *caller.Caller, service *wire.ServiceModel, operation string, in any) (out any, err error)
}

// Failure is the refusal of an operation, with the id under which the trail has it.
type Failure struct {
	Reference string
	Err       *wire.Error
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// Guest is a person who is signed in with a browser.
type Guest struct {
	Account               string // the identity center's
	UserName, DisplayName string
	Identity              caller.Identity
	// Session names the browser session without giving it away.
	Session []byte
}

// SignIn knows who is signed in with a browser; signin provides it.
type SignIn interface {
	// GuestOf returns nil for nobody. Who is disabled, or whose sign-in was revoked, is nobody at the next request.
	GuestOf(ctx context.Context, r *http.Request) (*Guest, error)
	// SendToProvider leads the browser to the provider's page, and from there to next, a path and query of the web door.
	SendToProvider(w http.ResponseWriter, r *http.Request, next string)
}

// ErrNoRole says that a permission set is not the person's, or that its session has lasted as long as it may.
var ErrNoRole = errors.New("the person does not have the role")

// Portal opens sessions of permission sets; portal provides it.
type Portal interface {
	RolesOf(id *caller.Identity) []center.AccountRole
	// SessionOf opens the session of a role that the person took at a moment. An error is ErrNoRole, or one of reading.
	SessionOf(ctx context.Context, id *caller.Identity, account, permissionSetARN string, taken time.Time) (*caller.Caller, error)
}

// Lakes tells which accounts have access grants for the people of an identity center; grants.Registry provides it.
type Lakes interface {
	Associated(identityCenter string) []*grants.Instance
}

// Names names people and groups, as lists of grants name their grantees to whoever may read them.
type Names interface {
	UserName(storeID, userID string) (name string, ok bool)
	GroupName(storeID, groupID string) (name string, ok bool)
}

// Accounts names accounts; account.Registry provides it.
type Accounts interface {
	Account(id string) (*account.Account, bool)
}

// Sealer keeps a text so that nobody else can read or make it; store.DB provides it.
type Sealer interface {
	Seal(place string, secret []byte) []byte
	Unseal(place string, sealed []byte) ([]byte, error)
}

// Config says what the console works with. All but Log is required.
type Config struct {
	Operations Operations
	SignIn     SignIn
	Portal     Portal
	Lakes      Lakes
	Accounts   Accounts
	Names      Names
	Sealer     Sealer
	Trail      *trail.Trail
	// Origin says where a request of the web door comes from.
	Origin func(*http.Request) *caller.Request
	// WebURL is the URL of the web door as people reach it, without a slash at the end, SignOut the path at which a form ends
	// the browser session.
	WebURL, SignOut string
	Now             func() time.Time
	// Log may be nil.
	Log *slog.Logger
}

//go:embed assets
var assets embed.FS

// The bounds of a request, and of how many are served at once: a page is a few questions to the domain at most.
const (
	maxForm    = 32 << 10
	maxQuery   = 8 << 10
	maxVisits  = 64
	stylePath  = Prefix + "style.css"
	pageLength = 50
)

// Console serves the pages. It is safe for concurrent use.
type Console struct {
	Config
	pages *template.Template
	mux   *http.ServeMux
	cross *http.CrossOriginProtection
	slots chan struct{}
}

// New makes the console.
func New(cfg Config) (*Console, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	pages, err := template.New("console").Funcs(functions(cfg.Now)).ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	c := &Console{Config: cfg, pages: pages, mux: http.NewServeMux(), cross: http.NewCrossOriginProtection(), slots: make(chan struct{}, maxVisits)}
	// A proxy in front may give the host another name than browsers do.
	if u, err := url.Parse(cfg.WebURL); err == nil && u.Host != "" {
		if err := c.cross.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, fmt.Errorf("trust the origin of the web door: %w", err)
		}
	}
	for pattern, p := range map[string]page{
		"GET /console/{$}":                        (*visit).showAccess,
		"GET /console/requests":                   (*visit).showRequests,
		"GET /console/requests/new":               (*visit).showNewRequest,
		"POST /console/requests":                  (*visit).createRequest,
		"GET /console/requests/{id}":              (*visit).showRequest,
		"POST /console/requests/{id}/approve":     (*visit).approveRequest,
		"POST /console/requests/{id}/refuse":      (*visit).refuseRequest,
		"POST /console/requests/{id}/withdraw":    (*visit).withdrawRequest,
		"GET /console/who":                        (*visit).showWho,
		"GET /console/why":                        (*visit).showWhy,
		"GET /console/activity":                   (*visit).showActivity,
		"GET /console/grants":                     administrators((*visit).showGrants),
		"GET /console/grants/new":                 administrators((*visit).showNewGrant),
		"POST /console/grants":                    administrators((*visit).createGrant),
		"GET /console/grants/{id}":                administrators((*visit).showGrant),
		"POST /console/grants/{id}/delete":        administrators((*visit).deleteGrant),
		"GET /console/revocations":                administrators((*visit).showRevocations),
		"POST /console/revocations":               administrators((*visit).createRevocation),
		"POST /console/revocations/{id}/withdraw": administrators((*visit).withdrawRevocation),
		"GET /console/lint":                       administrators((*visit).showLint),
		"GET /console/role":                       (*visit).showRoles,
		"POST /console/role":                      (*visit).takeRole,
		"POST /console/role/leave":                (*visit).leaveRole,
	} {
		c.mux.Handle(pattern, c.handler(p))
	}
	c.mux.HandleFunc("GET "+stylePath, c.serveStyle)
	c.mux.Handle(Prefix, c.handler((*visit).showNothing))
	return c, nil
}

// ServeHTTP answers for every path below Prefix.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "the server is busy", http.StatusServiceUnavailable)
		return
	}
	c.mux.ServeHTTP(w, r)
}

// page answers a request of somebody who is signed in.
type page func(*visit) (*answer, error)

// answer is a page or, where redirect is set, the path and query of the console at which the browser goes on.
type answer struct {
	status   int
	page     string
	title    string
	view     any
	redirect string
	cookies  []*http.Cookie
	// problem is shown above the page.
	problem *problem
}

// refusal is an error of the console's own, with what the person reads.
type refusal struct {
	status        int
	heading, text string
}

func (e *refusal) Error() string { return e.heading + ": " + e.text }

func (c *Console) handler(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := c.Origin(r)
		ctx := caller.WithRequest(r.Context(), origin)
		guard(w)
		v := &visit{Console: c, r: r.WithContext(ctx), ctx: ctx}
		if len(r.URL.RawQuery) > maxQuery {
			c.write(w, v, c.failed(v, &refusal{http.StatusRequestURITooLong, "This link cannot be used", "It is too long."}))
			return
		}
		guest, err := c.SignIn.GuestOf(ctx, r)
		switch {
		case err != nil:
			c.write(w, v, c.failed(v, err))
			return
		case guest == nil && r.Method == http.MethodGet && c.aside(r.Host):
			c.write(w, v, &answer{redirect: r.URL.RequestURI()})
			return
		case guest == nil && r.Method == http.MethodGet:
			c.SignIn.SendToProvider(w, r, r.URL.RequestURI())
			return
		case guest == nil:
			c.write(w, v, c.failed(v, &refusal{http.StatusUnauthorized, "You are signed out", "Nothing was changed. Sign in again, and repeat what you wanted to do."}))
			return
		}
		v.enter(guest)
		var out *answer
		if err = v.admit(w, r); err == nil {
			out, err = p(v)
		}
		if err != nil {
			out = c.failed(v, err)
		}
		c.write(w, v, out)
		c.Log.InfoContext(ctx, "console request", slog.String("request", origin.ID), slog.String("method", r.Method), slog.String("page", r.URL.Path),
			slog.Int("status", out.code()), slog.String("person", v.id.UserID))
	})
}

// guard sets what keeps a page from being framed, kept, sniffed at or told of to others. The policy lets a page load the
// style sheet and send forms here, and nothing else: no script runs, wherever it came from.
func guard(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// Not no-referrer: with it, browsers send "Origin: null" along with our own forms. Other origins are told nothing.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

func (a *answer) code() int {
	switch {
	case a.redirect != "":
		return http.StatusSeeOther
	case a.status == 0:
		return http.StatusOK
	}
	return a.status
}

// failed makes a page of an error. What is neither a refusal here nor one of an operation is told to the log alone.
func (c *Console) failed(v *visit, err error) *answer {
	if no, ok := errors.AsType[*refusal](err); ok {
		return &answer{status: no.status, page: "problem", title: no.heading, view: no.text}
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		p := problemOf(f)
		return &answer{status: p.Status, page: "problem", title: p.Heading, problem: p}
	}
	id := caller.RequestFrom(v.ctx).ID
	c.Log.ErrorContext(v.ctx, "console request failed", slog.String("request", id), slog.String("page", v.r.URL.Path), slog.Any("error", err))
	return &answer{status: http.StatusInternalServerError, page: "problem", title: "Something went wrong", problem: &problem{Text: "The server could not do this. Try again later.", Reference: id}}
}

func (c *Console) write(w http.ResponseWriter, v *visit, a *answer) {
	for _, cookie := range a.cookies {
		http.SetCookie(w, cookie)
	}
	if a.redirect != "" {
		http.Redirect(w, v.r, c.WebURL+a.redirect, a.code())
		return
	}
	var b bytes.Buffer
	if err := c.pages.ExecuteTemplate(&b, a.page, v.frame(a)); err != nil {
		c.Log.ErrorContext(v.ctx, "cannot render page", slog.String("page", a.page), slog.Any("error", err))
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(a.code())
	_, _ = w.Write(b.Bytes()) // a browser that went away needs no answer
}

func (c *Console) serveStyle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=300")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeFileFS(w, r, assets, "assets/style.css")
}

// aside reports whether somebody came by another name of this machine than the web door's, whose cookies the way back from
// the provider would not find: localhost, say, for 127.0.0.1.
func (c *Console) aside(host string) bool {
	u, err := url.Parse(c.WebURL)
	if err != nil || host == u.Host {
		return false
	}
	name, port, err := net.SplitHostPort(host)
	return err == nil && port == u.Port() && loopback(name) && loopback(u.Hostname())
}

func loopback(name string) bool {
	a, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && a.IsLoopback()
}

func (c *Console) secure() bool { return strings.HasPrefix(c.WebURL, "https://") }

// showNothing answers for paths that are no page.
func (v *visit) showNothing() (*answer, error) {
	return nil, &refusal{http.StatusNotFound, "There is no such page", "The link may be old."}
}
