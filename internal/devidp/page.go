package devidp

import (
	"bytes"
	"embed"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// pages are the HTML pages; each file defines the content of one inside the layout.
type pages struct{ signIn, notice *template.Template }

func parsePages() pages {
	parse := func(name string) *template.Template {
		return template.Must(template.ParseFS(assets, "assets/layout.html", "assets/"+name))
	}
	return pages{signIn: parse("sign-in.html"), notice: parse("notice.html")}
}

// frame is what every page has.
type frame struct {
	Base  string // the issuer's path
	Title string
}

// signInView is the sign-in page.
type signInView struct {
	frame
	Request  string
	App      string
	People   []personView
	HasForm  bool // somebody has a password
	UserName string
	Error    string
}

type personView struct {
	OID, Name, UserName, Initials string
	Groups                        []string
	Current                       bool // signed in with this browser
}

// noticeView is a page that says one thing and may offer to sign out.
type noticeView struct {
	frame
	Heading, Text string
	SignedIn      string // name of who is signed in
	Facts         []fact
	SignOut       bool
	Hidden        map[string]string // fields that travel with the sign-out
}

type fact struct{ Name, Value string }

// cookieFrom returns the session cookie of a request, or "".
func cookieFrom(h http.Header) string {
	c, err := (&http.Request{Header: h}).Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

const sessionCookie = "lakegate_devidp"

func (p *Provider) setCookie(w http.ResponseWriter, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: p.issuer.Path + "/", MaxAge: int(life.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: p.issuer.Scheme == "https",
	})
}

func (p *Provider) showSignIn(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("request")
	req, ok := p.requests.get(id)
	if !ok {
		p.showExpired(w, r)
		return
	}
	p.renderSignIn(w, r, http.StatusOK, id, req, req.LoginHint, "")
}

// signIn takes the choice of a person, or a userName and a password.
func (p *Provider) signIn(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form cannot be read.", http.StatusBadRequest)
		return
	}
	id := r.PostForm.Get("request")
	req, ok := p.requests.get(id)
	if !ok {
		p.showExpired(w, r)
		return
	}
	var u *User
	if oid := r.PostForm.Get("person"); oid != "" {
		u = p.book.Load().byOID[oid]
		if u == nil || !u.IsActive() {
			p.renderSignIn(w, r, http.StatusForbidden, id, req, "", "This person is gone or disabled.")
			return
		}
	} else if u = p.byPassword(w, r, id, req); u == nil {
		return
	}
	// Whoever takes the request goes on; a second sign-in to the same one has come too late.
	if req, ok = p.requests.take(id); !ok {
		p.showExpired(w, r)
		return
	}
	cookie, err := p.sessions.start(u.OID, cookieFrom(r.Header))
	if err != nil {
		p.fail(w, r, "start session", err)
		return
	}
	ses, _ := p.sessions.find(cookie)
	to, err := p.answer(r.Context(), req, ses, cookie)
	if err != nil {
		p.fail(w, r, "answer authorization request", err)
		return
	}
	p.setCookie(w, cookie, sessionLifetime)
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// byPassword signs in with the form. When it returns nil it has answered.
func (p *Provider) byPassword(w http.ResponseWriter, r *http.Request, id string, req request) *User {
	name, password := strings.TrimSpace(r.PostForm.Get("username")), r.PostForm.Get("password")
	if name == "" || len(name) > maxText {
		p.renderSignIn(w, r, http.StatusBadRequest, id, req, "", "Enter a user name and a password, or choose a person.")
		return nil
	}
	addr, _, _ := net.SplitHostPort(r.RemoteAddr)
	byName, byAddr := "name:"+fold(name), "addr:"+addr
	wait, ok := p.guesses.take(byName, guessesPerName)
	if ok {
		wait, ok = p.guesses.take(byAddr, guessesPerAddr)
	}
	if !ok {
		p.log.LogAttrs(r.Context(), slog.LevelWarn, "held back a sign-in after too many wrong ones", slog.String("addr", addr))
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
		p.renderSignIn(w, r, http.StatusTooManyRequests, id, req, name, "Too many wrong attempts. Try again in a few minutes.")
		return nil
	}
	u, ok := p.checkCredentials(r.Context(), name, password)
	if !ok {
		p.log.LogAttrs(r.Context(), slog.LevelWarn, "refused a sign-in", slog.String("addr", addr))
		p.renderSignIn(w, r, http.StatusUnauthorized, id, req, name, "The user name or the password is wrong.")
		return nil
	}
	p.guesses.giveBack(byName)
	p.guesses.giveBack(byAddr)
	return u
}

func (p *Provider) renderSignIn(w http.ResponseWriter, r *http.Request, status int, id string, req request, userName, problem string) {
	b := p.book.Load()
	v := signInView{frame: p.frame("Sign in"), Request: id, App: req.ClientID, UserName: userName, Error: problem}
	if c := b.clients[req.ClientID]; c != nil {
		v.App = c.Name
	}
	ses, _ := p.sessions.find(cookieFrom(r.Header))
	for _, u := range b.Users {
		v.HasForm = v.HasForm || u.PasswordHash != ""
		if !u.IsActive() {
			continue
		}
		v.People = append(v.People, personView{
			OID: u.OID, Name: u.DisplayName, UserName: u.UserName, Initials: initials(u.DisplayName),
			Groups: b.groupsOf[u.UserName], Current: u.OID == ses.OID,
		})
	}
	// Who is most likely meant comes first: whom the application hints at, then who is signed in.
	slices.SortStableFunc(v.People, func(a, b personView) int {
		rank := func(v personView) int {
			switch {
			case strings.EqualFold(v.UserName, req.LoginHint):
				return 0
			case v.Current:
				return 1
			}
			return 2
		}
		return rank(a) - rank(b)
	})
	// The answer to the form is a redirect to the application, which form-action has to allow for by its origin.
	origin := ""
	if u, err := url.Parse(req.RedirectURI); err == nil {
		origin = u.Scheme + "://" + u.Host
	}
	p.render(w, r, p.pages.signIn, status, origin, v)
}

func (p *Provider) showExpired(w http.ResponseWriter, r *http.Request) {
	p.render(w, r, p.pages.notice, http.StatusBadRequest, "", noticeView{
		frame: p.frame("Sign-in expired"), Heading: "This sign-in is no longer open",
		Text: "It was used already, or waited for more than ten minutes. Go back to the application and sign in from there.",
	})
}

// showHome says what this is and who is signed in.
func (p *Provider) showHome(w http.ResponseWriter, r *http.Request) {
	v := noticeView{
		frame: p.frame("Identity provider"), Heading: "Development identity provider",
		Text: "Applications send people here to sign in. Start from the application.",
		Facts: []fact{
			{"Issuer", p.Issuer()},
			{"Discovery", p.Issuer() + discoveryPath},
		},
	}
	v.SignedIn = p.signedIn(r)
	v.SignOut = v.SignedIn != ""
	p.render(w, r, p.pages.notice, http.StatusOK, "", v)
}

func (p *Provider) signedIn(r *http.Request) string {
	ses, ok := p.sessions.find(cookieFrom(r.Header))
	if !ok {
		return ""
	}
	if u := p.book.Load().byOID[ses.OID]; u != nil {
		return u.DisplayName
	}
	return ""
}

func (p *Provider) frame(title string) frame { return frame{Base: p.issuer.Path, Title: title} }

func (p *Provider) fail(w http.ResponseWriter, r *http.Request, what string, err error) {
	p.log.LogAttrs(r.Context(), slog.LevelError, what, slog.Any("error", err))
	http.Error(w, "Something went wrong here; the log says what.", http.StatusInternalServerError)
}

// render writes a page. The policy lets it load our style sheet and send its form here, and nothing else.
func (p *Provider) render(w http.ResponseWriter, r *http.Request, t *template.Template, status int, formTarget string, v any) {
	var buf bytes.Buffer
	if err := t.ExecuteTemplate(&buf, "layout.html", v); err != nil {
		p.fail(w, r, "render page", err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", strings.TrimSpace("default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' "+formTarget))
	h.Set("X-Frame-Options", "DENY")
	// Not no-referrer: with it, browsers send "Origin: null" along with our own forms.
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	w.Write(buf.Bytes())
}

func serveStyle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=300")
	http.ServeFileFS(w, r, assets, "assets/style.css")
}

// initials are the first letters of the first and the last word.
func initials(name string) string {
	words := strings.Fields(name)
	if len(words) > 2 {
		words = []string{words[0], words[len(words)-1]}
	}
	var out []rune
	for _, w := range words {
		out = append(out, []rune(w)[0])
	}
	return strings.ToUpper(string(out))
}
