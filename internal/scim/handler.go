package scim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/trail"
)

// bulkName is the endpoint of many changes at once, and their name in the trail.
const bulkName = "Bulk"

// Prefix is the path under which a Handler stands.
const Prefix = "/scim/v2/"

// eventSource is the service that records are of: SCIM is another face of it.
const eventSource = "identitystore.amazonaws.com"

// mediaType is that of SCIM; plain JSON is taken and given as well.
const (
	mediaType = "application/scim+json"
	plainJSON = "application/json"
)

// Config says what a handler works on.
type Config struct {
	Directory *directory.Directory
	Trail     *trail.Trail
	// WebURL is the base URL of the web door, which locations begin with.
	WebURL string
	// Origin says where a request comes from; nil takes it from the connection.
	Origin func(*http.Request) *caller.Request
	// Scanned bounds the resources that one list has read without an index; zero takes 50,000.
	Scanned int
	// Log may be nil.
	Log *slog.Logger
}

// Handler serves SCIM for every identity store under Prefix. It is safe for concurrent use.
type Handler struct {
	directory *directory.Directory
	trail     *trail.Trail
	base      string
	origin    func(*http.Request) *caller.Request
	log       *slog.Logger
	// scans bounds the lists at work that have to read every resource of a store.
	scans   *gate
	scanned int
	// refused counts bad tokens by their source.
	refused throttle
}

// New makes a handler.
func New(cfg Config) *Handler {
	h := &Handler{
		directory: cfg.Directory, trail: cfg.Trail, base: strings.TrimSuffix(cfg.WebURL, "/") + Prefix, origin: cfg.Origin, log: cfg.Log,
		scans: newGate(), scanned: cmp.Or(cfg.Scanned, maxScanned),
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.origin == nil {
		h.origin = func(r *http.Request) *caller.Request {
			host, _, _ := net.SplitHostPort(r.RemoteAddr) // an address without a port is none
			return &caller.Request{ID: uuid.NewString(), SourceIP: host, UserAgent: r.UserAgent(), Host: r.Host, Secure: r.TLS != nil, Time: cfg.Directory.Now()}
		}
	}
	return h
}

// request is one request on its way.
type request struct {
	*http.Request
	h     *Handler
	store string
	// by is who changes the directory: the provisioning client, by its token.
	by directory.Actor
	as *caller.Caller
	// id is the id in the path, if there is one.
	id   string
	body tree
}

// answer is what a request is answered with. A nil body is none.
type answer struct {
	status   int
	body     tree
	location string
	tag      string // the version of the resource
}

// route is what a request asks for.
type route struct {
	name     string // in the trail, as identitystore names it
	readOnly bool
	takes    bool // a body
	do       func(context.Context, *request) (answer, error)
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	origin := h.origin(r)
	ctx := caller.WithRequest(r.Context(), origin)
	storeID, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	req := &request{Request: r, h: h, store: storeID}
	found, allow := req.route(strings.Trim(path, "/"))
	name, readOnly := "Unknown", true
	if found != nil {
		name, readOnly = found.name, found.readOnly
	}
	ctx, entry := h.trail.Begin(ctx, trail.Operation{Source: eventSource, Name: name, ReadOnly: readOnly})

	out, err := h.answer(ctx, w, req, found, allow)
	if errors.Is(err, errUnauthorized) {
		if wait, ok := h.refused.failed(origin.Network(), h.directory.Now()); !ok {
			// Nothing was done, and each refusal recorded is a line that a stranger writes.
			h.log.WarnContext(ctx, "too many bad SCIM tokens", slog.String("request", origin.ID), slog.String("store", storeID), slog.String("source", origin.SourceIP))
			h.write(w, r, origin.ID, answer{}, tooSoon(wait, "There were too many requests with a token that is not valid."))
			return
		}
	}
	f := h.settle(ctx, entry, name, err)
	h.log.InfoContext(ctx, "SCIM request", slog.String("request", origin.ID), slog.String("operation", name), slog.String("store", storeID),
		slog.Int("status", statusOf(out, f)), slog.String("source", origin.SourceIP))
	h.write(w, r, origin.ID, out, f)
}

func statusOf(out answer, f *fault) int {
	if f != nil {
		return f.status
	}
	return out.status
}

// answer is the walk of one request: who, what, and the operation.
func (h *Handler) answer(ctx context.Context, w http.ResponseWriter, req *request, found *route, allow []string) (answer, error) {
	if err := h.authenticate(ctx, w, req); err != nil {
		return answer{}, err
	}
	switch {
	case found == nil && len(allow) > 0:
		w.Header().Set("Allow", strings.Join(allow, ", "))
		return answer{}, &fault{status: http.StatusMethodNotAllowed, detail: "The method " + req.Method + " is not allowed here."}
	case found == nil:
		return answer{}, &fault{status: http.StatusNotFound, detail: "There is no such endpoint."}
	}
	req.note(trail.From(ctx))
	if found.takes {
		var err error
		if req.body, err = readBody(w, req.Request); err != nil {
			return answer{}, err
		}
	}
	return found.do(ctx, req)
}

// note puts into the record who asks and for what.
func (req *request) note(entry *trail.Entry) {
	entry.Caller(req.as)
	entry.Add("scimTokenId", req.as.UserID)
	parameters := map[string]any{"identityStoreId": req.store}
	if req.id != "" {
		parameters["resourceId"] = req.id
	}
	if f := req.URL.Query().Get("filter"); f != "" {
		parameters["filter"] = f[:min(len(f), maxFilter)]
	}
	entry.Parameters(parameters)
}

// errUnauthorized is the one answer to all that is wrong with a token.
var errUnauthorized = &fault{status: http.StatusUnauthorized, detail: "The bearer token is not valid for this endpoint."}

func (h *Handler) authenticate(ctx context.Context, w http.ResponseWriter, req *request) error {
	scheme, bearer, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		bearer = ""
	}
	entry := trail.From(ctx)
	tokenID, err := h.directory.Provisioner(ctx, req.store, strings.TrimSpace(bearer))
	if errors.Is(err, directory.ErrToken) {
		entry.Step("bearer token", trail.Fail, err.Error())
		w.Header().Set("WWW-Authenticate", `Bearer realm="SCIM"`)
		return errUnauthorized
	}
	if err != nil {
		return err
	}
	entry.Step("bearer token", trail.Pass, tokenID)
	account, _ := h.directory.StoreAccount(req.store)
	req.as = &caller.Caller{Type: caller.Service, Account: account, UserID: tokenID, ServiceName: "scim.amazonaws.com", Auth: "Bearer"}
	req.by = directory.Actor("scim/" + tokenID)
	return nil
}

// route finds what a path and a method ask for; when only the method is wrong, it says which there are.
func (req *request) route(path string) (found *route, allow []string) {
	endpoint, id, nested := strings.Cut(path, "/")
	if strings.Contains(id, "/") || nested && id == "" {
		return nil, nil
	}
	one := func(r *route) map[string]*route { return map[string]*route{http.MethodGet: r} }
	var methods map[string]*route
	switch {
	case strings.EqualFold(endpoint, "Users") && id == "":
		methods = map[string]*route{
			http.MethodGet:  {name: "ListUsers", readOnly: true, do: listUsers},
			http.MethodPost: {name: "CreateUser", takes: true, do: createUser},
		}
	case strings.EqualFold(path, bulkName):
		methods = map[string]*route{http.MethodPost: {name: bulkName, takes: true, do: postBulk}}
	case strings.EqualFold(path, ".search"):
		methods = map[string]*route{http.MethodPost: {name: "Search", readOnly: true, takes: true, do: searchAll}}
	case strings.EqualFold(path, "Users/.search"):
		methods = map[string]*route{http.MethodPost: {name: "ListUsers", readOnly: true, takes: true, do: searchUsers}}
	case strings.EqualFold(path, "Groups/.search"):
		methods = map[string]*route{http.MethodPost: {name: "ListGroups", readOnly: true, takes: true, do: searchGroups}}
	case strings.EqualFold(endpoint, "Users"):
		methods = map[string]*route{
			http.MethodGet:    {name: "DescribeUser", readOnly: true, do: getUser},
			http.MethodPut:    {name: "UpdateUser", takes: true, do: putUser},
			http.MethodPatch:  {name: "UpdateUser", takes: true, do: patchUser},
			http.MethodDelete: {name: "DeleteUser", do: deleteUser},
		}
	case strings.EqualFold(endpoint, "Groups") && id == "":
		methods = map[string]*route{
			http.MethodGet:  {name: "ListGroups", readOnly: true, do: listGroups},
			http.MethodPost: {name: "CreateGroup", takes: true, do: createGroup},
		}
	case strings.EqualFold(endpoint, "Groups"):
		methods = map[string]*route{
			http.MethodGet:    {name: "DescribeGroup", readOnly: true, do: getGroup},
			http.MethodPut:    {name: "UpdateGroup", takes: true, do: putGroup},
			http.MethodPatch:  {name: "UpdateGroup", takes: true, do: patchGroup},
			http.MethodDelete: {name: "DeleteGroup", do: deleteGroup},
		}
	case strings.EqualFold(endpoint, "ServiceProviderConfig") && id == "":
		methods = one(&route{name: "GetServiceProviderConfig", readOnly: true, do: getConfig})
	case strings.EqualFold(endpoint, "ResourceTypes"):
		methods = one(&route{name: "GetResourceTypes", readOnly: true, do: getResourceTypes})
	case strings.EqualFold(endpoint, "Schemas"):
		methods = one(&route{name: "GetSchemas", readOnly: true, do: getSchemas})
	}
	if id != ".search" {
		req.id = id
	}
	if r := methods[req.Method]; r != nil {
		return r, nil
	}
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if methods[m] != nil {
			allow = append(allow, m)
		}
	}
	return nil, allow
}

func readBody(w http.ResponseWriter, r *http.Request) (tree, error) {
	if ct := r.Header.Get("Content-Type"); ct != "" {
		media, _, err := mime.ParseMediaType(ct)
		if err != nil || media != mediaType && media != plainJSON {
			return nil, &fault{status: http.StatusUnsupportedMediaType, detail: "The body must be " + mediaType + "."}
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if errors.As(err, new(*http.MaxBytesError)) {
		return nil, &fault{status: http.StatusRequestEntityTooLarge, detail: "The body is larger than 1 MiB."}
	}
	if err != nil {
		return nil, bad(invalidSyntax, "The body ended early.")
	}
	return parseObject(body)
}

func (h *Handler) write(w http.ResponseWriter, r *http.Request, requestID string, out answer, f *fault) {
	header := w.Header()
	header.Set("X-Amzn-Requestid", requestID)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	if f != nil {
		if f.after > 0 {
			header.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.after.Seconds()))))
		}
		out = answer{status: f.status, body: f.body(requestID)}
	}
	if out.location != "" {
		header.Set("Location", out.location)
	}
	if out.tag != "" {
		header.Set("ETag", out.tag)
	}
	if out.body == nil {
		w.WriteHeader(out.status)
		return
	}
	text, err := json.Marshal(out.body)
	if err != nil {
		h.log.ErrorContext(r.Context(), "cannot encode answer", slog.String("request", requestID), slog.Any("error", err))
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	header.Set("Content-Type", mediaType)
	if accept := r.Header.Get("Accept"); strings.Contains(accept, plainJSON) && !strings.Contains(accept, mediaType) {
		header.Set("Content-Type", plainJSON)
	}
	w.WriteHeader(out.status)
	if _, err := w.Write(text); err != nil {
		h.log.DebugContext(r.Context(), "cannot write answer", slog.String("request", requestID), slog.Any("error", err))
	}
}

// location is the URL of a resource.
func (req *request) location(t *resourceType, id string) string {
	return req.h.base + req.store + t.endpoint + "/" + id
}
