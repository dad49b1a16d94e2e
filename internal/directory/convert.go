package directory

import (
	"encoding/json"
	"time"

	"github.com/lakegate/lakegate/internal/api/identitystore"
)

// What identitystore's types and the directory's have in common.

// enterprise is the only extension that identitystore knows.
const enterprise = "aws:identitystore:enterprise"

// The most entries that identitystore takes where SCIM takes more.
const (
	maxSingle = 1
	maxPhotos = 3
)

func userOfInput(in *identitystore.CreateUserInput) (User, error) {
	u := User{StoreID: in.IdentityStoreId, UserName: value(in.UserName), Enabled: true}
	p := &u.Profile
	p.DisplayName, p.NickName, p.ProfileURL = value(in.DisplayName), value(in.NickName), value(in.ProfileUrl)
	p.UserType, p.Title, p.Website, p.Birthdate = value(in.UserType), value(in.Title), value(in.Website), value(in.Birthdate)
	p.PreferredLanguage, p.Locale, p.Timezone = value(in.PreferredLanguage), value(in.Locale), value(in.Timezone)
	if n := in.Name; n != nil {
		p.Name = Name{
			Formatted: value(n.Formatted), FamilyName: value(n.FamilyName), GivenName: value(n.GivenName), MiddleName: value(n.MiddleName),
			HonorificPrefix: value(n.HonorificPrefix), HonorificSuffix: value(n.HonorificSuffix),
		}
	}
	for _, e := range in.Emails {
		p.Emails = append(p.Emails, Item{Value: value(e.Value), Type: value(e.Type), Primary: value(e.Primary)})
	}
	for _, e := range in.PhoneNumbers {
		p.PhoneNumbers = append(p.PhoneNumbers, Item{Value: value(e.Value), Type: value(e.Type), Primary: value(e.Primary)})
	}
	for _, e := range in.Photos {
		p.Photos = append(p.Photos, Item{Value: e.Value, Type: value(e.Type), Display: value(e.Display), Primary: value(e.Primary)})
	}
	for _, e := range in.Roles {
		p.Roles = append(p.Roles, Item{Value: value(e.Value), Type: value(e.Type), Primary: value(e.Primary)})
	}
	for _, a := range in.Addresses {
		p.Addresses = append(p.Addresses, Address{
			StreetAddress: value(a.StreetAddress), Locality: value(a.Locality), Region: value(a.Region), PostalCode: value(a.PostalCode),
			Country: value(a.Country), Formatted: value(a.Formatted), Type: value(a.Type), Primary: value(a.Primary),
		})
	}
	for name, doc := range in.Extensions {
		if err := setUserAttribute(&u, name, doc); err != nil {
			return User{}, err
		}
	}
	return u, nil
}

// outputOfUser makes the answer of DescribeUser and an entry of ListUsers, which have the same members.
func outputOfUser(u *User, extensions []string) (*identitystore.User, error) {
	p := &u.Profile
	out := &identitystore.User{
		IdentityStoreId: u.StoreID, UserId: u.ID, UserName: &u.UserName, ExternalIds: outputOfExternalIDs(u.ExternalIDs),
		DisplayName: optional(p.DisplayName), NickName: optional(p.NickName), ProfileUrl: optional(p.ProfileURL),
		UserType: optional(p.UserType), Title: optional(p.Title), Website: optional(p.Website), Birthdate: optional(p.Birthdate),
		PreferredLanguage: optional(p.PreferredLanguage), Locale: optional(p.Locale), Timezone: optional(p.Timezone),
		UserStatus: new(identitystore.UserStatusENABLED),
	}
	if !u.Enabled {
		out.UserStatus = new(identitystore.UserStatusDISABLED)
	}
	out.CreatedAt, out.UpdatedAt, out.CreatedBy, out.UpdatedBy = u.Stamps.output()
	if n := p.Name; n != (Name{}) {
		out.Name = &identitystore.Name{
			Formatted: optional(n.Formatted), FamilyName: optional(n.FamilyName), GivenName: optional(n.GivenName), MiddleName: optional(n.MiddleName),
			HonorificPrefix: optional(n.HonorificPrefix), HonorificSuffix: optional(n.HonorificSuffix),
		}
	}
	for _, e := range p.Emails {
		out.Emails = append(out.Emails, identitystore.Email{Value: optional(e.Value), Type: optional(e.Type), Primary: &e.Primary})
	}
	for _, e := range p.PhoneNumbers {
		out.PhoneNumbers = append(out.PhoneNumbers, identitystore.PhoneNumber{Value: optional(e.Value), Type: optional(e.Type), Primary: &e.Primary})
	}
	for _, e := range p.Photos {
		out.Photos = append(out.Photos, identitystore.Photo{Value: e.Value, Type: optional(e.Type), Display: optional(e.Display), Primary: &e.Primary})
	}
	for _, e := range p.Roles {
		out.Roles = append(out.Roles, identitystore.Role{Value: optional(e.Value), Type: optional(e.Type), Primary: &e.Primary})
	}
	for _, a := range p.Addresses {
		out.Addresses = append(out.Addresses, identitystore.Address{
			StreetAddress: optional(a.StreetAddress), Locality: optional(a.Locality), Region: optional(a.Region), PostalCode: optional(a.PostalCode),
			Country: optional(a.Country), Formatted: optional(a.Formatted), Type: optional(a.Type), Primary: &a.Primary,
		})
	}
	for _, name := range extensions {
		if name != enterprise {
			return nil, Invalid("extensions", "The extension "+name+" is not known.")
		}
		if p.Enterprise == (Enterprise{}) {
			continue
		}
		doc, err := json.Marshal(documentOf(&p.Enterprise))
		if err != nil {
			return nil, err
		}
		out.Extensions = map[string]json.RawMessage{enterprise: doc}
	}
	return out, nil
}

// enterpriseDocument is the extension as clients write and read it: as in SCIM, the manager is an object.
type enterpriseDocument struct {
	EmployeeNumber string   `json:"employeeNumber,omitempty"`
	CostCenter     string   `json:"costCenter,omitempty"`
	Organization   string   `json:"organization,omitempty"`
	Division       string   `json:"division,omitempty"`
	Department     string   `json:"department,omitempty"`
	Manager        *manager `json:"manager,omitempty"`
}

// manager is the manager as SCIM has it: RefIgnored and DisplayNameIgnored are what a server says of the manager whom Value
// names (RFC 7643 §4.3), so that clients send back what they were told elsewhere. They are read and left aside.
type manager struct {
	Value              string `json:"value"`
	RefIgnored         string `json:"$ref,omitempty"`
	DisplayNameIgnored string `json:"displayName,omitempty"`
}

func documentOf(e *Enterprise) enterpriseDocument {
	d := enterpriseDocument{EmployeeNumber: e.EmployeeNumber, CostCenter: e.CostCenter, Organization: e.Organization, Division: e.Division, Department: e.Department}
	if e.Manager != "" {
		d.Manager = &manager{Value: e.Manager}
	}
	return d
}

func (d *enterpriseDocument) enterprise() Enterprise {
	return Enterprise{EmployeeNumber: d.EmployeeNumber, CostCenter: d.CostCenter, Organization: d.Organization, Division: d.Division, Department: d.Department, Manager: value(d.Manager).Value}
}

func (s *Stamps) output() (created, updated *time.Time, createdBy, updatedBy *string) {
	return &s.Created, &s.Updated, optional(s.CreatedBy), optional(s.UpdatedBy)
}

func outputOfExternalIDs(ids []ExternalID) (out []identitystore.ExternalId) {
	for _, x := range ids {
		out = append(out, identitystore.ExternalId{Issuer: x.Issuer, Id: x.ID})
	}
	return out
}

func outputOfGroup(g *Group) identitystore.Group {
	out := identitystore.Group{
		GroupId: g.ID, DisplayName: &g.DisplayName, ExternalIds: outputOfExternalIDs(g.ExternalIDs), Description: optional(g.Description), IdentityStoreId: g.StoreID,
	}
	out.CreatedAt, out.UpdatedAt, out.CreatedBy, out.UpdatedBy = g.Stamps.output()
	return out
}

func outputOfMemberships(all []Membership) []identitystore.GroupMembership {
	out := []identitystore.GroupMembership{}
	for _, m := range all {
		out = append(out, identitystore.GroupMembership{
			IdentityStoreId: m.StoreID, MembershipId: &m.ID, GroupId: &m.GroupID, MemberId: &identitystore.MemberId{UserId: &m.UserID},
			CreatedAt: &m.Created, UpdatedAt: &m.Created, CreatedBy: optional(m.CreatedBy), UpdatedBy: optional(m.CreatedBy),
		})
	}
	return out
}
