package directory

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// maxPage is the size of a page, and the most that a request can ask for.
const maxPage = 100

// list names a list and everything that the request narrows it by. A page token carries a digest of it, so that a token
// is good for the request that it came from and for no other, and the key of the last entry shown, so that what comes or
// goes in between shifts no page.
type list []string

func (l list) digest() []byte {
	sum := sha256.Sum256([]byte(strings.Join(l, "\x00")))
	return sum[:8]
}

func (l list) token(last string) *string {
	return new(base64.URLEncoding.EncodeToString(append(l.digest(), last...)))
}

// page reads what a request says of the page that it wants.
func (l list) page(ctx context.Context, asked *int, token *string) (Page, error) {
	p := Page{Limit: maxPage}
	if asked != nil {
		p.Limit = min(p.Limit, *asked)
	}
	if token == nil {
		return p, nil
	}
	text, err := base64.URLEncoding.Strict().DecodeString(*token)
	last, ok := strings.CutPrefix(string(text), string(l.digest()))
	if err != nil || !ok {
		return Page{}, invalid(ctx, "The NextToken is not valid for this request.")
	}
	p.After = last
	return p, nil
}

// more asks for one entry more than the page holds, which tells whether there is another page.
func (p Page) more() Page {
	p.Limit++
	return p
}

// cut takes the page out of entries, of which there is one more than the page holds when there is another page.
func cut[T any](l list, entries []T, limit int, key func(T) string) ([]T, *string) {
	if len(entries) <= limit {
		return entries, nil
	}
	entries = entries[:limit]
	return entries, l.token(key(entries[limit-1]))
}
