package directory

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
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

// Stamps say when and by whom something was made and last changed. Version counts the changes, of a group also those of
// its members.
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
	IMs               []Item     `json:"ims,omitempty"`
	Entitlements      []Item     `json:"entitlements,omitempty"`
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

// Check holds a user against the rules that every face shares, for those who bring many and want to know before they
// change anything.
func (u *User) Check() error { return u.check() }

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
			if s == "" || utf8.RuneCountInString(s) > maxID || !printable(s) || strings.ContainsFunc(s, unicode.IsSpace) {
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
	for field, items := range map[string][]Item{"emails": p.Emails, "phoneNumbers": p.PhoneNumbers, "photos": p.Photos, "roles": p.Roles, "ims": p.IMs, "entitlements": p.Entitlements} {
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

// compareExternalIDs orders external ids, so that equal sets are equal lists.
func compareExternalIDs(a, b ExternalID) int {
	return cmp.Or(strings.Compare(a.Issuer, b.Issuer), strings.Compare(a.ID, b.ID))
}

// CreateUser adds a person. ID and stamps are set anew.
func (d *Directory) CreateUser(ctx context.Context, by Actor, u User) (User, error) {
	if err := u.check(); err != nil {
		return User{}, err
	}
	now := d.db.Now()
	u.ID = uuid.NewString()
	u.Stamps = Stamps{Created: now, Updated: now, CreatedBy: string(by), UpdatedBy: string(by), Version: 1}
	d.touch(ctx, u.StoreID, ResourceUser, u.ID)
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		if err := inStore(ctx, tx, u.StoreID); err != nil {
			return err
		}
		if d.Users(u.StoreID) >= d.Quotas.users() {
			return quota("users", d.Quotas.users())
		}
		return insertUser(ctx, tx, &u)
	})
	if err != nil {
		return User{}, userConflict(err)
	}
	return u, nil
}

// ReadUser reads a person.
func (d *Directory) ReadUser(ctx context.Context, storeID, id string) (User, error) {
	var u User
	err := d.db.View(ctx, func(q store.Querier) (err error) {
		u, err = readUser(ctx, q, storeID, id)
		return err
	})
	return u, missing(err, ResourceUser, id)
}

// ChangeUser reads a person, lets change work on it, and writes the result. When change returns an error, or leaves the
// person as it was, nothing is written.
func (d *Directory) ChangeUser(ctx context.Context, by Actor, storeID, id string, change func(*User) error) (u User, err error) {
	d.touch(ctx, storeID, ResourceUser, id)
	err = d.db.Update(ctx, func(tx *store.Tx) (err error) {
		if u, err = readUser(ctx, tx, storeID, id); err != nil {
			return missing(err, ResourceUser, id)
		}
		before, enabled := u.content(), u.Enabled
		if err := change(&u); err != nil {
			return err
		}
		u.StoreID, u.ID = storeID, id
		if err := u.check(); err != nil {
			return err
		}
		if u.content() == before {
			return nil
		}
		u.Stamps.Updated, u.Stamps.UpdatedBy = d.db.Now(), string(by)
		u.Stamps.Version++
		if u.Enabled != enabled {
			trail.From(ctx).Add("enabled", u.Enabled) // whoever gains or loses everything by it
		}
		return updateUser(ctx, tx, &u)
	})
	if err != nil {
		return User{}, userConflict(err)
	}
	return u, nil
}

// content is everything of a user that a change can alter, in a form that can be compared.
func (u *User) content() string {
	external := slices.SortedFunc(slices.Values(u.ExternalIDs), compareExternalIDs)
	text, _ := json.Marshal([]any{u.UserName, u.Enabled, external, u.Profile}) // texts and flags always encode
	return string(text)
}

// DeleteUser removes a person and its memberships, if none of the conditions refuses.
func (d *Directory) DeleteUser(ctx context.Context, storeID, id string, conditions ...func(*User) error) error {
	d.touch(ctx, storeID, ResourceUser, id)
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		for _, refuses := range conditions {
			u, err := readUser(ctx, tx, storeID, id)
			if err != nil {
				return err
			}
			if err := refuses(&u); err != nil {
				return err
			}
		}
		return deleteUser(ctx, tx, storeID, id)
	})
	return missing(err, ResourceUser, id)
}

// ListUsers reads a page of people in the order of their ids.
func (d *Directory) ListUsers(ctx context.Context, storeID string, f UserFilter, p Page) (users []User, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		users, err = listUsers(ctx, q, storeID, f, p)
		return err
	})
	return users, err
}

// userConflict says which unique value a user shares with another.
func userConflict(err error) error {
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	switch text := err.Error(); {
	case strings.Contains(text, "external_ids"):
		return Conflict("externalId", "Duplicate ExternalId")
	case strings.Contains(text, "email_key"):
		return Conflict("emails", "Duplicate Email")
	default:
		return Conflict("userName", "Duplicate UserName")
	}
}
