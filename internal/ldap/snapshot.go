package ldap

import (
	"cmp"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lakegate/lakegate/internal/directory"
)

// Snapshot is what a source says: everybody and every group in it.
type Snapshot struct {
	People   []Person
	Groups   []Group
	Problems []Problem
}

// Person is an entry of the source.
type Person struct {
	// ID is the source's immutable id, DN where the entry was.
	ID, DN string
	// UserName is empty when the source has none that can be used: such a person is not created, and keeps the name that it
	// has.
	UserName string
	Enabled  bool
	// Values are the other attributes that are mapped, by their names in the configuration; empty for those that the entry
	// lacks. What is not mapped is not the source's business.
	Values map[string]string
}

// Group is a group of the source. Members are the ids of people, sorted, each once.
type Group struct {
	ID, DN            string
	Name, Description string
	Members           []string
}

// Problem is something about an entry of the source that kept it, or a part of it, out of the directory.
type Problem struct {
	Entry   string `json:"entry"`
	Message string `json:"message"`
}

// problem makes a problem out of what a source may have written.
func problem(entry, message string) Problem {
	return Problem{Entry: plain(entry), Message: plain(message)}
}

// maxPlain bounds a text of a source in a report, in bytes.
const maxPlain = 512

// plain is a text of a source as it can be shown on a terminal: no control characters, no tricks with the direction of
// writing, and not too long.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if len(s) <= maxPlain {
		return s
	}
	return strings.ToValidUTF8(s[:maxPlain], "") + "…"
}

// userAttributes are what can be mapped to an attribute of a person, with the places of those that are texts of the profile.
var userAttributes = map[string]func(*directory.Profile) *string{
	attributeID: nil, attributeUserName: nil, attributeEmail: nil, attributePhone: nil,
	"display_name":       func(p *directory.Profile) *string { return &p.DisplayName },
	"given_name":         func(p *directory.Profile) *string { return &p.Name.GivenName },
	"family_name":        func(p *directory.Profile) *string { return &p.Name.FamilyName },
	"middle_name":        func(p *directory.Profile) *string { return &p.Name.MiddleName },
	"formatted_name":     func(p *directory.Profile) *string { return &p.Name.Formatted },
	"nick_name":          func(p *directory.Profile) *string { return &p.NickName },
	"title":              func(p *directory.Profile) *string { return &p.Title },
	"user_type":          func(p *directory.Profile) *string { return &p.UserType },
	"preferred_language": func(p *directory.Profile) *string { return &p.PreferredLanguage },
	"locale":             func(p *directory.Profile) *string { return &p.Locale },
	"timezone":           func(p *directory.Profile) *string { return &p.Timezone },
	"employee_number":    func(p *directory.Profile) *string { return &p.Enterprise.EmployeeNumber },
	"cost_center":        func(p *directory.Profile) *string { return &p.Enterprise.CostCenter },
	"organization":       func(p *directory.Profile) *string { return &p.Enterprise.Organization },
	"division":           func(p *directory.Profile) *string { return &p.Enterprise.Division },
	"department":         func(p *directory.Profile) *string { return &p.Enterprise.Department },
}

const attributePhone = "phone"

// groupAttributes are what can be mapped to an attribute of a group.
var groupAttributes = []string{attributeID, attributeName, attributeDescription, attributeMember}

// put gives a user what the source says of it, and leaves the rest.
func (p *Person) put(u *directory.User) {
	if p.UserName != "" {
		u.UserName = p.UserName
	}
	u.Enabled = p.Enabled
	for name, value := range p.Values {
		putValue(&u.Profile, name, value)
	}
}

func putValue(p *directory.Profile, name, value string) {
	switch name {
	case attributeEmail:
		p.Emails = one(p.Emails, value)
	case attributePhone:
		p.PhoneNumbers = one(p.PhoneNumbers, value)
	default:
		*userAttributes[name](p) = value
	}
}

// one is the list with the one value that a source gives; it stays as it is when it is that already.
func one(have []directory.Item, value string) []directory.Item {
	switch {
	case value == "":
		return nil
	case len(have) == 1 && have[0].Value == value:
		return have
	}
	return []directory.Item{{Value: value, Type: "work", Primary: true}}
}

// owned is the id that a source gave to an entry of the directory, "" for an entry that is not the source's.
func owned(ids []directory.ExternalID, issuer string) string {
	for _, x := range ids {
		if x.Issuer == issuer {
			return x.ID
		}
	}
	return ""
}

func compareProblems(a, b Problem) int {
	return cmp.Or(strings.Compare(a.Entry, b.Entry), strings.Compare(a.Message, b.Message))
}

func cloned(m map[string]string) map[string]string {
	c := maps.Clone(m)
	if c == nil {
		c = map[string]string{}
	}
	return c
}
