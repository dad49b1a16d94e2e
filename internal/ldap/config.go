package ldap

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// Config is one source: the section ldap of the configuration file. Complete fills in what is not set.
type Config struct {
	// Name tells the source apart: its entries carry the external id issuer urn:lakegate:ldap:<name>. A source under a new
	// name is a new source, to which the entries of the old one are somebody else's. Default "ldap".
	Name string `yaml:"name"`
	// Preset is "active-directory", "openldap" or "freeipa": filters and attributes that suit that kind of server.
	Preset string `yaml:"preset"`
	// URL is ldaps://host[:636], or ldap://host[:389] with StartTLS. Without TLS only a development server connects.
	URL      string `yaml:"url"`
	StartTLS bool   `yaml:"starttls"`
	// CAFile holds the certificates (PEM) that the server's must be signed by; empty takes those of the system.
	CAFile string `yaml:"ca_file"`
	// BindDN and BindPassword sign in. The password is a reference: file:PATH or env:NAME.
	BindDN       string `yaml:"bind_dn"`
	BindPassword string `yaml:"bind_password"`
	// IdentityStore is where the entries go; empty is the store of the organization's instance.
	IdentityStore string `yaml:"identity_store"`

	Users  Users  `yaml:"users"`
	Groups Groups `yaml:"groups"`
	// Nested is how groups in groups are resolved: "objects" (default) by the members of the groups that were read, "chain"
	// by Active Directory itself (LDAP_MATCHING_RULE_IN_CHAIN), "none" not at all.
	Nested string `yaml:"nested"`

	// Vanished is what becomes of who is no longer in the source: "disable" (default; a group loses its members) or "delete".
	Vanished string `yaml:"vanished"`
	// SafetyLimitPercent refuses a run that would take access from more of the people, groups or memberships of the source
	// than this, unless it is forced. Default 10; 100 admits everything but an empty answer.
	SafetyLimitPercent int `yaml:"safety_limit_percent"`
	// IntervalMinutes is the time between the end of a run and the next one; default 15. OnDemand runs none by itself.
	IntervalMinutes int  `yaml:"interval_minutes"`
	OnDemand        bool `yaml:"on_demand"`

	// PageSize is how many entries are asked for at once; default 500. Active Directory gives 1000 at most.
	PageSize int `yaml:"page_size"`
	// TimeoutSeconds bounds connecting and each page; default 30. MaxMinutes bounds a run; default 30.
	TimeoutSeconds int `yaml:"timeout_seconds"`
	MaxMinutes     int `yaml:"max_minutes"`
	// MaxEntries bounds how many people, and how many groups, a source may have; default 200,000.
	MaxEntries int `yaml:"max_entries"`
}

// Users says where people are and what they look like.
type Users struct {
	Base   string `yaml:"base"`
	Filter string `yaml:"filter"`
	// Attributes maps the names in userAttributes to attributes of the source. An empty value takes one of the preset away.
	Attributes map[string]string `yaml:"attributes"`
	// Disabled says how an entry shows that it is disabled.
	Disabled Disabled `yaml:"disabled"`
	// Expires is an attribute with the instant from which an account counts as disabled: a GeneralizedTime, or as in
	// accountExpires the number of 100 ns since 1601.
	Expires string `yaml:"expires"`
}

// Disabled is an attribute and a rule: "bit:N" (the bit with the value N is set; an entry without the attribute counts as
// disabled), "value:TEXT" (any of its values is the text, without regard to case) or "present".
type Disabled struct {
	Attribute string `yaml:"attribute"`
	When      string `yaml:"when"`
}

// Groups says where groups are and what they look like.
type Groups struct {
	// Base is empty when no groups are to be taken.
	Base   string `yaml:"base"`
	Filter string `yaml:"filter"`
	// Attributes maps id, name, description and member.
	Attributes map[string]string `yaml:"attributes"`
	// MemberIs says what the values of member are: "dn" (default) or "user_name", as in memberUid.
	MemberIs string `yaml:"member_is"`
}

// The values of Nested and Vanished.
const (
	nestedObjects = "objects"
	nestedChain   = "chain"
	nestedNone    = "none"

	vanishedDisable = "disable"
	vanishedDelete  = "delete"

	memberDN   = "dn"
	memberName = "user_name"
)

const (
	attributeID          = "id"
	attributeUserName    = "user_name"
	attributeEmail       = "email"
	attributeName        = "name"
	attributeDescription = "description"
	attributeMember      = "member"
)

var (
	namePattern      = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	attributePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)
	storePattern     = regexp.MustCompile(`^d-[0-9a-f]{10}$`)
)

// Complete fills in the preset and the defaults and checks the values; its errors say what to change. development admits
// a connection without TLS.
func (c *Config) Complete(development bool) error {
	orElse(&c.Name, "ldap")
	if err := c.usePreset(); err != nil {
		return err
	}
	orElse(&c.Nested, nestedObjects)
	orElse(&c.Vanished, vanishedDisable)
	orElse(&c.Groups.MemberIs, memberDN)
	for _, n := range []struct {
		name                   string
		value                  *int
		otherwise, least, most int
	}{
		{"safety_limit_percent", &c.SafetyLimitPercent, 10, 1, 100},
		{"interval_minutes", &c.IntervalMinutes, 15, 1, 7 * 24 * 60},
		{"page_size", &c.PageSize, 500, 10, 5000},
		{"timeout_seconds", &c.TimeoutSeconds, 30, 1, 600},
		{"max_minutes", &c.MaxMinutes, 30, 1, 24 * 60},
		{"max_entries", &c.MaxEntries, 200_000, 1, 2_000_000},
	} {
		orElse(n.value, n.otherwise)
		if *n.value < n.least || *n.value > n.most {
			return fmt.Errorf("ldap: %s %d: want %d to %d", n.name, *n.value, n.least, n.most)
		}
	}
	return errors.Join(c.checkServer(development), c.checkSearches())
}

func (c *Config) checkServer(development bool) error {
	if !namePattern.MatchString(c.Name) {
		return fmt.Errorf("ldap: name %q: want lower case letters, digits and hyphens, 64 at most", c.Name)
	}
	if c.IdentityStore != "" && !storePattern.MatchString(c.IdentityStore) {
		return fmt.Errorf("ldap: identity_store %q: want an id such as d-0123456789", c.IdentityStore)
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return errors.New("ldap: url: want ldaps://host[:port], or ldap://host[:port] with starttls")
	}
	switch {
	case u.Scheme == "ldaps" && c.StartTLS:
		return errors.New("ldap: starttls is for ldap://; ldaps:// has TLS from the beginning")
	case u.Scheme == "ldap" && !c.StartTLS && !development:
		return errors.New("ldap: url: ldap:// without starttls would send the password and the answers in clear; set starttls: true or use ldaps://")
	case u.Scheme != "ldaps" && u.Scheme != "ldap":
		return fmt.Errorf("ldap: url: scheme %q: want ldaps or ldap", u.Scheme)
	}
	if _, err := goldap.ParseDN(c.BindDN); c.BindDN == "" || err != nil && !strings.ContainsAny(c.BindDN, `@\`) {
		return errors.New("ldap: bind_dn: want a distinguished name (or, for Active Directory, name@domain)")
	}
	// The value is not repeated: somebody may have written the password itself.
	scheme, rest, _ := strings.Cut(c.BindPassword, ":")
	if scheme != "file" && scheme != "env" || rest == "" {
		return errors.New("ldap: bind_password: want file:PATH or env:NAME, not the password itself")
	}
	return nil
}

func (c *Config) checkSearches() error {
	for name, value := range map[string]string{"nested": c.Nested, "vanished": c.Vanished, "groups.member_is": c.Groups.MemberIs} {
		allowed := map[string][]string{"nested": {nestedObjects, nestedChain, nestedNone}, "vanished": {vanishedDisable, vanishedDelete}, "groups.member_is": {memberDN, memberName}}[name]
		if !slices.Contains(allowed, value) {
			return fmt.Errorf("ldap: %s %q: want %s", name, value, strings.Join(allowed, " or "))
		}
	}
	if c.Users.Base == "" {
		return errors.New("ldap: users.base: want the distinguished name under which the people are")
	}
	if err := checkSearch("users", c.Users.Base, c.Users.Filter); err != nil {
		return err
	}
	if err := checkAttributes("users", c.Users.Attributes, slices.Sorted(maps.Keys(userAttributes)), attributeID, attributeUserName); err != nil {
		return err
	}
	if err := c.Users.Disabled.check(); err != nil {
		return err
	}
	if c.Users.Expires != "" && !attributePattern.MatchString(c.Users.Expires) {
		return fmt.Errorf("ldap: users.expires %q: want the name of an attribute", c.Users.Expires)
	}
	if c.Groups.Base == "" {
		return nil
	}
	if err := checkSearch("groups", c.Groups.Base, c.Groups.Filter); err != nil {
		return err
	}
	return checkAttributes("groups", c.Groups.Attributes, groupAttributes, attributeID, attributeName, attributeMember)
}

func checkSearch(of, base, filter string) error {
	if _, err := goldap.ParseDN(base); err != nil {
		return fmt.Errorf("ldap: %s.base %q: not a distinguished name: %w", of, base, err)
	}
	if filter == "" {
		return fmt.Errorf("ldap: %s.filter: set a preset or a filter", of)
	}
	if _, err := goldap.CompileFilter(filter); err != nil {
		return fmt.Errorf("ldap: %s.filter %q: %w", of, filter, err)
	}
	return nil
}

// checkAttributes holds a mapping against what can be mapped. Attribute names reach the server as they are, so nothing but
// plain names is let through.
func checkAttributes(of string, mapping map[string]string, known []string, required ...string) error {
	for _, name := range slices.Sorted(maps.Keys(mapping)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("ldap: %s.attributes: %q is not known; there are %s", of, name, strings.Join(known, ", "))
		}
		if v := mapping[name]; !attributePattern.MatchString(v) {
			return fmt.Errorf("ldap: %s.attributes.%s %q: want the name of an attribute", of, name, v)
		}
	}
	for _, name := range required {
		if mapping[name] == "" {
			return fmt.Errorf("ldap: %s.attributes.%s: set a preset or an attribute", of, name)
		}
	}
	return nil
}

func (d *Disabled) check() error {
	if d.Attribute == "" && d.When == "" {
		return nil
	}
	if !attributePattern.MatchString(d.Attribute) {
		return fmt.Errorf("ldap: users.disabled.attribute %q: want the name of an attribute", d.Attribute)
	}
	rule, value, _ := strings.Cut(d.When, ":")
	switch {
	case rule == "bit":
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n > 0 {
			return nil
		}
	case rule == "value" && value != "", d.When == "present":
		return nil
	}
	return fmt.Errorf("ldap: users.disabled.when %q: want bit:N, value:TEXT or present", d.When)
}

// Issuer is the issuer of the external ids of the source's entries.
func (c *Config) Issuer() string { return "urn:lakegate:ldap:" + c.Name }

// address is where to connect.
func (c *Config) address() (host, address string, tls bool) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return "", "", false // Complete refused it
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ldaps": "636", "ldap": "389"}[u.Scheme]
	}
	return u.Hostname(), net.JoinHostPort(u.Hostname(), port), u.Scheme == "ldaps"
}

func (c *Config) timeout() time.Duration { return time.Duration(c.TimeoutSeconds) * time.Second }

// maxSecret bounds a password.
const maxSecret = 4096

// password reads what BindPassword refers to. It is read anew for each run, so that a new password needs no restart.
func (c *Config) password(getenv func(string) string) (string, error) {
	scheme, name, _ := strings.Cut(c.BindPassword, ":")
	var secret string
	if scheme == "env" {
		secret = getenv(name)
	} else {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("read the bind password: %w", err)
		}
		secret = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	}
	switch {
	case secret == "":
		// An empty password is an anonymous bind that servers answer with success (RFC 4513 §5.1.2).
		return "", fmt.Errorf("the bind password of %s is empty", c.BindPassword)
	case len(secret) > maxSecret:
		return "", fmt.Errorf("the bind password of %s is longer than %d bytes", c.BindPassword, maxSecret)
	}
	return secret, nil
}

func orElse[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}
