package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/authn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/sigv4"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// People names persons, for the trail.
type People interface {
	UserName(storeID, userID string) (name string, ok bool)
}

// Grants is what the gateway asks of access grants, which provides it: the session in which a request of a person is
// decided that uses the person's grants without credentials of one (the error is the refusal), and what a session has
// grants for.
type Grants interface {
	Direct(ctx context.Context, a grants.Access) (*caller.Caller, error)
	Footholds(ctx context.Context, bucket, prefix string, after scope.Scope, limit int) ([]scope.Scope, error)
	FootholdBuckets(ctx context.Context) ([]string, error)
}

// Gateway answers S3 requests. Its fields are set once.
type Gateway struct {
	Storage       storage.Backend
	Buckets       *bucket.Registry
	Authenticator *authn.Authenticator
	Authorizer    *authz.Authorizer
	Trail         *trail.Trail
	// Fresh says why nothing may be decided now; nil means that it always may.
	Fresh  func() error
	People People
	// AccessGrants may be nil: then a person's session reaches objects with the credentials of GetDataAccess alone, as at AWS.
	AccessGrants Grants
	// Denials may be nil: then lists hide nothing.
	Denials Denials
	// Limiter may be nil: then nobody is limited.
	Limiter *Limiter
	Hosts   HostRules
	Region  string
	Log     *slog.Logger
}

// exchange is one request on its way through the gateway.
type exchange struct {
	*Gateway
	*Request
	r      *http.Request
	claim  Claim
	caller *caller.Caller
	proof  *sigv4.Proof
	// signed is when the signature was made; zero for an anonymous request.
	signed time.Time
	// form is what an HTML form uploads; nil for all else.
	form  *form
	entry *trail.Entry
	// bucket is what the request is about; nil for operations on the service and for one that is to be created.
	bucket *bucket.Bucket
	// as is the session of a grant in which the request was allowed that uses a person's grants directly; nil for others.
	as *caller.Caller
	// received is how many bytes of content came: of an upload those that were stored.
	received int64
	// leave gives the principal's share back, with the bytes that moved; nil before one was taken.
	leave func(bytes int64, now time.Time)
	moved int64
	// leaveBackend gives back the share of the connections to the bucket's backend; nil where none was taken.
	leaveBackend func()
}

// answer is what goes back: a document, or an object as it comes from the storage.
type answer struct {
	status int
	header http.Header
	body   []byte
	object *storage.Object
}

// Claim is what sigv4.Parse read in a request. Nothing of it is proved.
type Claim struct {
	Signature *sigv4.Signature
	Err       error
}

// ClaimOf reads the claim of a request.
func ClaimOf(r *http.Request) Claim {
	sig, err := sigv4.Parse(r)
	return Claim{sig, err}
}

// Behind is what a node answers that cannot tell whether it knows every change.
const Behind = "This node is not up to date. Try again."

// Serve takes a request through all steps. Its record is written before its answer.
func (g *Gateway) Serve(w http.ResponseWriter, r *http.Request, claim Claim) {
	if r.Method == http.MethodOptions {
		g.preflight(w, r)
		return
	}
	req := caller.RequestFrom(r.Context())
	q, err := Parse(r, g.Hosts)
	if err != nil {
		g.refuse(w, r, claim, err)
		return
	}
	q.Time = req.Time
	ctx, entry := g.Trail.Begin(r.Context(), trail.Operation{Source: "s3.amazonaws.com", Name: string(q.Operation), ReadOnly: q.readOnly(), Data: q.isData()})
	ctx, ledger := authz.WithLedger(ctx)
	q.ask(entry, r)
	x := &exchange{Gateway: g, Request: q, r: r, claim: claim, entry: entry, received: max(q.ContentLength, 0)}
	defer x.end()
	a, err := x.answer(ctx)
	if err == nil && !ledger.Asked() {
		err = wire.Internal(fmt.Errorf("%s answered without having asked for authorisation", q.Operation))
	}
	if a != nil && a.object != nil {
		defer func() { _ = a.object.Body.Close() }()
	}
	var e *wire.Error
	if err != nil {
		// What is refused for its number is not worth a line each; the metrics count it.
		if e = spell(err); e.Status >= http.StatusInternalServerError && e.Kind != wire.KindThrottled {
			g.Log.ErrorContext(ctx, "data request failed", slog.String("request", req.ID), slog.String("operation", string(q.Operation)), slog.Any("error", err))
		}
	} else {
		var sent int64
		if r.Method != http.MethodHead {
			sent = a.length()
		}
		entry.Add(trail.KeyBytesIn, x.received)
		entry.Add(trail.KeyBytesOut, sent)
		x.moved = max(q.ContentLength, 0) + sent
	}
	if recordErr := g.Trail.Finish(ctx, entry, asError(e)); recordErr != nil {
		e = spell(wire.Unavailable("The request cannot be recorded.").Because(recordErr))
	}
	x.headers(w.Header(), req.ID)
	if hiddenBy, ok := errors.AsType[*storage.Error](err); ok && hiddenBy.DeleteMarker && e.Code != "AccessDenied" {
		w.Header().Set("X-Amz-Delete-Marker", "true")
		w.Header().Set("X-Amz-Version-Id", hiddenBy.VersionID)
	}
	if e != nil {
		fail(w, r, req.ID, r.URL.Path, e)
		x.end()
		x.drop()
		return
	}
	x.write(ctx, w, a)
}

// end gives back what the request took of the limits. It may be called twice.
func (x *exchange) end() {
	if x.leaveBackend != nil {
		x.leaveBackend()
		x.leaveBackend = nil
	}
	if x.leave != nil {
		x.leave(x.moved, time.Now())
		x.leave = nil
	}
}

// asError keeps a nil *wire.Error from becoming an error that is not nil.
func asError(e *wire.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// refuse answers a request that could not be read. Nobody is known to have made it.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, claim Claim, err error) {
	req := caller.RequestFrom(r.Context())
	// A URL that was signed with version 2 has parameters that are unknown here; its client has to hear what to change.
	if errors.Is(claim.Err, &sigv4.Error{Kind: sigv4.Retired}) {
		err = claim.Err
	}
	e := spell(err)
	ctx, entry := g.Trail.Begin(r.Context(), trail.Operation{Source: "s3.amazonaws.com", Name: "Unknown", ReadOnly: true, Data: true})
	entry.Parameters(map[string]any{"Host": r.Host, "method": r.Method, "path": r.URL.Path})
	entry.Step("request", trail.Fail, err.Error())
	if recordErr := g.Trail.Finish(ctx, entry, e); recordErr != nil {
		e = spell(wire.Unavailable("The request cannot be recorded."))
	}
	w.Header().Set("Connection", "close")
	fail(w, r, req.ID, r.URL.Path, e)
}

// answer goes through the steps: who, which bucket, whether, and then the operation.
func (x *exchange) answer(ctx context.Context) (a *answer, err error) {
	defer wire.Recover(&err)
	if x.Operation == "PostObject" {
		if err := x.takeForm(); err != nil {
			return nil, err
		}
	}
	if err := x.authenticate(); err != nil {
		x.entry.Step("signature", trail.Fail, err.Error())
		return nil, err
	}
	ctx = caller.With(ctx, x.caller)
	x.entry.Caller(x.caller)
	x.nameThePerson()
	if err := x.Trail.Ready(); err != nil {
		return nil, wire.Unavailable("The request cannot be recorded.").Because(err)
	}
	if x.Fresh != nil {
		if err := x.Fresh(); err != nil {
			return nil, wire.Unavailable(Behind).Because(err)
		}
	}
	principal := principalOf(x.caller, caller.RequestFrom(ctx))
	if x.leave, err = x.Limiter.enter(principal, time.Now()); err != nil {
		x.entry.Step("limits", trail.Fail, "the principal has used up its share")
		return nil, err
	}
	do, ok := operations[x.Operation]
	if !ok {
		return nil, wire.NewError("NotImplemented", http.StatusNotImplemented, "The operation "+string(x.Operation)+" is not implemented.")
	}
	if err := x.find(); err != nil {
		authz.Open(ctx) // that a bucket is not there is told to everybody, as S3 does
		return nil, err
	}
	if err := x.authorize(ctx, x.Needs()...); err != nil {
		a, ok, wayErr := x.wayDown(ctx)
		if ok || wayErr != nil {
			return a, wayErr
		}
		return nil, err
	}
	if x.bucket != nil && x.bucket.Backend != "" {
		if x.leaveBackend, err = x.Limiter.enterBackend(x.bucket.Backend, principal); err != nil {
			x.entry.Step("limits", trail.Fail, "the principal has used up its share of the connections to the backend")
			return nil, err
		}
	}
	return do(x, ctx)
}

// authenticate verifies the signature. A request without any is anonymous: only a bucket policy can let it in.
func (x *exchange) authenticate() error {
	if x.form != nil {
		return x.authenticateForm()
	}
	if errors.Is(x.claim.Err, sigv4.ErrUnsigned) {
		x.caller = &caller.Caller{Type: caller.Anonymous}
		return nil
	}
	if x.claim.Err != nil {
		return x.claim.Err
	}
	var err error
	if x.caller, x.proof, err = x.Authenticator.Authenticate(x.r, x.claim.Signature, sigv4.Options{Services: []string{"s3"}, Style: sigv4.Literal}); err == nil {
		x.signed = x.proof.Time
	}
	return err
}

func (x *exchange) nameThePerson() {
	p := x.caller.OnBehalf
	if p == nil {
		return
	}
	name, _ := x.People.UserName(p.IdentityStoreID, p.UserID)
	x.entry.AddText(trail.KeyPersonName, name)
	x.entry.AddText(trail.KeyPersonID, p.UserID)
	x.entry.AddText(trail.KeyIdentityStore, p.IdentityStoreARN)
}

// find finds the bucket of the request and holds it against the owner that the client expects.
func (x *exchange) find() error {
	if x.Bucket == "" || x.Operation == "CreateBucket" {
		return nil
	}
	b, err := x.Buckets.Get(x.Bucket)
	if err != nil {
		return err
	}
	x.bucket = b
	// In CloudTrail's order; the account of an object is its bucket's.
	if x.Key != "" {
		x.entry.Resource("AWS::S3::Object", b.ARN()+"/"+x.Key, "")
	}
	x.entry.Resource("AWS::S3::Bucket", b.ARN(), b.Account)
	if x.Source != nil && x.Source.Bucket == x.Bucket {
		x.entry.Resource("AWS::S3::Object", b.ARN()+"/"+x.Source.Key, "")
	}
	if err := b.ExpectOwner(x.ExpectedOwner); err != nil || x.Source == nil || x.Source.Bucket != x.Bucket {
		return err
	}
	// That of a source elsewhere is held against its bucket when it is asked for.
	return b.ExpectOwner(x.Source.ExpectedOwner)
}

// headers are those that every answer has, refusals included: clients learn the Region from a refused HeadBucket.
func (x *exchange) headers(h http.Header, requestID string) {
	h.Set("X-Amz-Request-Id", requestID)
	h.Set("X-Amz-Id-2", requestID)
	h.Set("Accept-Ranges", "bytes")
	x.share(h, x.r, x.Bucket)
	if x.bucket != nil && (x.Operation == "HeadBucket" || x.Operation == "ListObjectsV2" || x.Operation == "ListObjects") {
		h.Set("X-Amz-Bucket-Region", x.bucket.Region)
	}
}

// drop reads a little of a content that was refused, so that the client sees the answer instead of a broken connection,
// and no more: a refused upload is not to cost the server its length. The answer is given before, which tells the server
// that the request has no claim on its time any more.
func (x *exchange) drop() {
	if x.r.Body != nil && x.r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, x.r.Body, 256<<10)
	}
}

func (x *exchange) write(ctx context.Context, w http.ResponseWriter, a *answer) {
	h := w.Header()
	for k, v := range a.header {
		h[k] = v
	}
	if a.object == nil {
		if len(a.body) > 0 || a.status == http.StatusOK {
			h.Set("Content-Length", strconv.Itoa(len(a.body)))
		}
		w.WriteHeader(a.status)
		if x.r.Method != http.MethodHead {
			_, _ = w.Write(a.body)
		}
		return
	}
	h.Set("Content-Length", strconv.FormatInt(a.object.Length(), 10))
	w.WriteHeader(a.status)
	if x.r.Method == http.MethodHead {
		return
	}
	n, err := io.Copy(w, a.object.Body)
	if err == nil && n != a.object.Length() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		x.Log.WarnContext(ctx, "object sent in part", slog.String("request", caller.RequestFrom(ctx).ID), slog.Int64("bytes", n), slog.Any("error", err))
		// The client must not take a part for the whole.
		panic(http.ErrAbortHandler)
	}
}

func (a *answer) length() int64 {
	if a.object != nil {
		return a.object.Length()
	}
	return int64(len(a.body))
}

// isData reports whether the trail counts an operation as one on data: all on objects, and the listings.
func (q *Request) isData() bool {
	if q.Key != "" {
		return true
	}
	switch q.Operation {
	case "ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads", "HeadBucket", "DeleteObjects", "PostObject":
		return true
	}
	return false
}

func (q *Request) readOnly() bool {
	for _, prefix := range []string{"Get", "Head", "List", "Select"} {
		if strings.HasPrefix(string(q.Operation), prefix) {
			return true
		}
	}
	return false
}

// ask tells the trail what was asked, under the names that CloudTrail has for it.
func (q *Request) ask(e *trail.Entry, r *http.Request) {
	e.Asked("Host", r.Host)
	e.Asked("bucketName", q.Bucket)
	e.Asked("key", q.Key)
	e.Asked("versionId", q.VersionID)
	e.Asked("uploadId", q.UploadID)
	e.Asked("prefix", q.Prefix)
	e.Asked("delimiter", q.Delimiter)
	e.Asked("x-amz-acl", q.ACL)
	if q.PartNumber > 0 {
		e.Asked("partNumber", strconv.Itoa(q.PartNumber))
	}
	if q.Source != nil {
		e.Asked("x-amz-copy-source", q.Source.Bucket+"/"+q.Source.Key)
	}
	if q.Operation == "ListObjectsV2" {
		e.Asked("list-type", "2")
	}
}
