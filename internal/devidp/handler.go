package devidp

import (
	"net/http"
	"strings"
)

// Handler serves the provider: the protocol and the pages below the issuer's path, the development endpoints below /dev.
func (p *Provider) Handler() http.Handler { return p.handler }

func (p *Provider) routes() http.Handler {
	mux, base := http.NewServeMux(), p.issuer.Path
	proto := http.StripPrefix(base, protocol{Provider: p}.handler())
	for _, route := range []string{
		"GET " + base + discoveryPath, "GET " + base + keysPath, "GET " + base + authorizePath,
		"POST " + base + tokenPath, "POST " + base + revokePath,
		"GET " + base + userinfoPath, "POST " + base + userinfoPath,
	} {
		mux.Handle(route, noQuerySecrets(proto))
	}
	mux.HandleFunc("GET "+base+signInPath, p.showSignIn)
	mux.HandleFunc("POST "+base+signInPath, p.signIn)
	mux.HandleFunc("GET "+base+logoutPath, p.showLogout)
	mux.HandleFunc("POST "+base+logoutPath, p.logout)
	mux.HandleFunc("GET "+base+stylePath, serveStyle)
	mux.HandleFunc("GET "+base+"/{$}", p.showHome)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, base+"/", http.StatusFound)
	})
	p.handleDevelopment(mux)
	return p.guard(http.NewCrossOriginProtection().Handler(mux))
}

// guard bounds every request and refuses those for another host. A page on the web can give its own name the address
// 127.0.0.1 and then read this provider as its own origin; what it cannot do is send our host name.
func (p *Provider) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		switch {
		case !strings.EqualFold(r.Host, p.issuer.Host):
			http.Error(w, "This identity provider answers as "+p.issuer.Scheme+"://"+p.issuer.Host+" only.", http.StatusMisdirectedRequest)
			return
		case len(r.URL.RawQuery) > maxQuery:
			http.Error(w, "The query is too long.", http.StatusRequestURITooLong)
			return
		}
		limit := int64(maxForm)
		if r.URL.Path == devDirectoryPath {
			limit = maxDirectory
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}

// noQuerySecrets drops the query of a POST: codes, tokens and secrets belong in the body, where no log writes them down.
func noQuerySecrets(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			r.URL.RawQuery = ""
		}
		next.ServeHTTP(w, r)
	})
}
