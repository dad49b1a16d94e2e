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
	// s3 answers what is none of the APIs'.
	s3 func(http.ResponseWriter, *http.Request, gateway.Claim)
	// authorize answers browsers that a client sent to the authorization endpoint.
	authorize http.HandlerFunc
	meter     *meter
	// slots are the requests at once. arrivals are those of them, or before them, whose content is read before anybody has
	// proved who they are.
	slots    chan struct{}
	arrivals *gateway.Shares
	// patience is how long a client may take for a piece of a content, or for the whole document of an API request.
	patience time.Duration
	pages    webOrigins
	hosts    gateway.HostRules
}

// maxBody bounds the body of an API request. The largest member of any of them is a resource policy of 350,000 characters.
const maxBody = 2 << 20

// maxDrained is how much of a body beyond that is read and thrown away, so that a client that writes all before it reads gets
// the answer and no reset.
const maxDrained = 1 << 20

func (d *apiDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !r.ProtoAtLeast(1, 1) {
		// HTTP/1.0 knows no Transfer-Encoding, and net/http passes over one; a proxy in front may not. So whatever such a request
		// leaves on the connection is nobody's request.
		w.Header().Set("Connection", "close")
	}
	req := d.origin.of(r)
	ctx := caller.WithRequest(r.Context(), req)
	r = r.WithContext(ctx)
	if r.Method == http.MethodConnect {
		// Clients that have this door as their proxy get answers from it, never a way to anywhere else.
		http.Error(w, "this is not a proxy", http.StatusMethodNotAllowed)
		return
	}
	started := time.Now()
	sw := &statusWriter{ResponseWriter: w, patience: d.patience, set: started}
	if r.Body != nil && r.Body != http.NoBody {
		sw.body = newPacedBody(w, r.Body, d.patience, started)
		r.Body = sw.body
	}
	claim := gateway.ClaimOf(r)
	isAPI := d.isAPI(r, claim.Signature)
	arrived, ok := d.arrive(sw, r, isAPI, req.Network())
	if !ok {
		d.full(sw)
		return
	}
	defer arrived()
	if !isAPI && !d.enter(sw) {
		d.full(sw)
		return
	}
	defer sw.leave()
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
		if !d.enter(sw) {
			d.full(sw)
			return
		}
		service, operation = "signin", "Authorize"
		d.authorize(sw, r)
		return
	}
	// A browser's question before a call says nothing of the service; what is not for a bucket is for one of the APIs.
	if (isAPI || r.URL.Path == "/" && !d.hosts.NamesBucket(r.Host)) && d.pages.share(sw, r) {
		operation = "Preflight"
		return
	}
	if !isAPI {
		d.store(sw, r, claim)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(sw, r.Body, maxBody))
	arrived()
	if !d.enter(sw) {
		d.full(sw)
		return
	}
	call, ok := d.mux.Name(r, body, serviceOf(claim.Signature))
	if !ok {
		d.store(sw, withBody(r, body), claim)
		return
	}
	service = call.Service.Name
	if call.Operation != nil {
		operation = call.Operation.Name
	}
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		call.WriteError(sw, req.ID, wire.TooLarge(fmt.Sprintf("The request is larger than %d bytes.", maxBody)))
		_, _ = io.CopyN(io.Discard, r.Body, maxDrained)
	case err != nil:
		call.WriteError(sw, req.ID, wire.Malformed("The request ended early."))
	default:
		d.serve(ctx, sw, r, call, body, claim)
	}
}

// store answers what is none of the APIs' as the storage.
func (d *apiDoor) store(w *statusWriter, r *http.Request, claim gateway.Claim) {
	w.conn = connOf(r.Context())
	defer w.complete()
	d.s3(w, r, claim)
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
func (d *apiDoor) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, call *wire.Call, body []byte, claim gateway.Claim) {
	id := caller.RequestFrom(ctx).ID
	out, err := d.perform(ctx, asked{
		call: call,
		admit: func(ctx context.Context, entry *trail.Entry) (context.Context, error) {
			return d.admit(ctx, r, call, body, claim, entry)
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
func (d *apiDoor) admit(ctx context.Context, r *http.Request, call *wire.Call, body []byte, claim gateway.Claim, entry *trail.Entry) (context.Context, error) {
	if call.Operation == nil {
		return ctx, wire.UnknownOperation()
	}
	if call.Operation.NoAuth && claim.Signature == nil {
		return ctx, nil
	}
	c, err := d.authenticate(r, call, body, claim)
	if err != nil {
		entry.Step("signature", trail.Fail, err.Error())
		return ctx, spellSignature(call, err)
	}
	entry.Step("signature", trail.Pass, c.ARN)
	entry.Caller(c)
	return caller.With(ctx, c), nil
}

func (d *apiDoor) authenticate(r *http.Request, call *wire.Call, body []byte, claim gateway.Claim) (*caller.Caller, error) {
	if claim.Err != nil {
		return nil, claim.Err
	}
	sum := sha256.Sum256(body)
	c, _, err := d.authn.Authenticate(r, claim.Signature, sigv4.Options{
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
	conn     *gatheringConn // nil for an answer that is not to be gathered
	status   int
	body     *pacedBody // of the request; nil for none
	patience time.Duration
	set      time.Time // when the deadline of what is written was set
	free     func()    // gives the request's place back; nil before it has one, and afterwards
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
		if status >= http.StatusBadRequest {
			w.refused()
		}
		w.gather()
	}
	w.awaitAgain()
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.awaitAgain()
	return w.ResponseWriter.Write(p)
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
