package server

import (
	"net/http/httptest"
	"testing"
	"time"
)

func TestSourceIPBelievesOnlyTrustedProxies(t *testing.T) {
	for _, tc := range []struct {
		name      string
		trusted   []string
		peer      string
		forwarded []string
		want      string
	}{
		{"no proxy configured, header ignored", nil, "203.0.113.9:1", []string{"10.0.0.1"}, "203.0.113.9"},
		{"peer is not a trusted proxy, header ignored", []string{"10.0.0.0/8"}, "203.0.113.9:1", []string{"192.0.2.7"}, "203.0.113.9"},
		{"trusted proxy tells the client", []string{"10.0.0.0/8"}, "10.1.1.1:1", []string{"192.0.2.7"}, "192.0.2.7"},
		{"what the client wrote itself is not believed", []string{"10.0.0.0/8"}, "10.1.1.1:1", []string{"127.0.0.1, 192.0.2.7"}, "192.0.2.7"},
		{"chain of trusted proxies", []string{"10.0.0.0/8"}, "10.1.1.1:1", []string{"192.0.2.7, 10.2.2.2"}, "192.0.2.7"},
		{"several headers are one list", []string{"10.0.0.0/8"}, "10.1.1.1:1", []string{"198.51.100.1", "192.0.2.7"}, "192.0.2.7"},
		{"garbage ends the walk at the last proxy", []string{"10.0.0.0/8"}, "10.1.1.1:1", []string{"192.0.2.7, nonsense"}, "10.1.1.1"},
		{"IPv4 in IPv6 is IPv4", nil, "[::ffff:203.0.113.9]:1", nil, "203.0.113.9"},
		{"IPv6 without its zone", nil, "[fe80::1%eth0]:1", nil, "fe80::1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o, err := newOrigin("us-east-1", tc.trusted, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tc.peer
			for _, f := range tc.forwarded {
				r.Header.Add("X-Forwarded-For", f)
			}
			if got := o.of(r).SourceIP; got != tc.want {
				t.Errorf("source IP = %q, want %q", got, tc.want)
			}
		})
	}
}

func unforcedAtTimes() Config {
	c := Config{Dir: "d"}
	c.Storage.Sync = "sometimes"
	return c
}

func TestConfigErrorsSayWhatToChange(t *testing.T) {
	for name, c := range map[string]Config{
		"no directory":                     {},
		"address without port":             {Dir: "d", API: "localhost"},
		"unknown compatibility":            {Dir: "d", Compat: "loose"},
		"region that is none":              {Dir: "d", Region: "US East"},
		"account id of eleven digits":      {Dir: "d", ManagementAccount: "11111111111"},
		"web URL with a trailing dash":     {Dir: "d", WebURL: "http://x/"},
		"proxy that is no network":         {Dir: "d", TrustedProxies: []string{"10.0.0.1"}},
		"objects that are forced at times": unforcedAtTimes(),
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.Complete(); err == nil {
				t.Error("accepted")
			}
		})
	}
}
