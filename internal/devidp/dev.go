package devidp

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
)

// The development endpoints let scripts and tests do without a browser. They serve whoever can connect from this
// machine, so they ask for three things that a page in a developer's browser cannot bring together: a loopback address,
// our host name (see guard), and a header that no form and no simple request can set.
//
//	POST /dev/token      {"user": "mateo@example.com", "client_id": "…"} → {"id_token": "…", "expires_in": 3600}
//	                     optional: "nonce", and "claims", which replace those of the token (null leaves one out)
//	GET  /dev/directory  the directory as YAML, without anything secret
//	PUT  /dev/directory  a directory in YAML takes its place and is pushed → the push's report
//	POST /dev/push       pushes to the connected endpoint again → the push's report
const (
	devTokenPath     = "/dev/token"
	devDirectoryPath = "/dev/directory"
	devPushPath      = "/dev/push"

	// DevelopmentHeader has to be "yes" in every request to a development endpoint.
	DevelopmentHeader = "X-Lakegate-Development"
)

func (p *Provider) handleDevelopment(mux *http.ServeMux) {
	for route, h := range map[string]http.HandlerFunc{
		"POST " + devTokenPath:    p.devToken,
		"GET " + devDirectoryPath: p.devDirectory,
		"PUT " + devDirectoryPath: p.devReplace,
		"POST " + devPushPath:     p.devPush,
	} {
		mux.Handle(route, developmentOnly(h))
	}
}

func developmentOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			writeProblem(w, http.StatusForbidden, errors.New("development endpoints serve this machine alone"))
			return
		}
		if r.Header.Get(DevelopmentHeader) != "yes" {
			writeProblem(w, http.StatusForbidden, errors.New("development endpoints need the header "+DevelopmentHeader+": yes"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (p *Provider) devToken(w http.ResponseWriter, r *http.Request) {
	var in struct {
		User     string         `json:"user"`
		ClientID string         `json:"client_id"`
		Nonce    string         `json:"nonce"`
		Claims   map[string]any `json:"claims"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	dec.UseNumber() // so that a time stays the integer that it was
	if err := dec.Decode(&in); err != nil {
		writeProblem(w, http.StatusBadRequest, errors.New(`the body must be {"user": "…", "client_id": "…"}`))
		return
	}
	var overrides []Override
	if in.Nonce != "" {
		overrides = append(overrides, WithNonce(in.Nonce))
	}
	for _, name := range slices.Sorted(maps.Keys(in.Claims)) {
		if v := in.Claims[name]; v == nil {
			overrides = append(overrides, WithoutClaim(name))
		} else {
			overrides = append(overrides, WithClaim(name, v))
		}
	}
	token, err := p.IssueToken(r.Context(), in.User, in.ClientID, overrides...)
	if err != nil {
		p.writeFailure(w, r, err)
		return
	}
	p.log.LogAttrs(r.Context(), slog.LevelWarn, "issued a token without a sign-in",
		slog.String("user", in.User), slog.String("client", in.ClientID))
	writeJSON(w, http.StatusOK, map[string]any{"id_token": token, "expires_in": int(p.life.Seconds())})
}

func (p *Provider) devDirectory(w http.ResponseWriter, r *http.Request) {
	data, err := p.book.Load().YAML()
	if err != nil {
		p.writeFailure(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Write(data)
}

func (p *Provider) devReplace(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		writeProblem(w, http.StatusRequestEntityTooLarge, errors.New("the directory is too large"))
		return
	}
	d, err := parseDirectory(data, p.Tenant())
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err)
		return
	}
	report, err := p.Replace(r.Context(), d)
	if err != nil {
		p.writeFailure(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, report)
}

func (p *Provider) devPush(w http.ResponseWriter, r *http.Request) {
	t := p.target.Load()
	if t == nil {
		writeProblem(w, http.StatusConflict, errors.New("no SCIM endpoint is connected"))
		return
	}
	report, err := p.Push(r.Context(), *t)
	if err != nil {
		p.writeFailure(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, report)
}

// writeFailure answers an error of ours with the status of its kind. Here the whole text may go out: whoever asks is the
// developer.
func (p *Provider) writeFailure(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	if _, ok := errors.AsType[*pathError](err); ok || errors.Is(err, ErrDisabled) || errors.Is(err, ErrNoClient) {
		status = http.StatusBadRequest
	} else if errors.Is(err, ErrNoUser) || errors.Is(err, ErrNoGroup) {
		status = http.StatusNotFound
	} else if errors.Is(err, ErrPush) {
		status = http.StatusBadGateway
	}
	if status >= http.StatusInternalServerError {
		p.log.LogAttrs(r.Context(), slog.LevelError, "development request", slog.Any("error", err))
	}
	writeProblem(w, status, err)
}

func writeProblem(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
