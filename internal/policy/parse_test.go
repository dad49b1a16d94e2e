package policy

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAccepts(t *testing.T) {
	const (
		identity = `'Effect': 'Allow', 'Action': 's3:GetObject', 'Resource': '*'`
		resource = `'Effect': 'Allow', 'Principal': '*', 'Action': 's3:GetObject', 'Resource': 'arn:aws:s3:::data/*'`
		trust    = `'Effect': 'Allow', 'Action': 'sts:AssumeRole'`
	)
	tests := []struct {
		name string
		kind Kind
		text string
	}{
		{"one statement without a list", Identity, `{'Statement': {` + identity + `}}`},
		{"a list of statements", Identity, `{'Version': '2008-10-17', 'Id': 'x', 'Statement': [{` + identity + `}, {` + identity + `}]}`},
		{"lists", Identity, statements(`{'Effect': 'Deny', 'NotAction': ['s3:*', '*:Get?', '*'], 'NotResource': ['arn:aws:s3:::a', 'arn:*:s3:*:*:b']}`)},
		{"an empty Condition, as consoles write it", Trust, statements(`{` + trust + `, 'Principal': {'AWS': '111111111111'}, 'Condition': {}}`)},
		{"numbers and booleans as condition values", Identity, statements(`{` + identity + `, 'Condition': {'NumericLessThan': {'s3:max-keys': 10}, 'Bool': {'aws:SecureTransport': [true, 'TRUE']}}}`)},
		{"operators in any case", Identity, statements(`{` + identity + `, 'Condition': {'forallvalues:stringlikeIfExists': {'aws:TagKeys': 'a*'}}}`)},
		{"keys of OIDC providers", Trust, statements(`{` + trust + `, 'Principal': {'Federated': 'arn:aws:iam::111111111111:oidc-provider/token.example.com'}, 'Condition': {'StringEquals': {'token.example.com/x:sub': 'a'}}}`)},
		{"tag keys with spaces and other letters", Identity, statements(`{` + identity + `, 'Condition': {'StringEquals': {'aws:PrincipalTag/größe in cm': 'a'}}}`)},
		{"every kind of principal", Resource, statements(`{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*', 'Principal': {
			'AWS': ['*', '111111111111', 'arn:aws:iam::111111111111:root', 'arn:aws:iam::111111111111:user/a/b', 'arn:aws:iam::111111111111:role/c',
				'arn:aws:sts::111111111111:assumed-role/c/session@example', 'arn:aws:sts::111111111111:federated-user/d', 'AROAEXAMPLEROLE000000'],
			'Service': 'access-grants.s3.amazonaws.com', 'Federated': 'accounts.google.com',
			'CanonicalUser': '79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be'}}`)},
		{"NotPrincipal", Resource, statements(`{'Effect': 'Deny', 'Action': 's3:*', 'Resource': '*', 'NotPrincipal': {'AWS': '111111111111'}}`)},
		{"Sids of buckets may hold spaces", Resource, statements(`{'Sid': 'let them in', ` + resource + `}`)},
		{"an actor policy", Actor, statements(`{'Effect': 'Allow', 'Action': 'sso-oauth:CreateTokenWithIAM', 'Principal': {'AWS': '111111111111'}, 'Resource': '*', 'Condition': {'ArnEquals': {'aws:PrincipalArn': 'arn:aws:iam::111111111111:role/App'}}}`)},
		{"variables with colons before the fields are counted", Identity, statements(`{'Effect': 'Allow', 'Action': 's3:*', 'Resource': 'arn:aws:s3:::home/${aws:PrincipalTag/team, \u0027none\u0027}/${aws:userid}/${*}${?}${$}/*'}`)},
		{"before 2012-10-17 a dollar is a dollar", Identity, `{'Statement': {'Effect': 'Allow', 'Action': 's3:*', 'Resource': 'arn:aws:s3:::home/${aws:username'}}`},
		{"escapes", Identity, statements(`{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*', 'Condition': {'StringEquals': {'s3:prefix': '\u00e9\ud83d\ude00\/\n'}}}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := quoted(tt.text)
			d := mustParse(t, tt.kind, text)
			if got, err := json.Marshal(d); err != nil || d.Text() != text || d.Kind() != tt.kind || len(got) == 0 {
				t.Errorf("document is %s %q, marshalled %q, %v", d.Kind(), d.Text(), got, err)
			}
		})
	}
}

// Every refusal names the place.
func TestParseRefuses(t *testing.T) {
	const ok = `'Effect': 'Allow', 'Action': 's3:GetObject', 'Resource': '*'`
	with := func(rest string) string { return statements(`{` + ok + `, ` + rest + `}`) }
	condition := func(c string) string { return with(`'Condition': {` + c + `}`) }
	principal := func(p string) string { return with(`'Principal': ` + p) }
	tests := []struct {
		name  string
		kind  Kind
		text  string
		place string
		says  string
	}{
		{"nothing", Identity, ``, "", "value is missing"},
		{"a list", Identity, `[]`, "", "not a list"},
		{"null", Identity, `null`, "", "not null"},
		{"trailing text", Identity, statements(`{`+ok+`}`) + `{}`, "", "after the end"},
		{"trailing comma", Identity, `{'Statement': [{` + ok + `},]}`, "", "value is missing"},
		{"a comment", Identity, `{/* */}`, "", "key is missing"},
		{"invalid UTF-8", Identity, "{'Id': '\xff'}", "", "UTF-8"},
		{"half a surrogate pair", Identity, `{'Id': '\ud83d'}`, "", "surrogate"},
		{"a swapped surrogate pair", Identity, `{'Id': '\ude00\ud83d'}`, "", "surrogate"},
		{"a control character", Identity, "{'Id': 'a\nb'}", "", "control character"},
		{"an unknown escape", Identity, `{'Id': '\x41'}`, "", "escape"},
		{"a number with a leading zero", Identity, condition(`'NumericEquals': {'a:b': 01}`), "", "number"},
		{"deep nesting", Identity, `{'Statement': ` + strings.Repeat(`[`, 100_000), "", "nested"},
		{"no statement", Identity, `{'Version': '2012-10-17'}`, "Statement", "at least one"},
		{"empty statement list", Identity, statements(), "Statement", "at least one"},
		{"statement of the wrong type", Identity, `{'Statement': 'x'}`, "Statement", "not a string"},
		{"statement in the list of the wrong type", Identity, `{'Statement': [{` + ok + `}, 1]}`, "Statement[1]", "not a number"},
		{"unknown version", Identity, `{'Version': '2012-10-18', 'Statement': {` + ok + `}}`, "Version", "2012-10-18"},
		{"version of the wrong type", Identity, `{'Version': 2012, 'Statement': {` + ok + `}}`, "Version", "not a number"},
		{"unknown element of the document", Identity, `{'Statment': []}`, "Statment", "unknown"},
		{"unknown element", Identity, with(`'Resources': '*'`), "Statement[0].Resources", "unknown"},
		{"element in another case", Identity, `{'Statement': {'effect': 'Allow'}}`, "Statement[0].effect", "unknown"},
		{"duplicate element", Identity, with(`'Effect': 'Deny'`), "Statement[0].Effect", "twice"},
		{"duplicate element, escaped", Identity, with(`'\u0045ffect': 'Deny'`), "Statement[0].Effect", "twice"},
		{"duplicate Statement", Identity, `{'Statement': {` + ok + `}, 'Statement': {}}`, "Statement", "twice"},
		{"duplicate operator", Identity, condition(`'Bool': {'a:b': true}, 'Bool': {'a:c': true}`), "Statement[0].Condition.Bool", "twice"},
		{"duplicate key", Identity, condition(`'StringEquals': {'a:b': 'x', 'a:b': 'y'}`), "Statement[0].Condition.StringEquals.a:b", "twice"},
		{"duplicate key in another case", Identity, condition(`'StringEquals': {'a:b': 'x', 'A:B': 'y'}`), "Statement[0].Condition.StringEquals.A:B", "twice"},
		{"duplicate operator in another case", Identity, condition(`'Bool': {'a:b': true}, 'bool': {'a:b': false}`), "Statement[0].Condition.bool.a:b", "twice"},
		{"duplicate Sid", Identity, statements(`{'Sid': 'a', `+ok+`}`, `{'Sid': 'a', `+ok+`}`), "Statement[1].Sid", "another statement"},
		{"Sid with other characters", Identity, with(`'Sid': 'a b'`), "Statement[0].Sid", "letters and digits"},
		{"no effect", Identity, statements(`{'Action': '*', 'Resource': '*'}`), "Statement[0]", "Effect is required"},
		{"effect in another case", Identity, statements(`{'Effect': 'allow', 'Action': '*', 'Resource': '*'}`), "Statement[0].Effect", "allow"},
		{"no action", Identity, statements(`{'Effect': 'Deny', 'Resource': '*'}`), "Statement[0]", "Action is required"},
		{"Action and NotAction", Identity, with(`'NotAction': 's3:*'`), "Statement[0]", "exclude each other"},
		{"Resource and NotResource", Identity, with(`'NotResource': '*'`), "Statement[0]", "exclude each other"},
		{"empty action list", Identity, statements(`{'Effect': 'Allow', 'Action': [], 'Resource': '*'}`), "Statement[0].Action", "empty"},
		{"empty NotAction list", Identity, statements(`{'Effect': 'Allow', 'NotAction': [], 'Resource': '*'}`), "Statement[0].NotAction", "empty"},
		{"empty action", Identity, statements(`{'Effect': 'Allow', 'Action': ['s3:*', ''], 'Resource': '*'}`), "Statement[0].Action[1]", "empty"},
		{"null action", Identity, statements(`{'Effect': 'Allow', 'Action': null, 'Resource': '*'}`), "Statement[0].Action", "null"},
		{"action without a service", Identity, statements(`{'Effect': 'Allow', 'Action': 'GetObject', 'Resource': '*'}`), "Statement[0].Action", "service:Action"},
		{"action with part of a service", Identity, statements(`{'Effect': 'Allow', 'Action': 's*:GetObject', 'Resource': '*'}`), "Statement[0].Action", "characters"},
		{"action with a variable", Identity, statements(`{'Effect': 'Allow', 'Action': 's3:${aws:username}', 'Resource': '*'}`), "Statement[0].Action", "characters"},
		{"action with a Kelvin sign", Identity, statements("{'Effect': 'Allow', 'Action': '\u212Ams:Decrypt', 'Resource': '*'}"), "Statement[0].Action", "characters"},
		{"resource that is no ARN", Identity, statements(`{'Effect': 'Allow', 'Action': '*', 'Resource': 'data/*'}`), "Statement[0].Resource", "six fields"},
		{"resource with five fields", Identity, statements(`{'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:s3:::'}`), "Statement[0].Resource", "six fields"},
		{"resource that a star starts", Identity, statements(`{'Effect': 'Allow', 'Action': '*', 'Resource': '*:aws:s3:::a'}`), "Statement[0].Resource", "six fields"},
		{"resource that is a variable", Identity, statements(`{'Effect': 'Allow', 'Action': '*', 'Resource': '${aws:username}'}`), "Statement[0].Resource", "six fields"},
		{"variable without an end", Identity, statements(`{'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:s3:::a/${aws:username'}`), "Statement[0].Resource", "closing brace"},
		{"variable without a key", Identity, statements(`{'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:s3:::a/${}'}`), "Statement[0].Resource", "service:name"},
		{"variable with a bare default", Identity, statements(`{'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:s3:::a/${aws:username, x}'}`), "Statement[0].Resource", "quotes"},
		{"principal in an identity policy", Identity, principal(`'*'`), "Statement[0].Principal", "identity"},
		{"NotPrincipal in a session policy", Session, with(`'NotPrincipal': '*'`), "Statement[0].NotPrincipal", "session"},
		{"no resource in an identity policy", Identity, statements(`{'Effect': 'Allow', 'Action': '*'}`), "Statement[0]", "Resource is required"},
		{"no principal in a resource policy", Resource, statements(`{` + ok + `}`), "Statement[0]", "Principal is required"},
		{"no principal in a trust policy", Trust, statements(`{'Effect': 'Allow', 'Action': 'sts:AssumeRole'}`), "Statement[0]", "Principal is required"},
		{"resource in a trust policy", Trust, statements(`{'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': '*', 'Resource': '*'}`), "Statement[0].Resource", "trust"},
		{"other action in a trust policy", Trust, statements(`{'Effect': 'Allow', 'Action': 's3:GetObject', 'Principal': '*'}`), "Statement[0].Action", "sts"},
		{"every action in a trust policy", Trust, statements(`{'Effect': 'Allow', 'Action': '*', 'Principal': '*'}`), "Statement[0].Action", "sts"},
		{"NotAction in a trust policy", Trust, statements(`{'Effect': 'Allow', 'NotAction': 'sts:AssumeRole', 'Principal': '*'}`), "Statement[0].NotAction", "trust"},
		{"NotPrincipal in a trust policy", Trust, statements(`{'Effect': 'Deny', 'Action': 'sts:AssumeRole', 'NotPrincipal': {'AWS': '111111111111'}}`), "Statement[0].NotPrincipal", "trust"},
		{"no resource in an actor policy", Actor, statements(`{'Effect': 'Allow', 'Action': 'sso-oauth:*', 'Principal': '*'}`), "Statement[0]", "Resource is required"},
		{"actor policy without version", Actor, `{'Statement': {` + ok + `, 'Principal': '*'}}`, "Version", "2012-10-17"},
		{"principal as a name", Resource, principal(`'111111111111'`), "Statement[0].Principal", "must be"},
		{"empty principal", Resource, principal(`{}`), "Statement[0].Principal", "at least one"},
		{"empty principal list", Resource, principal(`{'AWS': []}`), "Statement[0].Principal.AWS", "empty"},
		{"unknown kind of principal", Resource, principal(`{'IAM': '*'}`), "Statement[0].Principal.IAM", "unknown"},
		{"wildcard in a principal", Resource, principal(`{'AWS': 'arn:aws:iam::111111111111:role/*'}`), "Statement[0].Principal.AWS", "wildcards"},
		{"question mark in an account", Resource, principal(`{'AWS': '11111111111?'}`), "Statement[0].Principal.AWS", "wildcards"},
		{"every service", Resource, principal(`{'Service': '*'}`), "Statement[0].Principal.Service", "wildcards"},
		{"short account id", Resource, principal(`{'AWS': '11111111111'}`), "Statement[0].Principal.AWS", "not a principal"},
		{"a group as principal", Resource, principal(`{'AWS': 'arn:aws:iam::111111111111:group/a'}`), "Statement[0].Principal.AWS", "not a principal"},
		{"a role without a name", Resource, principal(`{'AWS': 'arn:aws:iam::111111111111:role/'}`), "Statement[0].Principal.AWS", "not a principal"},
		{"a role session without a session", Resource, principal(`{'AWS': 'arn:aws:sts::111111111111:assumed-role/a'}`), "Statement[0].Principal.AWS", "not a principal"},
		{"root of nowhere", Resource, principal(`{'AWS': 'arn:aws:iam:::root'}`), "Statement[0].Principal.AWS", "not a principal"},
		{"a directory user", Resource, principal(`{'AWS': 'arn:aws:identitystore:::user/9067642ac7-1'}`), "Statement[0].Principal.AWS", "not a principal"},
		{"NotPrincipal everyone", Resource, with(`'NotPrincipal': '*'`), "Statement[0].NotPrincipal", "nobody"},
		{"unknown operator", Identity, condition(`'StringMatches': {'a:b': 'x'}`), "Statement[0].Condition.StringMatches", "unknown"},
		{"unknown quantifier", Identity, condition(`'ForSomeValues:StringEquals': {'a:b': 'x'}`), "Statement[0].Condition.ForSomeValues:StringEquals", "unknown"},
		{"NullIfExists", Identity, condition(`'NullIfExists': {'a:b': true}`), "Statement[0].Condition.NullIfExists", "IfExists"},
		{"ForAllValues of Null", Identity, condition(`'ForAllValues:Null': {'a:b': true}`), "Statement[0].Condition.ForAllValues:Null", "quantifier"},
		{"operator without keys", Identity, condition(`'StringEquals': {}`), "Statement[0].Condition.StringEquals", "at least one"},
		{"operator of the wrong type", Identity, condition(`'StringEquals': 'x'`), "Statement[0].Condition.StringEquals", "not a string"},
		{"key without values", Identity, condition(`'StringEquals': {'a:b': []}`), "Statement[0].Condition.StringEquals.a:b", "empty"},
		{"null as a value", Identity, condition(`'StringEquals': {'a:b': ['x', null]}`), "Statement[0].Condition.StringEquals.a:b[1]", "null"},
		{"key without a service", Identity, condition(`'StringEquals': {'prefix': 'x'}`), "Statement[0].Condition.StringEquals.prefix", "service:name"},
		{"key with a long s", Identity, condition("'StringEquals': {'\u017f3:prefix': 'x'}"), "Statement[0].Condition.StringEquals.\u017f3:prefix", "characters"},
		{"number", Identity, condition(`'NumericEquals': {'a:b': '1e3'}`), "Statement[0].Condition.NumericEquals.a:b", "decimal"},
		{"date", Identity, condition(`'DateLessThan': {'a:b': 'tomorrow'}`), "Statement[0].Condition.DateLessThan.a:b", "date"},
		{"boolean", Identity, condition(`'Bool': {'a:b': 'yes'}`), "Statement[0].Condition.Bool.a:b", "true or false"},
		{"null of what", Identity, condition(`'Null': {'a:b': 'null'}`), "Statement[0].Condition.Null.a:b", "true or false"},
		{"address", Identity, condition(`'IpAddress': {'a:b': '10.0.0.0/33'}`), "Statement[0].Condition.IpAddress.a:b", "IP address"},
		{"variable as an address", Identity, condition(`'IpAddress': {'a:b': '${aws:SourceIp}'}`), "Statement[0].Condition.IpAddress.a:b", "IP address"},
		{"base64", Identity, condition(`'BinaryEquals': {'a:b': 'QmluYXJ5R'}`), "Statement[0].Condition.BinaryEquals.a:b", "base64"},
		{"ARN", Identity, condition(`'ArnLike': {'aws:SourceArn': 'arn:aws:s3'}`), "Statement[0].Condition.ArnLike.aws:SourceArn", "six fields"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(quoted(tt.text)), tt.kind)
			refusal, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("accepted, or another error: %v", err)
			}
			if tt.place != "" && !strings.HasPrefix(err.Error(), tt.place+": ") {
				t.Errorf("%q does not begin with the place", err)
			}
			if refusal.Place != tt.place || !strings.Contains(refusal.Problem, tt.says) {
				t.Errorf("refused with %q\nwant place %q and %q", err, tt.place, tt.says)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	text := statements(`{'Effect': 'Allow', 'Action': '*', 'Resource': '*'}`)
	d := mustParse(t, Identity, text)
	if want := len(strings.ReplaceAll(text, " ", "")); d.Size() != want {
		t.Errorf("size is %d, want %d", d.Size(), want)
	}
	tests := []struct {
		limits Limits
		ok     bool
	}{
		{Limits{}, true},
		{Limits{Bytes: len(text), Characters: d.Size()}, true},
		{Limits{Bytes: len(text) - 1}, false},
		{Limits{Characters: d.Size() - 1}, false},
	}
	for _, tt := range tests {
		_, err := tt.limits.Parse([]byte(text), Identity)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%+v: %v", tt.limits, err)
		}
	}
	wide := text + strings.Repeat(" ", 200_000)
	if _, err := Parse([]byte(wide), Identity); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an identity policy of 200 kB: %v", err)
	}
	if _, err := Parse([]byte(text), Kind(0)); err == nil {
		t.Error("the zero kind is accepted")
	}
}

func TestStatementsView(t *testing.T) {
	d := mustParse(t, Resource, statements(
		`{'Sid': 'a', 'Effect': 'Allow', 'Principal': {'AWS': ['111111111111'], 'Service': 's3.amazonaws.com'}, 'Action': 's3:*', 'Resource': 'arn:aws:s3:::a', 'Condition': {'Bool': {'aws:SecureTransport': true}}}`,
		`{'Effect': 'Deny', 'NotPrincipal': {'AWS': '111111111111'}, 'NotAction': ['s3:*'], 'NotResource': ['*']}`))
	want := []Statement{
		{
			Sid: "a", Effect: Allow, Principals: []PolicyPrincipal{{"AWS", here}, {"Service", "s3.amazonaws.com"}},
			Actions: []string{"s3:*"}, Resources: []string{"arn:aws:s3:::a"},
			Conditions: []Condition{{"Bool", "aws:SecureTransport", []string{"true"}}},
		},
		{Effect: Deny, NotPrincipals: []PolicyPrincipal{{"AWS", here}}, NotActions: []string{"s3:*"}, NotResources: []string{"*"}},
	}
	if diff := cmp.Diff(want, d.Statements()); diff != "" {
		t.Error(diff)
	}
}

// FuzzParse holds the reader against the standard one: what it accepts is JSON with the same meaning, and nothing that
// it answers is other than a document or an *Error.
func FuzzParse(f *testing.F) {
	f.Add([]byte(statements(`{'Effect': 'Allow', 'Action': 's3:*', 'Resource': 'arn:aws:s3:::a/${aws:username}/*'}`)), 1)
	f.Add([]byte(statements(`{'Effect': 'Deny', 'NotAction': ['s3:*'], 'NotResource': '*', 'NotPrincipal': {'AWS': '111111111111'}}`)), 2)
	f.Add([]byte(statements(`{'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'Service': 's3.amazonaws.com'}, 'Condition': {}}`)), 3)
	f.Add([]byte(statements(`{'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'ForAnyValue:ArnLikeIfExists': {'a:b': ['*', 'arn:aws:s3:::${aws:x, "y"}']}, 'NumericLessThan': {'a:b': -1.50}}}`)), 4)
	f.Add([]byte("{\"Id\": \"\\ud83d\\ude00\u00e9\\n\", \"Statement\": []}"), 5)
	f.Fuzz(func(t *testing.T, text []byte, kind int) {
		d, err := Parse(text, Kind(kind))
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("not an *Error: %v", err)
			}
			return
		}
		var standard struct {
			ID        string `json:"Id"`
			Statement json.RawMessage
		}
		if err := json.Unmarshal(text, &standard); err != nil {
			t.Fatalf("accepted what is not JSON: %v", err)
		}
		if standard.ID != d.ID() {
			t.Fatalf("Id is %q, the standard reader says %q", d.ID(), standard.ID)
		}
		var list []struct{ Sid, Effect string }
		if json.Unmarshal(standard.Statement, &list) == nil {
			for i, s := range d.Statements() {
				if s.Sid != list[i].Sid || string(s.Effect) != list[i].Effect {
					t.Fatalf("statement %d is %+v, the standard reader says %+v", i, s, list[i])
				}
			}
		}
		r := userRequest()
		Explain(r, &Policies{Identity: []Named{{"fuzz", d}}, Resource: &Named{"fuzz", d}, Boundary: []Named{{"fuzz", d}}})
	})
}
