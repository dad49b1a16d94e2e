package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/visit"
)

const discoveryPath = "/.well-known/openid-configuration"

// stage says how far a visit to an issuer came before it failed.
type stage int

const (
	reaching stage = iota + 1
	naming
	readingKeys
)

// visitError is a visit that failed.
type visitError struct {
	at stage
	error
}

func (e *visitError) Unwrap() error { return e.error }

// discover reads the keys of an issuer: its discovery document, which must name the issuer exactly, and the key set that it
// points to. It returns for how long the set may be kept, as the issuer says; 0 when it does not.
func discover(ctx context.Context, v *visit.Visitor, issuer string) (keySet, time.Duration, error) {
	text, _, err := v.Get(ctx, strings.TrimSuffix(issuer, "/")+discoveryPath)
	if err != nil {
		return nil, 0, &visitError{reaching, fmt.Errorf("read discovery document: %w", err)}
	}
	var doc struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, 0, &visitError{naming, errors.New("read discovery document: not a JSON object")}
	}
	if doc.Issuer != issuer {
		return nil, 0, &visitError{naming, fmt.Errorf("read discovery document: it names the issuer %.512q, not %q", doc.Issuer, issuer)}
	}
	text, header, err := v.Get(ctx, doc.JWKSURI)
	if err != nil {
		return nil, 0, &visitError{readingKeys, fmt.Errorf("read key set: %w", err)}
	}
	set, err := parseKeySet(text)
	if err != nil {
		return nil, 0, &visitError{readingKeys, err}
	}
	return set, visit.MaxAge(header), nil
}
