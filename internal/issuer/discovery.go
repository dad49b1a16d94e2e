package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/visit"
)

// DiscoveryPath is where an issuer has its discovery document, below its URL.
const DiscoveryPath = "/.well-known/openid-configuration"

// Stage says how far a visit to an issuer came before it failed.
type Stage int

// The stages of a visit.
const (
	Reaching    Stage = iota + 1 // the discovery document
	Naming                       // the document names the issuer
	ReadingKeys                  // the key set that it points to
)

// VisitError is a visit that failed.
type VisitError struct {
	At Stage
	error
}

func (e *VisitError) Unwrap() error { return e.error }

// discover reads the keys of an issuer: its discovery document, which must name the issuer exactly, and the key set that it
// points to. It returns for how long the set may be kept, as the issuer says; 0 when it does not.
func discover(ctx context.Context, v *visit.Visitor, issuer string) (KeySet, time.Duration, error) {
	text, _, err := v.Get(ctx, strings.TrimSuffix(issuer, "/")+DiscoveryPath)
	if err != nil {
		return nil, 0, &VisitError{Reaching, fmt.Errorf("read discovery document: %w", err)}
	}
	var doc struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, 0, &VisitError{Naming, errors.New("read discovery document: not a JSON object")}
	}
	if doc.Issuer != issuer {
		return nil, 0, &VisitError{Naming, fmt.Errorf("read discovery document: it names the issuer %.512q, not %q", doc.Issuer, issuer)}
	}
	text, header, err := v.Get(ctx, doc.JWKSURI)
	if err != nil {
		return nil, 0, &VisitError{ReadingKeys, fmt.Errorf("read key set: %w", err)}
	}
	set, err := parseKeySet(text)
	if err != nil {
		return nil, 0, &VisitError{ReadingKeys, err}
	}
	return set, visit.MaxAge(header), nil
}
