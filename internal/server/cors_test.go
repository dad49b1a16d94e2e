package server

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestPagesOfKnownOriginsReadAnswers(t *testing.T) {
	known := webOrigins{"https://browser.example"}
	for name, tt := range map[string]struct {
		origins      webOrigins
		method, from string
		answered     bool
		status       int
		shared       string
	}{
		"a call":                        {known, "GET", "https://browser.example", false, 200, "https://browser.example"},
		"a question before a call":      {known, "OPTIONS", "https://browser.example", true, 204, "https://browser.example"},
		"another origin":                {known, "GET", "https://evil.example", false, 200, ""},
		"another origin's question":     {known, "OPTIONS", "https://evil.example", true, 403, ""},
		"another port":                  {known, "GET", "https://browser.example:8443", false, 200, ""},
		"another scheme":                {known, "GET", "http://browser.example", false, 200, ""},
		"a name that begins alike":      {known, "GET", "https://browser.example.evil.example", false, 200, ""},
		"a page without an origin":      {known, "GET", "null", false, 200, ""},
		"any origin":                    {webOrigins{"*"}, "GET", "https://any.example", false, 200, "https://any.example"},
		"none set":                      {nil, "OPTIONS", "https://browser.example", true, 403, ""},
		"a client that is no browser":   {known, "GET", "", false, 200, ""},
		"a question that names no page": {known, "OPTIONS", "", true, 403, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := httptest.NewRecorder(), httptest.NewRequest(tt.method, "/v20180820/accessgrantsinstance/dataaccess", http.NoBody)
			if tt.from != "" {
				r.Header.Set("Origin", tt.from)
			}
			answered := tt.origins.share(w, r)
			if answered != tt.answered || w.Code != tt.status || w.Header().Get("Access-Control-Allow-Origin") != tt.shared {
				t.Errorf("answered %v with %d, shared with %q", answered, w.Code, w.Header().Get("Access-Control-Allow-Origin"))
			}
			if w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Error("cookies would be sent")
			}
		})
	}
}

func TestOriginsAreOrigins(t *testing.T) {
	for _, good := range []string{"*", "https://a.example", "http://localhost:3000"} {
		if err := checkOrigins([]string{good}); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "a.example", "https://a.example/", "https://*.example.com/x", "ftp://a", "null", "https://u@a.example"} {
		if checkOrigins([]string{bad}) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
