package scope_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/scope"
)

func TestParseTemplate(t *testing.T) {
	for text, want := range map[string][]string{
		"s3://lake/home/${user.name}/*":                     {"user.name"},
		"s3://lake/${user.id}/":                             {"user.id"},
		"s3://lake/${group.name}/${user.name}/${user.name}": {"group.name", "user.name"},
		"s3://lake/red/*":                                   nil,
	} {
		s, err := scope.ParseTemplate(text, false)
		if err != nil || !slices.Equal(s.Variables(), want) || s.HasVariables() != (want != nil) {
			t.Errorf("%s: %v, %v", text, s.Variables(), err)
		}
	}
	for _, text := range []string{
		"s3://${user.name}/x", "s3://lake/${user.name}*", "s3://lake/x${user.name}/*", "s3://lake/${user.name}x/", "s3://lake/${user}/", "s3://lake/${User.Name}/", "s3://lake/${}/",
		"s3://lake/${user.name/x}", "s3://lake/$${user.name}/x", "s3://lake/${user.name}${user.id}/x", "s3://lake/${${user.name}}/x",
	} {
		if s, err := scope.ParseTemplate(text, false); !errors.Is(err, scope.ErrMalformed) {
			t.Errorf("%s is %+v, %v", text, s, err)
		}
	}
}

// A filled scope is the literal one of its text, in as many segments as were written, and each variable's value is one of
// them.
func TestFillStaysInItsSegment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := "s3://lake/" + rapid.SampledFrom([]string{"home/${user.name}/*", "${group.name}/", "a/${user.id}/${user.name}", "${user.name}/b*"}).Draw(t, "template")
		any := rapid.OneOf(rapid.StringOf(rapid.SampledFrom([]rune("ab./*$%{} \\?"))), rapid.String())
		values := map[string]string{scope.UserName: any.Draw(t, "name"), scope.UserID: any.Draw(t, "id"), scope.GroupName: any.Draw(t, "group")}
		template, err := scope.ParseTemplate(text, false)
		if err != nil {
			t.Fatal(err)
		}
		got, err := template.Fill(values)
		for _, name := range template.Variables() {
			v := values[name]
			if bad := v == "" || strings.ContainsAny(v, `/*?$\`) || strings.Contains(v, ".."); bad && err == nil {
				t.Fatalf("%q fills %s", v, text)
			}
			text = strings.ReplaceAll(text, "${"+name+"}", v)
		}
		if err != nil {
			return
		}
		want, err := scope.ParseGrant(text, false)
		if err != nil || got != want || strings.Count(got.Prefix, "/") != strings.Count(template.Prefix, "/") {
			t.Fatalf("%s: %+v, want %+v, %v", text, got, want, err)
		}
	})
}
