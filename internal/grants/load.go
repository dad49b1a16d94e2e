package grants

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
)

// A start reads all grants, of which there may be millions. What a driver does for each column costs more than what the
// engine does to find it: so a row comes as one text here, and is taken apart by hand.

// between separates the columns of a packed row. None of them can hold a control character: scopes are refused that do, and
// JSON escapes them.
const between = "\x1f"

var packedColumns = []string{"account", "id", "location", "sub_prefix", "scope", "object", "grantee_type", "grantee", "permission", "application", "tags", "created", "terms", "owner"}

var selectPacked = `SELECT concat_ws('` + between + `', ` + strings.Join(packedColumns, `, `) + `) FROM access_grants`

// loadGrants visits all grants. What it gives is do's until it returns, and has no tags unless it has terms.
func loadGrants(ctx context.Context, q store.Querier, do func(*Grant)) error {
	var g Grant
	return store.Each(ctx, q, store.Text, func(row string) error {
		if err := g.unpack(row); err != nil {
			return fmt.Errorf("read grant %s: %w", g.ID, err)
		}
		do(&g)
		return nil
	}, selectPacked)
}

// unpack reads a packed row.
func (g *Grant) unpack(row string) (err error) {
	var c [14]string
	rest, more := row, true
	for i := range c {
		if !more {
			return fmt.Errorf("it has %d columns", i)
		}
		c[i], rest, more = strings.Cut(rest, between)
	}
	*g = Grant{Account: c[0], ID: c[1], LocationID: c[2], SubPrefix: c[3], Text: c[4], Object: c[5] != "0", Grantee: Grantee{Type: GranteeType(c[6]), ID: c[7]}, Permission: Permission(c[8]), Application: c[9]}
	if more {
		return errors.New("it has a control character")
	}
	created, err := strconv.ParseInt(c[11], 10, 64)
	if err != nil {
		return err
	}
	g.Created = store.Time(created)
	if tags, terms, owner := c[10], c[12], c[13]; tags != "{}" || terms != "" || owner != "" {
		if g.Tags, err = decodeTags(tags); err != nil {
			return err
		}
		if g.Terms, err = decodeTerms(terms, owner, g.Tags[TagReason]); err != nil {
			return err
		}
	}
	g.Scope, err = scope.ParseTemplate(g.Text, g.Object)
	return err
}

// load is keep for a grant that comes once, while nobody asks, and whose memory is used again.
func (r *Registry) load(g *Grant) {
	if g.Terms == nil && !g.HasVariables() && r.index.compact.add(g) {
		if g.bounded() {
			r.bounded.Add(1)
		}
		return
	}
	own := *g
	r.keep(&own)
}
