package policy_test

import (
	"testing"

	"github.com/lakegate/lakegate/internal/policy"
)

// TestMention: a key counts wherever a decision can depend on it, however it is spelt.
func TestMention(t *testing.T) {
	const prefix = "s3:existingobjecttag/"
	statement := func(rest string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"},{"Effect":"Deny","Action":"s3:GetObject"` + rest + `}]}`
	}
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"nowhere":                {statement(`,"Resource":"*"`), false},
		"another key":            {statement(`,"Resource":"*","Condition":{"StringEquals":{"s3:RequestObjectTag/team":"a"}}`), false},
		"as a value":             {statement(`,"Resource":"*","Condition":{"StringEquals":{"aws:UserAgent":"s3:ExistingObjectTag/team"}}`), false},
		"in a condition":         {statement(`,"Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/team":"a"}}`), true},
		"in another case":        {statement(`,"Resource":"*","Condition":{"StringNotEqualsIfExists":{"S3:EXISTINGobjectTag/Team":"a"}}`), true},
		"escaped in the JSON":    {statement(`,"Resource":"*","Condition":{"Null":{"s3:\u0045xistingObjectTag/team":"true"}}`), true},
		"in a resource":          {statement(`,"Resource":"arn:aws:s3:::data/${s3:ExistingObjectTag/team}/*"`), true},
		"in a NotResource":       {statement(`,"NotResource":"arn:aws:s3:::data/${s3:ExistingObjectTag/team}/*"`), true},
		"in a condition's value": {statement(`,"Resource":"*","Condition":{"StringLike":{"aws:PrincipalTag/team":"${s3:existingobjecttag/team, 'none'}"}}`), true},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := policy.Parse([]byte(c.text), policy.Identity)
			if err != nil {
				t.Fatal(err)
			}
			n := policy.Named{Name: "own", Document: d}
			for place, p := range map[string]policy.Policies{
				"identity":        {Identity: []policy.Named{n}},
				"boundary":        {Boundary: []policy.Named{n}},
				"session":         {Session: [][]policy.Named{{}, {n}}},
				"resource":        {Resource: &n},
				"guardrail":       {Guardrail: []policy.Named{n}},
				"service control": {ServiceControl: [][]policy.Named{{n}}},
			} {
				if got := p.Mention(prefix); got != c.want {
					t.Errorf("in the %s policy: %v", place, got)
				}
			}
		})
	}
}
