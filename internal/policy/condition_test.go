package policy

import (
	"fmt"
	"slices"
	"testing"
)

// applies reports whether an Allow statement with this condition applies to a request with this context.
func applies(t *testing.T, condition string, ctx Values) bool {
	t.Helper()
	r := userRequest()
	r.Context = ctx
	p := policyOf(t, Identity, `{'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {`+condition+`}}`)
	return Evaluate(r, &Policies{Identity: []Named{p}}).Allowed
}

// One key "a:k" with the operator's values; the request has one value for which the operator holds, or fails.
func TestOperators(t *testing.T) {
	tests := []struct {
		operator, values string
		holds, fails     []string
	}{
		{"StringEquals", `['red', 'a*']`, []string{"red", "a*"}, []string{"Red", "ab", "", "red "}},
		{"StringEquals", `''`, []string{""}, []string{"a"}},
		{"StringEquals", `1.50`, []string{"1.50"}, []string{"1.5"}},
		{"StringEquals", `true`, []string{"true"}, []string{"TRUE"}},
		{"StringNotEquals", `['red', 'blue']`, []string{"green", "Red", ""}, []string{"red", "blue"}},
		{"StringEqualsIgnoreCase", `['red', 'ÉTÉ']`, []string{"RED", "red", "été"}, []string{"re", "ete", "redd"}},
		{"StringEqualsIgnoreCase", `'\ufffd'`, []string{"\ufffd"}, []string{"\xff", "\xc3"}},
		{"StringNotEqualsIgnoreCase", `'red'`, []string{"blue"}, []string{"rEd"}},
		{"StringLike", `['home/*', '?', '']`, []string{"home/", "home/a/b", "x", ""}, []string{"home", "Home/a", "xy"}},
		{"StringNotLike", `['home/*', 'x']`, []string{"home", "y"}, []string{"home/a", "x"}},
		{"NumericEquals", `[10, '-0.50']`, []string{"10", "10.0", "010", "+10", "-0.5"}, []string{"1", "100", "0.5", "ten", "", "1e1", "10."}},
		{"NumericEquals", `'9007199254740993'`, []string{"9007199254740993"}, []string{"9007199254740992"}},
		{"NumericNotEquals", `10`, []string{"11", "ten"}, []string{"10.00"}},
		{"NumericLessThan", `10`, []string{"9.99", "-100", "2"}, []string{"10", "10.01", "x"}},
		{"NumericLessThan", `[1, 10]`, []string{"5"}, []string{"10"}},
		{"NumericLessThanEquals", `10`, []string{"10", "9"}, []string{"10.000001"}},
		{"NumericGreaterThan", `-1.5`, []string{"-1.49", "0", "100"}, []string{"-1.5", "-2", "-10"}},
		{"NumericGreaterThanEquals", `0`, []string{"-0", "0.1"}, []string{"-0.1"}},
		{"DateEquals", `'2026-05-01T12:00:00Z'`, []string{"2026-05-01T12:00:00Z", "2026-05-01T14:00:00+02:00", "1777636800", "2026-05-01T12:00Z"}, []string{"2026-05-01", "x"}},
		{"DateNotEquals", `'2026-05-01'`, []string{"2026-05-02", "x"}, []string{"2026-05-01T00:00:00.000Z"}},
		{"DateLessThan", `'2026-05-01'`, []string{"2026-04-30T23:59:59.999Z", "2025", "0"}, []string{"2026-05-01", "2026-05-01T00:00:00Z", "never"}},
		{"DateLessThanEquals", `1777593600`, []string{"2026-05-01", "2026-04"}, []string{"2026-05-01T00:00:01Z"}},
		{"DateGreaterThan", `'2026'`, []string{"2026-01-01T00:00:01Z"}, []string{"2026-01-01T00:00:00Z", "2025-12-31"}},
		{"DateGreaterThanEquals", `'2026'`, []string{"2026-01-01T00:00:00Z"}, []string{"2025-12-31T23:59:59Z"}},
		{"Bool", `true`, []string{"true", "TRUE", "True"}, []string{"false", "", "1", "yes"}},
		{"Bool", `'false'`, []string{"false"}, []string{"true", ""}},
		{"BinaryEquals", `'QmluYXJ5'`, []string{"QmluYXJ5"}, []string{"Binary", "qmluyxj5", "QmluYXJ5=", ""}},
		{"IpAddress", `['10.1.0.0/16', '203.0.113.7', '2001:db8::/32']`,
			[]string{"10.1.2.3", "::ffff:10.1.2.3", "203.0.113.7", "2001:db8:1::1", "2001:DB8::1%eth0"},
			[]string{"10.2.0.0", "203.0.113.8", "2001:db9::", "", "10.1.2", "10.1.2.3/32", "010.1.2.3"}},
		{"IpAddress", `'10.1.2.3/8'`, []string{"10.200.0.1"}, []string{"11.0.0.1"}},
		{"IpAddress", `'0.0.0.0/0'`, []string{"1.2.3.4"}, []string{"2001:db8::1"}},
		{"IpAddress", `'::ffff:10.0.0.0/104'`, []string{"10.9.9.9"}, []string{"11.0.0.1"}},
		{"NotIpAddress", `['10.0.0.0/8', '2001:db8::/32']`, []string{"11.0.0.1", "2001:db9::1"}, []string{"10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1"}},
		{"ArnEquals", `'arn:aws:iam::*:role/team/*'`, []string{"arn:aws:iam::111111111111:role/team/a/b"}, []string{"arn:aws:iam::1:user/team/x", "arn:aws:iam::1:role/x", "x", ""}},
		{"ArnLike", `['arn:aws:s3:::a?', 'arn:*:sns:eu-*:1:t']`, []string{"arn:aws:s3:::ab", "arn:aws:sns:eu-west-1:1:t"}, []string{"arn:aws:s3:::a", "arn:aws:sns:us-east-1:1:t"}},
		{"ArnNotEquals", `'arn:aws:iam::1:role/a'`, []string{"arn:aws:iam::1:role/b", "x"}, []string{"arn:aws:iam::1:role/a"}},
		{"ArnNotLike", `'arn:aws:iam::1:role/*'`, []string{"arn:aws:iam::2:role/b"}, []string{"arn:aws:iam::1:role/a"}},
		{"ArnLike", `'*'`, []string{"arn:aws:iam::1:role/b", "x"}, nil},
	}
	for _, tt := range tests {
		condition := fmt.Sprintf(`'%s': {'a:k': %s}`, tt.operator, tt.values)
		for _, v := range tt.holds {
			if !applies(t, condition, Values{"a:k": {v}}) {
				t.Errorf("%s does not hold for %q", condition, v)
			}
		}
		for _, v := range tt.fails {
			if applies(t, condition, Values{"a:k": {v}}) {
				t.Errorf("%s holds for %q", condition, v)
			}
		}
	}
}

// How operators treat a key that is absent, and one with several values. "k" holds what the request has.
func TestMissingKeysAndSets(t *testing.T) {
	const none, a, ab, bc, abc = "", "a", "ab", "bc", "abc"
	tests := []struct {
		operator string // with the policy values a and b
		want     map[string]bool
	}{
		{"StringEquals", map[string]bool{none: false, a: true, ab: true, bc: true, "c": false}},
		{"StringNotEquals", map[string]bool{none: true, a: false, ab: false, bc: false, "c": true, "cd": true}},
		{"StringEqualsIfExists", map[string]bool{none: true, a: true, "c": false}},
		{"StringNotEqualsIfExists", map[string]bool{none: true, a: false, "c": true}},
		{"ForAllValues:StringEquals", map[string]bool{none: true, a: true, ab: true, bc: false, abc: false}},
		{"ForAllValues:StringNotEquals", map[string]bool{none: true, a: false, bc: false, "c": true, "cd": true}},
		{"ForAnyValue:StringEquals", map[string]bool{none: false, a: true, bc: true, "c": false, "cd": false}},
		{"ForAnyValue:StringNotEquals", map[string]bool{none: false, a: false, ab: false, bc: true, "c": true}},
		{"ForAnyValue:StringEqualsIfExists", map[string]bool{none: true, a: true, "c": false}},
		{"ForAllValues:StringEqualsIfExists", map[string]bool{none: true, a: true, "c": false}},
	}
	for _, tt := range tests {
		for has, want := range tt.want {
			ctx := Values{"other:key": {"a"}}
			for _, v := range has {
				ctx.Add("a:K", string(v))
			}
			if got := applies(t, `'`+tt.operator+`': {'A:k': ['a', 'b']}`, ctx); got != want {
				t.Errorf("%s of [a b] for %q is %v, want %v", tt.operator, has, got, want)
			}
		}
	}
	empty := Values{"a:k": {}}
	for _, negated := range []string{"StringNotEquals", "StringNotLike", "StringNotEqualsIgnoreCase"} {
		if !applies(t, `'`+negated+`': {'a:k': 'x'}`, empty) {
			t.Errorf("%s does not hold for a key without values", negated)
		}
	}
	for condition, want := range map[string]bool{
		`'NumericNotEquals': {'a:k': 1}`:                          true,
		`'DateNotEquals': {'a:k': '2026'}`:                        true,
		`'NotIpAddress': {'a:k': '10.0.0.0/8'}`:                   true,
		`'ArnNotLike': {'a:k': 'arn:aws:s3:::b'}`:                 true,
		`'NumericLessThan': {'a:k': 1}`:                           false,
		`'DateLessThan': {'a:k': '2026'}`:                         false,
		`'IpAddress': {'a:k': '10.0.0.0/8'}`:                      false,
		`'ArnLike': {'a:k': '*'}`:                                 false,
		`'Bool': {'a:k': false}`:                                  false,
		`'BoolIfExists': {'a:k': true}`:                           true,
		`'BinaryEquals': {'a:k': ''}`:                             false,
		`'StringLike': {'a:k': '*'}`:                              false,
		`'StringEquals': {'a:k': ''}`:                             false,
		`'Null': {'a:k': true}`:                                   true,
		`'Null': {'a:k': 'False'}`:                                false,
		`'Null': {'a:k': [true, false]}`:                          true,
		`'StringNotLike': {'a:k': 'x'}, 'Null': {'a:k': 'false'}`: false,
	} {
		if got := applies(t, condition, Values{}); got != want {
			t.Errorf("%s for an absent key is %v, want %v", condition, got, want)
		}
		if got := applies(t, condition, nil); got != want {
			t.Errorf("%s without a context is %v, want %v", condition, got, want)
		}
	}
	if applies(t, `'Null': {'a:k': true}`, Values{"a:k": {""}}) || !applies(t, `'Null': {'a:k': false}`, Values{"a:k": {""}}) {
		t.Error("a key whose value is empty counts as absent")
	}
}

func TestValuesIgnoreTheCaseOfKeys(t *testing.T) {
	v := Values{}
	v.Set("aws:SourceIp", "10.0.0.1")
	v.Add("AWS:TagKeys", "a")
	v.Add("aws:tagkeys", "b", "c")
	if len(v) != 2 || !slices.Equal(v.Get("aws:TAGKEYS"), []string{"a", "b", "c"}) || !slices.Equal(v.Get("aws:sourceIP"), []string{"10.0.0.1"}) {
		t.Errorf("values are %v", v)
	}
	if v.Set("AWS:SOURCEIP"); len(v) != 1 || v.Get("aws:SourceIp") != nil {
		t.Errorf("a key without values stays: %v", v)
	}
}

func TestOperatorsAndKeysAreAllNeeded(t *testing.T) {
	const condition = `'StringEquals': {'a:k': 'x', 'a:l': ['y', 'z']}, 'Bool': {'a:m': true}`
	full := Values{"a:k": {"x"}, "a:l": {"z"}, "a:m": {"true"}}
	if !applies(t, condition, full) {
		t.Error("does not hold")
	}
	for key := range full {
		ctx := Values{"a:k": {"x"}, "a:l": {"z"}, "a:m": {"true"}}
		ctx.Set(key)
		if applies(t, condition, ctx) {
			t.Errorf("holds without %s", key)
		}
	}
}

func TestVariables(t *testing.T) {
	type ctx = Values
	tests := []struct {
		name     string
		resource string // of an Allow statement; the request is for arn:aws:s3:::home/<key>
		context  Values
		allowed  []string
		refused  []string
	}{
		{"the folder of one's own", "${aws:username}/*", ctx{"aws:username": {"mateo"}}, []string{"mateo/", "mateo/a/b"}, []string{"mateo", "wang/a", "${aws:username}/a"}},
		{"keys ignore case", "${AWS:UserName}/*", ctx{"aws:username": {"mateo"}}, []string{"mateo/a"}, nil},
		{"a value is no pattern", "${aws:username}/*", ctx{"aws:username": {"*"}}, []string{"*/a"}, []string{"mateo/a"}},
		{"a value is no variable", "${aws:username}/*", ctx{"aws:username": {"${aws:userid}"}, "aws:userid": {"x"}}, []string{"${aws:userid}/a"}, []string{"x/a"}},
		{"a value keeps its colons", "${aws:userid}/*", ctx{"aws:userid": {"AROA:me"}}, []string{"AROA:me/a"}, []string{"AROA/a"}},
		{"an absent key", "${aws:username}/*", ctx{}, nil, []string{"", "/", "/a", "mateo/a"}},
		{"a default", "${aws:PrincipalTag/team, \\u0027none\\u0027}/*", ctx{}, []string{"none/a"}, []string{"/a", "red/a"}},
		{"a default that is not needed", "${aws:PrincipalTag/team,\\u0027none\\u0027}/*", ctx{"aws:principaltag/team": {"red"}}, []string{"red/a"}, []string{"none/a"}},
		{"a default is no pattern", "${aws:PrincipalTag/team, \\u0027*\\u0027}/*", ctx{}, []string{"*/a"}, []string{"red/a"}},
		{"several values are no value", "${aws:TagKeys}/*", ctx{"aws:tagkeys": {"a", "b"}}, nil, []string{"a/x", "b/x", "ab/x"}},
		{"nor is the default then", "${aws:TagKeys, \\u0027none\\u0027}/*", ctx{"aws:tagkeys": {"a", "b"}}, nil, []string{"a/x", "none/x"}},
		{"escaped characters", "a${*}b${?}c${$}{d}", ctx{}, []string{"a*b?c${d}"}, []string{"axbyc${d}", "a*b?c"}},
		{"a dollar alone", "a$b$", ctx{}, []string{"a$b$"}, []string{"ab"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := policyOf(t, Identity, `{'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:s3:::home/`+tt.resource+`'}`)
			check := func(keys []string, want bool) {
				for _, key := range keys {
					r := userRequest()
					r.Context, r.Resource = tt.context, "arn:aws:s3:::home/"+key
					if got := Evaluate(r, &Policies{Identity: []Named{p}}).Allowed; got != want {
						t.Errorf("%q allowed: %v", key, got)
					}
				}
			}
			check(tt.allowed, true)
			check(tt.refused, false)
		})
	}
	t.Run("in conditions", func(t *testing.T) {
		same := Values{"a:k": {"Red"}, "a:l": {"Red"}, "a:m": {"arn:aws:s3:::b"}}
		other := Values{"a:k": {"Red"}, "a:l": {"blue"}, "a:m": {"arn:aws:s3:::c"}, "a:n": {"arn:aws:s3:::b"}}
		for _, condition := range []string{
			`'StringEquals': {'a:k': '${a:l}'}`, `'StringLike': {'a:k': '${a:l}*'}`, `'StringEqualsIgnoreCase': {'a:k': '${a:l}'}`,
		} {
			if !applies(t, condition, same) || applies(t, condition, other) || applies(t, condition, Values{"a:k": {"Red"}}) {
				t.Errorf("%s is not the same as the other key's value", condition)
			}
		}
		if c := `'ArnEquals': {'a:n': '${a:m}'}`; applies(t, c, other) || !applies(t, c, Values{"a:n": {"arn:aws:s3:::b"}, "a:m": {"arn:aws:s3:::b"}}) {
			t.Error("a lone variable does not stand for a whole ARN")
		}
		if c := `'Bool': {'a:k': '${a:l}'}`; !applies(t, c, Values{"a:k": {"TRUE"}, "a:l": {"true"}}) || applies(t, c, Values{"a:k": {"true"}, "a:l": {"false"}}) {
			t.Error("Bool does not follow its variable")
		}
	})
	t.Run("not before 2012-10-17", func(t *testing.T) {
		old := Named{"old", mustParse(t, Identity, quoted(`{'Statement': {'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:s3:::home/${aws:username}'}}`))}
		for key, want := range map[string]bool{"mateo": false, "${aws:username}": true} {
			r := userRequest()
			r.Resource = "arn:aws:s3:::home/" + key
			if got := Evaluate(r, &Policies{Identity: []Named{old}}).Allowed; got != want {
				t.Errorf("%q allowed: %v", key, got)
			}
		}
	})
}
