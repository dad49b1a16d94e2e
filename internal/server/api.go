package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/authn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/gateway"
	"github.com/lakegate/lakegate/internal/signin"
	"github.com/lakegate/lakegate/internal/sigv4"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// apiDoor answers for every AWS API and for S3 on one listener. They are told apart by the target header, the path and
// the service that the signature is for; what is none of the APIs is S3.
type apiDoor struct {
	recorded
	mux    *wire.Mux
	authn  *authn.Authenticator
	origin *origin
	s3     http.Handler
	// authorize answers browsers that a client sent to the authorization endpoint.
	authorize http.HandlerFunc
	meter     *meter
	slots     chan struct{}
	pages     webOrigins
	hosts     gateway.HostRules
}

// maxBody bounds the body of an API request. The largest member of any of them is a resource policy of 350,000 characters.
const maxBody = 2 << 20

// maxDrained is how much of a body beyond that is read and thrown away, so that a client that writes all before it reads gets
// the answer and no reset.
const maxDrained = 1 << 20

func (d *apiDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := d.origin.of(r)
	ctx := caller.WithRequest(r.Context(), req)
	r = r.WithContext(ctx)
	if r.Method == http.MethodConnect {
		// Clients that have this door as their proxy get answers from it, never a way to anywhere else.
		http.Error(w, "this is not a proxy", http.StatusMethodNotAllowed)
		return
	}
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	default:
		d.meter.refused.Inc()
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests at once", http.StatusServiceUnavailable)
		return
	}
	sw := &statusWriter{ResponseWriter: w}
	started := time.Now()
	service, operation := "s3", ""
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // the very value that net/http knows
				panic(p)
			}
			d.log.ErrorContext(ctx, "a handler panicked", slog.String("request", req.ID), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			if sw.status == 0 {
				http.Error(sw, "internal error", http.StatusInternalServerError)
			}
		}
		d.meter.served(service, operation, sw.code(), time.Since(started))
		d.log.InfoContext(ctx, "request", slog.String("request", req.ID), slog.String("service", service), slog.String("operation", operation),
			slog.Int("status", sw.code()), slog.String("source", req.SourceIP), slog.Duration("took", time.Since(started)))
	}()

	if signin.OwnsAuthorize(r) {
		service, operation = "signin", "Authorize"
		d.authorize(sw, r)
		return
	}
	sig, sigErr := sigv4.Parse(r)
	// A browser's question before a call says nothing of the service; what is not for a bucket is for one of the APIs.
	if (d.isAPI(r, sig) || r.URL.Path == "/" && !d.hosts.NamesBucket(r.Host)) && d.pages.share(sw, r) {
		operation = "Preflight"
		return
	}
	if !d.isAPI(r, sig) {
		d.s3.ServeHTTP(sw, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(sw, r.Body, maxBody))
	call, ok := d.mux.Name(r, body, serviceOf(sig))
	if !ok {
		d.s3.ServeHTTP(sw, withBody(r, body))
		return
	}
	service = call.Service.Name
	if call.Operation != nil {
		operation = call.Operation.Name
	}
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		_, _ = io.CopyN(io.Discard, r.Body, maxDrained)
		call.WriteError(sw, req.ID, wire.TooLarge(fmt.Sprintf("The request is larger than %d bytes.", maxBody)))
	case err != nil:
		call.WriteError(sw, req.ID, wire.Malformed("The request ended early."))
	default:
		d.serve(ctx, sw, r, call, body, sig, sigErr)
	}
}

// isAPI reports whether a request may be one of an API, before its body is read: objects are not to be read into memory.
func (d *apiDoor) isAPI(r *http.Request, sig *sigv4.Signature) bool {
	if r.Header.Get("X-Amz-Target") != "" {
		return true
	}
	if s := serviceOf(sig); s != "" && s != "s3" {
		return true
	}
	// What nobody signed is told by its form: AssumeRoleWithWebIdentity is one, and S3 takes no such forms.
	if sig == nil && r.Method == http.MethodPost && r.URL.Path == "/" && !d.hosts.NamesBucket(r.Host) {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "application/x-www-form-urlencoded" {
			return true
		}
	}
	return d.mux.OwnsPath(r)
}

func serviceOf(sig *sigv4.Signature) string {
	if sig == nil {
		return ""
	}
	return sig.Credential.Service
}

// serve answers one API request: who, whether and what.
func (d *apiDoor) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, call *wire.Call, body []byte, sig *sigv4.Signature, sigErr error) {
	id := caller.RequestFrom(ctx).ID
	out, err := d.perform(ctx, asked{
		call: call,
		admit: func(ctx context.Context, entry *trail.Entry) (context.Context, error) {
			return d.admit(ctx, r, call, body, sig, sigErr, entry)
		},
		read: func() (any, error) { return call.Decode(r, body) },
	})
	if err != nil {
		call.WriteError(w, id, err)
		return
	}
	if err := call.WriteOutput(w, id, out); err != nil {
		d.log.WarnContext(ctx, "cannot write answer", slog.String("request", id), slog.Any("error", err))
	}
}

// admit takes the caller from the signature, which some operations do without.
func (d *apiDoor) admit(ctx context.Context, r *http.Request, call *wire.Call, body []byte, sig *sigv4.Signature, sigErr error, entry *trail.Entry) (context.Context, error) {
	if call.Operation == nil {
		return ctx, wire.UnknownOperation()
	}
	if call.Operation.NoAuth && sig == nil {
		return ctx, nil
	}
	c, err := d.authenticate(r, call, body, sig, sigErr)
	if err != nil {
		entry.Step("signature", trail.Fail, err.Error())
		return ctx, spellSignature(call, err)
	}
	entry.Step("signature", trail.Pass, c.ARN)
	entry.Caller(c)
	return caller.With(ctx, c), nil
}

func (d *apiDoor) authenticate(r *http.Request, call *wire.Call, body []byte, sig *sigv4.Signature, sigErr error) (*caller.Caller, error) {
	if sigErr != nil {
		return nil, sigErr
	}
	sum := sha256.Sum256(body)
	c, _, err := d.authn.Authenticate(r, sig, sigv4.Options{
		Services: call.Service.SigningNames, Style: styleOf(call.Service), PayloadHash: hex.EncodeToString(sum[:]),
	})
	return c, err
}

// spellSignature gives the refusal of a signature the words of the service.
func spellSignature(call *wire.Call, err error) error {
	e, ok := errors.AsType[*sigv4.Error](err)
	if !ok {
		return err
	}
	dialect := sigv4.JSONAPI
	switch call.Service.Protocol {
	case wire.Query:
		dialect = sigv4.QueryAPI
	case wire.RestXML:
		dialect = sigv4.S3
	}
	a := e.Answer(dialect)
	return (&wire.Error{Code: a.Code, Status: a.Status, Message: a.Message}).Because(err)
}

// styleOf is how a service writes the path that is signed.
func styleOf(m *wire.ServiceModel) sigv4.PathStyle {
	if m.Protocol == wire.RestXML {
		return sigv4.Literal
	}
	return sigv4.Normal
}

// statusWriter remembers the status of an answer. It hands on what the data plane needs of the connection.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets a file be sent without a copy through this process, where the connection can.
func (w *statusWriter) ReadFrom(r io.Reader) (int64, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return io.Copy(w.ResponseWriter, r)
}

// Unwrap serves http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

func withBody(r *http.Request, body []byte) *http.Request {
	r = r.WithContext(r.Context())
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return r
}
