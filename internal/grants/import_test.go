package grants_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/wire"
)

// TestImportIsWhatIsReadBack: what batches make, with lines that are there already or come twice, is in memory what a start reads from the
// database.
func TestImportIsWhatIsReadBack(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		ana, red := h.person("ana"), h.group("red")
		application := h.application("dataapp")
		c := h.role(owner, "App", allow("s3:*", "*"))
		imports := &grants.ImportService{Service: h.Service, Finder: findsNobody{}}
		line := rapid.Custom(func(rt *rapid.T) lakegate.GrantImport {
			l := lakegate.GrantImport{
				GranteeType: "DIRECTORY_USER", Grantee: ana, Permission: rapid.SampledFrom([]lakegate.AccessRequestPermission{"READ", "WRITE", "READWRITE"}).Draw(rt, "permission"),
				Scope: fmt.Sprintf("s3://lake/%s%d%s", rapid.SampledFrom([]string{"", "team/", "${user.name}/"}).Draw(rt, "folder"), rapid.IntRange(0, 9).Draw(rt, "n"), rapid.SampledFrom([]string{"", "*", "/*", "/**"}).Draw(rt, "stars")),
			}
			if rapid.Bool().Draw(rt, "group") {
				l.GranteeType, l.Grantee = "DIRECTORY_GROUP", red
			}
			if rapid.IntRange(0, 3).Draw(rt, "through an application") == 0 {
				l.ApplicationArn = &application
			}
			if rapid.IntRange(0, 3).Draw(rt, "object") == 0 {
				l.S3PrefixType, l.Scope = new(lakegate.GrantPrefixTypeObject), "s3://lake/team/object"
			}
			if rapid.IntRange(0, 3).Draw(rt, "terms") == 0 {
				l.Tags = []lakegate.GrantTag{{Key: grants.TagReason, Value: "audit"}, {Key: grants.TagNotAfter, Value: "2030-01-01T00:00:00Z"}, {Key: "team", Value: "red"}}
			}
			return l
		})
		rapid.Check(t, func(rt *rapid.T) {
			lines := rapid.SliceOfN(line, 1, 70).Draw(rt, "lines")
			for i := range lines {
				lines[i].Line = i + 1
			}
			out, err := imports.ImportAccessGrants(h.admin(owner), &lakegate.ImportAccessGrantsInput{AccountId: owner, Grants: lines, OnError: new(lakegate.GrantImportOnErrorSKIP)})
			if err != nil {
				rt.Fatal(err)
			}
			made := 0
			for _, r := range out.Results {
				switch {
				case r.AccessGrantId != nil:
					made++
				case r.Exists == nil && r.ErrorCode == nil:
					rt.Fatalf("line %d: neither made nor there nor bad", r.Line)
				}
			}
			if made != out.Made {
				rt.Fatalf("%d made, of which %d are told", out.Made, made)
			}
			// What somebody gets is decided in memory: by the grants as they came, and then as they are stored.
			seen := func() (all []string) {
				for n := range 10 {
					for _, target := range []string{fmt.Sprintf("s3://lake/%d/*", n), fmt.Sprintf("s3://lake/team/%d/*", n), fmt.Sprintf("s3://lake/ana/%d/*", n), "s3://lake/team/object"} {
						for _, p := range []s3control.Permission{s3control.PermissionREAD, s3control.PermissionREADWRITE} {
							for _, through := range []string{"", application} {
								out, err := h.ask(h.enhanced(c, ana, through), target, p)
								if err != nil {
									all = append(all, err.Error())
								} else {
									all = append(all, *out.MatchedGrantTarget)
								}
							}
						}
					}
				}
				return all
			}
			before := seen()
			h.reopen()
			imports.Service = h.Service
			if diff := cmp.Diff(before, seen()); diff != "" {
				rt.Fatalf("read anew (-before +after):\n%s", diff)
			}
			if !slices.ContainsFunc(before, func(s string) bool { return len(s) > 5 && s[:5] == "s3://" }) && made > 20 {
				rt.Fatal("nobody gets anything")
			}
		})
	})
}

// A batch is as large as what the trail keeps whole: with more, nothing of it is made.
func TestImportIsBounded(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		ana := h.person("ana")
		imports := &grants.ImportService{Service: h.Service, Finder: findsNobody{}}
		in := &lakegate.ImportAccessGrantsInput{AccountId: owner}
		for n := range 250 {
			in.Grants = append(in.Grants, lakegate.GrantImport{
				Line: n + 1, GranteeType: "DIRECTORY_USER", Grantee: ana, Permission: "READ", Scope: fmt.Sprintf("s3://lake/%d/%s/*", n, strings.Repeat("x", 600)),
			})
		}
		if _, err := imports.ImportAccessGrants(h.admin(owner), in); err == nil || !strings.Contains(err.Error(), "98304 bytes") {
			t.Errorf("%v", err)
		}
		in.Grants = in.Grants[:100]
		if out := must(imports.ImportAccessGrants(h.admin(owner), in)); out.Made != 100 {
			t.Errorf("%d made", out.Made)
		}
		in.Grants = in.Grants[:0]
		for n := range 250 {
			in.Grants = append(in.Grants, lakegate.GrantImport{Line: n + 1, GranteeType: "DIRECTORY_USER", Grantee: ana, Permission: "READ", Scope: fmt.Sprintf("s3://lake/%d/*", n), Tags: []lakegate.GrantTag{{Key: "team", Value: "red"}, {Key: grants.TagReason, Value: "audit"}}})
		}
		if out := must(imports.ImportAccessGrants(h.admin(owner), in)); out.Made != 250 {
			t.Errorf("%d made", out.Made)
		}
		text := string(must(json.Marshal(wire.Parameters(in))))
		if !strings.Contains(text, "s3://lake/249/*") || strings.Contains(text, "…") || len(text) > 100<<10 {
			t.Errorf("the trail is given %d bytes: %.300s", len(text), text)
		}
	})
}
