package gateway

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/lakegate/lakegate/internal/storage"
)

// readParameters reads what the query says besides the operation.
func (q *Request) readParameters(r *http.Request) error {
	p := q.params
	var err error
	text := func(target *string, name string) {
		if err == nil {
			*target, err = p.given(name)
		}
	}
	text(&q.VersionID, "versionId")
	text(&q.UploadID, "uploadId")
	text(&q.ConfigurationID, configurationID)
	text(&q.ContinuationToken, "continuation-token")
	text(&q.BucketRegion, "bucket-region")
	if err != nil {
		return err
	}
	q.Prefix, q.Delimiter, q.Marker, q.StartAfter = p.text("prefix"), p.text("delimiter"), p.text("marker"), p.text("start-after")
	q.KeyMarker, q.VersionIDMarker, q.UploadIDMarker = p.text("key-marker"), p.text("version-id-marker"), p.text("upload-id-marker")
	for _, name := range []string{"prefix", "delimiter", "marker", "start-after", "key-marker", "version-id-marker", "upload-id-marker", "continuation-token", "versionId", "uploadId", configurationID} {
		// A token encodes a key and more.
		if len(p.text(name)) > 4*storage.MaxKeyLength {
			return invalidArgument(name, p.text(name), "The parameter '"+name+"' is too long.")
		}
	}
	if len(q.Prefix) > storage.MaxKeyLength || len(q.Delimiter) > storage.MaxKeyLength {
		return invalidArgument("prefix", q.Prefix, "The prefix or delimiter is longer than any key.")
	}
	if v, ok := p.get("list-type"); ok && v != "2" {
		return invalidArgument("list-type", v, "The list type must be 2.")
	}
	if v, ok := p.get("select-type"); ok && v != "2" {
		return invalidArgument("select-type", v, "The select type must be 2.")
	}
	if v, ok := p.get("encoding-type"); ok && v != "url" {
		return invalidArgument("encoding-type", v, "Invalid Encoding Method specified in Request")
	}
	q.EncodingType = p.text("encoding-type")
	switch v := p.text("fetch-owner"); v {
	case "true":
		q.FetchOwner = true
	case "", "false":
	default:
		return invalidArgument("fetch-owner", v, "The parameter 'fetch-owner' must be true or false.")
	}
	if err := q.readNumbers(); err != nil {
		return err
	}
	return q.readOverrides(r)
}

func (q *Request) readNumbers() error {
	p := q.params
	for _, name := range []string{"max-keys", "max-uploads", "max-parts", "max-buckets"} {
		v, ok := p.get(name)
		most := storage.MaxPage
		if name == "max-buckets" {
			most = maxBuckets
		}
		n, err := page(name, v, ok, most)
		if err != nil {
			return err
		}
		if ok {
			q.MaxKeys = n
		}
	}
	if q.Operation == "ListBuckets" && !p.has("max-buckets") {
		q.MaxKeys = maxBuckets
	}
	if v, ok := p.get("partNumber"); ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > storage.MaxParts || v[0] == '+' {
			return invalidArgument("partNumber", v, "Part number must be an integer between 1 and 10000, inclusive")
		}
		q.PartNumber = n
	}
	if v, ok := p.get("part-number-marker"); ok {
		n, err := page("part-number-marker", v, true, storage.MaxParts)
		if err != nil {
			return err
		}
		q.PartNumberMarker = n
	}
	return nil
}

// maxBuckets is the largest page of ListBuckets.
const maxBuckets = 10000

// overridable are the headers of an answer that a request may change, by parameter.
var overridable = []parameter{
	{"response-cache-control", "Cache-Control"}, {"response-content-disposition", "Content-Disposition"}, {"response-content-encoding", "Content-Encoding"},
	{"response-content-language", "Content-Language"}, {"response-content-type", "Content-Type"}, {"response-expires", "Expires"},
}

// readOverrides reads the headers that the answer is to have. Only who signs may ask for them: else a link to somebody's
// file could be made to run in a browser as something else.
func (q *Request) readOverrides(r *http.Request) error {
	for _, o := range overridable {
		v, ok := q.params.get(o.name)
		if !ok {
			continue
		}
		if r.Header.Get("Authorization") == "" && !q.params.signed {
			return invalidRequest("Request specific response headers cannot be used for anonymous GET requests.")
		}
		if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c == 0x7f }) || len(v) > storage.MaxHeaderLength {
			return invalidArgument(o.name, v, "The parameter '"+o.name+"' has a value that no header can have.")
		}
		if q.Overrides == nil {
			q.Overrides = map[string]string{}
		}
		q.Overrides[o.value] = v
	}
	return nil
}
