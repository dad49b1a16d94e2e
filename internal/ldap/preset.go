package ldap

import (
	"fmt"
	"maps"
)

// preset is what suits one kind of server.
type preset struct {
	users  Users
	groups Groups
}

// presets by name. A function, since the maps go into configurations.
func presets(name string) (preset, bool) {
	person := map[string]string{
		attributeUserName: "uid", attributeEmail: "mail", "given_name": "givenName", "family_name": "sn", "display_name": "displayName",
		"title": "title", "phone": "telephoneNumber", "employee_number": "employeeNumber", "department": "departmentNumber", "preferred_language": "preferredLanguage",
	}
	with := func(own map[string]string) map[string]string {
		all := maps.Clone(person)
		maps.Copy(all, own)
		return all
	}
	switch name {
	case "active-directory":
		return preset{
			users: Users{
				Filter: "(&(objectCategory=person)(objectClass=user))",
				Attributes: with(map[string]string{
					attributeID: "objectGUID", attributeUserName: "sAMAccountName", "department": "department", "organization": "company", "division": "division",
				}),
				// ACCOUNTDISABLE
				Disabled: Disabled{Attribute: "userAccountControl", When: "bit:2"},
				Expires:  "accountExpires",
			},
			groups: Groups{
				Filter:     "(objectClass=group)",
				Attributes: map[string]string{attributeID: "objectGUID", attributeName: "sAMAccountName", attributeDescription: "description", attributeMember: "member"},
			},
		}, true
	case "openldap":
		return preset{
			users: Users{
				Filter: "(objectClass=inetOrgPerson)",
				// cn, because inetOrgPerson has to have one and need not have a displayName.
				Attributes: with(map[string]string{attributeID: "entryUUID", "display_name": "cn"}),
				// What the password policy overlay sets for an account that an administrator locked. Another value is the time of
				// too many wrong passwords, which passes.
				Disabled: Disabled{Attribute: "pwdAccountLockedTime", When: "value:000001010000Z"},
			},
			groups: Groups{
				Filter:     "(objectClass=groupOfNames)",
				Attributes: map[string]string{attributeID: "entryUUID", attributeName: "cn", attributeDescription: "description", attributeMember: "member"},
			},
		}, true
	case "freeipa":
		return preset{
			users: Users{
				Filter:     "(&(objectClass=person)(objectClass=posixaccount))",
				Attributes: with(map[string]string{attributeID: "ipaUniqueID"}),
				Disabled:   Disabled{Attribute: "nsAccountLock", When: "value:TRUE"},
				Expires:    "krbPrincipalExpiration",
			},
			groups: Groups{
				Filter:     "(objectClass=ipausergroup)",
				Attributes: map[string]string{attributeID: "ipaUniqueID", attributeName: "cn", attributeDescription: "description", attributeMember: "member"},
			},
		}, true
	}
	return preset{}, false
}

// usePreset puts the preset under what is configured.
func (c *Config) usePreset() error {
	var p preset
	if c.Preset != "" {
		var ok bool
		if p, ok = presets(c.Preset); !ok {
			return fmt.Errorf("ldap: preset %q: want active-directory, openldap or freeipa", c.Preset)
		}
	}
	orElse(&c.Users.Filter, p.users.Filter)
	orElse(&c.Groups.Filter, p.groups.Filter)
	orElse(&c.Users.Disabled, p.users.Disabled)
	orElse(&c.Users.Expires, p.users.Expires)
	c.Users.Attributes = merged(p.users.Attributes, c.Users.Attributes)
	c.Groups.Attributes = merged(p.groups.Attributes, c.Groups.Attributes)
	return nil
}

// merged is a mapping over another; an empty value takes an entry away.
func merged(under, over map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, under)
	maps.Copy(all, over)
	maps.DeleteFunc(all, func(_, attribute string) bool { return attribute == "" })
	return all
}
