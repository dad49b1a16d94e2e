package server

import (
	"net/http"

	"github.com/lakegate/lakegate/internal/scim"
	"github.com/lakegate/lakegate/internal/store"
)

// webDoor serves what is for browsers, provisioning clients and operators.
func (r *rooms) webDoor(cfg *Config, db *store.DB, meter *meter, origin *origin) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, req *http.Request) {
		if !r.ready.Load() || db.Ready(req.Context()) != nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.Handle("GET /metrics", meter.handler())
	mux.Handle(scim.Prefix, scim.New(scim.Config{Directory: r.directory, Trail: r.trail, WebURL: cfg.WebURL, Origin: origin.of, Log: r.log}))
	r.signIn.Mount(mux)
	mux.Handle("/{instance}/", r.tokens.Publisher())
	return http.MaxBytesHandler(mux, maxBody)
}
