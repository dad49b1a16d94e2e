package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// loginCommand signs a person in and leaves the tokens where the AWS CLI and SDKs look for them.
type loginCommand struct {
	StartURL   string `name:"start-url" help:"The start URL of the identity center instance; by default that of the sso-session in the AWS configuration file." placeholder:"URL"`
	SSOSession string `name:"sso-session" default:"lakegate" help:"The name of the sso-session, as profiles of the AWS configuration file name it (default lakegate)."`
	Dir        string `help:"The directory of a server on this machine, to find the start URL there."`
	Endpoint   string `help:"The URL of the API door; by default what the start URL says." placeholder:"URL"`
	NoBrowser  bool   `help:"Print the address to open instead of opening a browser."`
	Device     bool   `help:"Sign in with a code, in a browser on any device."`
	PlainHTTP  bool   `name:"plain-http" help:"Allow http to other machines than this one, where anybody on the way can read the tokens."`
}

// loginTime is how long a person may take.
const loginTime = 10 * time.Minute

func (c *loginCommand) Run(ctx context.Context, s *streams) error {
	start, err := c.startURL(ctx, s)
	if err != nil {
		return err
	}
	place, err := c.findPlace(ctx, start)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	flow := newLoginFlow(place, s, !c.NoBrowser)
	signIn := flow.browser
	if c.Device {
		signIn = flow.device
	}
	tokens, err := signIn(ctx)
	if err != nil {
		return err
	}
	path, err := tokenPath(s, c.SSOSession)
	if err != nil {
		return err
	}
	if err := tokens.save(path); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, `Signed in until %s; the AWS CLI and SDKs refresh it from %s

To use it, ~/.aws/config has to have these lines:

[sso-session %[3]s]
sso_start_url = %[4]s
sso_region = %[5]s
sso_registration_scopes = sso:account:access

[profile %[3]s]
sso_session = %[3]s
sso_account_id = <the account>
sso_role_name = <the permission set>
region = %[5]s
endpoint_url = %[6]s
`, tokens.ExpiresAt.Local().Format("15:04"), path, c.SSOSession, place.StartURL, place.Region, place.Endpoint)
	return err
}

// startURL is that of the flag, else that of the sso-session in the configuration file, else that of the server of a
// directory.
func (c *loginCommand) startURL(ctx context.Context, s *streams) (string, error) {
	if c.StartURL != "" {
		return c.StartURL, nil
	}
	if c.Dir != "" {
		server, err := clientOf(c.Dir, "")
		if err != nil {
			return "", err
		}
		var p signInProvider
		if err := server.call(ctx, "GetSignInProvider", map[string]any{}, &p); err != nil {
			return "", err
		}
		return p.StartUrl, nil
	}
	path, err := awsFile(s, "AWS_CONFIG_FILE", "config")
	if err != nil {
		return "", err
	}
	start, err := readSection(path, "sso-session "+c.SSOSession, "sso_start_url")
	if err != nil {
		return "", err
	}
	if start == "" {
		return "", fmt.Errorf("%s has no section [sso-session %s] with an sso_start_url: give --start-url, or --dir for a server on this machine", path, c.SSOSession)
	}
	return start, nil
}

// awsFile is a file of the AWS CLI: where the variable says, else in ~/.aws.
func awsFile(s *streams, variable string, name ...string) (string, error) {
	if variable != "" {
		if p := s.getenv(variable); p != "" {
			return p, nil
		}
	}
	home := s.getenv("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", fmt.Errorf("find home directory: %w", err)
		}
	}
	return filepath.Join(append([]string{home, ".aws"}, name...)...), nil
}

// readSection reads a value of a section of an AWS configuration file; "" when it is not there.
func readSection(path, section, key string) (string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the person's own configuration
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read AWS configuration: %w", err)
	}
	in := false
	for line := range strings.Lines(string(text)) {
		trimmed := strings.TrimSpace(line)
		switch name, value, ok := strings.Cut(trimmed, "="); {
		case strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";"):
		case strings.HasPrefix(trimmed, "["):
			name, _, _ := strings.Cut(trimmed[1:], "]")
			in = strings.Join(strings.Fields(name), " ") == section
		case in && ok && strings.TrimSpace(name) == key:
			return strings.TrimSpace(value), nil
		}
	}
	return "", nil
}

// loginPlace is where a person signs in.
type loginPlace struct {
	StartURL string `json:"startUrl"`
	Region   string `json:"region"`
	Endpoint string `json:"endpoint"`
}

// findPlace asks the start URL for the rest.
func (c *loginCommand) findPlace(ctx context.Context, start string) (*loginPlace, error) {
	start, _, _ = strings.Cut(start, "#")
	if err := c.checkURL("start URL", start); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, start, nil)
	if err != nil {
		return nil, fmt.Errorf("read start URL: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	// Whoever is led elsewhere would believe another server than the person named.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("read start URL: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read start URL %s: %s: is it the start URL of an instance to which people can sign in?", start, resp.Status)
	}
	var p loginPlace
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&p); err != nil {
		return nil, fmt.Errorf("read start URL %s: it is not a page of Lakegate: %w", start, err)
	}
	if c.Endpoint != "" {
		p.Endpoint = strings.TrimSuffix(c.Endpoint, "/")
	}
	if p.StartURL == "" || p.Region == "" || strings.ContainsAny(p.StartURL+p.Region+p.Endpoint, "\r\n") {
		return nil, fmt.Errorf("read start URL %s: the answer lacks the start URL or the Region", start)
	}
	return &p, c.checkURL("endpoint", p.Endpoint)
}

// checkURL refuses addresses at which tokens would go over the network in the clear.
func (c *loginCommand) checkURL(what, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s %q: want https://host[:port][/path]", what, text)
	}
	a, err := netip.ParseAddr(u.Hostname())
	local := err == nil && a.IsLoopback() || u.Hostname() == "localhost"
	if u.Scheme == "http" && !local && !c.PlainHTTP {
		return fmt.Errorf("%s %q: http sends the tokens in the clear: use https, or give --plain-http where the network is trusted", what, text)
	}
	return nil
}
