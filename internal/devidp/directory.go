package devidp

import (
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"
)

// Directory is who exists for the provider. The YAML form has the same names; see ParseDirectory.
type Directory struct {
	// Tenant is the directory's id, a UUID; empty takes DefaultTenant.
	Tenant  string   `yaml:"tenant"`
	Users   []User   `yaml:"users,omitempty"`
	Groups  []Group  `yaml:"groups,omitempty"`
	Clients []Client `yaml:"clients,omitempty"`
}

// User is a person who can sign in.
type User struct {
	// OID is the person's id: the claim oid, and the externalId that is pushed. Empty derives one from tenant and
	// userName, so that it is the same on every machine.
	OID        string `yaml:"oid"`
	UserName   string `yaml:"userName"`
	GivenName  string `yaml:"givenName"`
	FamilyName string `yaml:"familyName"`
	// DisplayName is "GivenName FamilyName" when empty.
	DisplayName string `yaml:"displayName"`
	// Email is the userName when empty.
	Email string `yaml:"email"`
	// Active is true when absent. Who is not active cannot sign in and is disabled where they were pushed to.
	Active *bool `yaml:"active,omitempty"`
	// Password is for the sign-in form: at least 8 characters, or "generate" for one that is written to generated.json
	// in the state directory, or empty for nobody's: such a person signs in with one click alone.
	Password string `yaml:"password,omitempty"`
	// PasswordHash is what the provider keeps instead of the password, an Argon2id hash in PHC form.
	PasswordHash string `yaml:"passwordHash,omitempty"`
}

// IsActive says whether the person may sign in.
func (u *User) IsActive() bool { return u.Active == nil || *u.Active }

// Group is a set of people. Groups are not members of groups.
type Group struct {
	OID         string `yaml:"oid"`
	DisplayName string `yaml:"displayName"`
	// Members are userNames.
	Members []string `yaml:"members,omitempty"`
}

// Client is an application that people sign in to. One without a secret is public and has to use PKCE.
type Client struct {
	// ID is the client_id, and the audience of its tokens.
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
	// RedirectURIs are where answers may go, compared exactly, except that http://127.0.0.1, http://[::1] and
	// http://localhost stand for any port (RFC 8252 section 7.3).
	RedirectURIs []string `yaml:"redirectURIs,omitempty"`
	// PostLogoutRedirectURIs are where people may be sent after they signed out, by the same rule.
	PostLogoutRedirectURIs []string `yaml:"postLogoutRedirectURIs,omitempty"`
	// Secret has at least 16 characters, or is "generate" for one that is written to generated.json.
	Secret string `yaml:"secret,omitempty"`
	// SecretHash is what the provider keeps instead of the secret: its SHA-256.
	SecretHash string `yaml:"secretHash,omitempty"`
}

// Public says whether the client has no secret.
func (c *Client) Public() bool { return c.Secret == "" && c.SecretHash == "" }

// The fixed ids of the directory that Default returns.
const (
	DefaultTenant = "7c1f3f5e-5d0a-4c6b-9a57-0f4f6d1f8a10"

	MateoOID = "3d0f6a52-1b1e-4a53-8c6e-6f2f0f6d2a01"
	AnaOID   = "9a4c7e18-52f4-4d0b-b0d5-2c1b7e3a9f02"
	WangOID  = "c5b81d3f-7e69-4b6a-a1f2-8d9e4c7b5a03"

	RedGroupOID   = "e1a7c9d4-0b52-4f7e-9c38-5a6d2f1b8e11"
	BlueGroupOID  = "f2b8dae5-1c63-4a8f-8d49-6b7e3a2c9f12"
	AdminGroupOID = "a3c9ebf6-2d74-4b9a-9e5a-7c8f4b3dae13"

	// DataAppID is the client_id of the data application of the demonstration.
	DataAppID = "5e2a9c47-8d16-4f3b-a7c0-1b9d6e4f2c21"
)

// Default returns the directory of the demonstration: Mateo Jackson in the red project, Ana Silva in the blue one, Wang
// Xiulan who administers the data, and the data application.
func Default() *Directory {
	return &Directory{
		Tenant: DefaultTenant,
		Users: []User{
			{OID: MateoOID, UserName: "mateo@example.com", GivenName: "Mateo", FamilyName: "Jackson", Password: generate},
			{OID: AnaOID, UserName: "ana@example.com", GivenName: "Ana", FamilyName: "Silva", Password: generate},
			// Her family name comes first.
			{OID: WangOID, UserName: "wang@example.com", GivenName: "Xiulan", FamilyName: "Wang", DisplayName: "Wang Xiulan", Password: generate},
		},
		Groups: []Group{
			{OID: RedGroupOID, DisplayName: "Red Project Group", Members: []string{"mateo@example.com"}},
			{OID: BlueGroupOID, DisplayName: "Blue Project Group", Members: []string{"ana@example.com"}},
			{OID: AdminGroupOID, DisplayName: "Data Administrators", Members: []string{"wang@example.com"}},
		},
		Clients: []Client{{
			ID: DataAppID, Name: "Data application",
			RedirectURIs:           []string{"http://127.0.0.1:9423/callback", "http://localhost:9423/callback"},
			PostLogoutRedirectURIs: []string{"http://127.0.0.1:9423/", "http://localhost:9423/"},
		}},
	}
}

// generate, in place of a password or a secret, has the provider make one.
const generate = "generate"

// Bounds of a directory.
const (
	maxUsers   = 1000
	maxGroups  = 1000
	maxClients = 100
	maxURIs    = 20
	maxText    = 256
)

// pathError is a fault of a directory at a place in it, such as $.users[2].userName.
type pathError struct {
	path string
	err  error
}

func (e *pathError) Error() string { return strings.TrimPrefix(e.path, "$.") + ": " + e.err.Error() }
func (e *pathError) Unwrap() error { return e.err }

func faultAt(path, format string, args ...any) error {
	return &pathError{path, fmt.Errorf(format, args...)}
}

// clone returns a deep copy, so that the directory of a caller and that of the provider never share memory.
func (d *Directory) clone() *Directory {
	c := *d
	c.Users = slices.Clone(d.Users)
	for i := range c.Users {
		if a := c.Users[i].Active; a != nil {
			c.Users[i].Active = new(*a)
		}
	}
	c.Groups = slices.Clone(d.Groups)
	for i := range c.Groups {
		c.Groups[i].Members = slices.Clone(d.Groups[i].Members)
	}
	c.Clients = slices.Clone(d.Clients)
	for i := range c.Clients {
		c.Clients[i].RedirectURIs = slices.Clone(d.Clients[i].RedirectURIs)
		c.Clients[i].PostLogoutRedirectURIs = slices.Clone(d.Clients[i].PostLogoutRedirectURIs)
	}
	return &c
}

// complete fills in what may be left out and checks the rest. The first fault is returned as a *pathError.
func (d *Directory) complete() error {
	if d.Tenant == "" {
		d.Tenant = DefaultTenant
	}
	tenant, err := uuid.Parse(d.Tenant)
	if err != nil || tenant.String() != d.Tenant {
		return faultAt("$.tenant", "%q is not a lower-case UUID", d.Tenant)
	}
	if err := d.completeUsers(tenant); err != nil {
		return err
	}
	if err := d.completeGroups(tenant); err != nil {
		return err
	}
	return d.completeClients()
}

func (d *Directory) completeUsers(tenant uuid.UUID) error {
	if len(d.Users) > maxUsers {
		return faultAt("$.users", "%d users, at most %d", len(d.Users), maxUsers)
	}
	names, oids := map[string]bool{}, map[string]bool{}
	for i := range d.Users {
		u, at := &d.Users[i], fmt.Sprintf("$.users[%d]", i)
		if u.OID == "" && u.UserName != "" {
			u.OID = uuid.NewSHA1(tenant, []byte("user:"+fold(u.UserName))).String()
		}
		if u.DisplayName == "" {
			u.DisplayName = strings.TrimSpace(u.GivenName + " " + u.FamilyName)
		}
		if u.Email == "" {
			u.Email = u.UserName
		}
		for _, f := range []struct{ name, value string }{
			{"userName", u.UserName}, {"givenName", u.GivenName}, {"familyName", u.FamilyName}, {"displayName", u.DisplayName},
		} {
			if err := checkText(f.value); err != nil {
				return faultAt(at+"."+f.name, "%w", err)
			}
		}
		if a, err := mail.ParseAddress(u.Email); err != nil || a.Address != u.Email || len(u.Email) > maxText {
			return faultAt(at+".email", "%q is not an e-mail address", u.Email)
		}
		if err := checkOID(u.OID, oids); err != nil {
			return faultAt(at+".oid", "%w", err)
		}
		if names[fold(u.UserName)] {
			return faultAt(at+".userName", "%q is there twice", u.UserName)
		}
		names[fold(u.UserName)] = true
		if field, err := checkPassword(u); err != nil {
			return faultAt(at+"."+field, "%w", err)
		}
	}
	return nil
}

func (d *Directory) completeGroups(tenant uuid.UUID) error {
	if len(d.Groups) > maxGroups {
		return faultAt("$.groups", "%d groups, at most %d", len(d.Groups), maxGroups)
	}
	canonical := map[string]string{} // as the user spells it
	for _, u := range d.Users {
		canonical[fold(u.UserName)] = u.UserName
	}
	names, oids := map[string]bool{}, map[string]bool{}
	for i := range d.Groups {
		g, at := &d.Groups[i], fmt.Sprintf("$.groups[%d]", i)
		if err := checkText(g.DisplayName); err != nil {
			return faultAt(at+".displayName", "%w", err)
		}
		if g.OID == "" {
			g.OID = uuid.NewSHA1(tenant, []byte("group:"+fold(g.DisplayName))).String()
		}
		if err := checkOID(g.OID, oids); err != nil {
			return faultAt(at+".oid", "%w", err)
		}
		if names[fold(g.DisplayName)] {
			return faultAt(at+".displayName", "%q is there twice", g.DisplayName)
		}
		names[fold(g.DisplayName)] = true
		seen := map[string]bool{}
		for j, m := range g.Members {
			name, ok := canonical[fold(m)]
			if !ok {
				return faultAt(fmt.Sprintf("%s.members[%d]", at, j), "no user has the userName %q", m)
			}
			if seen[name] {
				return faultAt(fmt.Sprintf("%s.members[%d]", at, j), "%q is there twice", m)
			}
			seen[name] = true
			g.Members[j] = name
		}
	}
	return nil
}

func (d *Directory) completeClients() error {
	if len(d.Clients) > maxClients {
		return faultAt("$.clients", "%d clients, at most %d", len(d.Clients), maxClients)
	}
	ids := map[string]bool{}
	for i := range d.Clients {
		c, at := &d.Clients[i], fmt.Sprintf("$.clients[%d]", i)
		if err := checkText(c.ID); err != nil || strings.ContainsFunc(c.ID, unicode.IsSpace) {
			return faultAt(at+".id", "%q is not a client id", c.ID)
		}
		if ids[c.ID] {
			return faultAt(at+".id", "%q is there twice", c.ID)
		}
		ids[c.ID] = true
		if c.Name == "" {
			c.Name = c.ID
		}
		if err := checkText(c.Name); err != nil {
			return faultAt(at+".name", "%w", err)
		}
		for _, l := range []struct {
			name string
			uris []string
		}{{"redirectURIs", c.RedirectURIs}, {"postLogoutRedirectURIs", c.PostLogoutRedirectURIs}} {
			if len(l.uris) > maxURIs {
				return faultAt(at+"."+l.name, "%d addresses, at most %d", len(l.uris), maxURIs)
			}
			for j, uri := range l.uris {
				if err := checkRedirectURI(uri); err != nil {
					return faultAt(fmt.Sprintf("%s.%s[%d]", at, l.name, j), "%w", err)
				}
			}
		}
		if s := c.Secret; s != "" && s != generate && (len(s) < 16 || len(s) > maxText) {
			return faultAt(at+".secret", `must have 16 to %d characters, or be "generate"`, maxText)
		}
		if c.SecretHash != "" && (c.Secret != "" || len(c.SecretHash) != len(digest(""))) {
			return faultAt(at+".secretHash", "is not a hash made by this provider, or stands beside a secret")
		}
	}
	return nil
}

func checkOID(oid string, seen map[string]bool) error {
	if id, err := uuid.Parse(oid); err != nil || id.String() != oid {
		return fmt.Errorf("%q is not a lower-case UUID", oid)
	}
	if seen[oid] {
		return fmt.Errorf("%q is there twice", oid)
	}
	seen[oid] = true
	return nil
}

func checkText(s string) error {
	switch {
	case s == "":
		return errors.New("is required")
	case len(s) > maxText:
		return fmt.Errorf("is longer than %d bytes", maxText)
	case strings.TrimSpace(s) != s || strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%q has control characters, or blanks around it", s)
	}
	return nil
}

func checkPassword(u *User) (field string, err error) {
	switch {
	case u.PasswordHash != "" && u.Password != "":
		return "password", errors.New("stands beside a passwordHash")
	case u.PasswordHash != "":
		_, err := parseHash(u.PasswordHash)
		return "passwordHash", err
	case u.Password != "" && u.Password != generate && (len(u.Password) < 8 || len(u.Password) > maxText):
		return "password", fmt.Errorf(`must have 8 to %d bytes, or be "generate"`, maxText)
	}
	return "", nil
}

// fold is the form in which names are compared: letter case does not tell two people apart.
func fold(name string) string { return strings.ToLower(name) }
