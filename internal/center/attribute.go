package center

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/lakegate/lakegate/internal/directory"
)

// AccessControlAttribute makes an attribute of a person a tag of the sessions that the person opens through a permission
// set, so that policies can compare it (aws:PrincipalTag/<Key>). The JSON form is that of the database.
type AccessControlAttribute struct {
	// Key is the tag's, 1 to 128 characters; keys differ by more than case.
	Key string `json:"key"`
	// Source is ${path:<attribute>}, one of those in attributeSources.
	Source string `json:"source"`
}

// attributeSources are the attributes that a Source can name, spelled as the directory's API spells them. The enterprise
// extension's follow "enterprise." (urn:ietf:params:scim:schemas:extension:enterprise:2.0:User in SCIM). Of attributes
// with several entries it is the one that is marked as primary, else the first.
var attributeSources = map[string]func(u *directory.User) string{
	"userName":             func(u *directory.User) string { return u.UserName },
	"displayName":          func(u *directory.User) string { return u.Profile.DisplayName },
	"nickName":             func(u *directory.User) string { return u.Profile.NickName },
	"profileUrl":           func(u *directory.User) string { return u.Profile.ProfileURL },
	"title":                func(u *directory.User) string { return u.Profile.Title },
	"userType":             func(u *directory.User) string { return u.Profile.UserType },
	"preferredLanguage":    func(u *directory.User) string { return u.Profile.PreferredLanguage },
	"locale":               func(u *directory.User) string { return u.Profile.Locale },
	"timezone":             func(u *directory.User) string { return u.Profile.Timezone },
	"name.formatted":       func(u *directory.User) string { return u.Profile.Name.Formatted },
	"name.familyName":      func(u *directory.User) string { return u.Profile.Name.FamilyName },
	"name.givenName":       func(u *directory.User) string { return u.Profile.Name.GivenName },
	"name.middleName":      func(u *directory.User) string { return u.Profile.Name.MiddleName },
	"name.honorificPrefix": func(u *directory.User) string { return u.Profile.Name.HonorificPrefix },
	"name.honorificSuffix": func(u *directory.User) string { return u.Profile.Name.HonorificSuffix },

	"emails[primary eq true].value":            func(u *directory.User) string { return u.Profile.PrimaryEmail() },
	"phoneNumbers[primary eq true].value":      func(u *directory.User) string { return primary(u.Profile.PhoneNumbers).Value },
	"roles[primary eq true].value":             func(u *directory.User) string { return primary(u.Profile.Roles).Value },
	"addresses[primary eq true].streetAddress": func(u *directory.User) string { return primaryAddress(u).StreetAddress },
	"addresses[primary eq true].locality":      func(u *directory.User) string { return primaryAddress(u).Locality },
	"addresses[primary eq true].region":        func(u *directory.User) string { return primaryAddress(u).Region },
	"addresses[primary eq true].postalCode":    func(u *directory.User) string { return primaryAddress(u).PostalCode },
	"addresses[primary eq true].country":       func(u *directory.User) string { return primaryAddress(u).Country },
	"addresses[primary eq true].formatted":     func(u *directory.User) string { return primaryAddress(u).Formatted },

	"enterprise.employeeNumber": func(u *directory.User) string { return u.Profile.Enterprise.EmployeeNumber },
	"enterprise.costCenter":     func(u *directory.User) string { return u.Profile.Enterprise.CostCenter },
	"enterprise.organization":   func(u *directory.User) string { return u.Profile.Enterprise.Organization },
	"enterprise.division":       func(u *directory.User) string { return u.Profile.Enterprise.Division },
	"enterprise.department":     func(u *directory.User) string { return u.Profile.Enterprise.Department },
	"enterprise.manager.value":  func(u *directory.User) string { return u.Profile.Enterprise.Manager },
}

func primary(items []directory.Item) (first directory.Item) {
	for i, x := range items {
		if x.Primary {
			return x
		}
		if i == 0 {
			first = x
		}
	}
	return first
}

func primaryAddress(u *directory.User) (first directory.Address) {
	for i, x := range u.Profile.Addresses {
		if x.Primary {
			return x
		}
		if i == 0 {
			first = x
		}
	}
	return first
}

// attributeOf is the attribute that a Source names.
func attributeOf(source string) (func(u *directory.User) string, bool) {
	path, ok := strings.CutPrefix(source, "${path:")
	path, closed := strings.CutSuffix(path, "}")
	read, known := attributeSources[path]
	return read, ok && closed && known
}

// checkAccessControl refuses attributes of which nothing, or nothing certain, would come.
func checkAccessControl(attributes []AccessControlAttribute) error {
	seen := map[string]bool{}
	for _, a := range attributes {
		// Tag keys are compared without regard to case, as STS compares them.
		lower := strings.ToLower(a.Key)
		switch _, known := attributeOf(a.Source); {
		case strings.HasPrefix(lower, "aws:") || strings.HasPrefix(lower, reservedTag):
			return fmt.Errorf("the key %s is reserved", a.Key)
		case seen[lower]:
			return fmt.Errorf("the key %s is there twice", a.Key)
		case !known:
			return fmt.Errorf("the source %q of %s is not supported: it must name one attribute of the identity store, as in ${path:userName} or ${path:enterprise.department}", a.Source, a.Key)
		}
		seen[lower] = true
	}
	return nil
}

// What STS admits as the value of a session tag.
var tagValue = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

const maxTagValue = 256

// SessionTags returns the tags that a person's sessions carry by the instance's attributes for access control: at most 50,
// each within the bounds of an STS session tag. An attribute that the person lacks makes no tag, and neither does one whose
// value STS would not take: a part of it would be another value, which a policy might compare.
func (c *Center) SessionTags(instanceARN string, u *directory.User) map[string]string {
	attributes, _ := c.accessControl.Get(instanceARN)
	tags := make(map[string]string, len(attributes))
	for _, a := range attributes {
		read, ok := attributeOf(a.Source)
		if !ok {
			continue
		}
		if v := read(u); v != "" && utf8.RuneCountInString(v) <= maxTagValue && tagValue.MatchString(v) {
			tags[a.Key] = v
		}
	}
	return tags
}
