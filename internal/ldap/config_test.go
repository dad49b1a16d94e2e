package ldap_test

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/ldap"
)

// usual is a configuration that is complete but for what a test changes.
const usual = `
preset: active-directory
url: ldaps://dc1.corp.example
bind_dn: CN=lakegate,OU=Service,DC=corp,DC=example
bind_password: env:LDAP_PASSWORD
users:
  base: OU=People,DC=corp,DC=example
groups:
  base: OU=Groups,DC=corp,DC=example
`

func read(t *testing.T, text string) *ldap.Config {
	t.Helper()
	var c ldap.Config
	if err := yaml.NewDecoder(strings.NewReader(text), yaml.Strict()).Decode(&c); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return &c
}

func TestPresetIsUnderWhatIsConfigured(t *testing.T) {
	c := read(t, strings.Replace(usual, "users:", "users:\n  attributes: {user_name: userPrincipalName, phone: \"\"}", 1))
	if err := c.Complete(false); err != nil {
		t.Fatal(err)
	}
	a := c.Users.Attributes
	if a["user_name"] != "userPrincipalName" || a["id"] != "objectGUID" || a["phone"] != "" || c.Users.Disabled.When != "bit:2" || c.SafetyLimitPercent != 10 || c.Vanished != "disable" {
		t.Errorf("the configuration became %+v", c)
	}
	for _, preset := range []string{"openldap", "freeipa"} {
		if err := read(t, strings.Replace(usual, "active-directory", preset, 1)).Complete(false); err != nil {
			t.Errorf("%s: %v", preset, err)
		}
	}
}

// TestConfigurationsThatAreRefused: what would connect in clear, ask for more than was meant, or not work at all.
func TestConfigurationsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ old, new, why string }{
		"no TLS":                       {"ldaps:", "ldap:", "in clear"},
		"another scheme":               {"ldaps:", "http:", "scheme"},
		"no host":                      {"ldaps://dc1.corp.example", "ldaps://", "url"},
		"a base in the URL":            {"dc1.corp.example", "dc1.corp.example/dc=corp?sub", "url"},
		"a password in the URL":        {"dc1.corp.example", "me:hunter2@dc1.corp.example", "url"},
		"both kinds of TLS":            {"url:", "starttls: true\nurl:", "starttls"},
		"the password itself":          {"env:LDAP_PASSWORD", "hunter2", "not the password itself"},
		"no password":                  {"bind_password: env:LDAP_PASSWORD", "", "bind_password"},
		"an anonymous bind":            {"bind_dn: CN=lakegate,OU=Service,DC=corp,DC=example", "", "bind_dn"},
		"an unknown preset":            {"active-directory", "novell", "preset"},
		"no people":                    {"base: OU=People,DC=corp,DC=example", "filter: (a=b)", "users.base"},
		"a base that is no name":       {"OU=People,DC", "People,DC", "users.base"},
		"a filter that closes early":   {"users:", "users:\n  filter: (objectClass=person))(uid=*", "users.filter"},
		"a filter without brackets":    {"users:", "users:\n  filter: objectClass=person", "users.filter"},
		"an attribute with a filter":   {"users:", "users:\n  attributes: {user_name: \"uid)(x=*\"}", "user_name"},
		"an attribute with an option":  {"users:", "users:\n  attributes: {user_name: \"uid;range=0-*\"}", "user_name"},
		"all attributes as one":        {"users:", "users:\n  attributes: {user_name: \"*\"}", "user_name"},
		"an attribute of ours":         {"users:", "users:\n  attributes: {passwort: userPassword}", "passwort"},
		"no id":                        {"users:", "users:\n  attributes: {id: \"\"}", "attributes.id"},
		"no members":                   {"groups:", "groups:\n  attributes: {member: \"\"}", "attributes.member"},
		"a bit that is none":           {"users:", "users:\n  disabled: {attribute: x, when: \"bit:two\"}", "disabled.when"},
		"a rule that is none":          {"users:", "users:\n  disabled: {attribute: x, when: \"never\"}", "disabled.when"},
		"a rule without an attribute":  {"users:", "users:\n  disabled: {when: present}", "disabled.attribute"},
		"a limit of more than all":     {"url:", "safety_limit_percent: 101\nurl:", "safety_limit_percent"},
		"a limit below nothing":        {"url:", "safety_limit_percent: -1\nurl:", "safety_limit_percent"},
		"pages without end":            {"url:", "page_size: 1000000\nurl:", "page_size"},
		"another fate of who vanished": {"url:", "vanished: keep\nurl:", "vanished"},
		"another way to nest":          {"url:", "nested: yes please\nurl:", "nested"},
		"a name with a colon":          {"url:", "name: \"a:b\"\nurl:", "name"},
		"a store that is none":         {"url:", "identity_store: corp\nurl:", "identity_store"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(usual, c.old, c.new, 1)
			if text == usual {
				t.Fatal("nothing was changed")
			}
			err := read(t, text).Complete(false)
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("Complete = %v, want an error about %q", err, c.why)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats the password: %v", err)
			}
		})
	}
}

func TestDevelopmentConnectsWithoutTLS(t *testing.T) {
	if err := read(t, strings.Replace(usual, "ldaps:", "ldap:", 1)).Complete(true); err != nil {
		t.Error(err)
	}
}

func TestGUID(t *testing.T) {
	// The bytes of {00112233-4455-6677-8899-AABBCCDDEEFF} as Active Directory keeps them.
	got, err := ldap.GUID([]byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff})
	if err != nil || got != "00112233-4455-6677-8899-aabbccddeeff" {
		t.Errorf("GUID = %s, %v", got, err)
	}
	if _, err := ldap.GUID([]byte("short")); err == nil {
		t.Error("five bytes are a GUID")
	}
}

func TestInstant(t *testing.T) {
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"0": {}, "9223372036854775807": {}, "134380836000000000": at, "20261102090000Z": at, "20261102090000.0Z": at, "20261102100000+0100": at, "202611020900Z": at,
	} {
		if got, err := ldap.Instant(text); err != nil || !got.Equal(want) {
			t.Errorf("Instant(%s) = %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "never", "2026-11-02"} {
		if _, err := ldap.Instant(text); err == nil {
			t.Errorf("%q is an instant", text)
		}
	}
}

func TestCanonicalNames(t *testing.T) {
	for _, same := range [][]string{
		{"cn=A B,dc=x", "CN = a  b , DC=X", `cn=A\20B,dc=x`, "cn=#0403412042,dc=x"},
		{`cn=a\,b,dc=x`, `CN=A\2cB,DC=X`},
		{"cn=a+uid=b,dc=x", "UID=B+CN=A,dc=x"},
	} {
		want, err := ldap.Canonical(same[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, dn := range same[1:] {
			if got, err := ldap.Canonical(dn); err != nil || got != want {
				t.Errorf("Canonical(%s) = %s, %v, want %s", dn, got, err, want)
			}
		}
	}
	for _, pair := range [][2]string{{`cn=a\,dc=x`, "cn=a,dc=x"}, {`cn=a\,cn=b`, "cn=a,cn=b"}, {`cn=a\+uid=b`, "cn=a+uid=b"}} {
		x, errX := ldap.Canonical(pair[0])
		y, errY := ldap.Canonical(pair[1])
		if errX == nil && errY == nil && x == y {
			t.Errorf("%s and %s are the same: %s", pair[0], pair[1], x)
		}
	}
}

// TestCanonicalIsStable: the canonical form is a name of its own, with the same canonical form.
func TestCanonicalIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dn := rapid.StringMatching(`(cn|OU)=[a-zA-Z ,+"#=;<>\\]{1,12}(,dc=[a-z ]{1,4}){0,2}`).Draw(t, "dn")
		once, err := ldap.Canonical(dn)
		if err != nil {
			t.Skip("no name")
		}
		if twice, err := ldap.Canonical(once); err != nil || twice != once {
			t.Fatalf("Canonical(%q) = %q, then %q, %v", dn, once, twice, err)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	f.Add("cn=a,dc=x")
	f.Add(`cn=a\2c+uid=#040141,dc=x`)
	f.Fuzz(func(t *testing.T, dn string) {
		if once, err := ldap.Canonical(dn); err == nil {
			if twice, err := ldap.Canonical(once); err != nil || twice != once {
				t.Errorf("Canonical(%q) = %q, then %q, %v", dn, once, twice, err)
			}
		}
	})
}

func TestPlainTexts(t *testing.T) {
	if got := ldap.Plain("a\x1b[2J\u202e\xffb\n"); got != "a?[2J??b?" {
		t.Errorf("Plain = %q", got)
	}
	if got := ldap.Plain(strings.Repeat("é", 1000)); len(got) > 520 {
		t.Errorf("Plain leaves %d bytes", len(got))
	}
}
