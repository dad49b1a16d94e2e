package account

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/lakegate/lakegate/internal/wire"
)

// pageSize is the size of a page when the request asks for none, and maxPageSize the most it can ask for.
const (
	pageSize    = 100
	maxPageSize = 1000
)

// page cuts the page out of items that are in the order of their keys. The marker is the key of the last item that was
// shown, so that what comes or goes in between shifts no page.
func page[T any](items []T, key func(T) string, marker *string, asked *int) (shown []T, truncated *bool, next *string, err error) {
	shown, next, ok := cut(items, key, marker, asked, pageSize, maxPageSize)
	if !ok {
		return nil, nil, nil, wire.Invalid("Invalid Marker.")
	}
	return shown, new(next != nil), next, nil
}

func cut[T any](items []T, key func(T) string, token *string, asked *int, usual, most int) (shown []T, next *string, ok bool) {
	if token != nil && *token != "" {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(*token)
		last, found := strings.CutPrefix(string(raw), "1 ")
		if err != nil || !found {
			return nil, nil, false
		}
		for len(items) > 0 && key(items[0]) <= last {
			items = items[1:]
		}
	}
	size := usual
	if asked != nil {
		size = max(1, min(*asked, most))
	}
	if len(items) <= size {
		return items, nil, true
	}
	items = items[:size]
	return items, new(base64.RawURLEncoding.EncodeToString([]byte("1 " + key(items[size-1])))), true
}

func entityKey(e *Entity) string { return nameKey(e.Name) }

// numbered gives items that have no short key of their own their position for a key.
func numbered[T any](items []T) (keys func(place) string, places []place) {
	for i := range items {
		places = append(places, place(i))
	}
	return func(p place) string { return fmt.Sprintf("%03d", int(p)) }, places
}

// place is a position in a list.
type place int
