package policy

import (
	"strings"
	"testing"
)

const (
	here  = "111111111111" // the account of principals, and of resources unless a test says otherwise
	there = "222222222222"
)

func mustParse(tb testing.TB, kind Kind, text string) *Document {
	tb.Helper()
	d, err := Parse([]byte(text), kind)
	if err != nil {
		tb.Fatalf("parse %s policy %s: %v", kind, text, err)
	}
	return d
}

// statements makes a policy of statements that are written with single quotes for double ones.
func statements(list ...string) string {
	return quoted(`{'Version': '2012-10-17', 'Statement': [` + strings.Join(list, ", ") + `]}`)
}

func quoted(text string) string { return strings.ReplaceAll(text, "'", `"`) }

func policyOf(tb testing.TB, kind Kind, list ...string) Named {
	tb.Helper()
	return Named{Name: kind.String(), Document: mustParse(tb, kind, statements(list...))}
}

func userRequest() *Request {
	return &Request{
		Principal:       Principal{Type: User, Account: here, ARN: "arn:aws:iam::111111111111:user/mateo", UniqueID: "AIDAEXAMPLEMATEO00000"},
		Action:          "s3:GetObject",
		Resource:        "arn:aws:s3:::data/red/apples.csv",
		ResourceAccount: here,
		Context:         Values{"aws:username": {"mateo"}},
	}
}

func roleRequest() *Request {
	r := userRequest()
	r.Context = Values{}
	r.Principal = Principal{
		Type: AssumedRole, Account: here, UniqueID: "AROAEXAMPLEROLE000000",
		ARN:     "arn:aws:sts::111111111111:assumed-role/Analyst/mateo",
		RoleARN: "arn:aws:iam::111111111111:role/team/Analyst",
	}
	return r
}
