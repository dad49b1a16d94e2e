package grants

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

const defaultPage = 1000

// pages reads a list page by page. A token names the last entry of the page before, and the question that it answers: with
// another operation, account or filter it is refused. It gives access to nothing, since each page is authorised anew.
type pages struct {
	question string
	after    string
	// skip is how many entries the page before showed of what follows, where one row is several entries.
	skip int
	size int
}

var listedID = regexp.MustCompile(`^([a-zA-Z0-9-]{1,64}|([a-zA-Z0-9-]{0,64})\+([1-9][0-9]{0,5}))$`)

// newPages reads the token of a request, whose other parameters are the question.
func newPages(operation, account string, max *int, token *string, filters ...*string) (*pages, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q", operation, account)
	for _, f := range filters {
		if f == nil {
			fmt.Fprint(h, " -")
		} else {
			fmt.Fprintf(h, " %q", *f)
		}
	}
	p := &pages{question: string(h.Sum(nil)[:8]), size: defaultPage}
	if max != nil && *max > 0 {
		p.size = min(*max, defaultPage)
	}
	if token == nil || *token == "" {
		return p, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(*token)
	id, ours := strings.CutPrefix(string(raw), p.question)
	if err != nil || !ours || !listedID.MatchString(id) {
		return nil, wire.NewError("InvalidRequest", http.StatusBadRequest, "The continuation token is not valid.")
	}
	id, skip, _ := strings.Cut(id, "+")
	p.after = id
	p.skip, _ = strconv.Atoi(skip)
	return p, nil
}

// cut makes a page of a list that has an entry more than the page where another page follows.
func cut[V any](p *pages, list []V, id func(V) string) (page []V, next *string) {
	if len(list) <= p.size {
		return list, nil
	}
	return list[:p.size], p.token(id(list[p.size-1]), 0)
}

// token is that of the page which follows: after a row, and of what comes then after some entries.
func (p *pages) token(after string, skip int) *string {
	text := p.question + after
	if skip > 0 {
		text += "+" + strconv.Itoa(skip)
	}
	return new(base64.RawURLEncoding.EncodeToString([]byte(text)))
}

// cutForms is cut where each grant is one entry or several. A page that is full in the middle of a grant is followed by one
// that goes on there.
func cutForms(p *pages, all []*Grant, forms func(*Grant) []*Grant) (page []*Grant, next *string) {
	before, skip := p.after, p.skip
	for _, g := range all {
		entries := forms(g)
		skipped := min(skip, len(entries))
		free := p.size - len(page)
		if left := len(entries) - skipped; left > free {
			if skipped+free > 0 {
				return append(page, entries[skipped:skipped+free]...), p.token(before, skipped+free)
			}
			return page, p.token(before, 0)
		}
		page = append(page, entries[skipped:]...)
		before, skip = g.ID, 0
	}
	if len(all) > p.size { // there may be more, although entries went since the page before
		return page, p.token(before, 0)
	}
	return page, nil
}

// conditions narrow a list in the database.
type conditions struct {
	text strings.Builder
	args []any
}

// is demands that a column has the value of a filter, if it is set.
func (c *conditions) is(column string, value *string) {
	if value != nil {
		c.text.WriteString(" AND " + column + " = ?")
		c.args = append(c.args, *value)
	}
}

// holds demands what a text says, with its values.
func (c *conditions) holds(text string, values ...any) {
	c.text.WriteString(" AND " + text)
	c.args = append(c.args, values...)
}

// in demands that a column has one of the values.
func (c *conditions) in(column string, values []string) {
	c.text.WriteString(" AND " + column + " IN (?" + strings.Repeat(", ?", len(values)-1) + ")")
	for _, v := range values {
		c.args = append(c.args, v)
	}
}

var errEnough = errors.New("enough")

// list reads what an account has after the page before, in the order of ids, an entry more than a page at most. keep may
// be nil.
func list[V any](ctx context.Context, s *Service, p *pages, scan func(store.Scanner) (V, error), query, account string, c *conditions, keep func(V) bool) (all []V, err error) {
	args := append([]any{account, p.after}, c.args...)
	err = s.Registry.db.View(ctx, func(q store.Querier) error {
		return store.Each(ctx, q, scan, func(v V) error {
			if keep == nil || keep(v) {
				all = append(all, v)
			}
			if len(all) > p.size {
				return errEnough
			}
			return nil
		}, query+` WHERE account = ? AND id > ?`+c.text.String()+` ORDER BY id`, args...)
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return all, err
}
