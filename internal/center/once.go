package center

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// requestTime is how long a client token is remembered.
const requestTime = 24 * time.Hour

// withoutToken is a request as it is compared with an earlier one: everything but its client token.
func withoutToken[T any](in *T, token **string) []byte {
	kept := *token
	*token = nil
	defer func() { *token = kept }()
	text, _ := json.Marshal(in) // plain data always encodes
	sum := sha256.Sum256(text)
	return sum[:]
}

// once runs a creation, unless the caller's account asked for the same with the same client token before: then the result
// is the earlier one. The same token for something else is refused, as the service's documentation has it by the name
// IdempotentParameterMismatch, for which its model has no error of its own.
func (s *Service) once(ctx context.Context, tx *store.Tx, op string, token *string, fingerprint []byte, result string, create func() error) (string, error) {
	if token == nil || *token == "" {
		return result, create()
	}
	account := caller.From(ctx).Account
	now := s.Center.db.Now()
	oldest := store.Millis(now.Add(-requestTime))
	earlier, err := readRequest(ctx, tx, account, op, *token, oldest)
	switch {
	case err == nil && !bytes.Equal(earlier.fingerprint, fingerprint):
		return "", ssoadmin.ValidationException("IdempotentParameterMismatch: the client token was used for another request.")
	case err == nil && s.Center.exists(earlier.result):
		return earlier.result, nil
	case err != nil && !isNotFound(err):
		return "", fmt.Errorf("read client token: %w", err)
	}
	if err := create(); err != nil {
		return "", err
	}
	return result, putRequest(ctx, tx, account, op, *token, request{fingerprint, result}, store.Millis(now), oldest)
}

// exists reports whether what a client token created is still there.
func (c *Center) exists(arn string) bool {
	_, application := c.applications.Get(arn)
	_, issuer := c.issuers.Get(arn)
	_, instance := c.instances.Get(arn)
	return application || issuer || instance
}
