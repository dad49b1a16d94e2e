package gateway

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

func (x *exchange) ref() storage.ObjectRef {
	return storage.ObjectRef{Bucket: x.Bucket, Key: x.Key, VersionID: x.VersionID}
}

func (x *exchange) getInput() *storage.GetObjectInput {
	return &storage.GetObjectInput{ObjectRef: x.ref(), Range: x.Range, PartNumber: x.PartNumber, Conditions: x.Conditions, ChecksumMode: x.ChecksumMode}
}

func (x *exchange) getObject(ctx context.Context) (*answer, error) {
	o, err := x.Storage.GetObject(ctx, x.getInput())
	if err != nil {
		return nil, x.missing(ctx, err)
	}
	a := x.describeObject(ctx, &o.ObjectInfo)
	a.object = o
	return a, nil
}

func (x *exchange) headObject(ctx context.Context) (*answer, error) {
	o, err := x.Storage.HeadObject(ctx, x.getInput())
	if err != nil {
		return nil, x.missing(ctx, err)
	}
	a := x.describeObject(ctx, o)
	// The answer has the length of the content that it leaves out.
	a.object = &storage.Object{ObjectInfo: *o, Body: http.NoBody}
	return a, nil
}

// describeObject makes the headers of a read. What the caller may not know of the object is left out.
func (x *exchange) describeObject(ctx context.Context, o *storage.ObjectInfo) *answer {
	a := empty(http.StatusOK)
	if o.Range != nil {
		a.status = http.StatusPartialContent
		a.set("Content-Range", "bytes "+strconv.FormatInt(o.Range.First, 10)+"-"+strconv.FormatInt(o.Range.Last, 10)+"/"+strconv.FormatInt(o.Range.Size, 10))
	}
	a.set("ETag", o.ETag)
	a.set("Last-Modified", o.LastModified.UTC().Format(http.TimeFormat))
	a.set("X-Amz-Version-Id", o.VersionID)
	h := &o.Headers
	contentType := h.ContentType
	if contentType == "" {
		contentType = "binary/octet-stream"
	}
	a.set("Content-Type", contentType)
	a.set("Content-Encoding", h.ContentEncoding).set("Content-Language", h.ContentLanguage).set("Content-Disposition", h.ContentDisposition)
	a.set("Cache-Control", h.CacheControl).set("Expires", h.Expires).set("X-Amz-Website-Redirect-Location", h.WebsiteRedirectLocation)
	for k, v := range h.Metadata {
		a.header["X-Amz-Meta-"+k] = []string{v}
	}
	x.setChecksum(a, o.Checksum)
	if x.PartNumber > 0 && len(o.Parts) > 0 {
		a.set("X-Amz-Mp-Parts-Count", strconv.Itoa(len(o.Parts)))
	}
	disclose := x.Disclosures()
	if o.TagCount > 0 && x.allowed(ctx, disclose[0]) {
		a.set("X-Amz-Tagging-Count", strconv.Itoa(o.TagCount))
	}
	if o.Retention != nil && x.allowed(ctx, disclose[1]) {
		a.set("X-Amz-Object-Lock-Mode", string(o.Retention.Mode))
		a.set("X-Amz-Object-Lock-Retain-Until-Date", o.Retention.Until.UTC().Format(time.RFC3339))
	}
	if o.LegalHold != nil && x.allowed(ctx, disclose[2]) {
		a.set("X-Amz-Object-Lock-Legal-Hold", onOff(*o.LegalHold))
	}
	for name, value := range x.Overrides {
		a.header.Set(name, value)
	}
	return a
}

func onOff(on bool) string {
	if on {
		return "ON"
	}
	return "OFF"
}

func (x *exchange) setChecksum(a *answer, c storage.Checksum) {
	if c.Algorithm != "" && c.Value != "" {
		a.set("X-Amz-Checksum-"+string(c.Algorithm), c.Value)
		a.set("X-Amz-Checksum-Type", string(c.Type))
	}
}

func (x *exchange) getAttributes(ctx context.Context) (*answer, error) {
	o, err := x.Storage.GetObjectAttributes(ctx, x.ref())
	if err != nil {
		return nil, x.missing(ctx, err)
	}
	a := xmlAnswer(attributes(x.Attributes, o))
	return a.set("Last-Modified", o.LastModified.UTC().Format(http.TimeFormat)).set("X-Amz-Version-Id", o.VersionID), nil
}

// acceptWrite refuses what a write asks for and this storage does not have.
func (x *exchange) acceptWrite() error {
	if x.Grants != nil {
		return wire.NewError("AccessControlListNotSupported", http.StatusBadRequest, "The bucket does not allow ACLs")
	}
	return storage.AcceptCannedACL(x.ACL)
}

func (x *exchange) putObject(ctx context.Context) (*answer, error) {
	if err := x.acceptWrite(); err != nil {
		return nil, err
	}
	body, err := x.content()
	if err != nil {
		return nil, err
	}
	out, err := x.Storage.PutObject(ctx, &storage.PutObjectInput{
		Bucket: x.Bucket, Key: x.Key, Body: body, Headers: x.Headers, Tags: x.Tags, IfMatch: x.Conditions.IfMatch, IfNoneMatch: x.Conditions.IfNoneMatch,
		Retention: x.Retention, LegalHold: x.LegalHold != nil && *x.LegalHold,
	})
	if err != nil {
		return nil, err
	}
	x.received = out.Size
	a := empty(http.StatusOK).set("ETag", out.ETag).set("X-Amz-Version-Id", out.VersionID)
	x.setChecksum(a, out.Checksum)
	if x.form != nil {
		return x.answerForm(a), nil
	}
	return a, nil
}

func (x *exchange) source() storage.ObjectRef {
	return storage.ObjectRef{Bucket: x.Source.Bucket, Key: x.Source.Key, VersionID: x.Source.VersionID}
}

func (x *exchange) copyObject(ctx context.Context) (*answer, error) {
	if err := x.acceptWrite(); err != nil {
		return nil, err
	}
	// A copy takes the tags of its source along, which needs leave to read and to write them.
	if needs := x.TagCopyNeeds(); len(needs) > 0 {
		tags, err := x.Storage.GetObjectTagging(ctx, x.source())
		if err != nil {
			return nil, x.missingSource(ctx, err)
		}
		if len(tags.Tags) > 0 {
			if err := x.authorize(ctx, needs...); err != nil {
				return nil, err
			}
		}
	}
	out, err := x.Storage.CopyObject(ctx, &storage.CopyObjectInput{
		Source: x.source(), SourceConditions: x.Source.Conditions, Bucket: x.Bucket, Key: x.Key,
		ReplaceHeaders: x.ReplaceHeaders, Headers: x.Headers, ReplaceTags: x.ReplaceTags, Tags: x.Tags, Checksum: x.Checksum.Algorithm,
		IfMatch: x.Conditions.IfMatch, IfNoneMatch: x.Conditions.IfNoneMatch, Retention: x.Retention, LegalHold: x.LegalHold != nil && *x.LegalHold,
	})
	if err != nil {
		return nil, x.missingSource(ctx, err)
	}
	return xmlAnswer(copied("CopyObjectResult", &out.PutObjectOutput)).set("X-Amz-Version-Id", out.VersionID).set("X-Amz-Copy-Source-Version-Id", out.SourceVersionID), nil
}

// missingSource is missing for the source of a copy.
func (x *exchange) missingSource(ctx context.Context, err error) error {
	of := *x
	request := *x.Request
	request.Bucket, request.Key, request.VersionID = x.Source.Bucket, x.Source.Key, x.Source.VersionID
	of.Request, of.bucket = &request, nil
	return of.missing(ctx, err)
}

func (x *exchange) deleteObject(ctx context.Context) (*answer, error) {
	out, err := x.Storage.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: x.ref(), IfMatch: x.Conditions.IfMatch, BypassGovernance: x.BypassGovernance})
	if err != nil {
		return nil, err
	}
	a := empty(http.StatusNoContent).set("X-Amz-Version-Id", out.VersionID)
	if out.DeleteMarker {
		a.set("X-Amz-Delete-Marker", "true")
	}
	return a, nil
}

// deleteObjects decides key by key, and then deletes what may be. What is refused is told inside an answer that as a whole succeeds.
func (x *exchange) deleteObjects(ctx context.Context) (*answer, error) {
	if x.ContentMD5 == nil && x.Checksum.Value == "" && !x.Payload.Hashed() {
		return nil, invalidRequest("Missing required header for this request: Content-MD5")
	}
	text, err := x.document(maxBatchBody)
	if err != nil {
		return nil, err
	}
	batch, err := ParseDelete(text)
	if err != nil {
		return nil, err
	}
	done := make([]deletion, len(batch.Objects))
	var allowed []*storage.DeleteObjectInput
	var which []int
	for i, o := range batch.Objects {
		done[i] = deletion{key: o.Key, version: o.VersionID}
		if err := x.mayDelete(ctx, o); err != nil {
			done[i].refuse(err)
			continue
		}
		allowed, which = append(allowed, &storage.DeleteObjectInput{
			ObjectRef: storage.ObjectRef{Bucket: x.Bucket, Key: o.Key, VersionID: o.VersionID}, IfMatch: o.ETag, BypassGovernance: x.BypassGovernance,
		}), append(which, i)
	}
	for n, result := range storage.DeleteAll(ctx, x.Storage, allowed) {
		if d := &done[which[n]]; result.Err != nil {
			d.refuse(result.Err)
		} else {
			d.out = result.Output
		}
	}
	recorded := make([]map[string]any, 0, len(done))
	for i := range done {
		line := map[string]any{"key": done[i].key}
		if done[i].code != "" {
			line["errorCode"] = done[i].code
		}
		recorded = append(recorded, line)
	}
	x.entry.Add(trail.KeyObjects, recorded)
	return xmlAnswer(deletions(done, batch.Quiet)), nil
}

// mayDelete decides one object of a batch.
func (x *exchange) mayDelete(ctx context.Context, o ObjectIdentifier) error {
	if err := storage.CheckKey(o.Key); err != nil {
		return err
	}
	return x.authorize(ctx, x.DeleteNeeds(o)...)
}

// refuse says that an object was not deleted.
func (d *deletion) refuse(err error) {
	e := spell(err)
	d.code, d.message = e.Code, e.Message
}

func (x *exchange) getObjectACL(ctx context.Context) (*answer, error) {
	if _, err := x.Storage.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: x.ref()}); err != nil {
		return nil, x.missing(ctx, err)
	}
	return xmlAnswer(ownersACL(x.bucket.Account)), nil
}

func (x *exchange) putObjectACL(ctx context.Context) (*answer, error) {
	if _, err := x.Storage.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: x.ref()}); err != nil {
		return nil, x.missing(ctx, err)
	}
	return x.putACL(ctx)
}

func (x *exchange) getTags(ctx context.Context) (*answer, error) {
	out, err := x.Storage.GetObjectTagging(ctx, x.ref())
	if err != nil {
		return nil, x.missing(ctx, err)
	}
	return xmlAnswer(tagSet(out.Tags)).set("X-Amz-Version-Id", out.VersionID), nil
}

// putTags knows the new tags only from the body, so it asks once more with them as condition keys.
func (x *exchange) putTags(ctx context.Context) (*answer, error) {
	tags, err := x.readTags(storage.MaxObjectTags)
	if err != nil {
		return nil, err
	}
	for _, n := range x.Needs() {
		for k, v := range tagValues(tags) {
			n.Context[k] = v
		}
		if err := x.authorize(ctx, n); err != nil {
			return nil, err
		}
	}
	version, err := x.Storage.PutObjectTagging(ctx, x.ref(), tags)
	if err != nil {
		return nil, x.missing(ctx, err)
	}
	return empty(http.StatusOK).set("X-Amz-Version-Id", version), nil
}

func (x *exchange) deleteTags(ctx context.Context) (*answer, error) {
	version, err := x.Storage.PutObjectTagging(ctx, x.ref(), nil)
	if err != nil {
		return nil, x.missing(ctx, err)
	}
	return empty(http.StatusNoContent).set("X-Amz-Version-Id", version), nil
}

func (x *exchange) getRetention(ctx context.Context) (*answer, error) {
	r, err := x.Storage.GetObjectRetention(ctx, x.ref())
	if err != nil {
		return nil, x.missing(ctx, err)
	}
	return xmlAnswer(retention(r)), nil
}

func (x *exchange) putRetention(ctx context.Context) (*answer, error) {
	var d struct {
		Mode            storage.Mode
		RetainUntilDate string
		Unknown         []unknown `xml:",any"`
	}
	if err := x.read("Retention", &d); err != nil {
		return nil, err
	}
	if err := refuseUnknown(d.Unknown); err != nil {
		return nil, err
	}
	in := &storage.PutRetentionInput{ObjectRef: x.ref(), BypassGovernance: x.BypassGovernance}
	if d.Mode != "" || d.RetainUntilDate != "" {
		until, err := time.Parse(time.RFC3339, d.RetainUntilDate)
		if err != nil || d.Mode != storage.Governance && d.Mode != storage.Compliance {
			return nil, malformedXML(errors.New("the retention has no valid mode and date"))
		}
		in.Retention = &storage.Retention{Mode: d.Mode, Until: until}
		for _, n := range x.Needs() {
			for k, v := range retentionValues(in.Retention, x.Time) {
				n.Context[k] = v
			}
			if err := x.authorize(ctx, n); err != nil {
				return nil, err
			}
		}
	}
	if err := x.Storage.PutObjectRetention(ctx, in); err != nil {
		return nil, x.missing(ctx, err)
	}
	return empty(http.StatusOK), nil
}

func (x *exchange) getLegalHold(ctx context.Context) (*answer, error) {
	on, err := x.Storage.GetObjectLegalHold(ctx, x.ref())
	if err != nil {
		return nil, x.missing(ctx, err)
	}
	return xmlAnswer(legalHold(on)), nil
}

func (x *exchange) putLegalHold(ctx context.Context) (*answer, error) {
	var d struct {
		Status  string
		Unknown []unknown `xml:",any"`
	}
	if err := x.read("LegalHold", &d); err != nil {
		return nil, err
	}
	if err := refuseUnknown(d.Unknown); err != nil {
		return nil, err
	}
	if d.Status != "ON" && d.Status != "OFF" {
		return nil, malformedXML(errors.New("the status is neither ON nor OFF"))
	}
	if err := x.Storage.PutObjectLegalHold(ctx, x.ref(), d.Status == "ON"); err != nil {
		return nil, x.missing(ctx, err)
	}
	return empty(http.StatusOK), nil
}
