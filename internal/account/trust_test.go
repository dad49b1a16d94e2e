package account

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/policy"
)

const (
	appARN = "arn:aws:iam::111111111111:role/app"
	appID  = "AROAAAAAAAAAAAAAAAAAA"
)

func TestTrustComparesIDs(t *testing.T) {
	for name, text := range map[string]string{
		"one":               `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + appARN + `"},"Action":"sts:AssumeRole"}}`,
		"a list":            `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["222222222222","` + appARN + `"]},"Action":"sts:AssumeRole"}]}`,
		"written otherwise": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"\u0061rn:aws:iam::111111111111:role\/app"},"Action":"sts:AssumeRole"}]}`,
		"with numbers":      `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + appARN + `"},"Action":"sts:AssumeRole","Condition":{"NumericLessThan":{"aws:x":12345678901234567890}}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			trust := newTrust(text, map[string]string{appARN: appID})
			if trust.Document == nil {
				t.Fatal("the policy cannot be read")
			}
			named := principals(trust.Document)
			if len(named) == 0 || named[len(named)-1] != appID {
				t.Errorf("compared with %v", named)
			}
			if strings.Contains(text, "1234") && !strings.Contains(trust.Document.Text(), "12345678901234567890") {
				t.Errorf("a number lost its digits: %s", trust.Document.Text())
			}
			if got := trust.Show(func(string) (string, bool) { return appARN, true }); got != text {
				t.Errorf("shown as %s, written as %s", got, text)
			}
			if got := trust.Show(func(string) (string, bool) { return "", false }); !strings.Contains(got, appID) {
				t.Errorf("a principal that is gone is shown in %s", got)
			}
		})
	}
	if trust := newTrust("{", map[string]string{appARN: appID}); trust.Document != nil {
		t.Error("an unreadable policy trusts somebody")
	}
}

// FuzzTrust: a policy with ids for ARNs is the same policy but for the names.
func FuzzTrust(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["` + appARN + `","*"],"Service":"a.b"},"Action":["sts:AssumeRole","sts:SetContext"],"Condition":{"StringLike":{"sts:ExternalId":["<&>","é\u2028"]},"Bool":{"a:b":true}}}]}`)
	f.Add(`{"Statement":{"Sid":"a","Effect":"Deny","Principal":"*","Action":"sts:*"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := policy.Parse([]byte(text), policy.Trust)
		if err != nil {
			return
		}
		ids := map[string]string{}
		for _, name := range principals(doc) {
			if strings.HasPrefix(name, "arn:aws:iam::") && !strings.HasSuffix(name, ":root") {
				ids[name] = appID
			}
		}
		trust := newTrust(text, ids)
		if trust.Document == nil {
			t.Fatalf("%s cannot be read with ids for ARNs", text)
		}
		want := doc.Statements()
		for i := range want {
			for j, p := range want[i].Principals {
				if id, ok := ids[p.Value]; ok && p.Type == "AWS" {
					want[i].Principals[j].Value = id
				}
			}
		}
		if diff := cmp.Diff(sorted(t, want), sorted(t, trust.Document.Statements())); diff != "" {
			t.Errorf("%s changes (-want +got):\n%s", text, diff)
		}
	})
}

// sorted is a value as JSON with its members in order, so that two can be compared whose members were written in another.
func sorted(t *testing.T, statements []policy.Statement) []map[string]int {
	t.Helper()
	var out []map[string]int
	for _, s := range statements {
		parts := map[string]int{}
		for kind, list := range map[string]any{"principals": s.Principals, "conditions": s.Conditions} {
			raw, err := json.Marshal(list)
			if err != nil {
				t.Fatal(err)
			}
			var items []json.RawMessage
			if err := json.Unmarshal(raw, &items); err != nil {
				t.Fatal(err)
			}
			for _, item := range items {
				parts[kind+string(item)]++
			}
		}
		s.Principals, s.Conditions = nil, nil
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		parts[string(raw)]++
		out = append(out, parts)
	}
	return out
}
