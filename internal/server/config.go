package server

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/ldap"
	"github.com/lakegate/lakegate/internal/sink"
	"github.com/lakegate/lakegate/internal/trail"
)

// Config is the configuration of a server. Its zero value, after Defaults, is a working server on loopback. The fields
// with a yaml name may stand in the configuration file; flags win over the file.
type Config struct {
	// Dir holds everything that the server keeps: the SQLite database, the master key, the credentials of the
	// administrators, the objects of the embedded storage and the audit log. It is created, readable by its owner alone.
	Dir string `yaml:"-"`
	// API and Web are the addresses of the two doors, host:port. Port 0 takes a free one; addresses.json in Dir tells it.
	API string `yaml:"api"`
	Web string `yaml:"web"`
	// Database is postgres://…, or a path of a SQLite file; empty is lakegate.db in Dir.
	Database string `yaml:"database"`
	// ManagementAccount is the id of the organization's management account, used at the first start; empty makes one up.
	ManagementAccount string `yaml:"management_account"`

	// Region is the one Region of the server. A signature for another is refused.
	Region string `yaml:"region"`
	// BaseNames are the host names of the API door. A label of twelve digits before one is an account, any other label is
	// a bucket; any other host name means path style.
	BaseNames []string `yaml:"base_names"`
	// WebURL is how browsers and applications reach the web door, without a slash at the end. It is the beginning of the
	// identity center's issuer, so it cannot change once tokens are verified against it. Empty is http:// and the address.
	WebURL string `yaml:"web_url"`
	// APIURL is how people's clients reach the API door, without a slash at the end, as the sign-in tells them. Empty is
	// http:// and the address.
	APIURL string `yaml:"api_url"`
	// TrustedProxies are the networks whose X-Forwarded-For is believed for aws:SourceIp; by default none.
	TrustedProxies []string `yaml:"trusted_proxies"`

	CORS struct {
		// Origins are those whose pages may call the AWS APIs from a browser, such as https://data.example.com; "*" is all.
		// By default none may. Buckets have rules of their own.
		Origins []string `yaml:"origins"`
	} `yaml:"cors"`

	// Compat is "extended" (default) or "strict": where Lakegate goes beyond AWS, strict does what AWS does. See
	// docs/divergences.md for what it changes.
	Compat string `yaml:"compat"`
	// Revocation is "at-once" (default): a lost right ends sessions that rest on it at the next request; or "at-expiry": they
	// live until they expire, as at AWS, unless they are revoked by name.
	Revocation string `yaml:"revocation"`
	// Development accepts trusted token issuers by plain http on loopback and lets the development identity provider run.
	Development bool `yaml:"development"`

	Issuers struct {
		// AllowPrivate lets trusted token issuers have private addresses (RFC 1918, link-local, loopback).
		AllowPrivate bool `yaml:"allow_private"`
	} `yaml:"issuers"`

	Tokens struct {
		// Algorithm signs identity tokens: "ES256" (default) or "RS256"; strict compatibility means RS256.
		Algorithm string `yaml:"algorithm"`
		// RotationDays is how long a key signs identity tokens before the next one does; default 90, at least 2.
		RotationDays int `yaml:"rotation_days"`
	} `yaml:"tokens"`

	// Quotas bound what an instance of the identity center and its directory hold; 0 takes AWS's number.
	Quotas struct {
		// Users and Groups of an identity store; default 200,000 and 100,000.
		Users  int `yaml:"users"`
		Groups int `yaml:"groups"`
		// GroupsPerUser is how many groups a person may belong to; default 1,000.
		GroupsPerUser int `yaml:"groups_per_user"`
		// Issuers, the trusted token issuers, and Applications of an instance; default 10 and 7,000.
		Issuers      int `yaml:"issuers"`
		Applications int `yaml:"applications"`
		// ScopesPerApplication and GroupsPerApplication, the groups assigned to one; default 25 and 100.
		ScopesPerApplication int `yaml:"scopes_per_application"`
		GroupsPerApplication int `yaml:"groups_per_application"`
		// PermissionSets of an instance, and the managed policies of one of them; default 3,500 and 20.
		PermissionSets           int `yaml:"permission_sets"`
		PoliciesPerPermissionSet int `yaml:"policies_per_permission_set"`
		// AccessGrants and AccessGrantsLocations of an access grants instance; default no bound, 100,000 with strict
		// compatibility, and 1,000.
		AccessGrants          int `yaml:"access_grants"`
		AccessGrantsLocations int `yaml:"access_grants_locations"`
	} `yaml:"quotas"`

	Groups struct {
		// Flat refuses groups as members of groups, and lets such as there are count for nothing; strict compatibility
		// means it.
		Flat bool `yaml:"flat"`
		// Depth is how many groups a chain of groups within groups may have; default 10.
		Depth int `yaml:"depth"`
		// Above is how many groups one group may belong to, directly or not; default 100.
		Above int `yaml:"above"`
	} `yaml:"groups"`

	Grants struct {
		// RetentionDays is how long an access grant is listed after its end (lakegate:NotAfter) before it is deleted;
		// default 90.
		RetentionDays int `yaml:"retention_days"`
	} `yaml:"grants"`

	Nodes struct {
		// LagSeconds is for how long a node of several on one PostgreSQL answers without proof that it knows every change that
		// another made; then it refuses with 503 until it has caught up. Default 5.
		LagSeconds int `yaml:"lag_seconds"`
	} `yaml:"nodes"`

	Storage struct {
		// Sync says whether what the embedded storage answers with success is on the disk by then: "always", the default,
		// or "never", which leaves it to the operating system, so that a power cut loses the last seconds.
		Sync string `yaml:"sync"`
	} `yaml:"storage"`

	Audit struct {
		// Required refuses requests with 503 when their record cannot be written.
		Required bool `yaml:"required"`
		// Sync says which records are on the disk before their request is answered: "always", or "batched" for those of
		// API calls alone. Default: always where records are required.
		Sync string `yaml:"sync"`
		// RetentionDays is how long LookupEvents and Why remember; default 90.
		RetentionDays int `yaml:"retention_days"`
		// LogDays is how long the log is kept; default 0, which is for ever.
		LogDays int `yaml:"log_days"`
		// HoldBytes is how much of the log is kept beyond that for sinks and trails that have not had it; default 10 GiB.
		HoldBytes int64 `yaml:"hold_bytes"`
		// DeliverySeconds is how often trails write their records, DigestSeconds the length of their digests; default 300
		// and 3600, as CloudTrail has it.
		DeliverySeconds int `yaml:"delivery_seconds"`
		DigestSeconds   int `yaml:"digest_seconds"`
		// Sinks are where else the records go, as they come; see docs/audit.md.
		Sinks []sink.Config `yaml:"sinks"`
	} `yaml:"audit"`

	// Backends are S3 services that keep buckets, besides those that lakegate backend create makes. DefaultBackend is where
	// a bucket goes whose creator names none; empty is the embedded storage. See docs/backends.md.
	Backends       []Backend `yaml:"backends"`
	DefaultBackend string    `yaml:"default_backend"`

	Requests struct {
		// MaxDays is the longest that people can ask for access; default 90. PendingDays is how long a request waits for a
		// decision; default 14. Open is how many pending ones a person may have; default 20.
		MaxDays     int `yaml:"max_days"`
		PendingDays int `yaml:"pending_days"`
		Open        int `yaml:"open"`
		// Webhook is told what happens to requests; see docs/requests.md.
		Webhook struct {
			URL string `yaml:"url"`
			// Secret signs what is told: env:NAME or file:PATH.
			Secret string `yaml:"secret"`
		} `yaml:"webhook"`
	} `yaml:"requests"`

	// LDAP is a directory from which people and groups are taken; see docs/connect/ldap.md. Nil is none.
	LDAP *ldap.Config `yaml:"ldap"`

	Limits struct {
		// Requests bounds how many requests are served at once; default 1024.
		Requests int `yaml:"requests"`
		// Connections bounds the connections of clients to the API door; default 8192. One more ends the one that has been
		// without a request for the longest time.
		Connections int `yaml:"connections"`
		// TransferSeconds is how long a client may take to send or take the next 64 KiB of a content; default 60.
		TransferSeconds int `yaml:"transfer_seconds"`
		// ShutdownSeconds is how long requests may finish after a stop was asked for; default 15.
		ShutdownSeconds int `yaml:"shutdown_seconds"`
		// Principal bounds what one person, role or user may take of the data plane; 0, the default, is no bound. The rates
		// may be saved up for ten seconds.
		Principal struct {
			RequestsPerSecond int   `yaml:"requests_per_second"`
			BytesPerSecond    int64 `yaml:"bytes_per_second"`
			Concurrent        int   `yaml:"concurrent"`
		} `yaml:"principal"`
	} `yaml:"limits"`

	// getenv is the environment, from which secrets may come that the file refers to.
	getenv func(string) string
}

// The values of Storage.Sync.
const (
	SyncAlways = "always"
	SyncNever  = "never"
)

// The values of Compat.
const (
	Extended = "extended"
	Strict   = "strict"
)

// The values of Revocation.
const (
	AtOnce   = "at-once"
	AtExpiry = "at-expiry"
)

// ReadConfig reads a configuration file over the values that c has. Unknown names are errors that show their line.
func ReadConfig(path string, c *Config) error {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := yaml.NewDecoder(f, yaml.Strict()).Decode(c); err != nil {
		return fmt.Errorf("read configuration %s: %s", path, yaml.FormatError(err, false, true))
	}
	return nil
}

var regionPattern = regexp.MustCompile(`^[a-z]{2,}(-[a-z0-9]+)+$`)

// Complete fills in defaults and checks the values. Its errors say what to change.
func (c *Config) Complete() error {
	if c.Dir == "" {
		return errors.New("no directory: give --dir")
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return fmt.Errorf("find directory %s: %w", c.Dir, err)
	}
	c.Dir = dir
	orElse(&c.API, "127.0.0.1:9420")
	orElse(&c.Web, "127.0.0.1:9421")
	orElse(&c.Database, filepath.Join(c.Dir, "lakegate.db"))
	orElse(&c.Region, "us-east-1")
	orElse(&c.Compat, Extended)
	orElse(&c.Groups.Depth, 10)
	orElse(&c.Groups.Above, 100)
	c.Groups.Flat = c.Groups.Flat || c.Compat == Strict
	orElse(&c.Grants.RetentionDays, 90)
	orElse(&c.Audit.RetentionDays, 90)
	orElse(&c.Revocation, AtOnce)
	orElse(&c.Requests.MaxDays, 90)
	orElse(&c.Requests.PendingDays, 14)
	orElse(&c.Requests.Open, 20)
	orElse(&c.Limits.Requests, 1024)
	orElse(&c.Limits.Connections, 8192)
	orElse(&c.Limits.TransferSeconds, 60)
	orElse(&c.Limits.ShutdownSeconds, 15)
	if len(c.BaseNames) == 0 {
		c.BaseNames = []string{"localhost", "127.0.0.1", "[::1]", "lakegate.internal"}
	}
	if c.Tokens.Algorithm == "" {
		c.Tokens.Algorithm = "ES256"
		if c.Compat == Strict {
			c.Tokens.Algorithm = "RS256"
		}
	}
	if c.LDAP != nil {
		if err := c.LDAP.Complete(c.Development); err != nil {
			return err
		}
	}
	return c.check()
}

func (c *Config) check() error {
	for name, addr := range map[string]string{"api": c.API, "web": c.Web} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("%s address %q: want host:port", name, addr)
		}
	}
	if c.Audit.LogDays < 0 {
		return fmt.Errorf("audit.log_days %d: want a number of days, or 0 for ever", c.Audit.LogDays)
	}
	if c.Nodes.LagSeconds < 0 || c.Nodes.LagSeconds > 300 {
		return fmt.Errorf("nodes.lag_seconds %d: want 1 to 300", c.Nodes.LagSeconds)
	}
	if c.Audit.DeliverySeconds < 0 || c.Audit.DeliverySeconds > 900 {
		return fmt.Errorf("audit.delivery_seconds %d: want 1 to 900", c.Audit.DeliverySeconds)
	}
	if c.Audit.DigestSeconds < 0 || c.Audit.DigestSeconds > 86400 {
		return fmt.Errorf("audit.digest_seconds %d: want 1 to 86400", c.Audit.DigestSeconds)
	}
	if c.Audit.HoldBytes < 0 {
		return fmt.Errorf("audit.hold_bytes %d: want a number of bytes", c.Audit.HoldBytes)
	}
	if err := sink.Check(c.Audit.Sinks); err != nil {
		return err
	}
	if s := c.Storage.Sync; s != "" && s != SyncAlways && s != SyncNever {
		return fmt.Errorf("storage.sync %q: want %q or %q", s, SyncAlways, SyncNever)
	}
	if s := trail.Sync(c.Audit.Sync); s != "" && s != trail.SyncAlways && s != trail.SyncBatched {
		return fmt.Errorf("audit.sync %q: want %q or %q", s, trail.SyncAlways, trail.SyncBatched)
	}
	if !slices.Contains([]string{Extended, Strict}, c.Compat) {
		return fmt.Errorf("compat %q: want %q or %q", c.Compat, Extended, Strict)
	}
	if !slices.Contains([]string{AtOnce, AtExpiry}, c.Revocation) {
		return fmt.Errorf("revocation %q: want %q or %q", c.Revocation, AtOnce, AtExpiry)
	}
	if d := c.Tokens.RotationDays; d < 0 || d == 1 || d > 3650 {
		return fmt.Errorf("tokens.rotation_days %d: want 2 to 3650", d)
	}
	if !slices.Contains([]string{"ES256", "RS256"}, c.Tokens.Algorithm) {
		return fmt.Errorf("tokens.algorithm %q: want ES256 or RS256", c.Tokens.Algorithm)
	}
	if c.Compat == Strict && c.Tokens.Algorithm != "RS256" {
		return errors.New("tokens.algorithm: strict compatibility signs with RS256 only")
	}
	for name, n := range map[string]int{
		"groups.depth": c.Groups.Depth, "groups.above": c.Groups.Above, "audit.retention_days": c.Audit.RetentionDays, "grants.retention_days": c.Grants.RetentionDays,
		"requests.max_days": c.Requests.MaxDays, "requests.pending_days": c.Requests.PendingDays, "requests.open": c.Requests.Open,
		"limits.requests": c.Limits.Requests, "limits.shutdown_seconds": c.Limits.ShutdownSeconds,
		"limits.connections": c.Limits.Connections, "limits.transfer_seconds": c.Limits.TransferSeconds,
	} {
		if n < 1 {
			return fmt.Errorf("%s %d: want at least 1", name, n)
		}
	}
	if p := c.Limits.Principal; p.RequestsPerSecond < 0 || p.BytesPerSecond < 0 || p.Concurrent < 0 {
		return errors.New("limits.principal: want numbers above 0, or 0 for no bound")
	}
	if !regionPattern.MatchString(c.Region) {
		return fmt.Errorf("region %q: want a name such as us-east-1", c.Region)
	}
	if c.ManagementAccount != "" && !arn.IsAccountID(c.ManagementAccount) {
		return fmt.Errorf("management account %q: want twelve digits", c.ManagementAccount)
	}
	q := c.Quotas
	for name, n := range map[string]int{
		"users": q.Users, "groups": q.Groups, "groups_per_user": q.GroupsPerUser, "issuers": q.Issuers, "applications": q.Applications,
		"scopes_per_application": q.ScopesPerApplication, "groups_per_application": q.GroupsPerApplication,
		"permission_sets": q.PermissionSets, "policies_per_permission_set": q.PoliciesPerPermissionSet,
		"access_grants": q.AccessGrants, "access_grants_locations": q.AccessGrantsLocations,
	} {
		if n < 0 {
			return fmt.Errorf("quotas.%s %d: want a number above 0, or 0 for the default", name, n)
		}
	}
	for name, text := range map[string]string{"web_url": c.WebURL, "api_url": c.APIURL} {
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path[len(u.Path)-1] == '/') {
			return fmt.Errorf("%s %q: want http(s)://host[:port][/path] without a slash at the end", name, text)
		}
	}
	if err := checkOrigins(c.CORS.Origins); err != nil {
		return err
	}
	for _, p := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			return fmt.Errorf("trusted_proxies %q: want a network such as 10.0.0.0/8", p)
		}
	}
	return nil
}

func (c *Config) transferTime() time.Duration {
	return time.Duration(c.Limits.TransferSeconds) * time.Second
}

func (c *Config) shutdownTime() time.Duration {
	return time.Duration(c.Limits.ShutdownSeconds) * time.Second
}

func orElse[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}
