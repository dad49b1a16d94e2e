package authz

import (
	"context"
	"strings"
	"sync"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
)

// Batch returns a context for a request that does many things of one kind, such as an import: in it a question is put to the
// policies once. The same action on the same resource, for the same caller in the same request, has the same answer as
// long as no change was committed, and as long as what tells one such question from the next, its own condition keys,
// stands in no policy that applies. Where a policy names one of them, each question is decided anew.
//
// What is answered again is in the ledger, but not once more in the trail.
func Batch(ctx context.Context) context.Context {
	return context.WithValue(ctx, batchKey{}, &batch{answers: map[question]*answer{}})
}

type batchKey struct{}

// batch are the answers of a request.
type batch struct {
	mu sync.Mutex
	// revision is the last change that the answers have seen.
	revision int64
	answers  map[question]*answer
}

// question is what answers are told apart by, besides condition keys.
type question struct {
	action, resource, account string
	caller                    *caller.Caller
	request                   *caller.Request
}

// answer is a decision, nil for yes, with the policies that it was made by.
type answer struct {
	err      error
	policies *policy.Policies
	// silent tells of condition keys whether no policy names them.
	silent map[string]bool
}

// plain tells whether a request is decided by its caller's own policies and nothing else.
func (r *Request) plain() bool {
	return r.ResourcePolicy == nil && !r.MustAllow && r.Late == nil && !r.Unguarded && r.As == nil
}

// remembered returns the batch of a request whose answer may be kept, nil for none.
func (a *Authorizer) remembered(ctx context.Context, r Request, c *caller.Caller) *batch {
	if c.Type == caller.Person || !r.plain() || a.Revision == nil {
		return nil
	}
	b, _ := ctx.Value(batchKey{}).(*batch)
	return b
}

// recall finds the answer to a question that was put before, at this revision and as these condition keys would have it.
func (b *batch) recall(q question, keys policy.Values, revision int64) (known bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.revision != revision {
		b.revision = revision
		clear(b.answers)
	}
	a := b.answers[q]
	if a == nil || !a.indifferentTo(keys) {
		return false, nil
	}
	return true, a.err
}

// note keeps an answer that was made at a revision, if its condition keys had no part in it.
func (b *batch) note(q question, keys policy.Values, revision int64, p *policy.Policies, err error) {
	a := &answer{err: err, policies: p, silent: map[string]bool{}}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.revision == revision && a.indifferentTo(keys) {
		b.answers[q] = a
	}
}

// indifferentTo reports whether the policies name none of the keys.
func (a *answer) indifferentTo(keys policy.Values) bool {
	for key := range keys {
		silent, known := a.silent[key]
		if !known {
			silent = !a.policies.Mention(strings.ToLower(key))
			a.silent[key] = silent
		}
		if !silent {
			return false
		}
	}
	return true
}
