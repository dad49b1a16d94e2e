package trail

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

func TestWhyTellsTheStepsInTheirOrder(t *testing.T) {
	onEngines(t, func(t *testing.T, h *house) {
		ctx, e := h.request(vended(), getOp)
		e.Add(KeyPersonName, "mateo@example.com")
		e.Step("signature", Pass, vended().ARN)
		e.Step("authorize s3:GetObject", Fail, "the grant was deleted")
		e.Step("session", Info, "")
		h.pass(123 * time.Millisecond)
		id := h.finish(t, ctx, e, wire.AccessDenied("Access Denied"))
		got, err := h.Why(t.Context(), Viewer{Account: dataAccount}, id)
		if err != nil {
			t.Fatal(err)
		}
		want := &Explanation{
			RequestID: id, Time: start.Add(123 * time.Millisecond), Source: "s3.amazonaws.com", Operation: "GetObject", Caller: vended().ARN,
			Person: "mateo@example.com", Application: mateo().ApplicationARN, Outcome: DecisionRefused, ErrorCode: "AccessDenied", ErrorMessage: "Access Denied",
			Steps: []Step{{"signature", Pass, vended().ARN}, {"authorize s3:GetObject", Fail, "the grant was deleted"}, {"session", Info, ""}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// Why an allowed call was allowed is told as well.
		ctx, e = h.request(user(dataAccount, "anna"), readOp)
		e.Step("authorize sts:GetCallerIdentity", Pass, "nobody is refused it")
		id = h.finish(t, ctx, e, nil)
		if got, err = h.Why(t.Context(), Viewer{Account: dataAccount}, id); err != nil || got.Outcome != DecisionAllowed || len(got.Steps) != 1 {
			t.Errorf("an allowed call is explained as %+v, %v", got, err)
		}
	})
}

func TestPersonOfAnExplanation(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	for _, test := range []struct {
		name string
		who  *caller.Caller
		tell func(e *Entry)
		want string
	}{
		{"the name", vended(), func(e *Entry) { e.Add(KeyPersonName, "mateo"); e.Add(KeyPersonID, "id") }, "mateo"},
		{"the id that a room found", user(dataAccount, "anna"), func(e *Entry) { e.Add(KeyPersonID, "id") }, "id"},
		{"the id of the session", vended(), func(*Entry) {}, mateo().UserID},
		{"nobody", user(dataAccount, "anna"), func(*Entry) {}, ""},
	} {
		ctx, e := h.request(test.who, readOp)
		test.tell(e)
		id := h.finish(t, ctx, e, nil)
		if got, err := h.Why(t.Context(), Viewer{Account: dataAccount}, id); err != nil || got.Person != test.want {
			t.Errorf("%s: the person is %+v, %v; want %q", test.name, got, err, test.want)
		}
	}
}

// TestWhyIsForThoseWhoHaveAPart: nobody learns of a request of others, and requests of nobody are for who may see them.
func TestWhyIsForThoseWhoHaveAPart(t *testing.T) {
	onEngines(t, func(t *testing.T, h *house) {
		refusal := wire.AccessDenied("no")
		own := h.do(t, user(dataAccount, "anna"), getOp, refusal)
		allowedData := h.do(t, user(dataAccount, "anna"), getOp, nil)
		stranger := h.do(t, nil, readOp, refusal)
		ctx, e := h.request(user(dataAccount, "anna"), getOp)
		e.Concerns(centerAccount)
		shared := h.finish(t, ctx, e, refusal)
		ctx, e = h.request(&caller.Caller{Type: caller.Anonymous}, getOp)
		e.Concerns(dataAccount)
		anonymous := h.finish(t, ctx, e, refusal)
		all := []string{own, allowedData, stranger, shared, anonymous, "unknown", "", "x\x00' OR 1=1"}
		for _, test := range []struct {
			viewer Viewer
			sees   []string
		}{
			{Viewer{Account: dataAccount}, []string{own, shared, anonymous}},
			{Viewer{Account: centerAccount}, []string{shared}},
			{Viewer{Account: centerAccount, Strangers: true}, []string{stranger, shared}},
			{Viewer{Account: "333333333333"}, nil},
			{Viewer{}, nil},
			{Viewer{Strangers: true}, []string{stranger}},
		} {
			var got []string
			for _, id := range all {
				x, err := h.Why(t.Context(), test.viewer, id)
				switch {
				case err == nil && x.RequestID == id:
					got = append(got, id)
				case !errors.Is(err, store.ErrNotFound):
					t.Errorf("%+v asks for %q: %v", test.viewer, id, err)
				}
			}
			if diff := cmp.Diff(test.sees, got); diff != "" {
				t.Errorf("%+v sees (-want +got):\n%s", test.viewer, diff)
			}
		}
	})
}
