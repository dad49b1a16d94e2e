package gateway

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lakegate/lakegate/internal/sigv4"
	"github.com/lakegate/lakegate/internal/storage"
)

// TestParse reads every part of a request into its place.
func TestParse(t *testing.T) {
	date := time.Date(2026, 11, 22, 10, 15, 0, 0, time.UTC)
	const httpDate = "Sun, 22 Nov 2026 10:15:00 GMT"
	for name, tt := range map[string]struct {
		method, target string
		headers        []string
		want           Request
	}{
		"read": {"GET", "/red/k?versionId=v&partNumber=3&response-content-type=text%2Fcsv&x-id=GetObject", []string{
			"Authorization", "x", "If-Match", `"a"`, "If-Match", `"b"`, "If-None-Match", `"c"`, "If-Modified-Since", httpDate, "If-Unmodified-Since", "tomorrow",
			"Range", "bytes=1-2", "X-Amz-Checksum-Mode", "ENABLED", "X-Amz-Expected-Bucket-Owner", "111111111111", "X-Amz-Request-Payer", "requester",
		}, Request{
			Operation: "GetObject", Bucket: "red", Key: "k", VersionID: "v", PartNumber: 3, MaxKeys: 1000,
			Conditions: storage.Conditions{IfMatch: `"a","b"`, IfNoneMatch: `"c"`, IfModifiedSince: date}, Range: &storage.ByteRange{First: 1, Last: 2}, ChecksumMode: true,
			Overrides: map[string]string{"Content-Type": "text/csv"}, ExpectedOwner: "111111111111", RequesterPays: true,
		}},
		"presigned read": {"GET", "/red/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=c&X-Amz-Date=d&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=t&X-Amz-Signature=s" +
			"&x-amz-checksum-mode=ENABLED&response-expires=never&X-Amz-Expected-Bucket-Owner=111111111111", nil, Request{
			Operation: "GetObject", Bucket: "red", Key: "k", MaxKeys: 1000, ChecksumMode: true, Overrides: map[string]string{"Expires": "never"}, ExpectedOwner: "111111111111",
		}},
		"write": {"PUT", "/red/k", []string{
			"Content-Type", "text/csv", "Content-Encoding", "aws-chunked,gzip", "Content-Language", "de", "Content-Disposition", "attachment", "Cache-Control", "no-cache", "Expires", "0",
			"X-Amz-Meta-Colour", "red", "X-Amz-Meta-Colour", "blue", "X-Amz-Website-Redirect-Location", "/x", "Content-Md5", "XUFAKrxLKna5cZ2REBfFkg==",
			"X-Amz-Sdk-Checksum-Algorithm", "CRC32", "X-Amz-Trailer", "x-amz-checksum-crc32", "X-Amz-Content-Sha256", sigv4.StreamingUnsignedTrailer, "X-Amz-Decoded-Content-Length", "5",
			"X-Amz-Storage-Class", "STANDARD", "X-Amz-Tagging", "a=b+c", "X-Amz-Object-Lock-Mode", "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date", "2026-11-22T11:15:00+01:00",
			"X-Amz-Object-Lock-Legal-Hold", "ON", "X-Amz-Server-Side-Encryption", "AES256", "X-Amz-Acl", "bucket-owner-full-control", "If-None-Match", "*",
		}, Request{
			Operation: "PutObject", Bucket: "red", Key: "k", MaxKeys: 1000,
			Headers: storage.Headers{
				ContentType: "text/csv", ContentEncoding: "gzip", ContentLanguage: "de", ContentDisposition: "attachment", CacheControl: "no-cache", Expires: "0",
				WebsiteRedirectLocation: "/x", Metadata: map[string]string{"colour": "red,blue"},
			},
			ContentMD5: []byte("\x5d\x41\x40\x2a\xbc\x4b\x2a\x76\xb9\x71\x9d\x91\x10\x17\xc5\x92"), Checksum: storage.Checksum{Algorithm: storage.CRC32},
			Payload: sigv4.StreamingUnsignedTrailer, ContentLength: 5, StorageClass: "STANDARD", Tags: map[string]string{"a": "b c"},
			Retention: &storage.Retention{Mode: storage.Governance, Until: date}, LegalHold: new(true), Encryption: "AES256", ACL: "bucket-owner-full-control",
			Conditions: storage.Conditions{IfNoneMatch: "*"},
		}},
		"copy of a part": {"PUT", "/red/k?uploadId=u&partNumber=2", []string{
			"X-Amz-Copy-Source", "/blue/a%20b/%3F?versionId=v%2F1", "X-Amz-Copy-Source-Range", "bytes=0-9", "X-Amz-Copy-Source-If-Match", `"e"`, "X-Amz-Copy-Source-If-Unmodified-Since", httpDate,
			"X-Amz-Source-Expected-Bucket-Owner", "222222222222",
		}, Request{
			Operation: "UploadPartCopy", Bucket: "red", Key: "k", UploadID: "u", PartNumber: 2, MaxKeys: 1000,
			Source: &Source{
				Bucket: "blue", Key: "a b/?", VersionID: "v/1", Range: &storage.ByteRange{First: 0, Last: 9}, ExpectedOwner: "222222222222",
				Conditions: storage.Conditions{IfMatch: `"e"`, IfUnmodifiedSince: date},
			},
		}},
		"copy onto itself": {"PUT", "/red/k", []string{"X-Amz-Copy-Source", "red/k", "X-Amz-Metadata-Directive", "REPLACE", "X-Amz-Tagging-Directive", "REPLACE", "Content-Type", "text/csv"}, Request{
			Operation: "CopyObject", Bucket: "red", Key: "k", MaxKeys: 1000, Source: &Source{Bucket: "red", Key: "k"}, ReplaceHeaders: true, ReplaceTags: true, Headers: storage.Headers{ContentType: "text/csv"},
		}},
		"list": {"GET", "/red?list-type=2&prefix=a&delimiter=%2F&max-keys=7&continuation-token=t&start-after=b&fetch-owner=true&encoding-type=url", nil, Request{
			Operation: "ListObjectsV2", Bucket: "red", Prefix: "a", Delimiter: "/", MaxKeys: 7, ContinuationToken: "t", StartAfter: "b", FetchOwner: true, EncodingType: "url",
		}},
		"list of versions": {"GET", "/red?versions&key-marker=k&version-id-marker=v&max-keys=5000", nil, Request{
			Operation: "ListObjectVersions", Bucket: "red", KeyMarker: "k", VersionIDMarker: "v", MaxKeys: 1000,
		}},
		"list of uploads": {"GET", "/red?uploads&key-marker=k&upload-id-marker=u&max-uploads=0", nil, Request{Operation: "ListMultipartUploads", Bucket: "red", KeyMarker: "k", UploadIDMarker: "u"}},
		"list of parts":   {"GET", "/red/k?uploadId=u&max-parts=2&part-number-marker=1", nil, Request{Operation: "ListParts", Bucket: "red", Key: "k", UploadID: "u", MaxKeys: 2, PartNumberMarker: 1}},
		"list of buckets": {"GET", "/?prefix=r&continuation-token=t&bucket-region=us-east-1", nil, Request{Operation: "ListBuckets", Prefix: "r", ContinuationToken: "t", BucketRegion: "us-east-1", MaxKeys: 10000}},
		"attributes": {"GET", "/red/k?attributes", []string{"X-Amz-Object-Attributes", "ETag,ObjectSize", "X-Amz-Object-Attributes", "Checksum", "X-Amz-Max-Parts", "3", "X-Amz-Part-Number-Marker", "4"}, Request{
			Operation: "GetObjectAttributes", Bucket: "red", Key: "k", Attributes: []string{"ETag", "ObjectSize", "Checksum"}, MaxKeys: 3, PartNumberMarker: 4,
		}},
		"begin an upload": {"POST", "/red/k?uploads", []string{"X-Amz-Checksum-Algorithm", "CRC64NVME", "X-Amz-Checksum-Type", "FULL_OBJECT"}, Request{
			Operation: "CreateMultipartUpload", Bucket: "red", Key: "k", MaxKeys: 1000, Checksum: storage.Checksum{Algorithm: storage.CRC64NVME, Type: storage.FullObject},
		}},
		"complete an upload": {"POST", "/red/k?uploadId=u", []string{"X-Amz-Checksum-Sha256", "abc-2", "X-Amz-Checksum-Type", "COMPOSITE", "X-Amz-Mp-Object-Size", "10", "If-Match", "e"}, Request{
			Operation: "CompleteMultipartUpload", Bucket: "red", Key: "k", UploadID: "u", MaxKeys: 1000, ObjectSize: 10, Conditions: storage.Conditions{IfMatch: "e"},
			Checksum: storage.Checksum{Algorithm: storage.SHA256, Type: storage.Composite, Value: "abc-2"},
		}},
		"create a bucket": {"PUT", "/red", []string{"X-Amz-Bucket-Object-Lock-Enabled", "True", "X-Amz-Object-Ownership", "BucketOwnerEnforced"}, Request{
			Operation: "CreateBucket", Bucket: "red", MaxKeys: 1000, ObjectLock: true, ObjectOwnership: "BucketOwnerEnforced",
		}},
		"put a policy": {"PUT", "/red?policy", []string{"X-Amz-Confirm-Remove-Self-Bucket-Access", "true"}, Request{Operation: "PutBucketPolicy", Bucket: "red", MaxKeys: 1000, ConfirmRemoveSelf: true}},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := Parse(received(t, tt.method, tt.target, tt.headers...), HostRules{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, *q, cmpopts.IgnoreUnexported(Request{})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestRefusedHeaders(t *testing.T) {
	put := func(headers ...string) []string { return headers }
	for name, tt := range map[string]struct {
		headers []string
		want    string
	}{
		"none":                          {nil, ""},
		"not Amazon's":                  {put("X-Forwarded-For", "1.2.3.4", "X-Amzn-Trace-Id", "Root=1", "Amz-Sdk-Request", "attempt=1"), ""},
		"unknown":                       {put("X-Amz-Foo", "1"), "NotImplemented"},
		"append":                        {put("X-Amz-Write-Offset-Bytes", "5"), "NotImplemented"},
		"rename":                        {put("X-Amz-Rename-Source", "red/a"), "NotImplemented"},
		"metadata without a name":       {put("X-Amz-Meta-", "x"), "NotImplemented"},
		"unknown grant":                 {put("X-Amz-Grant-Everything", "id=a"), "NotImplemented"},
		"unknown checksum":              {put("X-Amz-Checksum-Crc16", "x"), "NotImplemented"},
		"key of the customer":           {put("X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256", "X-Amz-Server-Side-Encryption-Customer-Key", "x"), "NotImplemented"},
		"key service":                   {put("X-Amz-Server-Side-Encryption", "aws:kms"), "NotImplemented"},
		"unknown encryption":            {put("X-Amz-Server-Side-Encryption", "rot13"), "InvalidArgument"},
		"ACL twice":                     {put("X-Amz-Acl", "private", "X-Amz-Acl", "public-read"), "InvalidArgument"},
		"unknown ACL":                   {put("X-Amz-Acl", "everybody"), "InvalidArgument"},
		"ACL and grant":                 {put("X-Amz-Acl", "private", "X-Amz-Grant-Read", "id=a"), "InvalidRequest"},
		"tags that are none":            {put("X-Amz-Tagging", "a=1&a=2"), "InvalidArgument"},
		"tagging twice":                 {put("X-Amz-Tagging", "a=1", "X-Amz-Tagging", "b=2"), "InvalidArgument"},
		"lock without a date":           {put("X-Amz-Object-Lock-Mode", "GOVERNANCE"), "InvalidArgument"},
		"lock without a mode":           {put("X-Amz-Object-Lock-Retain-Until-Date", "2027-01-01T00:00:00Z"), "InvalidArgument"},
		"lock of another mode":          {put("X-Amz-Object-Lock-Mode", "NONE", "X-Amz-Object-Lock-Retain-Until-Date", "2027-01-01T00:00:00Z"), "InvalidArgument"},
		"hold that is maybe":            {put("X-Amz-Object-Lock-Legal-Hold", "MAYBE"), "InvalidArgument"},
		"bypass that is maybe":          {put("X-Amz-Bypass-Governance-Retention", "maybe"), "InvalidArgument"},
		"owner that is no account":      {put("X-Amz-Expected-Bucket-Owner", "me"), "InvalidBucketOwnerAWSAccountID"},
		"owner twice":                   {put("X-Amz-Expected-Bucket-Owner", "111111111111", "X-Amz-Expected-Bucket-Owner", "222222222222"), "InvalidArgument"},
		"MD5 of another size":           {put("Content-Md5", "AAAA"), "InvalidDigest"},
		"MD5 that is no base64":         {put("Content-Md5", "?"), "InvalidDigest"},
		"two checksums":                 {put("X-Amz-Checksum-Crc32", "AAAAAA==", "X-Amz-Checksum-Sha1", "x"), "InvalidRequest"},
		"checksum and another's name":   {put("X-Amz-Checksum-Crc32", "AAAAAA==", "X-Amz-Sdk-Checksum-Algorithm", "SHA1"), "InvalidRequest"},
		"checksum and a trailer":        {put("X-Amz-Checksum-Crc32", "AAAAAA==", "X-Amz-Trailer", "x-amz-checksum-crc32"), "InvalidRequest"},
		"trailer that is no checksum":   {put("X-Amz-Trailer", "x-amz-acl"), "InvalidRequest"},
		"unknown algorithm":             {put("X-Amz-Sdk-Checksum-Algorithm", "CRC16"), "InvalidRequest"},
		"chunks without a length":       {put("X-Amz-Content-Sha256", sigv4.StreamingSigned), "MissingContentLength"},
		"chunks of a negative length":   {put("X-Amz-Content-Sha256", sigv4.StreamingSigned, "X-Amz-Decoded-Content-Length", "-1"), "MissingContentLength"},
		"not UTF-8":                     {put("X-Amz-Storage-Class", "\xff"), "InvalidArgument"},
		"copy source of another bucket": {put("X-Amz-Copy-Source", "B_LUE/a"), "InvalidArgument"},
	} {
		t.Run(name, func(t *testing.T) { checkCode(t, received(t, "PUT", "/red/k", tt.headers...), tt.want) })
	}
	for name, tt := range map[string]struct {
		method, target string
		headers        []string
		want           string
	}{
		"chunks for a list of deletions":  {"POST", "/red?delete", put("X-Amz-Content-Sha256", sigv4.StreamingUnsignedTrailer, "X-Amz-Decoded-Content-Length", "1"), "InvalidRequest"},
		"chunks for a copy":               {"PUT", "/red/k", put("X-Amz-Copy-Source", "red/a", "X-Amz-Content-Sha256", sigv4.StreamingSigned, "X-Amz-Decoded-Content-Length", "1"), "InvalidRequest"},
		"chunks for a part":               {"PUT", "/red/k?uploadId=u&partNumber=1", put("X-Amz-Content-Sha256", sigv4.StreamingSigned, "X-Amz-Decoded-Content-Length", "1"), ""},
		"header in the URL and beside it": {"PUT", "/red/k?x-amz-acl=public-read", put("X-Amz-Acl", "private"), "InvalidArgument"},
		"header in the URL twice":         {"PUT", "/red/k?x-amz-acl=private&X-Amz-Acl=public-read", nil, "InvalidArgument"},
		"unknown header in the URL":       {"PUT", "/red/k?x-amz-foo=1", nil, "NotImplemented"},
		"line break in the URL":           {"PUT", "/red/k?x-amz-meta-a=a%0d%0ab", nil, "InvalidArgument"},
		"signature in another case":       {"PUT", "/red/k?x-amz-content-sha256=" + sigv4.StreamingSigned, nil, "InvalidArgument"},
		"token in another case":           {"PUT", "/red/k?x-amz-security-token=t", nil, "InvalidArgument"},
		"attributes without any":          {"GET", "/red/k?attributes", nil, "InvalidArgument"},
		"attributes that nothing has":     {"GET", "/red/k?attributes", put("X-Amz-Object-Attributes", "Colour"), "InvalidArgument"},
		"copy onto itself":                {"PUT", "/red/k", put("X-Amz-Copy-Source", "red/k"), "InvalidRequest"},
		"copy of a range of an object":    {"PUT", "/red/k", put("X-Amz-Copy-Source", "red/a", "X-Amz-Copy-Source-Range", "bytes=0-1"), "InvalidArgument"},
		"copy of half a range":            {"PUT", "/red/k?uploadId=u&partNumber=1", put("X-Amz-Copy-Source", "red/a", "X-Amz-Copy-Source-Range", "bytes=5-"), "InvalidArgument"},
		"copy twice":                      {"PUT", "/red/k", put("X-Amz-Copy-Source", "red/a", "X-Amz-Copy-Source", "blue/a"), "InvalidArgument"},
		"copy with a key of the customer": {"PUT", "/red/k", put("X-Amz-Copy-Source", "red/a", "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key", "x"), "NotImplemented"},
	} {
		t.Run(name, func(t *testing.T) { checkCode(t, received(t, tt.method, tt.target, tt.headers...), tt.want) })
	}
}

func TestSource(t *testing.T) {
	for in, want := range map[string]*Source{
		"blue/a":                            {Bucket: "blue", Key: "a"},
		"/blue/a":                           {Bucket: "blue", Key: "a"},
		"blue/a%20b%2Bc+d":                  {Bucket: "blue", Key: "a b+c+d"},
		"blue%2Fa%2Fb":                      {Bucket: "blue", Key: "a/b"},
		"blue/a%3FversionId=x":              {Bucket: "blue", Key: "a?versionId=x"},
		"blue/a?versionId=x":                {Bucket: "blue", Key: "a", VersionID: "x"},
		"blue/a?versionId=null":             {Bucket: "blue", Key: "a", VersionID: "null"},
		"blue/folder/":                      {Bucket: "blue", Key: "folder/"},
		"blue/a%252F":                       {Bucket: "blue", Key: "a%2F"},
		"":                                  nil,
		"blue":                              nil,
		"blue/":                             nil,
		"/blue":                             nil,
		"//blue/a":                          nil,
		"blue//a":                           nil,
		"blue/../red/a":                     nil,
		"blue/%2e%2e/red/a":                 nil,
		"blue/./a":                          nil,
		"../blue/a":                         nil,
		"BLUE/a":                            nil,
		"blue/%zz":                          nil,
		"blue/%00":                          nil,
		"blue/%ff":                          nil,
		"blue/a?versionId=":                 nil,
		"blue/a?versionid=x":                nil,
		"blue/a?x=y":                        nil,
		"blue/a?versionId=x&acl":            nil,
		"blue/a?":                           nil,
		"blue/" + strings.Repeat("a", 1025): nil,
		"arn:aws:s3:us-east-1:111111111111:accesspoint/ap/object/a": nil,
		"arn%3Aaws%3As3:::blue/a":                                   nil,
		"token/a":                                                   nil,
	} {
		got, err := parseSource(in)
		if err != nil {
			got = nil
			if e := spell(err); e.Code != "InvalidArgument" {
				t.Errorf("%q: %v", in, err)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", in, d)
		}
	}
}

func TestChecksumHeadersAreThoseOfTheAlgorithms(t *testing.T) {
	for i, a := range algorithms {
		if want := http.CanonicalHeaderKey("X-Amz-Checksum-" + string(a)); checksumHeaders[i] != want {
			t.Errorf("the header of %s is %s, not %s", a, want, checksumHeaders[i])
		}
	}
	if len(checksumHeaders) != len(algorithms) {
		t.Errorf("%d headers for %d algorithms", len(checksumHeaders), len(algorithms))
	}
}
