package gateway

import (
	"bufio"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/wire"
)

// FuzzParse: whatever arrives is refused with an error of S3, or named so that its needs are about exactly the bucket and
// key, and the source, that would be forwarded.
func FuzzParse(f *testing.F) {
	for i := range rules {
		source := ""
		if rules[i].copies {
			source = "blue/k?versionId=v"
		}
		f.Add(rules[i].method, "localhost", sample(&rules[i]), source, "")
	}
	f.Add("GET", "red.lakegate.internal", "/a%2F..%2Fb?list-type=2&prefix=&prefix=x", "", "")
	f.Add("PUT", "111111111111.localhost:9420", "http://localhost//red/../k?x-amz-copy-source=blue/k", "", "public-read")
	f.Fuzz(func(t *testing.T, method, host, target, source, acl string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")))
		if err != nil {
			return
		}
		r.Host = host
		if source != "" {
			r.Header.Set("X-Amz-Copy-Source", source)
		}
		if acl != "" {
			r.Header.Set("X-Amz-Acl", acl)
		}
		q, err := Parse(r, HostRules{})
		if err != nil {
			_, ours := errors.AsType[*wire.Error](err)
			_, below := errors.AsType[*storage.Error](err)
			if e := spell(err); !ours && !below || e.Status < 400 || e.Status == 500 {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		checkCover(t, r, q)
	})
}

func checkCover(t *testing.T, r *http.Request, q *Request) {
	t.Helper()
	if q.Operation == "" {
		t.Fatal("it has no name")
	}
	if q.Key != "" && (!utf8.ValidString(q.Key) || strings.Contains("/"+q.Key+"/", "/../") || strings.Contains("/"+q.Key+"/", "/./")) {
		t.Fatalf("the key is %q", q.Key)
	}
	if q.Key != "" && !strings.HasSuffix(r.URL.Path, q.Key) {
		t.Fatalf("the key of %s is %q", r.URL.Path, q.Key)
	}
	needs := q.Needs()
	if q.Operation == "DeleteObjects" {
		needs = append(needs, q.DeleteNeeds(ObjectIdentifier{Key: "k"})...)
		q.Key = "k"
	}
	covered, sourced := false, q.Source == nil
	for _, n := range needs {
		want := "arn:aws:s3:::" + n.Bucket
		if n.Key != "" {
			want += "/" + n.Key
		}
		if n.Bucket == "" {
			want = "*"
		}
		if n.Resource != want || !strings.HasPrefix(n.Action, "s3:") {
			t.Fatalf("%s on %s is about %q %q", n.Action, n.Resource, n.Bucket, n.Key)
		}
		ours := n.Bucket == q.Bucket && n.Key == q.Key
		theirs := q.Source != nil && n.Bucket == q.Source.Bucket && n.Key == q.Source.Key
		if !ours && !theirs {
			t.Fatalf("%s needs %s on %s", q.Operation, n.Action, n.Resource)
		}
		covered = covered || ours && !n.DenyOnly
		sourced = sourced || theirs && strings.HasPrefix(n.Action, "s3:GetObject")
	}
	if !covered || !sourced {
		t.Fatalf("%s of %q %q needs %v", q.Operation, q.Bucket, q.Key, wanted(needs))
	}
	// What is not signed away by name is in the query once.
	for name, values := range r.URL.Query() {
		if len(values) > 1 && !strings.HasPrefix(name, "X-Amz-") && name != "x-id" && q.params.has(name) && !strings.Contains(r.URL.RawQuery, "+") {
			t.Fatalf("%s is given %d times", name, len(values))
		}
	}
	if q.Prefix != "" {
		if v, ok := q.params.get("prefix"); !ok || v != q.Prefix {
			t.Fatalf("the prefix is %q", q.Prefix)
		}
	}
}

// FuzzSource: a source that is accepted is written again as itself.
func FuzzSource(f *testing.F) {
	for _, s := range []string{"blue/a", "/blue/a%20b?versionId=x", "blue/%2e%2e/a", "arn:aws:s3:::x/y", "blue/a?versionId=%3F"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s, err := parseSource(in)
		if err != nil {
			return
		}
		again := s.Bucket + "/" + url.PathEscape(s.Key)
		if s.VersionID != "" {
			again += "?versionId=" + url.PathEscape(s.VersionID)
		}
		if x, err := parseSource(again); err != nil && !strings.Contains(s.VersionID, "&") || err == nil && *x != *s {
			t.Fatalf("%q is %+v, and %q is %+v: %v", in, s, again, x, err)
		}
	})
}

// FuzzParseDelete: a batch that is accepted names between one and a thousand objects, each with a key.
func FuzzParseDelete(f *testing.F) {
	f.Add([]byte(`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key><VersionId>v</VersionId></Object><Quiet>true</Quiet></Delete>`))
	f.Add([]byte(`<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := ParseDelete(body)
		if err != nil {
			return
		}
		if len(b.Objects) == 0 || len(b.Objects) > maxBatch {
			t.Fatalf("%d objects", len(b.Objects))
		}
		for _, o := range b.Objects {
			if o.Key == "" || !utf8.ValidString(o.Key) {
				t.Fatalf("the key %q", o.Key)
			}
		}
	})
}
