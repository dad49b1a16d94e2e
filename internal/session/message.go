package session

import (
	"context"
	"encoding/binary"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/wire"
)

// messageTime is how long a message of a refusal can be decoded.
const messageTime = 24 * time.Hour

// messagePlace binds a message to the account of whoever was refused.
func messagePlace(account string) string { return "authorization-message/" + account }

// SealMessage implements authz.Messages.
func (r *Ring) SealMessage(account string, text []byte) (string, error) {
	expires := binary.BigEndian.AppendUint64(nil, uint64(r.now().Add(messageTime).Unix())) //nolint:gosec // a time after 1970
	token, _, err := r.seal(messagePlace(account), append(expires, text...))
	return token, err
}

// openMessage is the inverse of SealMessage.
func (r *Ring) openMessage(account, token string) (string, bool) {
	text, _, err := r.open(messagePlace(account), token)
	if err != nil || len(text) < 8 || uint64(r.now().Unix()) >= binary.BigEndian.Uint64(text) { //nolint:gosec // a time after 1970
		return "", false
	}
	return strings.TrimRight(string(text[8:]), " "), true
}

// DecodeAuthorizationMessage tells why a request of the caller's account was refused, from the message that the refusal had.
// Another account's message is as little one as any other text.
func (s *Service) DecodeAuthorizationMessage(ctx context.Context, in *sts.DecodeAuthorizationMessageInput) (*sts.DecodeAuthorizationMessageOutput, error) {
	c := caller.From(ctx)
	if c.Type == caller.FederatedUser || c.Type == caller.User && c.Session != nil {
		authz.Open(ctx)
		return nil, wire.AccessDenied("Cannot call DecodeAuthorizationMessage with session credentials")
	}
	if err := s.Authorizer.Authorize(ctx, authz.Request{Action: "sts:DecodeAuthorizationMessage", Resource: "*"}); err != nil {
		return nil, err
	}
	text, ok := s.Ring.openMessage(c.Account, in.EncodedMessage)
	if !ok {
		return nil, sts.InvalidAuthorizationMessageException("Message is not valid")
	}
	return &sts.DecodeAuthorizationMessageOutput{DecodedMessage: &text}, nil
}
