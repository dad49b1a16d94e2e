package gateway

import (
	"net/url"
	"strings"

	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/storage"
)

// Source is the object, or the part of one, that a copy is made of.
type Source struct {
	Bucket, Key, VersionID string
	Range                  *storage.ByteRange
	Conditions             storage.Conditions
	ExpectedOwner          string
}

// parseSource reads x-amz-copy-source: [/]bucket/key[?versionId=id], encoded as a path. A question mark of the key is
// encoded, so the first one that is not begins the version. Access points, which are named by ARN, are none here.
func parseSource(v string) (*Source, error) {
	path, query, hasVersion := strings.Cut(v, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return nil, invalidArgument("x-amz-copy-source", v, "Invalid copy source encoding.")
	}
	s := &Source{}
	s.Bucket, s.Key, _ = strings.Cut(strings.TrimPrefix(decoded, "/"), "/")
	if s.Bucket == "" || s.Key == "" || strings.HasPrefix(decoded, "arn:") {
		return nil, invalidArgument("x-amz-copy-source", v, "Invalid copy source object key")
	}
	if err := bucket.CheckName(s.Bucket); err != nil {
		return nil, invalidArgument("x-amz-copy-source", v, "Invalid copy source bucket name")
	}
	if err := storage.CheckKey(s.Key); err != nil {
		return nil, invalidArgument("x-amz-copy-source", v, "Invalid copy source object key")
	}
	if hasVersion {
		id, ok := strings.CutPrefix(query, "versionId=")
		if s.VersionID, err = url.PathUnescape(id); err != nil || !ok || id == "" || strings.Contains(id, "&") || len(id) > storage.MaxKeyLength {
			return nil, invalidArgument("x-amz-copy-source", v, "Invalid copy source version id")
		}
	}
	return s, nil
}

// readSource reads the headers of a copy.
func (q *Request) readSource(h *headers) {
	s, err := parseSource(h.one("X-Amz-Copy-Source"))
	if err != nil {
		h.refuse(err)
		return
	}
	s.Conditions = h.conditions("X-Amz-Copy-Source-")
	s.ExpectedOwner = h.account("X-Amz-Source-Expected-Bucket-Owner")
	if v := h.one("X-Amz-Copy-Source-Range"); v != "" {
		if q.Operation != "UploadPartCopy" {
			h.refuse(invalidArgument("x-amz-copy-source-range", v, "Only a part can be a copy of a range."))
		}
		if s.Range, err = storage.ParseCopyRange(v); err != nil {
			h.refuse(err)
		}
	}
	q.metadataDirective = h.among("X-Amz-Metadata-Directive", "COPY", "REPLACE")
	q.ReplaceHeaders = q.metadataDirective == "REPLACE"
	q.ReplaceTags = h.among("X-Amz-Tagging-Directive", "COPY", "REPLACE") == "REPLACE"
	if q.Operation == "CopyObject" && s.Bucket == q.Bucket && s.Key == q.Key && s.VersionID == "" && !q.changes() {
		h.refuse(invalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."))
	}
	q.Source = s
}

// changes reports whether a copy onto itself would do anything.
func (q *Request) changes() bool {
	return q.ReplaceHeaders || q.ReplaceTags || q.StorageClass != "" || q.Headers.WebsiteRedirectLocation != "" || q.Encryption != ""
}
