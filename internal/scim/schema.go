package scim

import "strings"

// The names of schemas and messages.
const (
	urnUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	urnGroup      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	urnEnterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	urnList       = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	urnError      = "urn:ietf:params:scim:api:messages:2.0:Error"
	urnPatch      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// kind is the type of an attribute's values.
type kind string

const (
	text      kind = "string"
	boolean   kind = "boolean"
	dateTime  kind = "dateTime"
	reference kind = "reference"
	complexed kind = "complex"
)

// attribute describes an attribute (RFC 7643 §7).
type attribute struct {
	name      string
	kind      kind
	multi     bool
	caseExact bool
	readOnly  bool
	required  bool
	unique    bool
	// fixed attributes can be replaced and never removed: without active, nobody could say whether a person is enabled.
	fixed bool
	subs  []*attribute
}

// sub finds a sub-attribute, in any letter case.
func (a *attribute) sub(name string) *attribute { return find(a.subs, name) }

func find(attributes []*attribute, name string) *attribute {
	for _, a := range attributes {
		if strings.EqualFold(a.name, name) {
			return a
		}
	}
	return nil
}

// schema is a named set of attributes.
type schema struct {
	urn, name, description string
	attributes             []*attribute
}

// resourceType is a kind of resource: its own schema, those that extend it, and what every resource has.
type resourceType struct {
	name, endpoint string
	core           *schema
	extensions     []*schema
}

// lookup finds an attribute by its name alone: one of every resource, of the core schema or, where providers leave out
// the URN, of an extension.
func (t *resourceType) lookup(name string) (extension *schema, a *attribute) {
	if a := find(common, name); a != nil {
		return nil, a
	}
	if a := find(t.core.attributes, name); a != nil {
		return nil, a
	}
	for _, x := range t.extensions {
		if a := find(x.attributes, name); a != nil {
			return x, a
		}
	}
	return nil, nil
}

// extension finds an extension by its URN.
func (t *resourceType) extension(urn string) *schema {
	for _, x := range t.extensions {
		if strings.EqualFold(x.urn, urn) {
			return x
		}
	}
	return nil
}

// cutURN takes the URN of a schema from the beginning of a name. The colon after a URN separates; URNs have dots and
// colons of their own, so nothing but comparing with the known ones tells where one ends.
func (t *resourceType) cutURN(name string) (x *schema, rest string, found bool) {
	for _, s := range append([]*schema{t.core}, t.extensions...) {
		if len(name) < len(s.urn) || !strings.EqualFold(name[:len(s.urn)], s.urn) {
			continue
		}
		switch rest := name[len(s.urn):]; {
		case rest == "":
			return s, "", true
		case rest[0] == ':':
			return s, rest[1:], true
		}
	}
	return nil, name, false
}

func plain(names ...string) (all []*attribute) {
	for _, n := range names {
		all = append(all, &attribute{name: n, kind: text})
	}
	return all
}

// items is a multi-valued attribute with the sub-attributes that RFC 7643 §2.4 gives them all.
func items(name string, value kind) *attribute {
	return &attribute{name: name, kind: complexed, multi: true, subs: []*attribute{
		{name: "value", kind: value}, {name: "display", kind: text}, {name: "type", kind: text}, {name: "primary", kind: boolean},
	}}
}

var common = []*attribute{
	{name: "schemas", kind: reference, multi: true, caseExact: true, readOnly: true},
	{name: "id", kind: text, caseExact: true, readOnly: true, unique: true},
	{name: "externalId", kind: text, caseExact: true},
	{name: "meta", kind: complexed, readOnly: true, subs: []*attribute{
		{name: "resourceType", kind: text, caseExact: true, readOnly: true}, {name: "created", kind: dateTime, readOnly: true},
		{name: "lastModified", kind: dateTime, readOnly: true}, {name: "location", kind: reference, caseExact: true, readOnly: true},
		{name: "version", kind: text, caseExact: true, readOnly: true},
	}},
}

// members is the attribute of groups that the directory keeps in a table of its own.
var members = &attribute{name: "members", kind: complexed, multi: true, subs: []*attribute{
	{name: "value", kind: text, caseExact: true}, {name: "$ref", kind: reference, caseExact: true}, {name: "type", kind: text},
	{name: "display", kind: text, readOnly: true},
}}

// groups is the other side of members.
var groups = &attribute{name: "groups", kind: complexed, multi: true, readOnly: true, subs: []*attribute{
	{name: "value", kind: text, caseExact: true, readOnly: true}, {name: "$ref", kind: reference, caseExact: true, readOnly: true},
	{name: "display", kind: text, readOnly: true}, {name: "type", kind: text, readOnly: true},
}}

var manager = &attribute{name: "manager", kind: complexed, subs: []*attribute{
	{name: "value", kind: text, caseExact: true}, {name: "$ref", kind: reference, caseExact: true}, {name: "displayName", kind: text, readOnly: true},
}}

var enterprise = &schema{
	urn: urnEnterprise, name: "EnterpriseUser", description: "Enterprise User",
	attributes: append(plain("employeeNumber", "costCenter", "organization", "division", "department"), manager),
}

var userType = &resourceType{
	name: "User", endpoint: "/Users",
	core: &schema{urn: urnUser, name: "User", description: "User Account", attributes: []*attribute{
		{name: "userName", kind: text, required: true, unique: true},
		{name: "name", kind: complexed, subs: plain("formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix")},
		{name: "displayName", kind: text}, {name: "nickName", kind: text}, {name: "profileUrl", kind: reference}, {name: "title", kind: text},
		{name: "userType", kind: text}, {name: "preferredLanguage", kind: text}, {name: "locale", kind: text}, {name: "timezone", kind: text},
		{name: "active", kind: boolean, fixed: true},
		items("emails", text), items("phoneNumbers", text), items("ims", text), items("photos", reference), items("entitlements", text), items("roles", text),
		{name: "addresses", kind: complexed, multi: true, subs: append(
			plain("formatted", "streetAddress", "locality", "region", "postalCode", "country", "type"), &attribute{name: "primary", kind: boolean})},
		groups,
	}},
	extensions: []*schema{enterprise},
}

var groupType = &resourceType{
	name: "Group", endpoint: "/Groups",
	core: &schema{urn: urnGroup, name: "Group", description: "Group", attributes: []*attribute{
		{name: "displayName", kind: text, required: true, unique: true}, members,
	}},
}
