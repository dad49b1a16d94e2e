package session_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/caller"
)

const encodedMessage = ". Encoded authorization failure message: "

func TestDecodeAuthorizationMessage(t *testing.T) {
	h := newHouse(t)
	h.sts.Authorizer.Messages = h.ring
	victim := h.user("victim", allow("iam:GetUser"), statement{"Sid": "NoUsers", "Effect": "Deny", "Action": "iam:CreateUser", "Resource": "*"})
	refusal := func() string {
		t.Helper()
		_, err := h.iam.CreateUser(victim, &iam.CreateUserInput{UserName: "x"})
		wantCode(t, err, "AccessDenied")
		text, encoded, ok := strings.Cut(err.Error(), encodedMessage)
		if !ok || strings.Contains(text, "NoUsers") {
			t.Fatalf("%q", err)
		}
		return encoded
	}
	sealed := refusal()
	if len(sealed) > 10240 {
		t.Errorf("%d characters", len(sealed))
	}
	reader := h.user("reader", allow("sts:DecodeAuthorizationMessage"))
	out := must(h.sts.DecodeAuthorizationMessage(reader, &sts.DecodeAuthorizationMessageInput{EncodedMessage: sealed}))
	var got struct {
		Allowed, ExplicitDeny bool
		MatchedStatements     struct {
			Items []struct{ StatementID, Effect string }
		}
		Context struct {
			Principal        struct{ Name, ARN string }
			Action, Resource string
			Conditions       struct{ Items []struct{ Key string } }
		}
	}
	if err := json.Unmarshal([]byte(*out.DecodedMessage), &got); err != nil {
		t.Fatal(err)
	}
	if got.Allowed || !got.ExplicitDeny || len(got.MatchedStatements.Items) != 1 || got.MatchedStatements.Items[0].StatementID != "NoUsers" ||
		got.Context.Principal.Name != "victim" || got.Context.Action != "iam:CreateUser" || len(got.Context.Conditions.Items) == 0 {
		t.Errorf("%s", *out.DecodedMessage)
	}

	// Who has not the right gets a refusal of their own; another account, an altered text and an old one are no messages.
	decode := func(c *caller.Caller, text string) error {
		_, err := h.sts.DecodeAuthorizationMessage(caller.With(t.Context(), c), &sts.DecodeAuthorizationMessageInput{EncodedMessage: text})
		return err
	}
	wantCode(t, decode(caller.From(victim), sealed), "AccessDenied")
	root := func(account string) *caller.Caller {
		return &caller.Caller{Type: caller.User, Account: account, ARN: "x", UserID: "x"}
	}
	if err := decode(root("999999999999"), sealed); err == nil {
		t.Error("another account reads it")
	}
	for _, bad := range []string{"x", sealed[:len(sealed)-2], "B" + sealed[1:], sealed + "\n", must(h.ring.SealMessage("999999999999", []byte("{}")))} {
		wantCode(t, decode(caller.From(reader), bad), "InvalidAuthorizationMessageException")
	}
	session := must(h.sts.GetSessionToken(reader, &sts.GetSessionTokenInput{}))
	wantCode(t, decode(caller.From(h.within(session.Credentials.AccessKeyId, session.Credentials.SessionToken)), sealed), "AccessDenied")
	wantCode(t, decode(caller.From(reader), session.Credentials.SessionToken), "InvalidAuthorizationMessageException")
	h.now = h.now.Add(24 * time.Hour)
	wantCode(t, decode(caller.From(reader), sealed), "InvalidAuthorizationMessageException")
}

// The length of a message does not tell what denied.
func TestMessagesAreOfOneLength(t *testing.T) {
	h := newHouse(t)
	h.sts.Authorizer.Messages = h.ring
	length := func(name string, more ...statement) int {
		_, err := h.iam.CreateUser(h.user(name, append(more, allow("iam:GetUser"))...), &iam.CreateUserInput{UserName: "x"})
		_, encoded, _ := strings.Cut(err.Error(), encodedMessage)
		return len(encoded)
	}
	silent, denied := length("aaaa"), length("bbbb", statement{"Effect": "Deny", "Action": "iam:CreateUser", "Resource": "*"})
	if silent != denied || silent == 0 {
		t.Errorf("%d and %d characters", silent, denied)
	}
}
