package directory

import (
	"cmp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// User is a person of an identity store.
type User struct {
	StoreID, ID string
	UserName    string
	Enabled     bool
	ExternalIDs []ExternalID
	Profile     Profile
	Stamps      Stamps
}

// ExternalID is the id that a provider gave to a user or group.
type ExternalID struct {
	Issuer, ID string
}

// Stamps say when and by whom something was made and last changed. Version counts the changes.
type Stamps struct {
	Created, Updated     time.Time
	CreatedBy, UpdatedBy string
	Version              int64
}

// Profile is what a user has beside its name and state. The JSON form is that of the database.
type Profile struct {
	Name              Name       `json:"name,omitzero"`
	DisplayName       string     `json:"displayName,omitempty"`
	NickName          string     `json:"nickName,omitempty"`
	ProfileURL        string     `json:"profileUrl,omitempty"`
	Emails            []Item     `json:"emails,omitempty"`
	Addresses         []Address  `json:"addresses,omitempty"`
	PhoneNumbers      []Item     `json:"phoneNumbers,omitempty"`
	UserType          string     `json:"userType,omitempty"`
	Title             string     `json:"title,omitempty"`
	PreferredLanguage string     `json:"preferredLanguage,omitempty"`
	Locale            string     `json:"locale,omitempty"`
	Timezone          string     `json:"timezone,omitempty"`
	Photos            []Item     `json:"photos,omitempty"`
	Website           string     `json:"website,omitempty"`
	Birthdate         string     `json:"birthdate,omitempty"`
	Roles             []Item     `json:"roles,omitempty"`
	Enterprise        Enterprise `json:"enterprise,omitzero"`
}

// Name is a person's name in parts.
type Name struct {
	Formatted       string `json:"formatted,omitempty"`
	FamilyName      string `json:"familyName,omitempty"`
	GivenName       string `json:"givenName,omitempty"`
	MiddleName      string `json:"middleName,omitempty"`
	HonorificPrefix string `json:"honorificPrefix,omitempty"`
	HonorificSuffix string `json:"honorificSuffix,omitempty"`
}

// Item is an entry of a multi-valued attribute.
type Item struct {
	Value   string `json:"value,omitempty"`
	Type    string `json:"type,omitempty"`
	Display string `json:"display,omitempty"`
	Primary bool   `json:"primary,omitempty"`
}

// Address is a postal address.
type Address struct {
	StreetAddress string `json:"streetAddress,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postalCode,omitempty"`
	Country       string `json:"country,omitempty"`
	Formatted     string `json:"formatted,omitempty"`
	Type          string `json:"type,omitempty"`
	Primary       bool   `json:"primary,omitempty"`
}

// Enterprise is SCIM's enterprise extension (RFC 7643 §4.3). Manager is a user's id.
type Enterprise struct {
	EmployeeNumber string `json:"employeeNumber,omitempty"`
	CostCenter     string `json:"costCenter,omitempty"`
	Organization   string `json:"organization,omitempty"`
	Division       string `json:"division,omitempty"`
	Department     string `json:"department,omitempty"`
	Manager        string `json:"manager,omitempty"`
}

// PrimaryEmail is the email that is marked as primary, else the first one.
func (p *Profile) PrimaryEmail() string {
	for _, e := range p.Emails {
		if e.Primary {
			return e.Value
		}
	}
	if len(p.Emails) > 0 {
		return p.Emails[0].Value
	}
	return ""
}

// The bounds of a user, from the model of identitystore.
const (
	maxUserName = 128
	maxText     = 1024
	maxItems    = 20
	maxExternal = 10
	maxID       = 256
)

// reserved names belong to nobody.
var reserved = []string{"administrator", "awsadministrators"}

func isReserved(name string) bool {
	for _, r := range reserved {
		if strings.EqualFold(name, r) {
			return true
		}
	}
	return false
}

// check holds a user against the rules that every face shares.
func (u *User) check() error {
	if u.UserName == "" {
		return Invalid("userName", "userName is a required attribute")
	}
	if utf8.RuneCountInString(u.UserName) > maxUserName || strings.ContainsFunc(u.UserName, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) || !utf8.ValidString(u.UserName) {
		return Invalid("userName", "userName must have 1 to 128 characters and no spaces")
	}
	if isReserved(u.UserName) {
		return Invalid("userName", "userName is a reserved name")
	}
	if err := checkExternalIDs(u.ExternalIDs); err != nil {
		return err
	}
	return u.Profile.check()
}

func checkExternalIDs(ids []ExternalID) error {
	if len(ids) > maxExternal {
		return Invalid("externalIds", "there are more than 10 external ids")
	}
	for _, x := range ids {
		for _, s := range []string{x.Issuer, x.ID} {
			if s == "" || len(s) > maxID || !printable(s) || strings.ContainsFunc(s, unicode.IsSpace) {
				return Invalid("externalId", "an external id must have 1 to 256 characters and no spaces")
			}
		}
	}
	return nil
}

func (p *Profile) check() error {
	texts := map[string]string{
		"displayName": p.DisplayName, "nickName": p.NickName, "profileUrl": p.ProfileURL, "userType": p.UserType, "title": p.Title,
		"preferredLanguage": p.PreferredLanguage, "locale": p.Locale, "timezone": p.Timezone, "website": p.Website,
		"name.formatted": p.Name.Formatted, "name.familyName": p.Name.FamilyName, "name.givenName": p.Name.GivenName, "name.middleName": p.Name.MiddleName,
		"name.honorificPrefix": p.Name.HonorificPrefix, "name.honorificSuffix": p.Name.HonorificSuffix,
		"employeeNumber": p.Enterprise.EmployeeNumber, "costCenter": p.Enterprise.CostCenter, "organization": p.Enterprise.Organization,
		"division": p.Enterprise.Division, "department": p.Enterprise.Department, "manager": p.Enterprise.Manager,
	}
	for field, s := range texts {
		if err := checkText(field, s); err != nil {
			return err
		}
	}
	if p.Birthdate != "" {
		if _, err := time.Parse(time.DateOnly, p.Birthdate); err != nil {
			return Invalid("birthdate", "birthdate must have the form YYYY-MM-DD")
		}
	}
	for field, items := range map[string][]Item{"emails": p.Emails, "phoneNumbers": p.PhoneNumbers, "photos": p.Photos, "roles": p.Roles} {
		if err := checkItems(field, items); err != nil {
			return err
		}
	}
	if len(p.Addresses) > maxItems {
		return Invalid("addresses", "there are too many addresses")
	}
	for _, a := range p.Addresses {
		for _, s := range []string{a.StreetAddress, a.Locality, a.Region, a.PostalCode, a.Country, a.Formatted, a.Type} {
			if err := checkText("addresses", s); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkItems(field string, items []Item) error {
	if len(items) > maxItems {
		return Invalid(field, "List attribute "+field+" exceeds allowed limit")
	}
	primaries := 0
	for _, i := range items {
		if i.Primary {
			primaries++
		}
		for _, s := range []string{i.Value, i.Type, i.Display} {
			if err := checkText(field, s); err != nil {
				return err
			}
		}
	}
	if primaries > 1 {
		return Invalid(field, "only one entry of "+field+" can be primary")
	}
	return nil
}

func checkText(field, s string) error {
	if utf8.RuneCountInString(s) > maxText || !printable(s) {
		return Invalid(field, field+" must have at most 1024 printable characters")
	}
	return nil
}

// printable admits what the model's pattern does: letters, marks, symbols, numbers, punctuation, blanks, tab and line ends.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r != '\t' && r != '\n' && r != '\r' && !unicode.IsPrint(r) && r != '\u3000' && r != '\u00a0' {
			return false
		}
	}
	return true
}

// Group is a group of an identity store.
type Group struct {
	StoreID, ID string
	DisplayName string
	Description string
	ExternalIDs []ExternalID
	Stamps      Stamps
}

func (g *Group) check() error {
	if g.DisplayName == "" {
		return Invalid("displayName", "displayName is a required attribute")
	}
	for field, s := range map[string]string{"displayName": g.DisplayName, "description": g.Description} {
		if err := checkText(field, s); err != nil {
			return err
		}
	}
	if isReserved(g.DisplayName) {
		return Invalid("displayName", "displayName is a reserved name")
	}
	return checkExternalIDs(g.ExternalIDs)
}

// Membership says that a user belongs to a group.
type Membership struct {
	StoreID, ID, GroupID, UserID string
	Created                      time.Time
	CreatedBy                    string
}

// compareExternalIDs orders external ids, so that equal sets are equal lists.
func compareExternalIDs(a, b ExternalID) int {
	return cmp.Or(strings.Compare(a.Issuer, b.Issuer), strings.Compare(a.ID, b.ID))
}
