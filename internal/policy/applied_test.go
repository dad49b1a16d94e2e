package policy_test

import (
	"testing"

	"github.com/lakegate/lakegate/internal/policy"
)

// TestPlace: a statement is found wherever it stands, in whatever layout.
func TestPlace(t *testing.T) {
	const one = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`
	for _, c := range []struct {
		name, text string
		index      int
		begin, end policy.Position
	}{
		{"a lone statement", `{"Version":"2012-10-17","Statement":` + one + `}`, 0, policy.Position{Line: 1, Column: 37}, policy.Position{Line: 1, Column: 37 + len(one)}},
		{"the first of a list", `{"Statement":[` + one + `,` + one + `]}`, 0, policy.Position{Line: 1, Column: 15}, policy.Position{Line: 1, Column: 15 + len(one)}},
		{"the second of a list", `{"Statement":[` + one + `,` + one + `]}`, 1, policy.Position{Line: 1, Column: 16 + len(one)}, policy.Position{Line: 1, Column: 16 + 2*len(one)}},
		{"on lines of their own", "{\n\"Statement\" : [\n  " + one + " ,\n\t" + one + "\n]}", 1, policy.Position{Line: 4, Column: 2}, policy.Position{Line: 4, Column: 2 + len(one)}},
		{"before the version", `{"Statement":[` + one + `],"Version":"2012-10-17"}`, 0, policy.Position{Line: 1, Column: 15}, policy.Position{Line: 1, Column: 15 + len(one)}},
		{"behind a member that looks alike", `{"Id":"Statement","Statement":[` + one + `]}`, 0, policy.Position{Line: 1, Column: 32}, policy.Position{Line: 1, Column: 32 + len(one)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := policy.Parse([]byte(c.text), policy.Identity)
			if err != nil {
				t.Fatal(err)
			}
			if begin, end := d.Place(c.index); begin != c.begin || end != c.end {
				t.Errorf("from %v to %v, want from %v to %v", begin, end, c.begin, c.end)
			}
		})
	}
}

// TestApply: all that applies is listed, by layer, and nothing else.
func TestApply(t *testing.T) {
	document := func(text string) policy.Named {
		d, err := policy.Parse([]byte(text), policy.Identity)
		if err != nil {
			t.Fatal(err)
		}
		return policy.Named{Name: text[:1], Document: d}
	}
	own := document(`{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"},{"Effect":"Deny","Action":"s3:Get*","Resource":"arn:aws:s3:::data/red/*"},{"Effect":"Allow","Action":"iam:*","Resource":"*"}]}`)
	got := policy.Apply(&policy.Request{Principal: policy.Principal{Type: policy.User, Account: "111111111111"}, Action: "s3:GetObject", Resource: "arn:aws:s3:::data/red/a"},
		&policy.Policies{Identity: []policy.Named{own}, Boundary: []policy.Named{own}})
	want := []policy.Applied{
		{Layer: policy.LayerIdentity, Policy: "{", Index: 1, Effect: policy.Deny}, {Layer: policy.LayerIdentity, Policy: "{", Index: 0, Effect: policy.Allow},
		{Layer: policy.LayerBoundary, Policy: "{", Index: 1, Effect: policy.Deny}, {Layer: policy.LayerBoundary, Policy: "{", Index: 0, Effect: policy.Allow},
	}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: got %+v, want %+v", i, got[i], want[i])
		}
	}
}
