package storage

import (
	"strings"
	"time"
)

// evaluate decides a conditional read as RFC 9110 §13.2.2 orders it: entity tags come before dates, and a condition on a
// tag makes the date of the same sense moot.
func (c Conditions) evaluate(etag string, modified time.Time) error {
	modified = modified.Truncate(time.Second)
	switch {
	case c.IfMatch != "":
		if !matchesETag(c.IfMatch, etag) {
			return preconditionFailed("If-Match")
		}
	case !c.IfUnmodifiedSince.IsZero():
		if modified.After(c.IfUnmodifiedSince) {
			return preconditionFailed("If-Unmodified-Since")
		}
	}
	switch {
	case c.IfNoneMatch != "":
		if matchesETag(c.IfNoneMatch, etag) {
			return notModified()
		}
	case !c.IfModifiedSince.IsZero():
		if !modified.After(c.IfModifiedSince) {
			return notModified()
		}
	}
	return nil
}

// evaluateCopy is evaluate for the source of a copy, where nothing is "not modified": what does not hold, fails.
func (c Conditions) evaluateCopy(etag string, modified time.Time) error {
	err := c.evaluate(etag, modified)
	if e, ok := err.(*Error); ok && e.Code == "NotModified" {
		if c.IfNoneMatch != "" {
			return preconditionFailed("x-amz-copy-source-If-None-Match")
		}
		return preconditionFailed("x-amz-copy-source-If-Modified-Since")
	}
	return err
}

// matchesETag compares with one tag, a list of tags, or "*".
func matchesETag(want, have string) bool {
	have = strings.Trim(have, `"`)
	for w := range strings.SplitSeq(want, ",") {
		if w = strings.TrimSpace(w); w == "*" || strings.Trim(w, `"`) == have {
			return true
		}
	}
	return false
}

// checkWrite refuses conditions that S3 has none of for writes.
func checkWrite(ifMatch, ifNoneMatch string) error {
	switch {
	case ifNoneMatch != "" && ifNoneMatch != "*":
		return notImplemented("A header you provided implies functionality that is not implemented").with("Header", "If-None-Match")
	case ifNoneMatch != "" && ifMatch != "":
		return notImplemented("A header you provided implies functionality that is not implemented").with("Header", "If-Match,If-None-Match")
	}
	return nil
}

// evaluateWrite decides a conditional write. etag is empty when there is no object.
func evaluateWrite(ifMatch, ifNoneMatch, key, etag string) error {
	switch {
	case ifNoneMatch != "" && etag != "":
		return preconditionFailed("If-None-Match")
	case ifMatch != "" && etag == "":
		return noSuchKey(key)
	case ifMatch != "" && !matchesETag(ifMatch, etag):
		return preconditionFailed("If-Match")
	}
	return nil
}
