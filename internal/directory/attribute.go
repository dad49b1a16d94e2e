package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// UpdateUser names attributes by paths, without regard to case:
//
//	title                              a text; without a value, or with null, it is removed
//	name.givenName                     a part of the name
//	emails                             a whole list, [{"value": …, "type": …, "primary": …}], with small first letters
//	aws:identitystore:enterprise       the whole extension, or one attribute of it after a dot

// textAttribute finds the place of a text, or nil.
func textAttribute(u *User, path string) *string {
	p, e := &u.Profile, &u.Profile.Enterprise
	switch path {
	case "username":
		return &u.UserName
	case "displayname":
		return &p.DisplayName
	case "nickname":
		return &p.NickName
	case "profileurl":
		return &p.ProfileURL
	case "usertype":
		return &p.UserType
	case "title":
		return &p.Title
	case "preferredlanguage":
		return &p.PreferredLanguage
	case "locale":
		return &p.Locale
	case "timezone":
		return &p.Timezone
	case "website":
		return &p.Website
	case "birthdate":
		return &p.Birthdate
	case "name.formatted":
		return &p.Name.Formatted
	case "name.familyname":
		return &p.Name.FamilyName
	case "name.givenname":
		return &p.Name.GivenName
	case "name.middlename":
		return &p.Name.MiddleName
	case "name.honorificprefix":
		return &p.Name.HonorificPrefix
	case "name.honorificsuffix":
		return &p.Name.HonorificSuffix
	case enterprise + ".employeenumber":
		return &e.EmployeeNumber
	case enterprise + ".costcenter":
		return &e.CostCenter
	case enterprise + ".organization":
		return &e.Organization
	case enterprise + ".division":
		return &e.Division
	case enterprise + ".department":
		return &e.Department
	case enterprise + ".manager.value":
		return &e.Manager
	}
	return nil
}

// setUserAttribute gives the attribute at a path a value, or removes it.
func setUserAttribute(u *User, path string, v json.RawMessage) error {
	lower := strings.ToLower(path)
	if place := textAttribute(u, lower); place != nil {
		text, err := textOf(path, v)
		if err != nil {
			return err
		}
		*place = text
		return nil
	}
	p := &u.Profile
	switch lower {
	case "name":
		return document(path, v, &p.Name)
	case "emails":
		return items(path, v, &p.Emails, maxSingle)
	case "phonenumbers":
		return items(path, v, &p.PhoneNumbers, maxSingle)
	case "roles":
		return items(path, v, &p.Roles, maxSingle)
	case "photos":
		return items(path, v, &p.Photos, maxPhotos)
	case "addresses":
		return items(path, v, &p.Addresses, maxSingle)
	case enterprise:
		var d enterpriseDocument
		if err := document(path, v, &d); err != nil {
			return err
		}
		p.Enterprise = d.enterprise()
		return nil
	case enterprise + ".manager":
		var m manager
		if err := document(path, v, &m); err != nil {
			return err
		}
		p.Enterprise.Manager = m.Value
		return nil
	}
	return Invalid(path, "The attribute path "+path+" is not valid.")
}

// isNull says that a value is absent or null.
func isNull(v json.RawMessage) bool {
	v = bytes.TrimSpace(v)
	return len(v) == 0 || string(v) == "null"
}

func textOf(path string, v json.RawMessage) (s string, err error) {
	if isNull(v) {
		return "", nil
	}
	if json.Unmarshal(v, &s) != nil {
		return "", Invalid(path, "The value of "+path+" must be a string.")
	}
	return s, nil
}

// document replaces what is at a path with a value of a known shape.
func document[T any](path string, v json.RawMessage, place *T) error {
	var fresh T
	if !isNull(v) {
		d := json.NewDecoder(bytes.NewReader(v))
		d.DisallowUnknownFields()
		if err := d.Decode(&fresh); err != nil {
			return Invalid(path, "The value of "+path+" does not have the form of that attribute.")
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return Invalid(path, "The value of "+path+" does not have the form of that attribute.")
		}
	}
	*place = fresh
	return nil
}

func items[T any](path string, v json.RawMessage, place *[]T, most int) error {
	var fresh []T
	if err := document(path, v, &fresh); err != nil {
		return err
	}
	if len(fresh) > most {
		return Invalid(path, fmt.Sprintf("List attribute %s exceeds allowed limit of %d", path, most))
	}
	*place = fresh
	return nil
}
