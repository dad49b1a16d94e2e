package gateway

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// authorize asks for every need. The first that is refused refuses the request.
func (x *exchange) authorize(ctx context.Context, needs ...Need) error {
	for i := range needs {
		if err := x.decide(ctx, &needs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (x *exchange) decide(ctx context.Context, n *Need) error {
	q, err := x.question(ctx, n, x.caller)
	if err != nil {
		return err
	}
	if x.usesGrants() {
		if q, err = x.direct(ctx, n, q); err != nil {
			return err
		}
		x.as = q.As
	}
	if n.DenyOnly {
		if d := x.Authorizer.Decide(ctx, q); d.Explicit {
			return x.Authorizer.Authorize(ctx, q)
		}
		return nil
	}
	return x.spare(x.Authorizer.Authorize(ctx, q), q.Account)
}

// spare keeps the reason of a refusal from those who may not know it.
func (x *exchange) spare(err error, account string) error {
	denied, ok := errors.AsType[*authz.Denied](err)
	if !ok || x.mayKnowWhy(account) {
		return err
	}
	return wire.AccessDenied("Access Denied").Because(denied)
}

// allowed asks without refusing the request.
func (x *exchange) allowed(ctx context.Context, n Need) bool {
	q, err := x.question(ctx, &n, x.caller)
	if err == nil && x.usesGrants() {
		q, err = x.direct(ctx, &n, q)
	}
	return err == nil && x.Authorizer.Decide(ctx, q).Allowed
}

// usesGrants reports whether the session may use the grants of its person directly.
func (x *exchange) usesGrants() bool {
	return x.AccessGrants != nil && x.caller.OnBehalf != nil && x.caller.Session != nil && x.caller.Session.Vended == nil
}

// direct turns the question of a person's session into that of the session which the person's grants give for it, unless
// its own policies allow or deny the need. AWS's guard-rail, by which such a session reaches no object itself, is not
// asked: what the request may do comes from the grant.
func (x *exchange) direct(ctx context.Context, n *Need, own authz.Request) (authz.Request, error) {
	switch d := x.Authorizer.Decide(ctx, own); {
	case d.Layer == policy.LayerGuardrail:
		// It comes before what the session's own policies deny.
		own.Unguarded = true
		if x.Authorizer.Decide(ctx, own).Explicit {
			return own, nil
		}
	case d.Allowed, d.Explicit:
		return own, nil
	}
	a := grants.Access{Action: n.Action, Bucket: n.Bucket, Owner: own.Account, Key: n.Key}
	if prefix := n.Context["s3:prefix"]; len(prefix) > 0 {
		a.Key = prefix[0]
	}
	if n.DenyOnly {
		// It comes with the reading of the object, and no grant has it by itself.
		a.Action = s3 + "GetObject"
	}
	as, err := x.AccessGrants.Direct(ctx, a)
	if err != nil {
		return own, x.spare(err, own.Account)
	}
	q, err := x.question(ctx, n, as)
	q.As, q.Late = as, own.Late
	return q, err
}

// mayKnowWhy: S3 gives the reason of a refusal within the account alone.
func (x *exchange) mayKnowWhy(account string) bool {
	return x.caller.Type != caller.Anonymous && x.caller.Account == account
}

// question makes the question of a need. A copy has needs on two buckets, each with an owner and a policy of its own.
func (x *exchange) question(ctx context.Context, n *Need, who *caller.Caller) (authz.Request, error) {
	values, err := x.values(ctx, n)
	if err != nil {
		return authz.Request{}, err
	}
	q := authz.Request{Action: n.Action, Resource: n.Resource, Account: who.Account, Context: values}
	if n.Key != "" && readsTags(n.Action) {
		q.Late = x.existingTags(n)
	}
	if n.Resource == "*" {
		q.Resource = "arn:aws:s3:::*"
	}
	if n.Bucket == "" || x.Operation == "CreateBucket" {
		return q, nil
	}
	b := x.bucket
	if b == nil || b.Name != n.Bucket {
		if b, err = x.Buckets.Get(n.Bucket); err != nil {
			return q, err
		}
		if x.Source != nil {
			x.entry.Resource("AWS::S3::Object", n.Resource, "")
			x.entry.Resource("AWS::S3::Bucket", b.ARN(), b.Account)
			if err := b.ExpectOwner(x.Source.ExpectedOwner); err != nil {
				return q, err
			}
		}
	}
	q.Account, q.ResourcePolicy = b.Account, b.ResourcePolicy()
	if b.Restricted(who.Account) {
		x.entry.Step("public access block", trail.Fail, "the bucket "+b.Name+" restricts its public policy to its own account")
		return q, x.noted(ctx)
	}
	return q, nil
}

// noted refuses without a policy's word.
func (x *exchange) noted(ctx context.Context) error {
	authz.Open(ctx)
	return wire.AccessDenied("Access Denied")
}

// values are the condition keys of a need: those of the request, and those of every S3 request.
func (x *exchange) values(ctx context.Context, n *Need) (policy.Values, error) {
	v := policy.Values{}
	maps.Copy(v, n.Context)
	if !x.signed.IsZero() {
		authType := map[string]string{"AuthHeader": "REST-HEADER", "QueryString": "REST-QUERY-STRING", "HtmlForm": "POST"}[x.caller.Auth]
		v["s3:authtype"] = []string{authType}
		v["s3:signatureversion"] = []string{"AWS4-HMAC-SHA256"}
		age := caller.RequestFrom(ctx).Time.Sub(x.signed).Milliseconds()
		v["s3:signatureage"] = []string{strconv.FormatInt(max(age, 0), 10)}
	}
	if x.r.TLS != nil {
		v["s3:tlsversion"] = []string{strconv.FormatFloat(float64(x.r.TLS.Version-0x0301)/10+1, 'f', 1, 64)}
	}
	if n.Bucket != "" {
		if b, ok := x.Buckets.Lookup(n.Bucket); ok {
			v["s3:resourceaccount"] = []string{b.Account}
		}
	}
	return v, nil
}

// readsTags reports whether AWS gives an action the tags of the stored object as condition keys.
func readsTags(action string) bool {
	name := strings.TrimPrefix(action, s3)
	return strings.HasPrefix(name, "GetObject") || strings.HasPrefix(name, "PutObjectAcl") || strings.HasPrefix(name, "PutObjectVersionAcl") ||
		strings.HasPrefix(name, "PutObjectTagging") || strings.HasPrefix(name, "PutObjectVersionTagging") || strings.HasPrefix(name, "DeleteObjectTagging") || strings.HasPrefix(name, "DeleteObjectVersionTagging")
}

// existingTags are the tags of the stored object as condition keys. Of an object that is not there they are none. A need
// that takes several decisions reads them once.
func (x *exchange) existingTags(n *Need) *authz.Late {
	var found policy.Values
	return &authz.Late{Prefix: existingTag, Find: func(ctx context.Context) (policy.Values, error) {
		if found != nil {
			return found, nil
		}
		ref := storage.ObjectRef{Bucket: n.Bucket, Key: n.Key}
		if id := n.Context["s3:versionid"]; len(id) > 0 {
			ref.VersionID = id[0]
		}
		tags, err := x.Storage.GetObjectTagging(ctx, ref)
		if e, ok := errors.AsType[*storage.Error](err); ok && e.Status < http.StatusInternalServerError {
			found = policy.Values{}
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		found = policy.Values{}
		for name, value := range tags.Tags {
			found[existingTag+strings.ToLower(name)] = []string{value}
		}
		return found, nil
	}}
}

const existingTag = "s3:existingobjecttag/"

// missing turns "no such key" into "access denied" for those who may not know: only who may list the bucket for the key
// learns that it is not there.
func (x *exchange) missing(ctx context.Context, err error) error {
	e, ok := errors.AsType[*storage.Error](err)
	if !ok || e.Status != http.StatusNotFound || (e.Code != "NoSuchKey" && e.Code != "NoSuchVersion") {
		return err
	}
	if x.allowed(ctx, x.MissingNeed()) {
		return err
	}
	x.entry.Step("object", trail.Fail, "it does not exist, and the caller may not list the bucket for its key")
	return wire.AccessDenied("Access Denied").Because(err)
}
