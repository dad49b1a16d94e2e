package policy

import (
	"sync"
	"testing"
)

// decide evaluates a user's request against identity policies alone.
func decide(t *testing.T, r *Request, list ...string) Decision {
	t.Helper()
	return Evaluate(r, &Policies{Identity: []Named{policyOf(t, Identity, list...)}})
}

// Leaving out what a Deny compares with must not be a way around it.
func TestDenyWithUnresolvedVariable(t *testing.T) {
	tests := []struct{ name, deny string }{
		{"what is denied", `'Resource': 'arn:aws:s3:::data/${aws:PrincipalTag/tenant}/*'`},
		{"what is spared", `'NotResource': 'arn:aws:s3:::data/${aws:PrincipalTag/tenant}/*'`},
		{"equal", `'Resource': '*', 'Condition': {'StringEquals': {'s3:prefix': '${aws:PrincipalTag/tenant}'}}`},
		{"equal without case", `'Resource': '*', 'Condition': {'StringEqualsIgnoreCase': {'s3:prefix': '${aws:PrincipalTag/tenant}'}}`},
		{"like", `'Resource': '*', 'Condition': {'StringLike': {'s3:prefix': '${aws:PrincipalTag/tenant}*'}}`},
		{"not equal", `'Resource': '*', 'Condition': {'StringNotEquals': {'s3:prefix': '${aws:PrincipalTag/tenant}'}}`},
		{"not equal without case", `'Resource': '*', 'Condition': {'StringNotEqualsIgnoreCase': {'s3:prefix': '${aws:PrincipalTag/tenant}'}}`},
		{"not like", `'Resource': '*', 'Condition': {'StringNotLike': {'s3:prefix': ['${aws:PrincipalTag/tenant}/*', 'y']}}`},
		{"some value", `'Resource': '*', 'Condition': {'ForAnyValue:StringEquals': {'s3:prefix': '${aws:PrincipalTag/tenant}'}}`},
		{"all values", `'Resource': '*', 'Condition': {'ForAllValues:StringNotEquals': {'s3:prefix': '${aws:PrincipalTag/tenant}'}}`},
		{"ARN", `'Resource': '*', 'Condition': {'ArnEquals': {'aws:PrincipalArn': '${aws:PrincipalTag/tenant}'}}`},
		{"ARN field", `'Resource': '*', 'Condition': {'ArnNotLike': {'aws:PrincipalArn': 'arn:aws:iam::${aws:PrincipalTag/tenant}:user/*'}}`},
	}
	for _, tt := range tests {
		deny := `{'Effect': 'Deny', 'Action': 's3:*', ` + tt.deny + `}`
		r := userRequest()
		r.Context = Values{"s3:prefix": {"red"}, "aws:principalarn": {r.Principal.ARN}}
		if d := decide(t, r, allowAll, deny); d.Allowed || !d.Explicit {
			t.Errorf("%s: %+v", tt.name, d)
		}
		r.Context.Set("aws:PrincipalTag/tenant", "a", "b")
		if d := decide(t, r, allowAll, deny); d.Allowed || !d.Explicit {
			t.Errorf("%s, with two values: %+v", tt.name, d)
		}
	}
	// The literal part of what is denied still counts: others are not locked out.
	if d := decide(t, userRequest(), allowAll, `{'Effect': 'Deny', 'Action': 's3:*', 'Resource': 'arn:aws:s3:::archive/${aws:PrincipalTag/tenant}/*'}`); !d.Allowed {
		t.Errorf("another bucket is denied: %+v", d)
	}
	// A default says what an absent key means.
	if d := decide(t, userRequest(), allowAll, `{'Effect': 'Deny', 'Action': 's3:*', 'Resource': 'arn:aws:s3:::data/${aws:PrincipalTag/tenant, \u0027none\u0027}/*'}`); !d.Allowed {
		t.Errorf("denied in spite of the default: %+v", d)
	}
}

// And leaving out what an Allow compares with must not grant, in whichever element the variable stands.
func TestAllowWithUnresolvedVariable(t *testing.T) {
	for _, allow := range []string{
		`'Resource': 'arn:aws:s3:::data/${aws:PrincipalTag/tenant}*'`,
		`'Resource': ['arn:aws:s3:::${aws:PrincipalTag/tenant}', '*']`,
		`'NotResource': 'arn:aws:s3:::data/${aws:PrincipalTag/tenant}/*'`,
		`'Resource': '*', 'Condition': {'StringNotEquals': {'s3:prefix': '${aws:PrincipalTag/tenant}'}}`,
		`'Resource': '*', 'Condition': {'StringEqualsIfExists': {'s3:absent': '${aws:PrincipalTag/tenant}'}}`,
		`'Resource': '*', 'Condition': {'ForAllValues:StringEquals': {'s3:absent': '${aws:PrincipalTag/tenant}'}}`,
		`'Resource': '*', 'Condition': {'ArnNotEquals': {'aws:PrincipalArn': '${aws:PrincipalTag/tenant}'}}`,
	} {
		r := userRequest()
		r.Context.Set("s3:prefix", "red")
		if d := decide(t, r, `{'Effect': 'Allow', 'Action': '*', `+allow+`}`); d.Allowed {
			t.Errorf("%s allows", allow)
		}
	}
	// A default is for an absent key; it does not excuse one with several values.
	r := userRequest()
	r.Context.Set("aws:PrincipalTag/tenant", "red", "blue")
	if d := decide(t, r, `{'Effect': 'Allow', 'Action': '*', 'NotResource': 'arn:aws:s3:::data/${aws:PrincipalTag/tenant, \u0027red\u0027}/*'}`); d.Allowed {
		t.Error("a key with several values spares nothing")
	}
}

func TestCaseAndLookalikes(t *testing.T) {
	deny := func(action string) string {
		return `{'Effect': 'Deny', 'Action': '` + action + `', 'Resource': '*'}`
	}
	r := userRequest()
	for _, spelling := range []string{"s3:GetObject", "S3:GETOBJECT", "s3:getobject", "s3:gEt*", "S3:*", "*:Get*"} {
		if d := decide(t, r, allowAll, deny(spelling)); !d.Explicit {
			t.Errorf("%s does not deny %s", spelling, r.Action)
		}
		r := userRequest()
		r.Action = "S3:GetOBJECT"
		if d := decide(t, r, allowAll, deny(spelling)); !d.Explicit {
			t.Errorf("%s does not deny %s", spelling, r.Action)
		}
	}
	r.Action = "\u017f3:GetObject" // the long s, which folds to s
	if d := decide(t, r, `{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*'}`); d.Allowed {
		t.Error("a look-alike of s3 is taken for it")
	}
	r = userRequest()
	r.Context.Set("aws:PrincipalTag/team", "\u212Aate")
	if d := decide(t, r, `{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*', 'Condition': {'StringEqualsIgnoreCase': {'aws:PrincipalTag/team': 'kate'}}}`); d.Allowed {
		t.Error("a Kelvin sign is taken for a k")
	}
	r = userRequest()
	r.Resource = "arn:aws:s3:::DATA/red/apples.csv"
	if d := decide(t, r, `{'Effect': 'Allow', 'Action': 's3:*', 'Resource': 'arn:aws:s3:::data/*'}`); d.Allowed {
		t.Error("resources ignore case")
	}
	// A key that reached the context in another case is not absent.
	r = userRequest()
	r.Context = Values{"aws:SourceIp": {"203.0.113.9"}}
	if d := decide(t, r, allowAll, `{'Effect': 'Deny', 'Action': '*', 'Resource': '*', 'Condition': {'IpAddress': {'aws:sourceip': '203.0.113.0/24'}}}`); !d.Explicit {
		t.Error("a key in mixed case is taken for absent")
	}
}

// A star in one field of an ARN must not reach into the next, nor a value's colons move the fields.
func TestFieldsOfARNsStayApart(t *testing.T) {
	allow := func(resource string) string {
		return `{'Effect': 'Allow', 'Action': '*', 'Resource': '` + resource + `'}`
	}
	r := userRequest()
	r.Resource = "arn:aws:iam::222222222222:policy/x:role/Admin"
	if d := decide(t, r, allow("arn:aws:iam::*:role/Admin")); d.Allowed {
		t.Error("the star of the account reaches into the resource")
	}
	r.Resource = "arn:aws:iam::222222222222:role/Admin"
	r.Context.Set("aws:PrincipalTag/a", "222222222222:role/Admin")
	if d := decide(t, r, allow("arn:aws:iam::${aws:PrincipalTag/a}:*")); d.Allowed {
		t.Error("a tag's colon ends a field")
	}
	r.Resource = "data/red/apples.csv"
	if d := decide(t, r, allow("arn:*:*:*:*:*")); d.Allowed {
		t.Error("a text that is no ARN matches an ARN")
	}
	r.Resource = "*"
	if d := decide(t, r, allow("arn:aws:s3:::*")); d.Allowed {
		t.Error("a request about everything matches a policy about something")
	}
}

func TestNegationsGrantNoMoreThanTheySay(t *testing.T) {
	r := userRequest()
	if d := decide(t, r, `{'Effect': 'Allow', 'NotAction': ['s3:Get*', 'iam:*'], 'Resource': '*'}`); d.Allowed {
		t.Error("NotAction allows what it lists")
	}
	if d := decide(t, r, `{'Effect': 'Allow', 'NotAction': ['iam:*'], 'NotResource': ['arn:aws:s3:::secret/*', 'arn:aws:s3:::data/red/*']}`); d.Allowed {
		t.Error("NotResource allows what it lists")
	}
	if d := decide(t, r, `{'Effect': 'Allow', 'NotAction': ['iam:*'], 'NotResource': ['arn:aws:s3:::secret/*']}`); !d.Allowed {
		t.Error("what neither lists is not allowed")
	}
}

// ForAllValues holds for an absent key, which is what Null is there to rule out.
func TestForAllValuesOfNothing(t *testing.T) {
	const forAll = `'ForAllValues:StringEquals': {'aws:TagKeys': ['team']}`
	allow := `{'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {` + forAll + `}}`
	guarded := `{'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {` + forAll + `, 'Null': {'aws:TagKeys': false}}}`
	if !decide(t, userRequest(), allow).Allowed {
		t.Error("ForAllValues does not hold for an absent key")
	}
	if decide(t, userRequest(), guarded).Allowed {
		t.Error("Null: false holds for an absent key")
	}
}

// What could not be read may hold a Deny.
func TestUnreadablePolicyRefuses(t *testing.T) {
	whole := []Named{policyOf(t, Identity, allowAll)}
	broken := Named{Name: "broken"}
	for name, p := range map[string]*Policies{
		"identity":  {Identity: append(whole, broken)},
		"boundary":  {Identity: whole, Boundary: append(whole, broken)},
		"session":   {Identity: whole, Session: [][]Named{append(whole, broken)}},
		"guardrail": {Identity: whole, Guardrail: []Named{broken}},
		"control":   {Identity: whole, ServiceControl: [][]Named{append(whole, broken)}},
		"resource":  {Identity: whole, Resource: &broken},
	} {
		if d := Explain(userRequest(), p); d.Allowed || d.Policy != "broken" || len(d.Steps) == 0 {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// A policy without principals that is put where the resource's belongs must not allow everybody.
func TestIdentityPolicyAsResourcePolicy(t *testing.T) {
	misplaced := policyOf(t, Identity, allowAll)
	r := userRequest()
	r.Principal = Principal{Type: Anonymous}
	if d := Evaluate(r, &Policies{Resource: &misplaced}); d.Allowed {
		t.Errorf("%+v", d)
	}
}

// Nobody's resource is not the caller's own, even where the caller has no account.
func TestUnknownOwner(t *testing.T) {
	r := userRequest()
	r.ResourceAccount = ""
	p := &Policies{Identity: []Named{policyOf(t, Identity, allowAll)}}
	if Evaluate(r, p).Allowed {
		t.Error("a resource of unknown owner counts as one's own")
	}
	r.Principal.Account = ""
	if Evaluate(r, p).Allowed {
		t.Error("two unknown accounts count as the same")
	}
}

func TestDocumentsAreShared(t *testing.T) {
	p := &Policies{Identity: []Named{policyOf(t, Identity, `{'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:s3:::data/*/${aws:PrincipalTag/a}*.csv'}`)}}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			tag := []string{"a", "b"}[i%2]
			for range 200 {
				r := userRequest()
				r.Context.Set("aws:PrincipalTag/a", tag)
				if got := Evaluate(r, p).Allowed; got != (tag == "a") {
					t.Errorf("tag %s: allowed %v", tag, got)
					return
				}
			}
		})
	}
	wg.Wait()
}
