package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// provider is a provisioning client of a running server.
type provider struct {
	*server
	endpoint, token string
}

func (s *server) provider() *provider {
	out, err := exec.Command(os.Getenv("LAKEGATE_BINARY"), "scim", "token", "--dir", s.dir, "--env").Output() //nolint:gosec // the developer names the binary
	must(s.b, err)
	p := &provider{server: s}
	for line := range strings.Lines(string(out)) {
		name, v, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		switch v = strings.Trim(v, `'"`); name {
		case "SCIM_ENDPOINT":
			p.endpoint = strings.TrimSuffix(v, "/")
		case "SCIM_TOKEN":
			p.token = v
		}
	}
	return p
}

func (p *provider) request(method, path, body string) (*http.Request, error) {
	req, err := http.NewRequest(method, p.endpoint+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Content-Type", "application/scim+json")
	return req, nil
}

// made sends what makes a resource and returns its id.
func (p *provider) made(path, body string) string {
	req, err := p.request("POST", path, body)
	must(p.b, err)
	resp, err := p.http.Do(req)
	must(p.b, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	must(p.b, err)
	var r struct{ ID string }
	must(p.b, json.Unmarshal(text, &r))
	if r.ID == "" {
		p.b.Fatalf("%s %s: %s", path, body, text)
	}
	return r.ID
}

// BenchmarkSCIM is a provisioning client over HTTP, in the small directory of the demonstration; how the cost goes with the
// size of a directory is measured by BenchmarkFirstSync in internal/scim.
func BenchmarkSCIM(b *testing.B) {
	p := start(b).provider()
	var n atomic.Int64
	user := func(i int64) string {
		return fmt.Sprintf(`{"userName":"bench%d@example.com","externalId":"bench-%d","displayName":"Bench %d","name":{"givenName":"B","familyName":"%d"},"emails":[{"value":"bench%d@example.com","type":"work","primary":true}]}`, i, i, i, i, i)
	}
	var people []string
	for range 100 {
		people = append(people, p.made("/Users", user(n.Add(1))))
	}
	var all []string
	for _, id := range people {
		all = append(all, `{"value":"`+id+`"}`)
	}
	patch := func(group, op, members string) (*http.Request, error) {
		return p.request("PATCH", "/Groups/"+group+"?attributes=id", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"`+op+`","path":"members","value":[`+members+`]}]}`)
	}
	// Each change is undone by the next, so that each has something to do.
	turn := func(group, members string) func() (*http.Request, error) {
		var turns atomic.Int64
		return func() (*http.Request, error) {
			if turns.Add(1)%2 == 1 {
				return patch(group, "add", members)
			}
			return patch(group, "remove", members)
		}
	}
	group := func(name string) string {
		return p.made("/Groups", fmt.Sprintf(`{"displayName":"bench %s %d"}`, name, n.Add(1)))
	}
	for _, op := range []struct {
		name string
		next func() (*http.Request, error)
	}{
		{"create user", func() (*http.Request, error) { return p.request("POST", "/Users", user(n.Add(1))) }},
		{"create group", func() (*http.Request, error) {
			return p.request("POST", "/Groups", fmt.Sprintf(`{"displayName":"bench %d"}`, n.Add(1)))
		}},
		{"add or remove 1 member", turn(group("one"), all[0])},
		{"add or remove 100 members", turn(group("hundred"), strings.Join(all, ","))},
		{"userName eq", func() (*http.Request, error) {
			return p.request("GET", "/Users?filter="+url.QueryEscape(`userName eq "bench7@example.com"`), "")
		}},
	} {
		b.Run(op.name, func(b *testing.B) { p.drive(b, 1, op.next) })
	}
}
