package gateway

import (
	"context"
	"slices"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/storage"
)

// Denials tells which keys of a bucket, of which account, a list by grants must not show to a caller who may list what lies
// above them; grants provides it. past is a key behind which a page goes on where a hidden one would end it.
type Denials interface {
	Hidden(ctx context.Context, c *caller.Caller, action, owner, bucket string) func(key string) (past string, hidden bool)
}

// hides is Denials for the list that was allowed; nil hides nothing. Only what grants give do they take.
func (x *exchange) hides(ctx context.Context) func(key string) (past string, hidden bool) {
	byGrants := x.as != nil || x.caller.Session != nil && x.caller.Session.Vended != nil
	if x.Denials == nil || !byGrants {
		return nil
	}
	return x.Denials.Hidden(ctx, x.caller, s3+x.rule.action, x.bucket.Account, x.Bucket)
}

// hide leaves entries out of a page. The page gets shorter; whether another follows stays as it is.
func hide[V any](list []V, hides func(string) (string, bool), key func(*V) string) []V {
	return slices.DeleteFunc(list, func(v V) bool {
		_, hidden := hides(key(&v))
		return hidden
	})
}

func itself(prefix *string) string { return *prefix }

// hideObjects reports whether the client must be told the marker of the next page: without one it takes the last key that
// it was shown, and gets no further where that one was hidden.
func hideObjects(hides func(string) (string, bool), out *storage.ListObjectsOutput) (tell bool) {
	if hides == nil {
		return false
	}
	out.Objects = hide(out.Objects, hides, func(o *storage.ListedObject) string { return o.Key })
	out.CommonPrefixes = hide(out.CommonPrefixes, hides, itself)
	past, hidden := hides(out.NextMarker)
	if hidden {
		out.NextMarker = past
	}
	return hidden
}

func (x *exchange) hideVersions(ctx context.Context, out *storage.ListObjectVersionsOutput) {
	hides := x.hides(ctx)
	if hides == nil {
		return
	}
	out.Versions = hide(out.Versions, hides, func(v *storage.ListedVersion) string { return v.Key })
	out.CommonPrefixes = hide(out.CommonPrefixes, hides, itself)
	if past, hidden := hides(out.NextKeyMarker); hidden {
		out.NextKeyMarker, out.NextVersionIDMarker = past, ""
	}
}

func (x *exchange) hideUploads(ctx context.Context, out *storage.ListMultipartUploadsOutput) {
	hides := x.hides(ctx)
	if hides == nil {
		return
	}
	out.Uploads = hide(out.Uploads, hides, func(u *storage.Upload) string { return u.Key })
	out.CommonPrefixes = hide(out.CommonPrefixes, hides, itself)
	if past, hidden := hides(out.NextKeyMarker); hidden {
		out.NextKeyMarker, out.NextUploadIDMarker = past, ""
	}
}
