package center

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
)

// A page token is the name of the list and the key of the last item that was shown, so that what is added or removed in
// between shifts no page. Clients have to take it as it is.

func pageToken(list, last string) *string {
	return new(base64.URLEncoding.EncodeToString([]byte("1 " + list + " " + last)))
}

// after reads a token: the key to go on after, "" for the beginning.
func after(list string, token *string) (string, error) {
	if token == nil || *token == "" {
		return "", nil
	}
	text, err := base64.URLEncoding.Strict().DecodeString(*token)
	last, ok := strings.CutPrefix(string(text), "1 "+list+" ")
	// No key holds what a database refuses as text.
	if err != nil || !ok || !utf8.ValidString(last) || strings.ContainsRune(last, 0) {
		return "", ssoadmin.ValidationException("The provided NextToken is not valid for this request.")
	}
	return last, nil
}

// page cuts the page out of items that are in the order of their keys. most is the size of a page when the request asks for
// none, or for more.
func page[T any](list string, items []T, key func(T) string, asked *int, most int, token *string) ([]T, *string, error) {
	last, err := after(list, token)
	if err != nil {
		return nil, nil, err
	}
	for len(items) > 0 && last != "" && key(items[0]) <= last {
		items = items[1:]
	}
	if asked != nil {
		most = min(most, *asked)
	}
	if len(items) <= most {
		return items, nil, nil
	}
	items = items[:most]
	return items, pageToken(list, key(items[most-1])), nil
}
