package grants

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/scope"
)

// The reference of what terms mean, from the texts of scopes and the words of docs/matching.md: no index, no expansion by
// scope, no order of probing.

// refForms are the texts that a grant is for the asker.
func refForms(g *Grant, q *Question) (texts []string) {
	usable := func(v string) bool {
		return v != "" && v != "." && !strings.Contains(v, "..") && !strings.ContainsAny(v, `/\*?$%{}`)
	}
	if !strings.Contains(g.Text, "${") {
		return []string{g.Text}
	}
	text := g.Text
	for name, v := range map[string]string{"${user.name}": q.Names.User, "${user.id}": q.User} {
		if strings.Contains(text, name) {
			if !usable(v) {
				return nil
			}
			text = strings.ReplaceAll(text, name, v)
		}
	}
	if !strings.Contains(text, "${group.name}") {
		return []string{text}
	}
	for _, id := range q.Groups {
		if v, ok := q.Names.Group(id); ok && usable(v) {
			texts = append(texts, strings.ReplaceAll(text, "${group.name}", v))
		}
	}
	return texts
}

func refInForce(t *Terms, now time.Time) bool {
	return t == nil || (t.NotBefore.IsZero() || now.Unix() >= t.NotBefore.Unix()) && (t.NotAfter.IsZero() || now.Unix() < t.NotAfter.Unix())
}

func refMine(g *Grant, q *Question) bool {
	mine := g.Grantee.Type == IAM && g.Grantee.ID == q.Principal || g.Grantee.Type == DirectoryUser && q.User != "" && g.Grantee.ID == q.User ||
		g.Grantee.Type == DirectoryGroup && slices.Contains(q.Groups, g.Grantee.ID)
	return mine && g.Account == owner && (g.Grantee.Type == IAM || g.Application == "" || g.Application == q.Application)
}

var readish = []string{"s3:GetObject", "s3:ListBucket", "s3:GetObjectTagging"}

// refHas reports whether actions have one for each half of a permission.
func refHas(actions []string, p Permission) bool {
	reads := slices.ContainsFunc(actions, func(a string) bool { return slices.Contains(readish, a) })
	writes := slices.ContainsFunc(actions, func(a string) bool { return !slices.Contains(readish, a) })
	return (p == Write || reads) && (p == Read || writes)
}

func refTerms(all []*Grant, q *Question, text string, object bool) (id, form string, denied bool) {
	var best *Grant
	rank := func(g *Grant) []int {
		bounded := 0
		if q.Action == "" && g.Terms != nil && g.Terms.Actions != nil {
			bounded = 1
		}
		wider := 0
		if g.Permission != q.Permission {
			wider = 1
		}
		return []int{bounded, -refLength(g), wider, map[GranteeType]int{DirectoryUser: 0, DirectoryGroup: 1, IAM: 2}[g.Grantee.Type], int(g.Created.Unix())}
	}
	for _, g := range all {
		if !refMine(g, q) || !refInForce(g.Terms, q.Now) {
			continue
		}
		var actions []string
		deny := false
		if g.Terms != nil {
			actions, deny = g.Terms.Actions, g.Terms.Deny
		}
		if deny {
			parts := g.Permission == q.Permission || g.Permission == ReadWrite || q.Permission == ReadWrite
			isRead := slices.Contains(readish, q.Action)
			hit := q.Action == "" && actions == nil && parts ||
				q.Action != "" && (slices.Contains(actions, q.Action) || actions == nil && (g.Permission == ReadWrite || (g.Permission == Read) == isRead))
			denied = denied || hit && refCovers(g, text, object)
			continue
		}
		if g.Permission != q.Permission && g.Permission != ReadWrite {
			continue
		}
		switch {
		case q.Action == "" && actions != nil && !refHas(actions, q.Permission), q.Action != "" && actions != nil && !slices.Contains(actions, q.Action),
			q.Action != "" && actions == nil && strings.HasSuffix(q.Action, "Tagging"):
			continue
		}
		for _, t := range refForms(g, q) {
			f := *g
			f.Text = t
			if !refCovers(&f, text, object) {
				continue
			}
			if best == nil || cmp.Or(slices.Compare(rank(&f), rank(best)), strings.Compare(f.ID, best.ID)) < 0 {
				best = &f
			}
		}
	}
	if best == nil {
		return "", "", denied
	}
	return best.ID, best.Text, denied
}

func anyTerms(t *rapid.T, g *Grant) {
	if rapid.IntRange(0, 2).Draw(t, "plain") == 0 {
		return
	}
	second := func(label string) time.Time {
		if n := rapid.IntRange(0, 4).Draw(t, label); n > 0 {
			return noon.Add(time.Duration(n) * time.Second)
		}
		return time.Time{}
	}
	terms := &Terms{NotBefore: second("begin"), NotAfter: second("end"), Deny: rapid.IntRange(0, 3).Draw(t, "deny") == 0}
	if rapid.Bool().Draw(t, "bounded") {
		for _, a := range []string{"s3:GetObject", "s3:ListBucket", "s3:GetObjectTagging", "s3:PutObject", "s3:DeleteObject"} {
			within := slices.Contains(readish, a) && g.Permission != Write || !slices.Contains(readish, a) && g.Permission != Read
			if within && rapid.Bool().Draw(t, a) {
				terms.Actions = append(terms.Actions, a)
			}
		}
	}
	g.Terms = terms
	if !terms.Deny && g.Grantee.Type != IAM && rapid.Bool().Draw(t, "variable") {
		g.Object = false
		bucket, _, _ := strings.Cut(strings.TrimPrefix(g.Text, "s3://"), "/")
		g.Text = "s3://" + bucket + "/" + rapid.SampledFrom([]string{
			"${user.name}/*", "a/${user.name}/", "${group.name}/b*", "a/${group.name}/*", "${user.id}/*", "${group.name}/${user.name}/*", "a/${user.name}",
		}).Draw(t, "template")
	}
}

func TestTermsMatchTheReference(t *testing.T) {
	values := []string{"a", "b", "ab", "", "*", "a/b", "..", "${user.id}", "a*"}
	rapid.Check(t, func(t *rapid.T) {
		r := &Registry{index: newIndex()}
		var all []*Grant
		for i := range rapid.IntRange(1, 40).Draw(t, "grants") {
			if len(all) > 0 && rapid.IntRange(0, 4).Draw(t, "remove") == 0 {
				at := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				r.drop(all[at])
				all = slices.Delete(all, at, at+1)
				continue
			}
			g := anyGrant(t, i, 2)
			anyTerms(t, g)
			var err error
			if g.Scope, err = scope.ParseTemplate(g.Text, g.Object); err != nil {
				t.Fatal(err)
			}
			r.keep(g)
			all = append(all, g)
		}
		for range 8 {
			q, text, object := anyQuestion(t, 2)
			names := map[string]string{}
			for i := range 3 {
				names[fmt.Sprint("g", i)] = rapid.SampledFrom(values).Draw(t, "group's name")
			}
			q.Names = Names{User: rapid.SampledFrom(values).Draw(t, "name"), Group: func(id string) (string, bool) { n, ok := names[id]; return n, ok }}
			q.Now = noon.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "now")) * 500 * time.Millisecond)
			if q.Permission != ReadWrite && rapid.Bool().Draw(t, "one action") {
				q.Action = rapid.SampledFrom(map[Permission][]string{Read: readish, Write: {"s3:PutObject", "s3:DeleteObject", "s3:PutObjectTagging"}}[q.Permission]).Draw(t, "action")
			}
			var err error
			if q.Target, err = scope.ParseTarget(text, object); err != nil {
				t.Fatal(err)
			}
			wantID, wantText, wantDenied := refTerms(all, q, text, object)
			id, form := "", ""
			if g := r.match(owner, q); g != nil {
				id, form = g.ID, g.Text
				if !g.Scope.Covers(q.Target) || g.Scope.HasVariables() {
					t.Fatalf("%s does not cover %s", g.Text, text)
				}
			} else {
				r.miss(owner, q)
			}
			if d := r.denial(owner, q); id != wantID || form != wantText || (d != nil) != wantDenied {
				t.Fatalf("%+v on %s (object %t): got %q %s, denied by %+v; want %q %s, %t", q, text, object, id, form, d, wantID, wantText, wantDenied)
			}
		}
		for _, g := range all {
			r.drop(g)
		}
		if len(r.homes.at)+len(r.denials.at) != 0 || r.homes.n.Load()+r.denials.n.Load()+r.bounded.Load() != 0 {
			t.Fatal("grants are kept that are gone")
		}
	})
}
