package gateway

import "testing"

func TestHosts(t *testing.T) {
	for _, tt := range []struct {
		host, target string
		bucket, key  string
		op           Operation
		code         string
	}{
		{"localhost:9420", "/red/k", "red", "k", "GetObject", ""},
		{"localhost", "/red/k", "red", "k", "GetObject", ""},
		{"LOCALHOST", "/red/k", "red", "k", "GetObject", ""},
		{"127.0.0.1:9420", "/red/k", "red", "k", "GetObject", ""},
		{"[::1]:9420", "/red/k", "red", "k", "GetObject", ""},
		{"[::1]", "/red/k", "red", "k", "GetObject", ""},
		{"lakegate.internal", "/red/k", "red", "k", "GetObject", ""},
		{"lakegate.internal.", "/red/k", "red", "k", "GetObject", ""},
		{"gate.example.com", "/red/k", "red", "k", "GetObject", ""}, // not its own: path style
		{"notlakegate.internal", "/red/k", "red", "k", "GetObject", ""},
		{"", "/red/k", "red", "k", "GetObject", ""},

		{"red.localhost:9420", "/k", "red", "k", "GetObject", ""},
		{"red.lakegate.internal", "/blue/k", "red", "blue/k", "GetObject", ""},
		{"red.lakegate.internal.:9420", "/k", "red", "k", "GetObject", ""},
		{"RED.Lakegate.Internal", "/k", "red", "k", "GetObject", ""},
		{"red.data.lakegate.internal", "/k", "red.data", "k", "GetObject", ""},
		{"red.lakegate.internal", "/", "red", "", "ListObjects", ""},
		{"red.127.0.0.1:9420", "/k", "red", "k", "GetObject", ""},

		{"111111111111.lakegate.internal", "/red/k", "red", "k", "GetObject", ""}, // an account, not a bucket
		{"111111111111.localhost:9420", "/", "", "", "ListBuckets", ""},
		{"11111111111.lakegate.internal", "/k", "11111111111", "k", "GetObject", ""},

		{".lakegate.internal", "/k", "", "", "", "InvalidBucketName"},
		{"re_d.lakegate.internal", "/k", "", "", "", "InvalidBucketName"},
		{"token.lakegate.internal", "/k", "", "", "", "InvalidBucketName"},
		{"red..lakegate.internal", "/k", "", "", "", "InvalidBucketName"},
	} {
		r := received(t, "GET", tt.target, "Host", tt.host)
		q := checkCode(t, r, tt.code)
		if q != nil && (q.Bucket != tt.bucket || q.Key != tt.key || q.Operation != tt.op) {
			t.Errorf("%s%s is %s of %q %q", tt.host, tt.target, q.Operation, q.Bucket, q.Key)
		}
	}
}

func TestLongestBaseWins(t *testing.T) {
	rules := HostRules{Bases: []string{"example.com", "S3.example.com"}}
	for host, want := range map[string]string{"s3.example.com": "", "red.s3.example.com:9420": "red", "blue.example.com": "blue", "red.localhost": ""} {
		if got, _ := rules.bucketOf(host); got != want {
			t.Errorf("%s names %q, want %q", host, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	long := string(make([]byte, 1025))
	for target, code := range map[string]string{
		"/red/a":                    "",
		"/red/a/":                   "",
		"/red/a%2Fb":                "",
		"/red/...":                  "",
		"/red/a..b/.c":              "",
		"/red/é":                    "",
		"/red/%C3%A9+%20%2B":        "",
		"/r":                        "InvalidBucketName",
		"/Red/a":                    "InvalidBucketName",
		"/r_d/a":                    "InvalidBucketName",
		"/192.168.0.1/a":            "InvalidBucketName",
		"//a":                       "InvalidBucketName",
		"//red/a":                   "InvalidBucketName",
		"/../red/a":                 "InvalidBucketName",
		"/arn:aws:s3:::red/a":       "InvalidBucketName",
		"/v20180820/a":              "InvalidBucketName",
		"/token":                    "InvalidBucketName",
		"/logout/a":                 "InvalidBucketName",
		"/device_authorization":     "InvalidBucketName",
		"/red/.":                    "InvalidArgument",
		"/red/..":                   "InvalidArgument",
		"/red/../blue/a":            "InvalidArgument",
		"/red/%2e%2e/blue":          "InvalidArgument",
		"/red/a/%2E%2E/b":           "InvalidArgument",
		"/red/..%2Fblue":            "InvalidArgument",
		"/red/a/./b":                "InvalidArgument",
		"/red//a":                   "InvalidArgument",
		"/red/%2Fa":                 "InvalidArgument",
		"/red/a//b":                 "InvalidArgument",
		"/red/a%00b":                "InvalidArgument",
		"/red/%ff":                  "InvalidArgument",
		"/red/" + escapeZeros(long): "KeyTooLongError",
	} {
		checkCode(t, received(t, "GET", target), code)
	}
	// Decoded once and no more.
	q := checkCode(t, received(t, "GET", "/red/a%252Fb%2520c"), "")
	if q.Key != "a%2Fb%20c" {
		t.Errorf("the key is %q", q.Key)
	}
}

func escapeZeros(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = 'a'
	}
	return string(b)
}
