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

// discover reads the keys of an issuer: its discovery document, which must name the issuer exactly, and the key set that it
// points to. It returns for how long the set may be kept, as the issuer says; 0 when it does not.
func discover(ctx context.Context, v *visit.Visitor, issuer string) (keySet, time.Duration, error) {
	text, _, err := v.Get(ctx, strings.TrimSuffix(issuer, "/")+discoveryPath)
	if err != nil {
		return nil, 0, fmt.Errorf("read discovery document: %w", err)
	}
	var doc struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, 0, errors.New("read discovery document: not a JSON object")
	}
	if doc.Issuer != issuer {
		return nil, 0, fmt.Errorf("read discovery document: it names the issuer %.512q, not %q", doc.Issuer, issuer)
	}
	text, header, err := v.Get(ctx, doc.JWKSURI)
	if err != nil {
		return nil, 0, fmt.Errorf("read key set: %w", err)
	}
	set, err := parseKeySet(text)
	return set, visit.MaxAge(header), err
}
