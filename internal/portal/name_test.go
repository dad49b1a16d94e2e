package portal

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSessionName(t *testing.T) {
	for user, want := range map[string]string{
		"mateo": "mateo", "mateo@example.com": "mateo@example.com", "a+b=c,d.e-f_g": "a+b=c,d.e-f_g", strings.Repeat("x", 64): strings.Repeat("x", 64),
		"mateo jackson": "mateo-jackson-", "zoë": "zo--", "x": "x-", strings.Repeat("x", 65): strings.Repeat("x", 47) + "-", "": "-", "a/b:c*": "a-b-c--",
	} {
		got := sessionName(user, "id")
		if strings.HasSuffix(want, "-") {
			if !strings.HasPrefix(got, want) || len(got) != len(want)+16 {
				t.Errorf("%q: %q, want %q and a digest", user, got, want)
			}
			continue
		}
		if got != want {
			t.Errorf("%q: %q, want %q", user, got, want)
		}
	}
}

var stsName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{2,64}$`)

// Two people never share the name of their sessions, and STS would take every name.
func TestSessionNamesAreApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOfN(rapid.RuneFrom([]rune("ab@. /é:*-")), 0, 80, -1)
		a, b := name.Draw(t, "a"), name.Draw(t, "b")
		one, two := sessionName(a, "id of a"), sessionName(b, "id of b")
		if !stsName.MatchString(one) {
			t.Fatalf("%q becomes %q", a, one)
		}
		if a != b && one == two {
			t.Fatalf("%q and %q are both %q", a, b, one)
		}
	})
}
