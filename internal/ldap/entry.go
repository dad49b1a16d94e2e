package ldap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/directory"
)

// What an entry of the source means.

// personOf reads a person. Attributes that the directory would refuse are left out, each with a problem; without an id
// there is no person.
func (c *Config) personOf(e *goldap.Entry, now time.Time) (p Person, problems []Problem, err error) {
	a := c.Users.Attributes
	p = Person{DN: e.DN, Values: map[string]string{}}
	if p.ID, err = c.idOf(e, a[attributeID]); err != nil {
		return p, nil, err
	}
	report := func(message string) { problems = append(problems, problem(e.DN, message)) }
	p.UserName = first(texts(e, a[attributeUserName]))
	u := directory.User{UserName: p.UserName}
	if err := u.Check(); err != nil {
		report(fmt.Sprintf("%s cannot be the user name: %v", a[attributeUserName], err))
		p.UserName = ""
	}
	for _, name := range slices.Sorted(maps.Keys(a)) {
		attribute := a[name]
		if name == attributeID || name == attributeUserName {
			continue
		}
		value := strings.TrimSpace(first(texts(e, attribute)))
		u := directory.User{UserName: "x"}
		putValue(&u.Profile, name, value)
		if err := u.Check(); err != nil {
			report(fmt.Sprintf("%s is left out: %v", attribute, err))
			value = ""
		}
		p.Values[name] = value
	}
	if p.Enabled, err = c.enabled(e, now); err != nil {
		report(err.Error() + "; the person counts as disabled")
	}
	return p, problems, nil
}

// groupOf reads a group, without its members.
func (c *Config) groupOf(e *goldap.Entry) (g Group, problems []Problem, err error) {
	a := c.Groups.Attributes
	g = Group{DN: e.DN}
	if g.ID, err = c.idOf(e, a[attributeID]); err != nil {
		return g, nil, err
	}
	g.Name, g.Description = strings.TrimSpace(first(texts(e, a[attributeName]))), strings.TrimSpace(first(texts(e, a[attributeDescription])))
	if err := (&directory.Group{DisplayName: "x", Description: g.Description}).Check(); err != nil {
		problems = append(problems, problem(e.DN, fmt.Sprintf("%s is left out: %v", a[attributeDescription], err)))
		g.Description = ""
	}
	if err := (&directory.Group{DisplayName: g.Name}).Check(); err != nil {
		problems = append(problems, problem(e.DN, fmt.Sprintf("%s cannot be the group's name: %v", a[attributeName], err)))
		g.Name = ""
	}
	return g, problems, nil
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// idOf is the immutable id of an entry.
func (c *Config) idOf(e *goldap.Entry, attribute string) (string, error) {
	values, _ := part(e, attribute)
	if len(values) != 1 {
		return "", fmt.Errorf("%s has %d values, and it takes one to know the entry by", attribute, len(values))
	}
	id := string(values[0])
	if strings.EqualFold(attribute, "objectGUID") {
		var err error
		if id, err = guid(values[0]); err != nil {
			return "", err
		}
	}
	if err := (&directory.User{UserName: "x", ExternalIDs: []directory.ExternalID{{Issuer: c.Issuer(), ID: id}}}).Check(); err != nil {
		return "", fmt.Errorf("%s cannot be an id: %w", attribute, err)
	}
	return id, nil
}

// guid is the textual form of an objectGUID ([MS-DTYP] §2.3.4): its first three parts are little-endian.
func guid(b []byte) (string, error) {
	if len(b) != 16 {
		return "", fmt.Errorf("objectGUID has %d bytes instead of 16", len(b))
	}
	var u uuid.UUID
	binary.BigEndian.PutUint32(u[0:], binary.LittleEndian.Uint32(b[0:]))
	binary.BigEndian.PutUint16(u[4:], binary.LittleEndian.Uint16(b[4:]))
	binary.BigEndian.PutUint16(u[6:], binary.LittleEndian.Uint16(b[6:]))
	copy(u[8:], b[8:])
	return u.String(), nil
}

// enabled says whether an entry may act. What cannot be read counts as disabled.
func (c *Config) enabled(e *goldap.Entry, now time.Time) (bool, error) {
	d := c.Users.Disabled
	values := texts(e, d.Attribute)
	switch rule, value, _ := strings.Cut(d.When, ":"); rule {
	case "bit":
		bit, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return false, err // Complete refused it
		}
		flags, err := strconv.ParseInt(first(values), 10, 64)
		if err != nil {
			return false, fmt.Errorf("%s is no number", d.Attribute)
		}
		if flags&bit != 0 {
			return false, nil
		}
	case "value":
		if slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, value) }) {
			return false, nil
		}
	case "present":
		if len(values) > 0 {
			return false, nil
		}
	}
	if text := first(texts(e, c.Users.Expires)); text != "" {
		at, err := instant(text)
		if err != nil {
			return false, fmt.Errorf("%s: %w", c.Users.Expires, err)
		}
		return at.IsZero() || now.Before(at), nil
	}
	return true, nil
}

// instant reads a GeneralizedTime, or the number of 100 ns since 1601 that Active Directory counts in; zero is never.
func instant(text string) (time.Time, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		const never, seconds1601 = 0x7fffffffffffffff, 11_644_473_600
		if n == 0 || n == never {
			return time.Time{}, nil
		}
		return time.Unix(n/1e7-seconds1601, n%1e7*100).UTC(), nil
	}
	for _, layout := range []string{"20060102150405Z", "20060102150405.999999999Z", "20060102150405-0700", "200601021504Z"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, errors.New("neither a GeneralizedTime nor a count of 100 ns")
}
