package gateway

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"

	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/trail"
)

// wayDown answers a listing that is refused as a whole with what the session reaches in it: of all buckets those where it
// reaches something, of a bucket, level by level, the way down to what it reaches. Clients that browse from the top arrive
// so at what they may see, and see nothing else. At AWS they get AccessDenied.
//
// It is for persons' sessions and for credentials of a grant, and for no request that a policy denies outright. It reports
// false where the refusal stands.
func (x *exchange) wayDown(ctx context.Context) (a *answer, ok bool, err error) {
	s := x.caller.Session
	if x.AccessGrants == nil || s == nil || x.caller.OnBehalf == nil && s.Vended == nil || x.deniedOutright(ctx) {
		return nil, false, nil
	}
	switch x.Operation {
	case "ListBuckets":
		a, err = x.reachableBuckets(ctx)
	case "HeadBucket":
		a, err = x.headReachable(ctx)
	case "ListObjects", "ListObjectsV2":
		if x.Delimiter == "" {
			return nil, false, nil
		}
		a, err = x.listReachable(ctx)
	}
	if a == nil || err != nil {
		return nil, false, err
	}
	x.entry.Step("way down", trail.Pass, "of what was asked for, the answer has what the session reaches")
	return a, true, nil
}

// deniedOutright reports whether a policy of the session's own, or of the bucket, denies what is asked for. That AWS's
// guard-rail denies it says nothing.
func (x *exchange) deniedOutright(ctx context.Context) bool {
	for _, n := range x.Needs() {
		q, err := x.question(ctx, &n, x.caller)
		if err != nil {
			return true
		}
		d := x.Authorizer.Decide(ctx, q)
		if d.Layer == policy.LayerGuardrail {
			q.Unguarded = true
			d = x.Authorizer.Decide(ctx, q)
		}
		if d.Explicit {
			return true
		}
	}
	return false
}

// reaches decides whether the session may do anything at a foothold now.
func (x *exchange) reaches(ctx context.Context, f scope.Scope) bool {
	b := f.Bucket
	at := Request{Bucket: b, Key: f.Prefix}
	if f.One {
		return x.allowed(ctx, at.need("GetObject")) || x.allowed(ctx, at.need("PutObject"))
	}
	if x.reads(ctx, f) {
		return true
	}
	// What may be written below a prefix is asked of a key there.
	at.Key += "_"
	return x.allowed(ctx, at.need("PutObject")) || x.allowed(ctx, at.need("GetObject"))
}

// reads decides whether the session may list what lies at a foothold now.
func (x *exchange) reads(ctx context.Context, f scope.Scope) bool {
	if f.One {
		one := Request{Bucket: f.Bucket, Key: f.Prefix}
		return x.allowed(ctx, one.need("GetObject"))
	}
	all := Request{Bucket: f.Bucket, Key: f.Prefix}
	return x.allowed(ctx, all.MissingNeed())
}

func (x *exchange) reachableBuckets(ctx context.Context) (*answer, error) {
	after, err := openMarker(x.ContinuationToken)
	if err != nil {
		return nil, err
	}
	if x.BucketRegion != "" && x.BucketRegion != x.Region {
		return xmlAnswer(bucketList(x.caller.Account, nil, "")), nil
	}
	all, err := x.AccessGrants.FootholdBuckets(ctx)
	if err != nil {
		return nil, fmt.Errorf("find what the session reaches: %w", err)
	}
	var page []*bucket.Bucket
	last := after
	for _, name := range all {
		if name <= last || !strings.HasPrefix(name, x.Prefix) {
			continue
		}
		b, ok := x.Buckets.Lookup(name)
		if !ok {
			continue
		}
		if ok, err := x.reachesIn(ctx, name); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		if len(page) == x.MaxKeys {
			return xmlAnswer(bucketList(x.caller.Account, page, sealMarker(last))), nil
		}
		page, last = append(page, b), name
	}
	return xmlAnswer(bucketList(x.caller.Account, page, "")), nil
}

// reachesIn decides whether the session may do anything in a bucket now.
func (x *exchange) reachesIn(ctx context.Context, bucket string) (reached bool, err error) {
	err = x.eachFoothold(ctx, bucket, "", func(f scope.Scope) (string, bool, error) {
		reached = x.reaches(ctx, f)
		return "", !reached, nil
	})
	return reached, err
}

// footholdsAtOnce is how many footholds are held at a time.
const footholdsAtOnce = 100

// eachFoothold goes through what the session has grants for at or below a prefix, in the order of prefixes, until visit has
// enough. What begins with a settled prefix, if visit names one, is passed over.
func (x *exchange) eachFoothold(ctx context.Context, bucket, prefix string, visit func(f scope.Scope) (settled string, more bool, err error)) error {
	var after scope.Scope
	for {
		some, err := x.AccessGrants.Footholds(ctx, bucket, prefix, after, footholdsAtOnce)
		if err != nil {
			return fmt.Errorf("find what the session reaches: %w", err)
		}
		settled := ""
		for _, f := range some {
			if after = f; settled != "" && strings.HasPrefix(f.Prefix, settled) {
				continue
			}
			more := false
			if settled, more, err = visit(f); err != nil || !more {
				return err
			}
		}
		if len(some) < footholdsAtOnce {
			return nil
		}
		if settled != "" && strings.HasPrefix(after.Prefix, settled) {
			after = scope.Scope{Bucket: bucket, Prefix: max(after.Prefix, settled+string(unicode.MaxRune)), One: true}
		}
	}
}

func (x *exchange) headReachable(ctx context.Context) (*answer, error) {
	if ok, err := x.reachesIn(ctx, x.Bucket); err != nil || !ok {
		return nil, err
	}
	return x.headBucket(ctx)
}

// listReachable is nil where the session reaches nothing at or below the prefix.
func (x *exchange) listReachable(ctx context.Context) (*answer, error) {
	w := way{exchange: x, after: x.Marker}
	if x.Operation == "ListObjectsV2" {
		w.after = x.StartAfter
		if x.ContinuationToken != "" {
			var err error
			if w.after, err = openMarker(x.ContinuationToken); err != nil {
				return nil, err
			}
		}
	}
	err := x.eachFoothold(ctx, x.Bucket, x.Prefix, func(f scope.Scope) (string, bool, error) { return w.visit(ctx, f) })
	if err != nil {
		return nil, err
	}
	if !w.found {
		return nil, nil
	}
	if x.Operation == "ListObjects" {
		return xmlAnswer(objectList(x.Request, &w.out, x.bucket.Account, true)), nil
	}
	v2 := &storage.ListObjectsV2Output{ListObjectsOutput: w.out}
	if w.out.Truncated {
		v2.NextContinuationToken = sealMarker(w.out.NextMarker)
	}
	return xmlAnswer(objectListV2(x.Request, v2, x.bucket.Account)), nil
}

// way is a page of the way down. Footholds come in the order of their prefixes, and so does what it lists.
type way struct {
	*exchange
	after string
	// found says that there is a way, whether or not this page has any of it.
	found bool
	// listed is the last prefix of which everything was listed; what else begins with it is in there.
	listed string
	whole  bool
	out    storage.ListObjectsOutput
}

// visit adds a foothold to the page: the step towards it, or, where no delimiter is left on the way, what lies there. All
// that begins with settled is then told.
func (w *way) visit(ctx context.Context, f scope.Scope) (settled string, more bool, err error) {
	below, ok := strings.CutPrefix(f.Prefix, w.Prefix)
	if !ok || w.whole && strings.HasPrefix(f.Prefix, w.listed) {
		return "", true, nil
	}
	if i := strings.Index(below, w.Delimiter); i >= 0 {
		step := w.Prefix + below[:i+len(w.Delimiter)]
		if n := len(w.out.CommonPrefixes); n > 0 && w.out.CommonPrefixes[n-1] == step {
			return step, true, nil
		}
		// A marker inside of a step leaves the step to be shown, as some of what it stands for comes after.
		past := step <= w.after && (step == w.after || !strings.HasPrefix(w.after, step))
		if past && w.found {
			return step, true, nil
		}
		if !w.reaches(ctx, f) {
			return "", true, nil
		}
		w.found = true
		if past {
			return step, true, nil
		}
		if w.full() {
			return "", false, nil
		}
		w.out.CommonPrefixes, w.out.NextMarker = append(w.out.CommonPrefixes, step), step
		return step, true, nil
	}
	if !w.reads(ctx, f) {
		return "", true, nil
	}
	w.found = true
	more, err = w.list(ctx, f)
	if w.whole && w.listed == f.Prefix {
		settled = w.listed
	}
	return settled, more, err
}

// full reports whether the page is, and that something follows it.
func (w *way) full() bool {
	if w.size() < w.MaxKeys {
		return false
	}
	w.out.Truncated = w.MaxKeys > 0
	return true
}

func (w *way) size() int { return len(w.out.Objects) + len(w.out.CommonPrefixes) }

// list adds what lies at a foothold itself.
func (w *way) list(ctx context.Context, f scope.Scope) (more bool, err error) {
	prefix := f.Prefix
	if w.after > prefix && !strings.HasPrefix(w.after, prefix) {
		return true, nil
	}
	in := &storage.ListObjectsInput{Bucket: w.Bucket, Prefix: prefix, Delimiter: w.Delimiter, MaxKeys: w.MaxKeys - w.size()}
	if strings.HasPrefix(w.after, prefix) {
		in.Marker = w.after
	}
	if w.MaxKeys == 0 {
		return false, nil
	}
	if w.size() == w.MaxKeys {
		in.MaxKeys = 1 // to know whether something follows
	}
	if f.One {
		in.MaxKeys = 1 // the key itself comes first of all that begin with it
	}
	found, err := w.Storage.ListObjects(ctx, in)
	if err != nil {
		return false, err
	}
	if f.One && (len(found.Objects) == 0 || found.Objects[0].Key != prefix) {
		return true, nil
	}
	if len(found.Objects)+len(found.CommonPrefixes) > 0 && w.full() {
		return false, nil
	}
	if x := w.exchange; x.Denials != nil {
		hideObjects(x.Denials.Hidden(ctx, x.caller, s3+x.rule.action, x.bucket.Account, x.Bucket), found)
	}
	w.out.Objects = append(w.out.Objects, found.Objects...)
	if f.One {
		w.out.NextMarker = prefix
		return true, nil
	}
	w.out.CommonPrefixes = append(w.out.CommonPrefixes, found.CommonPrefixes...)
	w.listed, w.whole = prefix, true
	if n := len(found.Objects); n > 0 {
		w.out.NextMarker = found.Objects[n-1].Key
	}
	if n := len(found.CommonPrefixes); n > 0 {
		w.out.NextMarker = max(w.out.NextMarker, found.CommonPrefixes[n-1])
	}
	if found.Truncated {
		w.out.Truncated, w.out.NextMarker = true, found.NextMarker
	}
	return !found.Truncated, nil
}

// A marker in a token of a way down. It gives no right: each page is decided anew.
const wayMark = "way:"

func sealMarker(marker string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(wayMark + marker))
}

func openMarker(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	marker, ok := strings.CutPrefix(string(raw), wayMark)
	if err != nil || !ok {
		return "", invalidArgument("continuation-token", token, "The continuation token provided is incorrect")
	}
	return marker, nil
}
