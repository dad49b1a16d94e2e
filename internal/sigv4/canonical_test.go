package sigv4

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestAbsoluteForm: a client that uses the server as its proxy sends an absolute URL, and signs the host in it.
func TestAbsoluteForm(t *testing.T) {
	for _, host := range []string{"111111111111.lakegate.internal", "lakegate.internal:9420"} {
		t.Run(host, func(t *testing.T) {
			r := newRequest(t, "GET", "http://"+host+"/v20180820/accessgrantsinstance/dataaccess?target=s3%3A%2F%2Fred%2F%2A")
			if _, err := s3Signer().Sign(r, EmptyPayload, testTime()); err != nil {
				t.Fatal(err)
			}
			var seen error
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, in *http.Request) {
				if !strings.HasPrefix(in.RequestURI, "http://"+host+"/") {
					t.Errorf("the server received %s", in.RequestURI)
				}
				seen = verify(in, s3Options())
			}))
			defer srv.Close()
			proxy, err := url.Parse(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
			defer client.CloseIdleConnections()
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if seen != nil {
				t.Error(seen)
			}
		})
	}
}

// TestDefaultPort: clients leave a default port out of the host that they sign, and some leave it in the URL for the proxy.
func TestDefaultPort(t *testing.T) {
	r := signed(t, "GET", "http://lakegate.internal/red/key")
	r.Host = "lakegate.internal:80"
	if err := verify(r, s3Options()); err != nil {
		t.Error(err)
	}
	r.Host = "lakegate.internal:8080"
	checkKind(t, verify(r, s3Options()), Mismatch)
}

func TestCanonicalPath(t *testing.T) {
	for _, tt := range []struct{ sent, literal, normal string }{
		{"/", "/", "/"},
		{"/red//a/./b/../c", "/red//a/./b/../c", "/red/a/c"},
		{"/a%20b+c%2Fd", "/a%20b%2Bc/d", "/a%2520b%2Bc%252Fd"},
		{"/%e1%88%b4", "/%E1%88%B4", "/%25e1%2588%25b4"},
		{"/..", "/..", "/"},
		{"/a/..", "/a/..", "/"},
		{"/a/b/..", "/a/b/..", "/a/"},
		{"/a/b/.", "/a/b/.", "/a/b/"},
		{"/*'()!", "/%2A%27%28%29%21", "/%2A%27%28%29%21"},
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + tt.sent + " HTTP/1.1\r\nHost: h\r\n\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		for style, want := range []string{tt.literal, tt.normal} {
			c := canonical{style: PathStyle(style)}
			if got := strings.Split(string(c.appendTo(nil, r)), "\n")[1]; got != want {
				t.Errorf("%s in style %d is %s, want %s", tt.sent, style, got, want)
			}
		}
	}
}

func TestCanonicalQuery(t *testing.T) {
	for _, tt := range []struct{ sent, want string }{
		{"", ""},
		{"acl", "acl="},
		{"b=2&a=1", "a=1&b=2"},
		{"a=2&a=1", "a=1&a=2"},
		{"a-b=1&a=2", "a=2&a-b=1"}, // by name, not by the whole text
		{"B=1&a=2", "B=1&a=2"},
		{"é=1&z=2", "%C3%A9=1&z=2"},
		{"a=b=c", "a=b%3Dc"},
		{"a=+", "a=%2B"},
		{"a=%zz", "a=%25zz"},
		{"a=%2f", "a=%2F"},
		{"&&a=1&", "a=1"},
		{"X-Amz-Signature=00&a=1", "a=1"},
		{"a;b=1", "a%3Bb=1"},
	} {
		if got := string(appendQuery(nil, tt.sent)); got != tt.want {
			t.Errorf("%s is %s, want %s", tt.sent, got, tt.want)
		}
	}
}

func TestCanonicalHeaderValue(t *testing.T) {
	for in, want := range map[string]string{"a": "a", "  a  ": "a", "a  b   c": "a b c", `"a  b"`: `"a b"`, "\ta ": "a", "": "", "a \t b": "a \t b"} {
		if got := string(appendTrimmed(nil, in)); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
