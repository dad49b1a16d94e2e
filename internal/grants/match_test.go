package grants

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/scope"
)

const owner = "111111111111"

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func parsed(t testing.TB, id, text string, object bool, who Grantee, p Permission) *Grant {
	t.Helper()
	s, err := scope.ParseGrant(text, object)
	if err != nil {
		t.Fatal(err)
	}
	return &Grant{Account: owner, ID: id, Text: text, Scope: s, Object: object, Grantee: who, Permission: p, Created: noon}
}

func target(t testing.TB, text string, object bool) scope.Target {
	t.Helper()
	at, err := scope.ParseTarget(text, object)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

var (
	userU  = Grantee{DirectoryUser, "U"}
	groupG = Grantee{DirectoryGroup, "G"}
	groupH = Grantee{DirectoryGroup, "H"}
	roleR  = Grantee{IAM, "arn:aws:iam::111111111111:role/R"}
)

// The winner of a question, grant by grant as they are written. A grant is "<grantee> <permission> <scope>[ object][ app=A]",
// and the winner is told by its place.
func TestWhichGrantWins(t *testing.T) {
	const nobody = -1
	for _, tt := range []struct {
		name   string
		grants []string
		target string
		asked  Permission
		want   int
	}{
		{"the scope itself", []string{"U READ s3://lake/bob/*"}, "s3://lake/bob/*", Read, 0},
		{"a part of the scope", []string{"U READ s3://lake/bob/*"}, "s3://lake/bob/images/*", Read, 0},
		{"the folder's own key", []string{"U READ s3://lake/bob/*"}, "s3://lake/bob/", Read, 0},
		{"one key", []string{"U READ s3://lake/bob/reports/*"}, "s3://lake/bob/reports/file.txt", Read, 0},
		{"more than the scope", []string{"U READ s3://lake/p/*"}, "s3://lake/*", Read, nobody},
		{"the folder without its slash", []string{"U READ s3://lake/p/*"}, "s3://lake/p", Read, nobody},
		{"matching is by characters", []string{"U READ s3://lake/p*"}, "s3://lake/pq/x", Read, 0},
		{"a bucket, for a list without a prefix", []string{"U READ s3://lake/*"}, "s3://lake", Read, 0},
		{"a bucket whose name goes on", []string{"U READ s3://lake/*"}, "s3://lake2/x", Read, nobody},
		{"a bucket whose name goes on, bare scope", []string{"U READ s3://lake"}, "s3://lake2/x", Read, nobody},
		{"no grant at all", nil, "s3://lake/x", Read, nobody},
		{"stars that piled up", []string{"U READ s3://lake/**"}, "s3://lake/k", Read, 0},
		{"an object with a star in its name", []string{"U READ s3://lake/a*b object"}, "s3://lake/axb", Read, nobody},
		{"an object with a star in its name, asked for", []string{"U READ s3://lake/a*b object"}, "s3://lake/a*b", Read, 0},
		{"an object with a star at its end is no prefix", []string{"U READ s3://lake/a* object"}, "s3://lake/ab", Read, nobody},
		{"all that begins with an object's name", []string{"U READ s3://lake/a object"}, "s3://lake/a*", Read, nobody},

		{"less than the permission", []string{"U READWRITE s3://lake/p/*"}, "s3://lake/p/k", Read, 0},
		{"more than the permission", []string{"U READ s3://lake/users*"}, "s3://lake/users*", ReadWrite, nobody},
		{"another permission", []string{"U READ s3://lake/p/*"}, "s3://lake/p/k", Write, nobody},
		{"permissions do not add up", []string{"U READ s3://lake/p/*", "U WRITE s3://lake/p/*"}, "s3://lake/p/k", ReadWrite, nobody},

		{"the person's is narrower than the role's", []string{"R READ s3://lake/bob/*", "U READ s3://lake/bob/images/*"}, "s3://lake/bob/images/1.jpeg", Read, 1},
		{"the role's is narrower than the person's", []string{"R READ s3://lake/bob/images/*", "U READ s3://lake/bob/*"}, "s3://lake/bob/images/1.jpeg", Read, 0},
		{"the narrowest that permits it", []string{"G READWRITE s3://lake/*", "U READ s3://lake/p/*"}, "s3://lake/p/k", ReadWrite, 0},
		{"the narrowest", []string{"G READWRITE s3://lake/*", "U READ s3://lake/p/*"}, "s3://lake/p/k", Read, 1},
		{"one key is narrower than what begins like it", []string{"U READ s3://lake/k*", "U READ s3://lake/k"}, "s3://lake/k", Read, 1},
		{"narrowness comes before the exact permission", []string{"U READ s3://lake/*", "U READWRITE s3://lake/p/*"}, "s3://lake/p/k", Read, 1},
		{"the exact permission comes before the wider", []string{"U READWRITE s3://lake/p/*", "U READ s3://lake/p/*"}, "s3://lake/p/k", Read, 1},
		{"the exact permission comes before the kind of grantee", []string{"U READWRITE s3://lake/p/*", "R READ s3://lake/p/*"}, "s3://lake/p/k", Read, 1},
		{"a user before a group", []string{"G READ s3://lake/p/*", "U READ s3://lake/p/*"}, "s3://lake/p/k", Read, 1},
		{"a group before a role", []string{"R READ s3://lake/p/*", "G READ s3://lake/p/*"}, "s3://lake/p/k", Read, 1},
		{"the oldest", []string{"H READ s3://lake/p/*", "G READ s3://lake/p/*"}, "s3://lake/p/k", Read, 0},
		{"scopes that are spelt differently are the same", []string{"G READ s3://lake/p/", "U READ s3://lake/p/**"}, "s3://lake/p/k", Read, 1},

		{"somebody else's", []string{"V READ s3://lake/p/*"}, "s3://lake/p/k", Read, nobody},
		{"a group that the person is not in", []string{"I READ s3://lake/p/*"}, "s3://lake/p/k", Read, nobody},
		{"through the application", []string{"U READ s3://lake/p/* app=A"}, "s3://lake/p/k", Read, 0},
		{"through another application", []string{"U READ s3://lake/p/* app=B"}, "s3://lake/p/k", Read, nobody},
		{"a wider one, as the narrower is for another application", []string{"U READ s3://lake/p/* app=B", "U READ s3://lake/*"}, "s3://lake/p/k", Read, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newIndex()
			for i, text := range tt.grants {
				f := strings.Fields(text)
				who := map[string]Grantee{"U": userU, "G": groupG, "H": groupH, "R": roleR, "V": {DirectoryUser, "V"}, "I": {DirectoryGroup, "I"}}[f[0]]
				g := parsed(t, fmt.Sprint(i), f[2], slices.Contains(f, "object"), who, Permission(f[1]))
				g.Created = noon.Add(time.Duration(i) * time.Second)
				if last := f[len(f)-1]; strings.HasPrefix(last, "app=") {
					g.Application = last[4:]
				}
				x.add(g)
			}
			q := &Question{User: "U", Groups: []string{"G", "H"}, Principal: roleR.ID, Application: "A", Target: target(t, tt.target, false), Permission: tt.asked}
			got := nobody
			if g := x.Match(owner, q); g != nil {
				fmt.Sscan(g.ID, &got)
			}
			if got != tt.want {
				t.Errorf("got %d, want %d (%s)", got, tt.want, q.miss(x, owner))
			}
			if g := x.Match("333333333333", q); g != nil {
				t.Errorf("the instance of another account answers with %s", g.ID)
			}
		})
	}
}

// A plain session of the role has the role's grants and nobody's else, also where a person and a group have the empty id.
func TestNobodyIsAnEmptyName(t *testing.T) {
	x := newIndex()
	for i, who := range []Grantee{userU, groupG, {DirectoryUser, ""}, {DirectoryGroup, ""}, {IAM, ""}, {IAM, "U"}, {DirectoryUser, roleR.ID}} {
		x.add(parsed(t, fmt.Sprint(i), "s3://lake/*", false, who, Read))
	}
	for what, q := range map[string]*Question{
		"nobody": {}, "a role": {Principal: roleR.ID}, "groups without a person": {Groups: []string{"", "G"}}, "an application": {Application: "A"},
	} {
		q.Target, q.Permission = target(t, "s3://lake/x", false), Read
		if g := x.Match(owner, q); g != nil {
			t.Errorf("%s gets the grant of %+v", what, g.Grantee)
		}
	}
}

func TestWhyNothingMatches(t *testing.T) {
	x := newIndex()
	x.add(parsed(t, "mine", "s3://lake/red/*", false, groupG, Read))
	bound := parsed(t, "bound", "s3://lake/app/*", false, userU, Read)
	bound.Application = "B"
	x.add(bound)
	x.add(parsed(t, "other", "s3://pond/*", false, Grantee{DirectoryUser, "V"}, Read))
	for _, tt := range []struct {
		target string
		asked  Permission
		want   string
	}{
		{"s3://pond/x", Read, "no grant on the bucket pond is for any identity of the caller"},
		{"s3://sea", Read, "no grant on the bucket sea is for any identity of the caller"},
		{"s3://lake/blue/x", Read, "the caller has grants on the bucket lake, none of which covers s3://lake/blue/x"},
		{"s3://lake/red/x", Write, "the grant mine covers s3://lake/red/x with READ, not with WRITE"},
		{"s3://lake/app/x", Read, "the grant bound covers s3://lake/app/x through the application B alone"},
	} {
		q := &Question{User: "U", Groups: []string{"G"}, Application: "A", Target: target(t, tt.target, false), Permission: tt.asked}
		if got := q.miss(x, owner); x.Match(owner, q) != nil || got != tt.want {
			t.Errorf("%s %s: %s", tt.asked, tt.target, got)
		}
	}
}

// The reference: no index, no shared code but the types. It says what the rules say, from the texts of scopes and targets.

func refCovers(g *Grant, text string, object bool) bool {
	scopeBucket, scopeKey, _ := strings.Cut(strings.TrimPrefix(g.Text, "s3://"), "/")
	bucket, key, _ := strings.Cut(strings.TrimPrefix(text, "s3://"), "/")
	if scopeBucket != bucket {
		return false
	}
	point := key
	wild := !object && strings.HasSuffix(key, "*")
	if wild {
		point = strings.TrimRight(key, "*")
	}
	isPrefix := !g.Object && (scopeKey == "" || strings.HasSuffix(scopeKey, "/") || strings.HasSuffix(scopeKey, "*"))
	if isPrefix {
		return strings.HasPrefix(point, strings.TrimRight(scopeKey, "*"))
	}
	return !wild && point != "" && point == scopeKey
}

func refLength(g *Grant) int {
	_, key, _ := strings.Cut(strings.TrimPrefix(g.Text, "s3://"), "/")
	if g.Object {
		return 2*len(key) + 1
	}
	stem := strings.TrimRight(key, "*")
	if stem == key && key != "" && !strings.HasSuffix(key, "/") {
		return 2*len(stem) + 1
	}
	return 2 * len(stem)
}

func refMatch(grants []*Grant, q *Question, text string, object bool) *Grant {
	var best *Grant
	rank := map[GranteeType]int{DirectoryUser: 0, DirectoryGroup: 1, IAM: 2}
	for _, g := range grants {
		mine := g.Grantee.Type == IAM && g.Grantee.ID == q.Principal ||
			g.Grantee.Type == DirectoryUser && g.Grantee.ID == q.User ||
			g.Grantee.Type == DirectoryGroup && slices.Contains(q.Groups, g.Grantee.ID)
		permitted := g.Permission == q.Permission || g.Permission == ReadWrite
		through := g.Grantee.Type == IAM || g.Application == "" || g.Application == q.Application
		if g.Account != owner || !mine || !permitted || !through || !refCovers(g, text, object) {
			continue
		}
		wider := func(g *Grant) int {
			if g.Permission != q.Permission {
				return 1
			}
			return 0
		}
		if best == nil || cmp.Or(
			refLength(best)-refLength(g), wider(g)-wider(best), rank[g.Grantee.Type]-rank[best.Grantee.Type],
			g.Created.Compare(best.Created), strings.Compare(g.ID, best.ID)) < 0 {
			best = g
		}
	}
	return best
}

// uuidOf is an id that the compact part of the index takes.
func uuidOf(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }

func idOf(g *Grant) string {
	if g == nil {
		return ""
	}
	return g.ID
}

// same compares all but the tags, which the index does not keep.
func same(a, b *Grant) bool {
	x, y := *a, *b
	x.Tags, y.Tags = nil, nil
	return reflect.DeepEqual(x, y)
}

// emptied fails if an index without grants keeps anything of those it had.
func emptied(t interface{ Fatalf(string, ...any) }, x *Index) {
	c := x.compact
	left := len(x.apart.shelves) + len(x.apart.byID) + len(c.places) + len(c.formOf) + len(c.forms.all) + len(c.floors.all) + len(c.tails.all) +
		len(c.crowds.all) + len(c.grantees.all) - 1 - len(c.grantees.free) + int(c.rows.n) + len(c.rows.pages)/2
	for i := range c.lists.classes {
		left += int(c.lists.classes[i].n)
	}
	for i := range c.texts.table.parts {
		left += c.texts.table.parts[i].n + c.ids.parts[i].n + len(c.ids.parts[i].places)
	}
	if held := len(c.texts.chunks) - len(c.texts.free); left != 0 || held > 1 {
		t.Fatalf("an empty index keeps %d things and %d chunks of texts: %+v", left, held, c)
	}
}

func anyKey(t *rapid.T, label string) string {
	return rapid.StringOfN(rapid.SampledFrom([]rune("ab/*")), 0, 4, -1).Draw(t, label)
}

func anyGrant(t *rapid.T, id int, people int) *Grant {
	key := anyKey(t, "scope")
	g := &Grant{
		Account: rapid.SampledFrom([]string{owner, owner, owner, "333333333333"}).Draw(t, "account"), ID: uuidOf(id),
		Text: "s3://" + rapid.SampledFrom([]string{"lake", "lake2"}).Draw(t, "bucket") + "/" + key, Object: key != "" && rapid.Bool().Draw(t, "object"),
		Permission: rapid.SampledFrom([]Permission{Read, Write, ReadWrite}).Draw(t, "permission"),
		Created:    noon.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "age")) * time.Second),
	}
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		g.Grantee = Grantee{IAM, rapid.SampledFrom([]string{"R", "S"}).Draw(t, "role")}
	case 1:
		g.Grantee = Grantee{DirectoryUser, fmt.Sprint("u", rapid.IntRange(0, people).Draw(t, "user"))}
	default:
		g.Grantee = Grantee{DirectoryGroup, fmt.Sprint("g", rapid.IntRange(0, people).Draw(t, "group"))}
	}
	if g.Grantee.Type != IAM {
		g.Application = rapid.SampledFrom([]string{"", "", "A", "B"}).Draw(t, "application")
	}
	return g
}

func anyQuestion(t *rapid.T, people int) (q *Question, text string, object bool) {
	key := anyKey(t, "target")
	text = "s3://" + rapid.SampledFrom([]string{"lake", "lake2"}).Draw(t, "target bucket")
	if key != "" || rapid.Bool().Draw(t, "slash") {
		text += "/" + key
	}
	object = key != "" && rapid.Bool().Draw(t, "object target")
	q = &Question{
		Principal: rapid.SampledFrom([]string{"R", "S"}).Draw(t, "principal"), Application: rapid.SampledFrom([]string{"A", "B"}).Draw(t, "through"),
		Permission: rapid.SampledFrom([]Permission{Read, Write, ReadWrite}).Draw(t, "asked"),
	}
	if rapid.Bool().Draw(t, "person") {
		q.User = fmt.Sprint("u", rapid.IntRange(0, people).Draw(t, "asker"))
		for i := range people + 1 {
			if rapid.Bool().Draw(t, "member") {
				q.Groups = append(q.Groups, fmt.Sprint("g", i))
			}
		}
		slices.Sort(q.Groups)
	}
	return q, text, object
}

func TestIndexMatchesTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := newIndex()
		var all []*Grant
		// Few people make ties; many make the piles turn into sets.
		people := rapid.SampledFrom([]int{2, 40}).Draw(t, "people")
		for i := range rapid.IntRange(1, 120).Draw(t, "steps") {
			if len(all) > 0 && rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
				at := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				x.remove(all[at])
				x.remove(all[at]) // once more changes nothing
				all = slices.Delete(all, at, at+1)
				continue
			}
			g := anyGrant(t, i, people)
			var err error
			if g.Scope, err = scope.ParseGrant(g.Text, g.Object); err != nil {
				t.Fatal(err)
			}
			x.add(g)
			all = append(all, g)
		}
		for range 8 {
			q, text, object := anyQuestion(t, people)
			var err error
			if q.Target, err = scope.ParseTarget(text, object); err != nil {
				t.Fatal(err)
			}
			got, want := x.Match(owner, q), refMatch(all, q, text, object)
			if idOf(got) != idOf(want) || got != nil && !same(got, want) {
				t.Fatalf("%+v on %s (object %t) through %d grants: got %+v, want %+v", q, text, object, len(all), got, want)
			}
			if got == nil {
				q.miss(x, owner)
			} else if !slices.ContainsFunc(x.covering(owner, q), func(g *Grant) bool { return g.ID == got.ID }) || !x.holds(owner, q) {
				t.Fatalf("the winner %+v is not among those that cover", got)
			}
		}
		for _, g := range all {
			x.remove(g)
		}
		emptied(t, x)
	})
}
