package server

import (
	"net/http"
	"strings"

	"github.com/lakegate/lakegate/internal/console"
	"github.com/lakegate/lakegate/internal/gateway"
	"github.com/lakegate/lakegate/internal/scim"
	"github.com/lakegate/lakegate/internal/store"
)

// forOperators are the pages that tell how a node is, whether or not it may decide anything.
var forOperators = map[string]bool{"/livez": true, "/readyz": true, "/metrics": true}

// webDoor serves what is for browsers, provisioning clients and operators.
func (r *rooms) webDoor(cfg *Config, db *store.DB, meter *meter, origin *origin, pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, req *http.Request) {
		if !r.ready.Load() || db.Fresh() != nil || db.Ready(req.Context()) != nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.Handle("GET /metrics", meter.handler())
	mux.Handle(scim.Prefix, scim.New(scim.Config{Directory: r.directory, Trail: r.trail, WebURL: cfg.WebURL, Origin: origin.of, Log: r.log}))
	r.signIn.Mount(mux)
	mux.Handle("/{instance}/", r.tokens.Publisher())
	mux.Handle("GET /{$}", http.RedirectHandler(cfg.WebURL+console.Prefix, http.StatusFound))
	// Beside the mux: an instance's pages are at the first segment of a path, and none has this name.
	return http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if db.Fresh() != nil && !forOperators[req.URL.Path] {
			w.Header().Set("Retry-After", "1")
			http.Error(w, gateway.Behind, http.StatusServiceUnavailable)
			return
		}
		switch path := req.URL.Path; {
		case strings.HasPrefix(path, console.Prefix):
			pages.ServeHTTP(w, req)
		case path+"/" == console.Prefix:
			http.Redirect(w, req, cfg.WebURL+console.Prefix, http.StatusFound)
		default:
			mux.ServeHTTP(w, req)
		}
	}), maxBody)
}
