package hook

import (
	"strings"
	"testing"
	"time"
)

func TestCheckURL(t *testing.T) {
	for address, good := range map[string]bool{
		"https://siem.example.com/in?token=x": true,
		"https://10.0.0.7:8443/in":            true,
		"http://127.0.0.1:9000/in":            true,
		"http://[::1]/in":                     true,
		"http://localhost/in":                 true,
		"http://siem.example.com/in":          false,
		"http://127.0.0.1.example.com/in":     false,
		"https://user:word@siem.example.com":  false,
		"https://siem.example.com/#in":        false,
		"file:///etc/passwd":                  false,
		"siem.example.com":                    false,
		"":                                    false,
	} {
		err := CheckURL(address)
		if (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
		if err != nil && strings.Contains(err.Error(), "word") {
			t.Errorf("%q: the error repeats the password: %v", address, err)
		}
	}
}

func TestCheckSecret(t *testing.T) {
	if CheckSecret("fifteen letters") == nil || CheckSecret("sixteen letters!") != nil {
		t.Error("the bound of sixteen characters does not hold")
	}
}

// TestSign holds the form that docs/requests.md and docs/audit.md promise. The value was computed with
// printf '1700000000.{}' | openssl dgst -sha256 -hmac 'sixteen letters!'.
func TestSign(t *testing.T) {
	if got, want := Sign("sixteen letters!", time.Unix(1700000000, 0), []byte("{}")), "t=1700000000,v1=96ab549f48d71fa3a81fbfdfb376da52cdeb76225c3f435cd504edf342c1cf8c"; got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
}
