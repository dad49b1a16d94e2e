package wire

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestBrokenConstraints reads as the list of what is held against the model, with the words that AWS has for it.
func TestBrokenConstraints(t *testing.T) {
	one := func(value, at, constraint string) string {
		return fmt.Sprintf("1 validation error detected: Value %s at '%s' failed to satisfy constraint: %s", value, at, constraint)
	}
	for _, test := range []struct {
		members string
		want    string
	}{
		{`"Name":"abcdefgh"`, ""},
		{`"Name":"éééééééé"`, ""},
		{`"Name":""`, "2 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
			"Value '' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zé]+"},
		{`"Name":"abcdefghi"`, one("'abcdefghi'", "name", "Member must have length less than or equal to 8")},
		{`"Name":"abc!"`, one("'abc!'", "name", "Member must satisfy regular expression pattern: [a-zé]+")},
		{`"Name":"abc\n"`, one("'abc\n'", "name", "Member must satisfy regular expression pattern: [a-zé]+")},
		{`"Count":0`, one("'0'", "count", "Member must have value greater than or equal to 1")},
		{`"Count":1`, ""},
		{`"Count":10`, ""},
		{`"Count":11`, one("'11'", "count", "Member must have value less than or equal to 10")},
		{`"Color":"GREEN"`, one("'GREEN'", "color", "Member must satisfy enum value set: [RED, BLUE]")},
		{`"Color":"red"`, one("'red'", "color", "Member must satisfy enum value set: [RED, BLUE]")},
		{`"Secret":"abc"`, one("'***'", "secret", "Member must have length greater than or equal to 4")},
		{`"Data":"YWJjZA=="`, ""},
		{`"Data":"YWJjZGU="`, one("<blob>", "data", "Member must have length less than or equal to 4")},
		{`"Tags":[]`, ""},
		{`"Tags":[{"Key":"a"},{"Key":"b"},{"Key":"c"},{"Key":"d"}]`, one("<list>", "tags", "Member must have length less than or equal to 3")},
		{`"Tags":[{"Key":"a"},{"Key":"abcde"}]`, one("'abcde'", "tags.2.member.key", "Member must have length less than or equal to 4")},
		{`"Tags":[{"Key":"a"},{"Value":"b"}]`, one("null", "tags.2.member.key", "Member must not be null")},
		{`"Tags":[{"Key":null}]`, one("null", "tags.1.member.key", "Member must not be null")},
		{`"Words":["123456789"]`, one("'123456789'", "words.1.member", "Member must have length less than or equal to 8")},
		{`"Labels":{"abcde":"a"}`, one("'abcde'", "labels.abcde.key", "Member must have length less than or equal to 4")},
		{`"Labels":{"a":"abcde"}`, one("'abcde'", "labels.a.value", "Member must have length less than or equal to 4")},
		{`"Labels":{"a":"","b":"","c":""}`, one("<map>", "labels", "Member must have length less than or equal to 2")},
		{`"Choice":{"Left":"a"}`, ""},
		{`"Choice":{}`, one("'[]'", "choice", "Member must have exactly one of the members [Left, Right]")},
		{`"Choice":{"Left":"a","Right":{"Key":"a"}}`, one("'[Left, Right]'", "choice", "Member must have exactly one of the members [Left, Right]")},
		{`"Choice":{"Middle":"a"}`, one("'[]'", "choice", "Member must have exactly one of the members [Left, Right]")},
		{`"Choice":{"Right":{}}`, one("null", "choice.right.key", "Member must not be null")},
		{`"Inner":{"Required":[]}`, one("null", "inner.name", "Member must not be null")},
		{`"Inner":{"Name":"a"}`, one("null", "inner.required", "Member must not be null")},
		{`"Inner":{"Name":"a","Required":[],"Inner":{"Name":"A","Required":[]}}`, one("'A'", "inner.inner.name", "Member must satisfy regular expression pattern: [a-zé]+")},
	} {
		if !strings.Contains(test.members, `"Name"`) || strings.HasPrefix(test.members, `"Inner"`) {
			test.members = `"Name":"a",` + test.members
		}
		_, err := decode(t, JSON, `{"Required":[],`+test.members+`}`)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.members, err)
		case test.want != "" && err == nil:
			t.Errorf("%s: accepted, want %s", test.members, test.want)
		case test.want != "":
			if e := AsError(err); e.Code != "ValidationException" || e.Status != 400 || e.Message != test.want {
				t.Errorf("%s:\n got %d %s %s\nwant %s", test.members, e.Status, e.Code, e.Message, test.want)
			}
		}
	}
}

func TestMessagesOfBrokenConstraintsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"Name":"` + strings.Repeat("x", 1<<20) + `","Required":[],"Words":["`)
	b.WriteString(strings.Repeat(`012345678","`, 50_000) + `"]}`)
	_, err := decode(t, JSON, b.String())
	if err == nil {
		t.Fatal("accepted")
	}
	message := AsError(err).Message
	if !strings.HasPrefix(message, "50002 validation errors detected: ") || len(message) > 4<<10 {
		t.Errorf("a message of %d bytes: %.100s", len(message), message)
	}
}

func TestSecretsAreNotEchoed(t *testing.T) {
	for _, body := range []string{
		`{"Secret":"xyz"}`, `{"Name":"a","Required":[],"Secret":"xyz"}`, `{"Secret":"xyz","Count":"xyz"`, `{"Secret":["xyz"]}`, `{"Secret":{"a":"xyz"}}`,
	} {
		w := serve(t, request(JSON, "Echo", body), body, "")
		if w.Code != 400 || strings.Contains(w.Body.String(), "xyz") {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

// TestPatternsThatRE2CannotRead holds the checks that are written by hand against what the patterns mean.
func TestPatternsThatRE2CannotRead(t *testing.T) {
	const (
		duration = `(-?)P(?=\d|T\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)([DW]))?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?`
		alias    = `^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`
		line     = `[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*`
		lines    = `[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*`
		someText = `[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]+`
	)
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{duration, "PT1H", true}, {duration, "P1D", true}, {duration, "P1Y2M3DT4H5M6.7S", true}, {duration, "-P2W", true}, {duration, "PT12H", true},
		{duration, "P", false}, {duration, "PT", false}, {duration, "P1DT", true}, {duration, "1D", false}, {duration, "PT1H ", false}, {duration, "P1H", false}, {duration, "", false},
		{alias, "abc", true}, {alias, "a-b", true}, {alias, "a-b-c", true}, {alias, "a--b", false}, {alias, "-ab", false}, {alias, "ab-", false}, {alias, "ab", false}, {alias, "Abc", false},
		{alias, strings.Repeat("a", 63), true}, {alias, strings.Repeat("a", 64), false},
		{line, "", true}, {line, "a\tb é 😀 \uFFFD", true}, {line, "a\nb", false}, {line, "\x00", false}, {line, "\uFFFE", false},
		{lines, "a\r\n\tb", true}, {lines, "\x0b", false}, {lines, "", true},
		{someText, "", false}, {someText, "a\n", true}, {someText, "\x1f", false},
		{`[a-c]|x`, "a", true}, {`[a-c]|x`, "ax", false}, {`^\d{12}$`, "123456789012\n", false}, {`[\u0041-\u0043]+`, "ABC", true}, {`[\u0041-\u0043]+`, "u0041", false},
	} {
		shape := &Shape{Pattern: test.pattern}
		if got := shape.Matches(test.text); got != test.want {
			t.Errorf("%q against %s: %t", test.text, test.pattern, got)
		}
	}
}

// TestTextsAgainstTheModelOfTexts compares the validator with the sentence that it implements.
func TestTextsAgainstTheModelOfTexts(t *testing.T) {
	pattern := regexp.MustCompile(`^[a-zé]+$`)
	shape := shapesOfThing()["Name"]
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zé]{0,10}`)).Draw(t, "text")
		v := &validator{m: &ServiceModel{}}
		v.text(shape, s, false, &path{name: "x"})
		n := utf8.RuneCountInString(s)
		want := 0
		for _, broken := range []bool{n < 1, n > 8, !pattern.MatchString(s)} {
			if broken {
				want++
			}
		}
		if v.count != want {
			t.Fatalf("%q: %d problems, want %d: %q", s, v.count, want, v.problems)
		}
	})
}
