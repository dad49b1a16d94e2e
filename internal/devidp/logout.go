package devidp

import (
	"log/slog"
	"net/http"
	"net/url"
)

// showLogout is the end_session_endpoint (OpenID Connect RP-Initiated Logout 1.0). A request with an ID token of the
// person who is signed in is carried out at once. Any other could have been made by a link on somebody's page, so the
// person is asked.
func (p *Provider) showLogout(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	hint, clientID := p.hinted(q.Get("id_token_hint"), q.Get("client_id"))
	ses, signedIn := p.sessions.find(cookieFrom(r.Header))
	if signedIn && hint != ses.OID {
		v := noticeView{
			frame: p.frame("Sign out"), Heading: "Sign out?", SignedIn: p.signedIn(r), SignOut: true,
			Text:   "An application asks to sign you out here.",
			Hidden: map[string]string{},
		}
		origin := ""
		if to := p.afterLogout(clientID, q); to != "" {
			v.Hidden["client_id"], v.Hidden["post_logout_redirect_uri"], v.Hidden["state"] = clientID, q.Get("post_logout_redirect_uri"), q.Get("state")
			if u, err := url.Parse(to); err == nil {
				origin = u.Scheme + "://" + u.Host
			}
		}
		p.render(w, r, p.pages.notice, http.StatusOK, origin, v)
		return
	}
	p.finishLogout(w, r, clientID, q)
}

// logout signs out by our own form. That of another origin does not come this far.
func (p *Provider) logout(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form cannot be read.", http.StatusBadRequest)
		return
	}
	_, clientID := p.hinted(r.PostForm.Get("id_token_hint"), r.PostForm.Get("client_id"))
	p.finishLogout(w, r, clientID, r.PostForm)
}

func (p *Provider) finishLogout(w http.ResponseWriter, r *http.Request, clientID string, q url.Values) {
	if cookie := cookieFrom(r.Header); cookie != "" {
		if err := p.sessions.end(cookie); err != nil {
			p.fail(w, r, "end session", err)
			return
		}
		p.setCookie(w, "", -1)
		p.log.LogAttrs(r.Context(), slog.LevelInfo, "signed out", slog.String("client", clientID))
	}
	if to := p.afterLogout(clientID, q); to != "" {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	p.render(w, r, p.pages.notice, http.StatusOK, "", noticeView{
		frame: p.frame("Signed out"), Heading: "You are signed out", Text: "You can close this page, or go back to the application.",
	})
}

// hinted returns whom an ID token is about, and the client it was made for: the hint's, which is proven, before the one
// that the request names. The token may have expired; that it was ours is enough to know who is meant.
func (p *Provider) hinted(token, named string) (oid, clientID string) {
	if token == "" {
		return "", named
	}
	claims, err := p.keys.verify(token)
	if err != nil || claims["iss"] != p.Issuer() {
		return "", ""
	}
	clientID, _ = claims["aud"].(string)
	if named != "" && named != clientID {
		return "", ""
	}
	// sub is always there, oid only with the scope profile.
	for _, u := range p.book.Load().Users {
		if p.keys.subject(u.OID, clientID) == claims["sub"] {
			return u.OID, clientID
		}
	}
	return "", clientID
}

// afterLogout is where the application wants the person to go, if it registered that.
func (p *Provider) afterLogout(clientID string, q url.Values) string {
	to := q.Get("post_logout_redirect_uri")
	c := p.book.Load().clients[clientID]
	if to == "" || c == nil || !redirectAllowed(c.PostLogoutRedirectURIs, to) {
		return ""
	}
	u, err := url.Parse(to)
	if err != nil {
		return ""
	}
	if state := q.Get("state"); state != "" {
		query := u.Query()
		query.Set("state", state)
		u.RawQuery = query.Encode()
	}
	return u.String()
}
