package sigv4

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTampering changes one thing about a signed request at a time.
func TestTampering(t *testing.T) {
	const target = "http://lakegate.internal:9420/red/a%20b//c?versionId=1&prefix=x%2Fy&empty"
	headers := []string{"X-Amz-Meta-Colour", "red", "X-Amz-Acl", "private", "Range", "bytes=0-9", "Content-Type", "text/csv"}
	tests := map[string]struct {
		change func(r *http.Request)
		want   Kind
	}{
		"nothing":                 {func(*http.Request) {}, 0},
		"query reordered":         {func(r *http.Request) { r.URL.RawQuery = reorder(r.URL.RawQuery) }, 0},
		"query encoded otherwise": {func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "x%2Fy", "%78/y", 1) }, 0},
		"a header that no one signed and that is none of Amazon's": {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "10.0.0.1") }, 0},

		"method":             {func(r *http.Request) { r.Method = "PUT" }, Mismatch},
		"path":               {func(r *http.Request) { r.URL.Path += "x" }, Mismatch},
		"path cleaned":       {func(r *http.Request) { r.URL.Path = strings.ReplaceAll(r.URL.Path, "//", "/") }, Mismatch},
		"path with dots":     {func(r *http.Request) { r.URL.Path = "/./red/a b//c" }, Mismatch},
		"path in other case": {func(r *http.Request) { r.URL.Path = strings.ToUpper(r.URL.Path) }, Mismatch},
		"host":               {func(r *http.Request) { r.Host = "blue.lakegate.internal:9420" }, Mismatch},
		"port":               {func(r *http.Request) { r.Host = "lakegate.internal" }, Mismatch},
		"parameter added":    {func(r *http.Request) { r.URL.RawQuery += "&acl" }, Mismatch},
		"parameter twice":    {func(r *http.Request) { r.URL.RawQuery += "&versionId=1" }, Mismatch},
		"parameter removed":  {func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "&empty", "", 1) }, Mismatch},
		"parameter in case":  {func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "prefix", "Prefix", 1) }, Mismatch},
		"value changed": {func(r *http.Request) {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "versionId=1", "versionId=2", 1)
		}, Mismatch},
		"value moved":              {func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "empty", "empty=1", 1) }, Mismatch},
		"signed header":            {func(r *http.Request) { r.Header.Set("Range", "bytes=0-99") }, Mismatch},
		"signed header gone":       {func(r *http.Request) { r.Header.Del("Range") }, Mismatch},
		"signed header twice":      {func(r *http.Request) { r.Header.Add("X-Amz-Meta-Colour", "blue") }, Mismatch},
		"content type":             {func(r *http.Request) { r.Header.Set("Content-Type", "text/html") }, Mismatch},
		"x-amz header added":       {func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source", "blue/secret") }, UnsignedHeaders},
		"x-amz header in odd case": {func(r *http.Request) { r.Header["x-amz-acl"] = []string{"public-read"} }, UnsignedHeaders},
	}
	for name, tt := range tests {
		for form, make := range map[string]func() *http.Request{
			"header":    func() *http.Request { return signed(t, "GET", target, headers...) },
			"presigned": func() *http.Request { return presigned(t, "GET", target, time.Hour, headers...) },
		} {
			t.Run(name+"/"+form, func(t *testing.T) {
				r := make()
				tt.change(r)
				checkKind(t, verify(r, s3Options()), tt.want)
			})
		}
	}
}

func reorder(query string) string {
	pairs := strings.Split(query, "&")
	slices.Reverse(pairs)
	return strings.Join(pairs, "&")
}

func checkKind(t *testing.T, err error, want Kind) {
	t.Helper()
	switch {
	case want == 0 && err != nil:
		t.Errorf("refused: %v", err)
	case want != 0 && !errors.Is(err, &Error{Kind: want}):
		t.Errorf("got %v, want kind %d", err, want)
	}
}

// TestEveryByteOfTheSignedPartsCounts flips each byte of the path, the query, the date and the Authorization header.
func TestEveryByteOfTheSignedPartsCounts(t *testing.T) {
	make := func() *http.Request {
		return signed(t, "GET", "http://lakegate.internal/red/key?prefix=abc", "X-Amz-Meta-A", "value")
	}
	if err := verify(make(), s3Options()); err != nil {
		t.Fatal(err)
	}
	parts := map[string]func(r *http.Request) *string{
		"path":          func(r *http.Request) *string { return &r.URL.Path },
		"query":         func(r *http.Request) *string { return &r.URL.RawQuery },
		"host":          func(r *http.Request) *string { return &r.Host },
		"method":        func(r *http.Request) *string { return &r.Method },
		"date":          func(r *http.Request) *string { return &r.Header["X-Amz-Date"][0] },
		"payload":       func(r *http.Request) *string { return &r.Header["X-Amz-Content-Sha256"][0] },
		"metadata":      func(r *http.Request) *string { return &r.Header["X-Amz-Meta-A"][0] },
		"authorization": func(r *http.Request) *string { return &r.Header["Authorization"][0] },
	}
	for name, part := range parts {
		for i := range len(*part(make())) {
			for _, flip := range []byte{0x01, 0x20} { // another character, the other case
				r := make()
				p := part(r)
				b := []byte(*p)
				b[i] ^= flip
				*p = string(b)
				// With another access key id the signature would be looked up under another key, and the spaces and commas
				// of the header are not signed.
				if sig, err := Parse(r); err == nil && (sig.Credential.AccessKeyID != testKey || i == len(Algorithm)) {
					continue
				}
				if err := verify(r, s3Options()); err == nil {
					t.Errorf("%s: byte %d of %q is not covered", name, i, *part(make()))
				}
			}
		}
	}
}
