package ldap

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// typePattern is what the type of a part of a name may be (RFC 4514 §3). The library takes more.
var typePattern = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)

// canonical is the form of a distinguished name in which two that differ by case, by spaces around or within a value, by
// escapes or by the order of a relative name's parts are the same. Servers write the same name in many ways. The name of
// two parts is told from two names, since every value is escaped anew.
func canonical(dn string) (string, error) {
	parsed, err := goldap.ParseDN(dn)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i, rdn := range parsed.RDNs {
		if i > 0 {
			b.WriteByte(',')
		}
		parts := make([]string, len(rdn.Attributes))
		for j, a := range rdn.Attributes {
			if !typePattern.MatchString(a.Type) {
				return "", errors.New("a type is neither a name nor an object identifier")
			}
			value := strings.Join(strings.Fields(strings.ToLower(a.Value)), " ")
			parts[j] = strings.ToLower(a.Type) + "=" + goldap.EscapeDN(value)
		}
		slices.Sort(parts)
		b.WriteString(strings.Join(parts, "+"))
	}
	return b.String(), nil
}

// fold is the form of a name in which the directory tells names apart.
func fold(s string) string { return strings.ToLower(s) }
