package portal

import (
	"encoding/base64"
	"strings"

	"github.com/lakegate/lakegate/internal/api/sso"
)

// mostOnPage is the size of a page when a request asks for none; the model takes no larger.
const mostOnPage = 100

// maxPageToken bounds what is looked at as a token.
const maxPageToken = 1024

// page cuts a page out of items in the order of their keys. A token is the name of the list and the last key that was shown,
// so that what is added or removed in between shifts no page.
func page[T any](list string, items []T, key func(T) string, asked *int, nextToken *string) ([]T, *string, error) {
	begin := "1 " + list + " "
	if nextToken != nil && *nextToken != "" {
		if len(*nextToken) > maxPageToken {
			return nil, nil, badPage()
		}
		text, err := base64.RawURLEncoding.Strict().DecodeString(*nextToken)
		last, ok := strings.CutPrefix(string(text), begin)
		if err != nil || !ok {
			return nil, nil, badPage()
		}
		for len(items) > 0 && key(items[0]) <= last {
			items = items[1:]
		}
	}
	most := mostOnPage
	if asked != nil {
		most = min(most, *asked)
	}
	if len(items) <= most {
		return items, nil, nil
	}
	items = items[:most]
	return items, new(base64.RawURLEncoding.EncodeToString([]byte(begin + key(items[most-1])))), nil
}

func badPage() error {
	return sso.InvalidRequestException("The next_token is not valid for this request.")
}
