package visit

import (
	"context"
	"net/http"
	"net/netip"
	"testing"
	"time"
)

func TestCheckURL(t *testing.T) {
	for url, want := range map[string]struct{ plain, development bool }{
		"https://login.example.com/v2.0":    {true, true},
		"https://login.example.com:8443/x":  {true, true},
		"http://login.example.com":          {false, false},
		"http://127.0.0.1:9422":             {false, true},
		"http://[::1]:9422":                 {false, true},
		"http://localhost:9422":             {false, true},
		"http://idp.localhost:9422":         {false, true},
		"http://127.0.0.1.example.com":      {false, false},
		"http://localhost.example.com":      {false, false},
		"http://10.0.0.1":                   {false, false},
		"file:///etc/passwd":                {false, false},
		"gopher://login.example.com":        {false, false},
		"https://user:word@login.example":   {false, false},
		"https://login.example.com/#x":      {false, false},
		"https:login.example.com":           {false, false},
		"//login.example.com":               {false, false},
		"":                                  {false, false},
		"https://":                          {false, false},
		"https://login.example.com\r\nX: y": {false, false},
	} {
		for development, want := range map[bool]bool{false: want.plain, true: want.development} {
			f := New(Config{Development: development})
			if _, err := f.checkURL(url); (err == nil) != want {
				t.Errorf("%q, development %t: %v", url, development, err)
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, public := range map[string]bool{
		"1.1.1.1": true, "20.190.128.1": true, "2606:4700::1111": true,
		"127.0.0.1": false, "127.8.9.1": false, "::1": false, "0.0.0.0": false, "::": false, "0.1.2.3": false,
		"10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "fd00::1": false, "fc00::1": false,
		"169.254.169.254": false, "fe80::1": false, "fd00:ec2::254": false, "100.64.0.1": false, "100.100.100.200": false,
		"192.0.2.1": false, "198.18.0.1": false, "203.0.113.9": false, "224.0.0.1": false, "ff02::1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:1.1.1.1": true, "::7f00:1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::": false, "2001:db8::1": false, "fec0::1": false,
	} {
		a := netip.MustParseAddr(address)
		f := New(Config{})
		err := f.admit(t.Context(), "tcp", netip.AddrPortFrom(a, 443).String(), nil)
		if (err == nil) != public {
			t.Errorf("%s: %v", address, err)
		}
		open := New(Config{AllowPrivate: true})
		never := a.Unmap().IsUnspecified() || a.IsMulticast()
		if err := open.admit(t.Context(), "tcp", netip.AddrPortFrom(a, 443).String(), nil); (err == nil) == never {
			t.Errorf("%s with private addresses allowed: %v", address, err)
		}
		development := New(Config{Development: true})
		if err := development.admit(t.Context(), "tcp", netip.AddrPortFrom(a, 443).String(), nil); (err == nil) != (public || a.Unmap().IsLoopback()) {
			t.Errorf("%s in development: %v", address, err)
		}
		plain := context.WithValue(t.Context(), plainKey{}, true)
		if err := open.admit(plain, "tcp", netip.AddrPortFrom(a, 80).String(), nil); (err == nil) != a.Unmap().IsLoopback() {
			t.Errorf("%s by http: %v", address, err)
		}
	}
}

// A proxy that the environment names would be dialled in place of the issuer, so that nobody judged its address.
func TestNoProxy(t *testing.T) {
	if tr, ok := New(Config{}).client.Transport.(*gate); !ok || tr.transport.Proxy != nil {
		t.Error("visits go by a proxy")
	}
}

func TestMaxAge(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                             0,
		"max-age=600":                  10 * time.Minute,
		"public, Max-Age=\"60\", x":    time.Minute,
		"no-store, max-age=600":        0,
		"max-age=-1":                   0,
		"max-age=99999999999999999999": 0,
		"max-age":                      0,
		"s-maxage=5, max-age=7":        7 * time.Second,
	} {
		if got := MaxAge(http.Header{"Cache-Control": {header}}); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}
