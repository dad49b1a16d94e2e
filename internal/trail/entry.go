package trail

import (
	"context"
	"slices"
	"sync"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// Entry gathers what is known of one request while it is served. It is carried in the context: rooms add to it as they
// learn the person, the grant, the reason. When the request ends it becomes one record for each account that has a part
// in it. It is safe for concurrent use. The methods of a nil Entry do nothing, so that a room need not ask whether it is
// being recorded.
type Entry struct {
	trail *Trail
	mu    sync.Mutex

	// ids are the event ids of the copies, by account, and shared what they have in common: both stay the same from the
	// outbox to the log. committed says that a change was recorded, finished that the request is over.
	ids       []copyID
	shared    string
	committed bool
	finished  bool

	source, name string
	readOnly     bool
	data         bool

	caller     *caller.Caller
	asked      fields
	parameters map[string]any
	response   map[string]any
	resources  []Resource
	extra      fields
	accounts   []string
	steps      []Step

	// first is room for what most requests have, so that an entry is one piece of memory.
	first struct {
		ids       [1]copyID
		asked     [4]field
		resources [2]Resource
		extra     [10]field
		accounts  [2]string
		steps     [4]Step
	}
}

// copyID is the event id of the copy for an account.
type copyID struct{ account, id string }

// eventID is the id of the copy for an account, the same at each call. The lock is held.
func (e *Entry) eventID(account string) string {
	for _, c := range e.ids {
		if c.account == account {
			return c.id
		}
	}
	id := e.trail.cfg.NewID()
	e.ids = append(e.ids, copyID{account, id})
	return id
}

// Resource is a thing that a request touched.
type Resource struct {
	Type    string `json:"type"`
	ARN     string `json:"ARN"`
	Account string `json:"accountId,omitempty"`
}

// Outcome of a step.
type Outcome string

// The outcomes.
const (
	Pass Outcome = "pass"
	Fail Outcome = "fail"
	Info Outcome = "info"
)

// Step is one question that was answered on the way to a decision, for whoever asks why. Its detail never holds a secret,
// a token or an assertion.
type Step struct {
	Step    string  `json:"step"`
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail,omitempty"`
}

// Operation names what is called: the event source, such as "sso.amazonaws.com", the API name, and whether it only reads.
// Data marks a request for objects, which is recorded in the log but not shown by LookupEvents.
type Operation struct {
	Source, Name   string
	ReadOnly, Data bool
}

type entryKey struct{}

// Begin returns a context that carries a fresh entry for the operation. Changes made in that context commit together
// with the entry's record.
func (t *Trail) Begin(ctx context.Context, op Operation) (context.Context, *Entry) {
	e := &Entry{trail: t, source: op.Source, name: op.Name, readOnly: op.ReadOnly, data: op.Data}
	f := &e.first
	e.ids, e.resources, e.extra, e.accounts, e.steps = f.ids[:0], f.resources[:0], f.extra[:0], f.accounts[:0], f.steps[:0]
	return store.WithRecorder(context.WithValue(ctx, entryKey{}, e), e), e
}

// From returns the entry of the request, or nil.
func From(ctx context.Context) *Entry {
	e, _ := ctx.Value(entryKey{}).(*Entry)
	return e
}

// maxSteps and the other bounds keep a record of a hostile request small.
const (
	maxSteps     = 200
	maxStepName  = 256
	maxResources = 100
	maxDetail    = 1024
	maxExtra     = 2048
)

// Caller sets who made the request.
func (e *Entry) Caller(c *caller.Caller) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.caller = c
}

// Asked sets one text of what was asked, for requests that are not read into a message of a model. An empty text sets
// nothing.
func (e *Entry) Asked(name, text string) {
	if e == nil || text == "" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.asked == nil {
		e.asked = e.first.asked[:0]
	}
	e.asked.set(field{name: name, text: text})
}

// Parameters sets what was asked, with secrets already hidden, in the place of what Asked has set.
func (e *Entry) Parameters(p map[string]any) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.parameters, e.asked = p, nil
}

// Response sets what was answered, with secrets already hidden; reads leave it out.
func (e *Entry) Response(p map[string]any) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.response = p
}

// Resource adds a thing that the request touched. Its account gets a copy of the record.
func (e *Entry) Resource(kind, arn, account string) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	r := Resource{Type: kind, ARN: clip(arn, maxDetail), Account: account}
	if len(e.resources) < maxResources && !slices.Contains(e.resources, r) {
		e.resources = append(e.resources, r)
	}
	e.concern(account)
}

// Concerns gives a further account a copy of the record.
func (e *Entry) Concerns(account string) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.concern(account)
}

func (e *Entry) concern(account string) {
	if account != "" && !slices.Contains(e.accounts, account) {
		e.accounts = append(e.accounts, account)
	}
}

// The keys of additionalEventData that rooms set.
const (
	KeyPersonName     = "personUserName"
	KeyPersonID       = "identitystore:UserId"
	KeyIdentityStore  = "identitystore:IdentityStoreArn"
	KeyCredentialID   = "identitycenter:CredentialId"
	KeyApplication    = "applicationArn"
	KeyGrantID        = "accessGrantId"
	KeyGrantAccount   = "accessGrantsAccountId"
	KeyMatchedScope   = "matchedGrantScope"
	KeyDecision       = "decision"
	KeyReason         = "reason"
	KeyRevision       = "revision"
	KeyVendedKey      = "vendedAccessKeyId"
	KeyAuditContext   = "auditContext"
	KeyBytesIn        = "bytesTransferredIn"
	KeyBytesOut       = "bytesTransferredOut"
	KeyAuthentication = "AuthenticationMethod"
	KeySignature      = "SignatureVersion"
	KeyObjects        = "objects"
	KeyGrants         = "accessGrants"
)

// Add sets a member of additionalEventData. An empty text and nil set nothing.
func (e *Entry) Add(key string, value any) {
	if s, ok := value.(string); ok {
		e.AddText(key, s)
		return
	}
	if e == nil || value == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.extra.set(field{name: key, value: value})
}

// AddText is Add for a text.
func (e *Entry) AddText(key, text string) {
	if e == nil || text == "" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.extra.set(field{name: key, text: clip(text, maxExtra)})
}

// Step adds an answered question. The steps are what the operation Why tells.
func (e *Entry) Step(step string, outcome Outcome, detail string) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.steps) < maxSteps {
		e.steps = append(e.steps, Step{Step: clip(step, maxStepName), Outcome: outcome, Detail: clip(detail, maxDetail)})
	}
}
