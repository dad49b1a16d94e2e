package issuer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
)

// The bounds of a token.
const (
	maxToken     = 16 << 10
	maxDepth     = 16
	maxAudiences = 64
)

// The signatures that are accepted. What is not in the list does not exist here: there is no none, and no HMAC, whose key
// would be a public one. AWS takes the first alone.
var (
	Extended = []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.EdDSA,
	}
	Strict = []jose.SignatureAlgorithm{jose.RS256}
)

// Token is a JWT that was read but not believed.
type Token struct {
	Algorithm jose.SignatureAlgorithm
	KeyID     string // empty when the token does not name its key
	Signed    string // header and payload as they were signed
	Claims    Claims

	jws *jose.JSONWebSignature
}

// Claims are what is read of a token.
type Claims struct {
	Issuer, Subject, ID string
	Audiences           []string // at least one
	Expires             time.Time
	NotBefore, Issued   time.Time // zero when absent
	All                 map[string]json.RawMessage
}

// forbiddenHeaders bring a key along or say where to fetch one, so that whoever signs would choose the key; or they change
// what the rest means, which is not understood here.
var forbiddenHeaders = []string{"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc", "epk"}

// tokenTypes are the media types of tokens that say who somebody is. Others, such as logout+jwt, are signed by the same
// keys for another use.
var tokenTypes = []string{"", "jwt", "at+jwt"}

// Parse reads a compact JWS whose header and claims hold no surprise. It verifies nothing.
func Parse(text string, allowed []jose.SignatureAlgorithm) (*Token, error) {
	if len(text) > maxToken {
		return nil, fmt.Errorf("the token has more than %d bytes", maxToken)
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errors.New("the token is not a signed JWT of three parts")
	}
	header, err := decodeObject(parts[0])
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	a := &Token{Signed: parts[0] + "." + parts[1]}
	if err := a.readHeader(header, allowed); err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	payload, err := decodeObject(parts[1])
	if err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	if a.Claims, err = readClaims(payload); err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	if a.jws, err = jose.ParseSignedCompact(text, allowed); err != nil {
		return nil, fmt.Errorf("read signature: %w", err)
	}
	return a, nil
}

func (a *Token) readHeader(h map[string]json.RawMessage, allowed []jose.SignatureAlgorithm) error {
	for _, name := range forbiddenHeaders {
		if _, ok := h[name]; ok {
			return fmt.Errorf("element %q is not allowed", name)
		}
	}
	alg, err := optionalText(h, "alg")
	if err != nil {
		return err
	}
	if a.Algorithm = jose.SignatureAlgorithm(alg); !slices.Contains(allowed, a.Algorithm) {
		return fmt.Errorf("algorithm %.32q is not accepted", alg)
	}
	typ, err := optionalText(h, "typ")
	if err != nil {
		return err
	}
	if !slices.Contains(tokenTypes, strings.TrimPrefix(strings.ToLower(typ), "application/")) {
		return fmt.Errorf("type %.32q is not that of an ID token or access token", typ)
	}
	a.KeyID, err = optionalText(h, "kid")
	return err
}

func readClaims(m map[string]json.RawMessage) (c Claims, err error) {
	c.All = m
	texts := map[string]*string{"iss": &c.Issuer, "sub": &c.Subject, "jti": &c.ID}
	for name, to := range texts {
		if *to, err = optionalText(m, name); err != nil {
			return c, err
		}
	}
	if c.Issuer == "" || c.Subject == "" {
		return c, errors.New("iss and sub are required")
	}
	if c.Audiences, err = readAudiences(m["aud"]); err != nil {
		return c, err
	}
	instants := map[string]*time.Time{"exp": &c.Expires, "nbf": &c.NotBefore, "iat": &c.Issued}
	for name, to := range instants {
		if *to, err = readInstant(m, name); err != nil {
			return c, err
		}
	}
	if c.Expires.IsZero() {
		return c, errors.New("exp is required")
	}
	return c, nil
}

func readAudiences(raw json.RawMessage) ([]string, error) {
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}, nil
	}
	var many []string
	if err := json.Unmarshal(raw, &many); err != nil || len(many) == 0 || len(many) > maxAudiences || slices.Contains(many, "") {
		return nil, errors.New("aud is required: a text or a list of texts")
	}
	return many, nil
}

// readInstant reads a NumericDate (RFC 7519 §2), which may have a fraction.
func readInstant(m map[string]json.RawMessage, name string) (time.Time, error) {
	raw, ok := m[name]
	if !ok {
		return time.Time{}, nil
	}
	var seconds float64
	// A NumericDate beyond the year 9999 is nobody's intention, and would overflow.
	if err := json.Unmarshal(raw, &seconds); err != nil || raw[0] == 'n' || seconds <= 0 || seconds > 253402300799 {
		return time.Time{}, fmt.Errorf("%s must be a number of seconds since 1970", name)
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), nil
}

func optionalText(m map[string]json.RawMessage, name string) (string, error) {
	raw, ok := m[name]
	if !ok {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil || raw[0] != '"' {
		return "", fmt.Errorf("%s must be a text", name)
	}
	return s, nil
}

// Claim finds what a claim path names: the claim of that very name, or else member by member. An issuer that has a claim
// with a dot in its name means that one.
func (c *Claims) Claim(path string) (string, error) {
	if _, ok := c.All[path]; ok {
		return nonEmpty(c.All, path)
	}
	m := c.All
	parts := strings.Split(path, ".")
	for _, p := range parts[:len(parts)-1] {
		var inner map[string]json.RawMessage
		if err := json.Unmarshal(m[p], &inner); err != nil {
			return "", fmt.Errorf("the token has no claim %s", path)
		}
		m = inner
	}
	return nonEmpty(m, parts[len(parts)-1])
}

func nonEmpty(m map[string]json.RawMessage, name string) (string, error) {
	s, err := optionalText(m, name)
	if err == nil && s == "" {
		err = fmt.Errorf("the token has no claim %s", name)
	}
	return s, err
}

// CheckTimes holds the token against the clock. A token that lives for longer than longest is refused too, since its use
// has to be remembered for as long as it lives.
func (c *Claims) CheckTimes(now time.Time, skew, longest time.Duration) error {
	switch {
	case !now.Before(c.Expires.Add(skew)):
		return fmt.Errorf("the token expired at %s", c.Expires.Format(time.RFC3339))
	case c.Expires.After(now.Add(longest + skew)):
		return fmt.Errorf("the token is valid until %s, which is more than %s from now", c.Expires.Format(time.RFC3339), longest)
	case c.NotBefore.After(now.Add(skew)):
		return fmt.Errorf("the token is not valid before %s", c.NotBefore.Format(time.RFC3339))
	case c.Issued.After(now.Add(skew)):
		return fmt.Errorf("the token was issued in the future, at %s", c.Issued.Format(time.RFC3339))
	}
	return nil
}

// verify checks the signature under a key that fits the token's algorithm.
func (a *Token) verify(key crypto.PublicKey) error {
	if !fits(key, a.Algorithm) {
		return errors.New("the key does not fit the algorithm")
	}
	_, err := a.jws.Verify(key)
	return err
}

// The sizes of RSA keys: smaller ones are weak, larger ones make verification slow for whoever sends tokens.
const (
	// MinRSA is in bits.
	MinRSA = 2048
	maxRSA = 8192
)

// fits reports whether a key is of the type, curve and size that an algorithm needs.
func fits(key crypto.PublicKey, alg jose.SignatureAlgorithm) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		n := k.N.BitLen()
		return (strings.HasPrefix(string(alg), "RS") || strings.HasPrefix(string(alg), "PS")) && n >= MinRSA && n <= maxRSA
	case *ecdsa.PublicKey:
		return alg == jose.ES256 && k.Curve == elliptic.P256() || alg == jose.ES384 && k.Curve == elliptic.P384()
	case ed25519.PublicKey:
		return alg == jose.EdDSA && len(k) == ed25519.PublicKeySize
	}
	return false
}

// decodeObject reads a part of a JWS as one JSON object in which no name comes twice, at any depth: readers that keep the
// first and readers that keep the last would see two different tokens.
func decodeObject(part string) (map[string]json.RawMessage, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || strings.ContainsAny(part, "\r\n") {
		return nil, errors.New("not base64url")
	}
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	if err := checkNames(text); err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(text, &m); err != nil || m == nil {
		return nil, errors.New("not a JSON object")
	}
	return m, nil
}

// checkNames walks over a JSON text and refuses duplicate names, too deep nesting and what follows the value.
func checkNames(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	var open []map[string]bool // the names so far of each object that is open; nil for a list
	var name bool              // the next token is a name
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("not JSON")
		}
		if name {
			if s, ok := t.(string); ok {
				names := open[len(open)-1]
				if names[s] {
					return fmt.Errorf("%.64q is there twice", s)
				}
				names[s] = true
				name = false
				continue
			}
		}
		switch t {
		case json.Delim('{'):
			open = append(open, map[string]bool{})
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		if len(open) > maxDepth {
			return errors.New("nested too deeply")
		}
		if len(open) == 0 && d.More() {
			return errors.New("more than one value")
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}
