package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/wire"
)

func (x *exchange) listBuckets(context.Context) (*answer, error) {
	after := ""
	if x.ContinuationToken != "" {
		raw, err := base64.RawURLEncoding.DecodeString(x.ContinuationToken)
		if err != nil {
			return nil, invalidArgument("continuation-token", x.ContinuationToken, "The continuation token provided is incorrect")
		}
		after = string(raw)
	}
	if x.BucketRegion != "" && x.BucketRegion != x.Region {
		return xmlAnswer(bucketList(x.caller.Account, nil, "")), nil
	}
	page, more := x.Buckets.List(x.caller.Account, x.Prefix, after, x.MaxKeys)
	token := ""
	if more && len(page) > 0 {
		token = base64.RawURLEncoding.EncodeToString([]byte(page[len(page)-1].Name))
	}
	return xmlAnswer(bucketList(x.caller.Account, page, token)), nil
}

func (x *exchange) createBucket(ctx context.Context) (*answer, error) {
	if x.caller.Account == "" {
		return nil, wire.AccessDenied("Access Denied")
	}
	if err := storage.AcceptCannedACL(x.ACL); err != nil {
		return nil, err
	}
	if x.Grants != nil || x.ObjectOwnership != "" && x.ObjectOwnership != "BucketOwnerEnforced" {
		return nil, wire.NewError("InvalidBucketAclWithObjectOwnership", http.StatusBadRequest, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
	}
	tags, backend, err := x.readBucketConfiguration()
	if err != nil {
		return nil, err
	}
	b, err := x.Buckets.Create(ctx, bucket.CreateInput{Name: x.Bucket, Account: x.caller.Account, ObjectLock: x.ObjectLock, Tags: tags, Backend: backend})
	if err != nil {
		return nil, err
	}
	x.entry.Resource("AWS::S3::Bucket", b.ARN(), b.Account)
	return empty(http.StatusOK).set("Location", "/"+b.Name), nil
}

// readBucketConfiguration reads the body of CreateBucket, which may be empty. A bucket is made in the server's one Region;
// where the location is no Region but the name of a backend that the account may use, the bucket's objects go there.
func (x *exchange) readBucketConfiguration() (tags map[string]string, backend string, err error) {
	text, err := x.document(maxDocument)
	if err != nil || len(text) == 0 {
		return nil, "", err
	}
	var d struct {
		LocationConstraint string
		Tags               struct {
			Tag []struct{ Key, Value string }
		}
		Unknown []unknown `xml:",any"`
	}
	if err := onlyKnown(text, "CreateBucketConfiguration", &d); err != nil {
		return nil, "", malformedXML(err)
	}
	if err := refuseUnknown(d.Unknown); err != nil {
		return nil, "", err
	}
	switch {
	case d.LocationConstraint == "" || d.LocationConstraint == x.Region:
	case x.Buckets.IsBackend(d.LocationConstraint, x.caller.Account):
		backend = d.LocationConstraint
	default:
		return nil, "", wire.NewError("InvalidLocationConstraint", http.StatusBadRequest, "The specified location-constraint is not valid").With("LocationConstraint", clip(d.LocationConstraint))
	}
	for _, t := range d.Tags.Tag {
		if tags == nil {
			tags = map[string]string{}
		}
		tags[t.Key] = t.Value
	}
	return tags, backend, nil
}

func (x *exchange) headBucket(ctx context.Context) (*answer, error) {
	return empty(http.StatusOK), x.Storage.HeadBucket(ctx, x.Bucket)
}

func (x *exchange) deleteBucket(ctx context.Context) (*answer, error) {
	return empty(http.StatusNoContent), x.Buckets.Delete(ctx, x.Bucket)
}

func (x *exchange) getLocation(context.Context) (*answer, error) {
	return xmlAnswer(location(x.bucket.Region)), nil
}

func (x *exchange) getVersioning(ctx context.Context) (*answer, error) {
	v, err := x.Storage.GetBucketVersioning(ctx, x.Bucket)
	return xmlAnswer(versioning(v)), err
}

func (x *exchange) putVersioning(ctx context.Context) (*answer, error) {
	var d struct {
		Status    storage.Versioning
		MfaDelete string
		Unknown   []unknown `xml:",any"`
	}
	if err := x.read("VersioningConfiguration", &d); err != nil {
		return nil, err
	}
	if err := refuseUnknown(d.Unknown); err != nil {
		return nil, err
	}
	if d.MfaDelete != "" && d.MfaDelete != "Disabled" {
		return nil, notImplemented("configuration", "MfaDelete")
	}
	if d.Status != storage.Enabled && d.Status != storage.Suspended {
		return nil, wire.NewError("IllegalVersioningConfigurationException", http.StatusBadRequest, "The Versioning element must be specified")
	}
	return empty(http.StatusOK), x.Storage.PutBucketVersioning(ctx, x.Bucket, d.Status)
}

func (x *exchange) getPolicy(context.Context) (*answer, error) {
	text, err := x.Buckets.Policy(x.Bucket)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: []byte(text)}, nil
}

func (x *exchange) putPolicy(ctx context.Context) (*answer, error) {
	text, err := x.document(bucket.MaxPolicy)
	if err != nil {
		return nil, err
	}
	x.configured("bucketPolicy", ofJSON(text))
	return empty(http.StatusNoContent), x.Buckets.PutPolicy(ctx, x.Bucket, text)
}

func (x *exchange) deletePolicy(ctx context.Context) (*answer, error) {
	return empty(http.StatusNoContent), x.Buckets.DeletePolicy(ctx, x.Bucket)
}

func (x *exchange) getPolicyStatus(context.Context) (*answer, error) {
	public, err := x.Buckets.PolicyIsPublic(x.Bucket)
	return xmlAnswer(policyStatus(public)), err
}

func (x *exchange) getAccessBlock(context.Context) (*answer, error) {
	p, err := x.Buckets.PublicAccessBlock(x.Bucket)
	return xmlAnswer(accessBlock(p)), err
}

func (x *exchange) putAccessBlock(ctx context.Context) (*answer, error) {
	var d struct {
		BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets bool

		Unknown []unknown `xml:",any"`
	}
	if err := x.read("PublicAccessBlockConfiguration", &d); err != nil {
		return nil, err
	}
	if err := refuseUnknown(d.Unknown); err != nil {
		return nil, err
	}
	return empty(http.StatusOK), x.Buckets.PutPublicAccessBlock(ctx, x.Bucket, bucket.PublicAccessBlock{
		BlockPublicACLs: d.BlockPublicAcls, IgnorePublicACLs: d.IgnorePublicAcls, BlockPublicPolicy: d.BlockPublicPolicy, RestrictPublicBuckets: d.RestrictPublicBuckets,
	})
}

func (x *exchange) deleteAccessBlock(ctx context.Context) (*answer, error) {
	return empty(http.StatusNoContent), x.Buckets.DeletePublicAccessBlock(ctx, x.Bucket)
}

func (x *exchange) getACL(context.Context) (*answer, error) {
	return xmlAnswer(ownersACL(x.bucket.Account)), nil
}

// putACL accepts what changes nothing: the owner has everything, and nobody else is given anything by an ACL.
func (x *exchange) putACL(context.Context) (*answer, error) {
	if x.ACL == "" || x.Grants != nil {
		return nil, wire.NewError("AccessControlListNotSupported", http.StatusBadRequest, "The bucket does not allow ACLs")
	}
	return empty(http.StatusOK), storage.AcceptCannedACL(x.ACL)
}

func (x *exchange) getOwnership(context.Context) (*answer, error) { return xmlAnswer(ownership()), nil }

func (x *exchange) getBucketTags(context.Context) (*answer, error) {
	tags, err := x.Buckets.Tags(x.Bucket)
	return xmlAnswer(tagSet(tags)), err
}

func (x *exchange) putBucketTags(ctx context.Context) (*answer, error) {
	tags, err := x.readTags(bucket.MaxTags)
	if err != nil {
		return nil, err
	}
	return empty(http.StatusNoContent), x.Buckets.PutTags(ctx, x.Bucket, tags)
}

func (x *exchange) deleteBucketTags(ctx context.Context) (*answer, error) {
	return empty(http.StatusNoContent), x.Buckets.PutTags(ctx, x.Bucket, nil)
}

func (x *exchange) getLock(ctx context.Context) (*answer, error) {
	c, err := x.Storage.GetObjectLockConfiguration(ctx, x.Bucket)
	if err != nil {
		return nil, err
	}
	return xmlAnswer(lockConfiguration(c)), nil
}

func (x *exchange) putLock(ctx context.Context) (*answer, error) {
	var d struct {
		ObjectLockEnabled string
		Rule              *struct {
			DefaultRetention struct {
				Mode        storage.Mode
				Days, Years int
			}
		}
		Unknown []unknown `xml:",any"`
	}
	if err := x.read("ObjectLockConfiguration", &d); err != nil {
		return nil, err
	}
	if err := refuseUnknown(d.Unknown); err != nil {
		return nil, err
	}
	if d.ObjectLockEnabled != "" && d.ObjectLockEnabled != "Enabled" {
		return nil, malformedXML(errors.New("ObjectLockEnabled is not Enabled")) //nolint:staticcheck // an element's name
	}
	var c storage.LockConfiguration
	if d.Rule != nil {
		c = storage.LockConfiguration{Mode: d.Rule.DefaultRetention.Mode, Days: d.Rule.DefaultRetention.Days, Years: d.Rule.DefaultRetention.Years}
	}
	return empty(http.StatusOK), x.Storage.PutObjectLockConfiguration(ctx, x.Bucket, c)
}
