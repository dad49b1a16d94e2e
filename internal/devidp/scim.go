package devidp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The URNs that SCIM and Entra put into their messages.
const (
	urnUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	urnEnterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	urnGroup      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	urnEntraGroup = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
	urnPatch      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

	scimType = "application/scim+json"
)

// ErrPush is what every failed push is.
var ErrPush = errors.New("push to SCIM endpoint")

// Target is a SCIM 2.0 endpoint: what people are pushed to.
type Target struct {
	// Endpoint is the base URL, to which /Users and /Groups are added: https, or http on this machine.
	Endpoint string
	// Token is the bearer token.
	Token string
}

// LogValue leaves out the token.
func (t Target) LogValue() slog.Value {
	return slog.GroupValue(slog.String("endpoint", t.Endpoint))
}

// String leaves out the token.
func (t Target) String() string { return t.Endpoint }

// GoString leaves out the token.
func (t Target) GoString() string {
	return "devidp.Target{Endpoint: " + strconv.Quote(t.Endpoint) + "}"
}

func (t Target) check() error {
	u, err := url.Parse(t.Endpoint)
	if err != nil {
		return fmt.Errorf("%w: parse endpoint: %w", ErrPush, err)
	}
	if u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return fmt.Errorf("%w: endpoint %q must be https, or http on this machine: the token travels with every request", ErrPush, u.Redacted())
	}
	if t.Token == "" {
		return fmt.Errorf("%w: the bearer token is empty", ErrPush)
	}
	return nil
}

// scimError is an answer other than the one hoped for.
type scimError struct {
	method, path string
	status       int
	detail       string
}

func (e *scimError) Error() string {
	s := fmt.Sprintf("%s %s: %d %s", e.method, e.path, e.status, http.StatusText(e.status))
	if e.detail != "" {
		s += ": " + e.detail
	}
	return s
}

func isStatus(err error, status int) bool {
	e, ok := errors.AsType[*scimError](err)
	return ok && e.status == status
}

// scimClient sends the requests of one push.
type scimClient struct {
	base  *url.URL
	token string
	http  *http.Client
	pause func(context.Context, time.Duration) error

	requests int
}

// How often a request is sent again when the endpoint is busy, and the longest wait before that.
const (
	scimTries   = 4
	scimMaxWait = 10 * time.Second
	scimMaxBody = 1 << 20
)

// do sends a request and reads the answer into out, if there is one. An endpoint that is busy (429) or unwell (502, 503,
// 504) is asked again.
func (c *scimClient) do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode %s %s: %w", method, path, err)
		}
	}
	for try := 1; ; try++ {
		again, err := c.once(ctx, method, path, query, body, out)
		if err == nil || again == 0 || try == scimTries {
			return err
		}
		if err := c.pause(ctx, again); err != nil {
			return err
		}
	}
}

// once returns, beside an error, after what time it may help to try again; zero says that it will not.
func (c *scimClient) once(ctx context.Context, method, path string, query url.Values, body []byte, out any) (again time.Duration, err error) {
	u := c.base.JoinPath(path)
	q := u.Query() // an endpoint may come with a flag in its query, as Entra's do
	for k, v := range query {
		q[k] = v
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", scimType)
	req.Header.Set("User-Agent", "lakegate-devidp")
	if body != nil {
		req.Header.Set("Content-Type", scimType)
	}
	c.requests++
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, scimMaxBody))
	if err != nil {
		return 0, fmt.Errorf("read answer of %s %s: %w", method, path, err)
	}
	if resp.StatusCode/100 != 2 {
		var e struct {
			Detail string `json:"detail"`
		}
		_ = json.Unmarshal(data, &e) // an answer without a detail has none
		return waitBefore(resp), &scimError{method, path, resp.StatusCode, e.Detail[:min(len(e.Detail), 500)]}
	}
	if out == nil || len(bytes.TrimSpace(data)) == 0 {
		return 0, nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return 0, fmt.Errorf("parse answer of %s %s: %w", method, path, err)
	}
	return 0, nil
}

func waitBefore(resp *http.Response) time.Duration {
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			return min(time.Duration(s)*time.Second, scimMaxWait)
		}
		return time.Second
	}
	return 0
}

// list returns the resources that a filter finds.
func list[R any](ctx context.Context, c *scimClient, path, filter string, extra url.Values) ([]R, error) {
	q := url.Values{"filter": {filter}}
	for k, v := range extra {
		q[k] = v
	}
	var out struct {
		Total     int `json:"totalResults"`
		Resources []R `json:"Resources"`
	}
	err := c.do(ctx, http.MethodGet, path, q, nil, &out)
	return out.Resources, err
}

// eq is the filter that compares an attribute with a string. A SCIM string is a JSON string (RFC 7644 section 3.4.2.2).
func eq(attribute, value string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return attribute + ` eq ""` // a string always encodes
	}
	return attribute + " eq " + strings.TrimSuffix(b.String(), "\n")
}

// scimUser is a User resource, as far as we read it.
type scimUser struct {
	ID          string   `json:"id"`
	ExternalID  string   `json:"externalId"`
	UserName    string   `json:"userName"`
	DisplayName string   `json:"displayName"`
	Active      scimBool `json:"active"`
	Name        struct {
		GivenName  string `json:"givenName"`
		FamilyName string `json:"familyName"`
	} `json:"name"`
	Emails []struct {
		Value string `json:"value"`
		Type  string `json:"type"`
	} `json:"emails"`
}

func (u *scimUser) workEmail() string {
	for _, e := range u.Emails {
		if e.Type == "work" {
			return e.Value
		}
	}
	return ""
}

// scimGroup is a Group resource, as far as we read it.
type scimGroup struct {
	ID          string `json:"id"`
	ExternalID  string `json:"externalId"`
	DisplayName string `json:"displayName"`
}

// scimBool is a boolean that some endpoints write as a string. Absent is true: a user is active unless it is said that
// they are not.
type scimBool struct{ inactive bool }

// UnmarshalJSON takes true and false, with or without quotes, in any letter case.
func (b *scimBool) UnmarshalJSON(data []byte) error {
	switch strings.ToLower(strings.Trim(string(data), `"`)) {
	case "true", "null":
		b.inactive = false
	case "false":
		b.inactive = true
	default:
		return fmt.Errorf("%.20s is no boolean", data)
	}
	return nil
}

// patchOp is one operation of a PATCH, spelt as Entra spells it: with a capital.
type patchOp struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

func patch(ops ...patchOp) map[string]any {
	return map[string]any{"schemas": []string{urnPatch}, "Operations": ops}
}

// set is the operation that gives an attribute its value: Add where there was none.
func set(path, was, value string) patchOp {
	if was == "" {
		return patchOp{"Add", path, value}
	}
	return patchOp{"Replace", path, value}
}

// memberRef is a member in the form in which Entra sends one.
type memberRef struct {
	Ref   *string `json:"$ref"`
	Value string  `json:"value"`
}
