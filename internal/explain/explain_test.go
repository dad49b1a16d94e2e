package explain

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center/centertest"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

const auditor = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"lakegate:Why","Resource":"*"}}`

// refused makes a request of an account that is refused, and returns its id. An empty account is nobody's.
func refused(t *testing.T, h *centertest.House, account string) string {
	t.Helper()
	ctx, e, _ := h.Request(t.Context(), centertest.Member, "App")
	if account == "" {
		ctx, e = h.Trail.Begin(caller.WithRequest(t.Context(), caller.RequestFrom(ctx)), trail.Operation{Source: "sts.amazonaws.com", Name: "GetCallerIdentity", ReadOnly: true})
		e.Step("signature", trail.Fail, "the key is unknown")
	} else {
		e.Add(trail.KeyPersonName, "mateo@example.com")
		e.Step("signature", trail.Pass, "")
		e.Step("grant", trail.Fail, "no grant covers blue")
	}
	if err := h.Trail.Finish(ctx, e, wire.AccessDenied("no")); err != nil {
		t.Fatal(err)
	}
	return caller.RequestFrom(ctx).ID
}

func TestWhy(t *testing.T) {
	centertest.Run(t, func(t *testing.T, h *centertest.House) {
		h.Accounts.Role(centertest.Member, "Auditor", auditor)
		h.Accounts.Role(centertest.Member, "Visitor", "")
		h.Accounts.Role(centertest.Management, "Auditor", auditor)
		s := &Service{Trail: h.Trail, Accounts: h.Accounts, Authorizer: h.Authorizer}
		own, nobodys := refused(t, h, centertest.Member), refused(t, h, "")
		for _, test := range []struct {
			name, account, role, request, want string
		}{
			{"own request", centertest.Member, "Auditor", own, ""},
			{"no permission", centertest.Member, "Visitor", own, "AccessDenied"},
			{"an unknown request", centertest.Member, "Auditor", "unknown", "ResourceNotFoundException"},
			{"another account's request", centertest.Other, "Anybody", own, "ResourceNotFoundException"},
			{"another account's request, by the management account", centertest.Management, "Auditor", own, "ResourceNotFoundException"},
			{"nobody's request, by the management account", centertest.Management, "Auditor", nobodys, ""},
			{"nobody's request, by a member", centertest.Member, "Auditor", nobodys, "ResourceNotFoundException"},
		} {
			t.Run(test.name, func(t *testing.T) {
				ctx, _, ledger := h.Request(t.Context(), test.account, test.role)
				out, err := s.Why(ctx, &lakegate.WhyInput{RequestId: test.request})
				if !ledger.Asked() {
					t.Error("answered without having asked for authorisation")
				}
				if test.want == "" {
					if err != nil || out.RequestId != test.request {
						t.Fatalf("answers %v, %v", out, err)
					}
					return
				}
				if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != test.want {
					t.Errorf("answers %v, %v, want %s", out, err, test.want)
				}
			})
		}
		// Whether a request is unknown or somebody else's is not told.
		ctx := h.As(t.Context(), centertest.Other, "Anybody")
		_, foreign := s.Why(ctx, &lakegate.WhyInput{RequestId: own})
		_, unknown := s.Why(ctx, &lakegate.WhyInput{RequestId: "unknown"})
		if diff := cmp.Diff(unknown.Error(), strings.ReplaceAll(foreign.Error(), own, "unknown")); diff != "" {
			t.Errorf("a foreign request is told from an unknown one:\n%s", diff)
		}
	})
}

func TestAnswerOfWhy(t *testing.T) {
	h := centertest.New(t)
	h.Accounts.Role(centertest.Member, "Auditor", auditor)
	id := refused(t, h, centertest.Member)
	s := &Service{Trail: h.Trail, Accounts: h.Accounts, Authorizer: h.Authorizer}
	got, err := s.Why(h.As(t.Context(), centertest.Member, "Auditor"), &lakegate.WhyInput{RequestId: id})
	if err != nil {
		t.Fatal(err)
	}
	want := &lakegate.WhyOutput{
		RequestId: id, Time: centertest.Start, Service: new("test"), Caller: new("arn:aws:sts::111111111111:assumed-role/App/session"), Person: new("mateo@example.com"),
		Outcome: "refused", ErrorCode: new("AccessDenied"), Message: new("no"),
		Steps: []lakegate.Step{{Step: "signature", Outcome: lakegate.StepOutcomePass}, {Step: "grant", Outcome: lakegate.StepOutcomeFail, Detail: new("no grant covers blue")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRefusalExplainsItself takes a refusal of the real authorizer through the trail to the answer.
func TestRefusalExplainsItself(t *testing.T) {
	h := centertest.New(t)
	h.Accounts.Role(centertest.Member, "Visitor", "")
	ctx, e, _ := h.Request(t.Context(), centertest.Member, "Visitor")
	denied := h.Authorizer.Authorize(ctx, authz.Request{Action: "s3:GetDataAccess", Resource: "*"})
	if denied == nil {
		t.Fatal("a role without a policy is allowed something")
	}
	if err := h.Trail.Finish(ctx, e, denied); err != nil {
		t.Fatal(err)
	}
	h.Accounts.Role(centertest.Member, "Auditor", auditor)
	s := &Service{Trail: h.Trail, Accounts: h.Accounts, Authorizer: h.Authorizer}
	got, err := s.Why(h.As(t.Context(), centertest.Member, "Auditor"), &lakegate.WhyInput{RequestId: caller.RequestFrom(ctx).ID})
	if err != nil {
		t.Fatal(err)
	}
	failed := false
	for _, step := range got.Steps {
		failed = failed || step.Step == "authorize s3:GetDataAccess" && step.Outcome == lakegate.StepOutcomeFail && strings.Contains(*step.Detail, "no identity-based policy")
	}
	if !failed || got.Outcome != "refused" {
		t.Errorf("explained as %+v", got)
	}
}
