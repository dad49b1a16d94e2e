package authz_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
)

// TestBatchDecidesAsOneByOne: whatever the policies name, and whatever changes meanwhile, a batch gives each question the answer
// that it has by itself.
func TestBatchDecidesAsOneByOne(t *testing.T) {
	keys := []string{"s3:AccessGrantScope", "aws:RequestTag/team", "aws:TagKeys", "aws:RequestTag/te"}
	rapid.Check(t, func(rt *rapid.T) {
		statement := rapid.Custom(func(rt *rapid.T) string {
			condition := ""
			if rapid.Bool().Draw(rt, "conditional") {
				condition = fmt.Sprintf(`,"Condition":{%q:{%q:%q}}`, rapid.SampledFrom([]string{"StringLike", "StringNotEquals", "ForAnyValue:StringEquals", "StringEqualsIfExists"}).Draw(rt, "operator"),
					rapid.SampledFrom(keys).Draw(rt, "key"), rapid.SampledFrom([]string{"a", "b*", "${aws:RequestTag/team}"}).Draw(rt, "value"))
			}
			return fmt.Sprintf(`{"Effect":%q,"Action":%q,"Resource":%q%s}`, rapid.SampledFrom([]string{"Allow", "Allow", "Deny"}).Draw(rt, "effect"),
				rapid.SampledFrom([]string{"*", "s3:CreateAccessGrant", "sso:*"}).Draw(rt, "action"), rapid.SampledFrom([]string{"*", "arn:aws:s3:::${s3:AccessGrantScope}"}).Draw(rt, "resource"), condition)
		})
		policies := func() policy.Policies {
			text := `{"Version":"2012-10-17","Statement":[` + strings.Join(rapid.SliceOfN(statement, 1, 4).Draw(rt, "statements"), ",") + `]}`
			d, err := policy.Parse([]byte(text), policy.Identity)
			if err != nil {
				rt.Fatal(err)
			}
			return policy.Policies{Identity: []policy.Named{{Name: "own", Document: d}}}
		}
		p := &principals{policies: policies()}
		revision := int64(1)
		a := authorizer(p)
		a.Revision = func() int64 { return revision }
		ctx := caller.WithRequest(caller.With(t.Context(), user()), &caller.Request{})
		many := authz.Batch(ctx)
		for range rapid.IntRange(1, 12).Draw(rt, "questions") {
			if rapid.IntRange(0, 5).Draw(rt, "change") == 0 {
				p.policies = policies()
				revision++
			}
			r := authz.Request{
				Action:   rapid.SampledFrom([]string{"s3:CreateAccessGrant", "sso:DescribeInstance"}).Draw(rt, "asked"),
				Resource: rapid.SampledFrom([]string{"arn:aws:s3:::a", "arn:aws:s3:::b"}).Draw(rt, "of"), Context: policy.Values{},
			}
			for _, k := range keys {
				if v := rapid.SampledFrom([]string{"", "a", "b", "bc"}).Draw(rt, k); v != "" {
					r.Context.Set(k, v)
				}
			}
			within, ledger := authz.WithLedger(many)
			got, want := a.Authorize(within, r), a.Authorize(ctx, r)
			if (got == nil) != (want == nil) || got != nil && got.Error() != want.Error() {
				rt.Fatalf("%+v: in a batch %v, by itself %v", r, got, want)
			}
			if !ledger.Asked() {
				rt.Fatal("the ledger does not know of the question")
			}
		}
	})
}

// TestBatchAsksOnce: the same question is put to the policies once, another caller's, one of a policy on the resource and
// one after a change are put again; and a principal that is gone in the middle is refused.
func TestBatchAsksOnce(t *testing.T) {
	p := &principals{policies: policy.Policies{Identity: allowing(t, "")}}
	revision := int64(1)
	a := authorizer(p)
	a.Revision = func() int64 { return revision }
	ctx := authz.Batch(caller.WithRequest(caller.With(t.Context(), user()), &caller.Request{}))
	r := authz.Request{Action: "s3:CreateAccessGrant", Resource: "arn:aws:s3:::a", Context: policy.Values{"s3:accessgrantscope": {"s3://a/*"}}}
	if err := a.Authorize(ctx, r); err != nil {
		t.Fatal(err)
	}
	// From here on nothing is allowed. Only a change that is committed has a revision, so the same question is not put again.
	p.gone = errors.New("the user was deleted")
	if err := a.Authorize(ctx, r); err != nil {
		t.Errorf("the question was put again: %v", err)
	}
	refused := func(name string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: answered by what was asked before", name)
		}
	}
	refused("another caller", a.Authorize(caller.With(ctx, user()), r))
	refused("another request", a.Authorize(caller.WithRequest(ctx, &caller.Request{}), r))
	as, must, elsewhere := r, r, r
	as.As = user()
	refused("in another's name", a.Authorize(ctx, as))
	must.MustAllow = true
	refused("that a policy on the resource must allow", a.Authorize(ctx, must))
	elsewhere.Account = foreign
	refused("in another account", a.Authorize(ctx, elsewhere))
	revision++
	refused("after a change", a.Authorize(ctx, r))
}
