package ldap

import (
	"fmt"
	"strconv"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// maxEmptyPages is how many pages without an entry may follow each other. Active Directory gives some where it filters.
const maxEmptyPages = 20

// search asks for everything under a base, page by page, and hands each entry on. It returns nil only when the server said
// that there is no more.
func (c *connection) search(base, filter string, attributes []string, each func(*goldap.Entry) error) error {
	paging := goldap.NewControlPaging(uint32(c.cfg.PageSize)) //nolint:gosec // 10 to 5000
	found, empty := 0, 0
	for {
		result, err := c.ask(&goldap.SearchRequest{
			BaseDN: base, Scope: goldap.ScopeWholeSubtree, DerefAliases: goldap.NeverDerefAliases, Filter: filter,
			Attributes: attributes, TimeLimit: c.cfg.TimeoutSeconds, Controls: []goldap.Control{paging},
		})
		if err != nil {
			return fmt.Errorf("search %s for %s: %w", base, filter, err)
		}
		for _, e := range result.Entries {
			if found++; found > c.cfg.MaxEntries {
				return fmt.Errorf("search %s for %s: there are more than %d entries (max_entries)", base, filter, c.cfg.MaxEntries)
			}
			if err := each(e); err != nil {
				return err
			}
		}
		if empty++; len(result.Entries) > 0 {
			empty = 0
		}
		answer, ok := goldap.FindControl(result.Controls, goldap.ControlTypePaging).(*goldap.ControlPaging)
		if !ok || len(answer.Cookie) == 0 {
			return nil
		}
		if empty > maxEmptyPages {
			return fmt.Errorf("search %s for %s: the server sends empty pages without end", base, filter)
		}
		paging.SetCookie(answer.Cookie)
	}
}

// ask makes one search request. References to other servers that come among the entries are left alone: what they lead to
// is not under the base on this server.
func (c *connection) ask(r *goldap.SearchRequest) (result *goldap.SearchResult, err error) {
	if err := c.ctx.Err(); err != nil {
		return nil, c.cause(err)
	}
	err = c.guarded(func() (err error) {
		result, err = c.conn.Search(r)
		return err
	})
	if err != nil {
		return nil, c.explain(err)
	}
	return result, nil
}

// maxRanges bounds how many parts one attribute is read in.
const maxRanges = 10_000

// values are all values of an attribute. Active Directory gives the members of a large group in parts, the first as
// member;range=0-1499, and nothing at all under the plain name.
func (c *connection) values(e *goldap.Entry, attribute string) ([][]byte, error) {
	all, next := part(e, attribute)
	for n := 0; next >= 0; n++ {
		if n == maxRanges || len(all) > c.cfg.MaxEntries {
			return nil, fmt.Errorf("read %s of %s: there are more than %d values (max_entries)", attribute, e.DN, c.cfg.MaxEntries)
		}
		result, err := c.ask(&goldap.SearchRequest{
			BaseDN: e.DN, Scope: goldap.ScopeBaseObject, DerefAliases: goldap.NeverDerefAliases, Filter: "(objectClass=*)",
			Attributes: []string{attribute + ";range=" + strconv.Itoa(next) + "-*"}, TimeLimit: c.cfg.TimeoutSeconds,
		})
		if err != nil {
			return nil, fmt.Errorf("read the rest of %s of %s: %w", attribute, e.DN, err)
		}
		if len(result.Entries) != 1 {
			return nil, fmt.Errorf("read the rest of %s of %s: the entry is gone", attribute, e.DN)
		}
		more, after := part(result.Entries[0], attribute)
		if after >= 0 && after <= next || len(more) == 0 && after >= 0 {
			return nil, fmt.Errorf("read the rest of %s of %s: the server gives the same part again", attribute, e.DN)
		}
		all, next = append(all, more...), after
	}
	if len(all) > c.cfg.MaxEntries {
		return nil, fmt.Errorf("read %s of %s: there are more than %d values (max_entries)", attribute, e.DN, c.cfg.MaxEntries)
	}
	return all, nil
}

// part is what an entry holds of an attribute, and the index of the next value to ask for, -1 when it is complete.
func part(e *goldap.Entry, attribute string) (values [][]byte, next int) {
	next = -1
	for _, a := range e.Attributes {
		name, option, _ := strings.Cut(a.Name, ";")
		if !strings.EqualFold(name, attribute) {
			continue
		}
		values = append(values, a.ByteValues...)
		if bounds, ok := strings.CutPrefix(strings.ToLower(option), "range="); ok {
			// What is neither the end nor a number is asked for again from the beginning, and is no progress the second time.
			if _, last, _ := strings.Cut(bounds, "-"); last != "*" {
				n, err := strconv.Atoi(last)
				if err != nil || n < 0 {
					n = -1
				}
				next = n + 1
			}
		}
	}
	return values, next
}

// texts are the values of an attribute that an entry has few of.
func texts(e *goldap.Entry, attribute string) []string {
	if attribute == "" {
		return nil
	}
	values, _ := part(e, attribute)
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
