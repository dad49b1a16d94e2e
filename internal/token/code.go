package token

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/store"
)

// An authorization code carries a sign-in from the browser to the client (RFC 6749 §4.1). It is random, kept as a hash,
// good for a minute, and bound to the client, the redirect URI and the challenge of whoever asked for it (RFC 7636, S256
// alone). Its first presentation uses it up, also one that is refused: whoever holds a code and cannot prove that it is
// theirs has found it. A second presentation ends what came from the first (RFC 9700 §4.2.4).

// codeTime is how long a code is good.
const codeTime = time.Minute

// Code is a sign-in on its way to a client.
type Code struct {
	// Client is the ARN of an application or the id of a registered client.
	Client string
	// RedirectURI is where the code is sent, as the request for it said. An application must have it in its grant.
	RedirectURI string
	// Challenge is base64url(SHA-256(verifier)), 43 characters.
	Challenge string
	// Person signed in; the instance and the user count.
	Person   caller.Identity
	Scopes   []string
	SignedIn time.Time
	// Family is set by RedeemCode. What is issued for the code must be issued under it, or a second use could not end it.
	Family string
}

// IssueCode makes a code. ErrInvalid says that the request does not fit the client, ErrInactive that the person or the
// application may not act.
func (s *Service) IssueCode(ctx context.Context, c Code) (code string, err error) {
	now := s.db.Now()
	if !validChallenge(c.Challenge) {
		return "", fmt.Errorf("the challenge is not one of S256: %w", ErrInvalid)
	}
	f := &family{client: c.Client, instance: c.Person.InstanceARN, user: c.Person.UserID}
	if a, ok := s.center.Application(c.Client); ok {
		f.application = a.ARN
		if err := mayRedirect(a, c.RedirectURI); err != nil {
			return "", err
		}
		if a.Instance != f.instance {
			return "", fmt.Errorf("the person signed in at another instance: %w", ErrInvalid)
		}
	}
	if _, err := s.stands(f); err != nil {
		return "", err
	}
	if c.SignedIn.IsZero() {
		c.SignedIn = now
	}
	code = newSecret()
	row := codeRow{
		hash: hashOf(code), family: uuid.NewString(), client: c.Client, redirect: c.RedirectURI, challenge: c.Challenge,
		instance: f.instance, user: f.user, scopes: c.Scopes, signedIn: c.SignedIn, expires: now.Add(codeTime),
	}
	if err := s.db.Update(ctx, func(tx *store.Tx) error { return insertCode(ctx, tx, row) }); err != nil {
		return "", fmt.Errorf("store code: %w", err)
	}
	return code, nil
}

// mayRedirect asks whether codes of an application may be sent to a URI: to one of its grant's, compared as text.
func mayRedirect(a *center.Application, uri string) error {
	g, ok := a.Grants[center.GrantAuthorizationCode]
	if !ok {
		return fmt.Errorf("the application has no grant %s: %w", center.GrantAuthorizationCode, ErrInvalid)
	}
	if !slices.Contains(g.RedirectURIs, uri) {
		return fmt.Errorf("the grant does not have the redirect URI: %w", ErrInvalid)
	}
	return nil
}

// RedeemCode takes a code back, for tokens. ErrInvalid says that it is not this client's, or that the redirect URI or the
// verifier is not the one of the request; ErrExpired that it came too late; ErrEnded that it came a second time, by which
// everything that the first gave has ended.
func (s *Service) RedeemCode(ctx context.Context, client, code, redirectURI, verifier string) (Code, error) {
	hash, now := hashOf(code), s.db.Now()
	var (
		row   codeRow
		first bool
	)
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if row, err = readCode(ctx, tx, hash); err != nil {
			return err
		}
		if first, err = spendCode(ctx, tx, hash, now); err != nil || first {
			return err
		}
		return s.endCode(ctx, tx, row, now)
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Code{}, fmt.Errorf("no such code: %w", ErrInvalid)
	case err != nil:
		return Code{}, fmt.Errorf("redeem code: %w", err)
	case !first:
		return Code{}, fmt.Errorf("the code was presented before: %w", ErrEnded)
	case row.client != client:
		return Code{}, fmt.Errorf("the code is of another client: %w", ErrInvalid)
	case !now.Before(row.expires):
		return Code{}, fmt.Errorf("the code: %w", ErrExpired)
	case row.redirect != redirectURI:
		return Code{}, fmt.Errorf("the code was sent to another redirect URI: %w", ErrInvalid)
	case !verifies(row.challenge, verifier):
		return Code{}, fmt.Errorf("the verifier is not that of the challenge: %w", ErrInvalid)
	}
	i, ok := s.center.Instance(row.instance)
	if !ok {
		return Code{}, fmt.Errorf("the instance is gone: %w", ErrInactive)
	}
	f := &family{instance: i.ARN, user: row.user}
	if _, ok := s.center.Application(row.client); ok {
		f.application = row.client
	}
	if err := s.revoked(row.user, f.application, row.signedIn); err != nil {
		return Code{}, fmt.Errorf("%w: %w", err, ErrEnded)
	}
	return Code{
		Client: row.client, RedirectURI: row.redirect, Challenge: row.challenge, Person: *personOf(i, f, "", row.scopes), Scopes: row.scopes,
		SignedIn: row.signedIn, Family: row.family,
	}, nil
}

// endCode ends the family of a code that came twice. When the first use has not begun it yet, it never will.
func (s *Service) endCode(ctx context.Context, tx *store.Tx, c codeRow, now time.Time) error {
	err := endFamily(ctx, tx, c.family, now)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	tx.Changed(kindEnded, c.family)
	return writeFamily(ctx, tx, &family{
		id: c.family, client: c.client, instance: c.instance, user: c.user, signedIn: c.signedIn, expires: s.endOf(c.instance, c.signedIn), ended: now,
	})
}

// validChallenge reports whether a text can be the challenge of a verifier by S256. The method plain would be the
// verifier itself.
func validChallenge(challenge string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	return err == nil && len(b) == sha256.Size && len(challenge) == base64.RawURLEncoding.EncodedLen(sha256.Size)
}

// unreserved are the characters of a verifier (RFC 7636 §4.1).
const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// verifies reports whether a challenge was made from the verifier.
func verifies(challenge, verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 || strings.Trim(verifier, unreserved) != "" {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}
