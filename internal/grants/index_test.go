package grants

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/scope"
)

// crowdOf makes grants at random on few scopes, so that rows become lists and lists crowds, and makes the way back.
type crowdOf struct {
	t   *testing.T
	r   *rand.Rand
	x   *Index
	all []*Grant
	n   int
}

func (c *crowdOf) grant() *Grant {
	c.n++
	pad := strings.Repeat("x", c.r.IntN(40)*c.r.IntN(40)) // so that chunks of texts fill up
	text := []string{"s3://lake/*", "s3://lake/a/*", "s3://lake/a/b*", "s3://lake/a/b", "s3://lake/a/" + pad + "/*", "s3://pond", "s3://lake/a/" + pad}[c.r.IntN(7)]
	s, err := scope.ParseGrant(text, false)
	if err != nil {
		c.t.Fatal(err)
	}
	who := Grantee{typeOf[c.r.IntN(3)], fmt.Sprint("who", c.r.IntN(1+c.r.IntN(4000)))}
	g := &Grant{
		Account: owner, ID: fmt.Sprintf("%08x-0000-4000-8000-%012x", c.r.Uint32(), c.n), Text: text, Scope: s, Grantee: who, LocationID: fmt.Sprint(c.r.IntN(3)),
		Permission: []Permission{Read, Write, ReadWrite}[c.r.IntN(3)], Created: noon.Add(time.Duration(c.r.IntN(5000)) * time.Millisecond),
	}
	if who.Type != IAM && c.r.IntN(3) == 0 {
		g.Application = []string{"A", "B"}[c.r.IntN(2)]
	}
	return g
}

func (c *crowdOf) ask() {
	q := &Question{
		User: fmt.Sprint("who", c.r.IntN(4000)), Principal: fmt.Sprint("who", c.r.IntN(4000)), Application: []string{"A", "B"}[c.r.IntN(2)],
		Permission: []Permission{Read, Write, ReadWrite}[c.r.IntN(3)],
	}
	for range c.r.IntN(1 + c.r.IntN(1000)) {
		q.Groups = append(q.Groups, fmt.Sprint("who", c.r.IntN(8000)))
	}
	slices.Sort(q.Groups)
	q.Groups = slices.Compact(q.Groups)
	text := []string{"s3://lake/a/b", "s3://lake/a/bc/d", "s3://lake/*", "s3://pond/x", "s3://lake/a/" + strings.Repeat("x", c.r.IntN(900)) + "/y"}[c.r.IntN(5)]
	q.Target = target(c.t, text, false)
	want := refMatch(c.all, q, text, false)
	for range 2 { // once more, when the asker is known
		if got := c.x.Match(owner, q); idOf(got) != idOf(want) || got != nil && !same(got, want) {
			c.t.Fatalf("%s on %s with %d groups through %d grants: got %+v, want %+v", q.Permission, text, len(q.Groups), len(c.all), got, want)
		}
	}
	var mine []string
	for _, g := range c.all {
		if refCovers(g, text, false) && q.is(g.Grantee) {
			mine = append(mine, g.ID)
		}
	}
	var got []string
	for _, g := range c.x.covering(owner, q) {
		got = append(got, g.ID)
	}
	slices.Sort(mine)
	if slices.Sort(got); !slices.Equal(got, mine) {
		c.t.Fatalf("%d grants cover, want %d", len(got), len(mine))
	}
}

// What is found stays the same while scopes grow to thousands of grants and shrink again, and nothing is left in the end.
func TestCrowdsMatchTheReference(t *testing.T) {
	c := &crowdOf{t: t, r: rand.New(rand.NewPCG(3, 4)), x: newIndex()}
	for _, size := range []int{3000, 200, 12_000, 1500, 4000, 0} {
		for step := 0; len(c.all) != size; step++ {
			if grow := len(c.all) < size; grow != (c.r.IntN(5) == 0) || len(c.all) == 0 {
				g := c.grant()
				c.x.add(g)
				c.all = append(c.all, g)
			} else {
				i := c.r.IntN(len(c.all))
				c.x.remove(c.all[i])
				c.all[i] = c.all[len(c.all)-1]
				c.all = c.all[:len(c.all)-1]
			}
			if step%200 == 0 {
				c.ask()
			}
		}
		if c.x.len() != size || len(c.x.apart.byID) != 0 {
			t.Fatalf("%d grants, %d of them apart, want %d", c.x.len(), len(c.x.apart.byID), size)
		}
		for range 60 {
			c.ask()
		}
		for range min(size, 100) {
			want := c.all[c.r.IntN(size)]
			if got, ok := c.x.get(owner, want.ID); !ok || !same(got, want) {
				t.Fatalf("got %+v, want %+v", got, want)
			}
			if _, ok := c.x.get("333333333333", want.ID); ok {
				t.Fatal("another account has the grant")
			}
		}
	}
	emptied(t, c.x)
}

// An index that is filled in any order answers like one that grew.
func TestLoadingPutsCrowdsInOrder(t *testing.T) {
	c := &crowdOf{t: t, r: rand.New(rand.NewPCG(5, 6)), x: newIndex()}
	fresh := loading()
	for range 8000 {
		g := c.grant()
		fresh.add(g)
		c.all = append(c.all, g)
	}
	c.x.become(fresh)
	if len(c.x.compact.crowds.all) == 0 {
		t.Fatal("there is no crowd")
	}
	for range 100 {
		c.ask()
	}
	for _, g := range c.all {
		c.x.remove(g)
	}
	emptied(t, c.x)
}

// Whoever is remembered as an asker has neither the number of a grantee who is gone nor misses one who came.
func TestAskersAreNotMistaken(t *testing.T) {
	x := newIndex()
	ann := &Question{User: "ann", Groups: []string{"g1", "g2"}, Permission: Read, Target: target(t, "s3://lake/x", false)}
	give := func(n int, who Grantee) *Grant {
		g := parsed(t, uuidOf(n), "s3://lake/*", false, who, Read)
		x.add(g)
		return g
	}
	if x.Match(owner, ann) != nil {
		t.Fatal("there is no grant")
	}
	first := give(1, Grantee{DirectoryGroup, "g1"})
	if g := x.Match(owner, ann); g == nil {
		t.Fatal("a grant to a group came and is not found")
	}
	x.remove(first)
	give(2, Grantee{DirectoryGroup, "others"}) // gets the number that g1 had
	if g := x.Match(owner, ann); g != nil {
		t.Fatalf("the grant of %s is given", g.Grantee.ID)
	}
	give(3, Grantee{DirectoryUser, "ann"})
	if g := x.Match(owner, ann); g == nil || g.ID != uuidOf(3) {
		t.Fatalf("got %+v", g)
	}
	// The same slice of groups in the hands of another.
	bob := *ann
	bob.User = "bob"
	if g := x.Match(owner, &bob); g != nil {
		t.Fatalf("bob has the grant of %s", g.Grantee.ID)
	}
}

// The memory of askers is bounded.
func TestAskersAreForgotten(t *testing.T) {
	c := newCompact()
	for i := range maxAsked / 32 {
		c.asker(&Question{User: fmt.Sprint(i)})
		if c.askers.size > maxAsked {
			t.Fatalf("%d ids are remembered", c.askers.size)
		}
	}
}

// Grants for which the compact part has no form are found apart from it.
func TestUnusualGrantsAreApart(t *testing.T) {
	usual := parsed(t, uuidOf(1), "s3://lake/red/*", false, userU, Read)
	for what, change := range map[string]func(g *Grant){
		"terms":             func(g *Grant) { g.Terms = &Terms{NotAfter: noon.Add(time.Hour)} },
		"an id of its own":  func(g *Grant) { g.ID = "mine" },
		"an id in capitals": func(g *Grant) { g.ID = "ABCDEF00-0000-4000-8000-000000000000" },
		"many stars":        func(g *Grant) { g.Text += "********" },
		"no time":           func(g *Grant) { g.Created = time.Time{} },
		"a fine time":       func(g *Grant) { g.Created = noon.Add(time.Nanosecond) },
		"another text":      func(g *Grant) { g.Text = "s3://lake/" },
		"another part":      func(g *Grant) { g.SubPrefix = "blue/*" },
	} {
		x := newIndex()
		g := *usual
		change(&g)
		x.add(&g)
		q := &Question{User: "U", Permission: Read, Target: target(t, "s3://lake/red/x", false), Now: noon}
		if got := x.Match(owner, q); got != &g || !x.holds(owner, q) || len(x.covering(owner, q)) != 1 || x.len() != 1 {
			t.Errorf("%s: got %+v", what, got)
		}
		if got, ok := x.get(owner, g.ID); !ok || got != &g {
			t.Errorf("%s: not found by its id", what)
		}
		x.remove(&g)
		emptied(t, x)
	}
}

// A grant that only changes is there at every moment.
func TestGrantsOfMoreFormsThanAreNumberedAreApart(t *testing.T) {
	x := newIndex()
	grant := func(i int) *Grant {
		return &Grant{
			Account: owner, ID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", i), Text: fmt.Sprintf("s3://lake/%d/*", i), LocationID: fmt.Sprint(i),
			Scope: scope.Scope{Bucket: "lake", Prefix: fmt.Sprintf("%d/", i)}, Grantee: Grantee{DirectoryUser, "u"}, Permission: Read, Created: noon,
		}
	}
	const n = maxForms + 3
	for i := range n {
		x.add(grant(i))
	}
	if got := len(x.apart.byID); got != 2 {
		t.Errorf("%d grants are apart, want 2", got)
	}
	asked := func(i int) *Grant {
		return x.Match(owner, &Question{User: "u", Permission: Read, Target: target(t, fmt.Sprintf("s3://lake/%d/x", i), false)})
	}
	for _, i := range []int{0, maxForms, maxForms + 1, maxForms + 2} {
		if got := asked(i); got == nil || got.LocationID != fmt.Sprint(i) {
			t.Errorf("grant %d: got %+v", i, got)
		}
	}
	for i := range n {
		x.remove(grant(i))
	}
	if x.len() != 0 || len(x.compact.formOf) != 0 || len(x.compact.places) != 0 {
		t.Errorf("%d grants, %d forms and %d buckets are left of none", x.len(), len(x.compact.formOf), len(x.compact.places))
	}
}

func TestChangesAndQuestionsGoOnTogether(t *testing.T) {
	x := newIndex()
	stays := parsed(t, uuidOf(0), "s3://lake/*", false, groupG, Read)
	x.add(stays)
	q := &Question{User: "U", Groups: []string{"G", "H"}, Permission: Read, Target: target(t, "s3://lake/a/b/c", false)}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if g := x.Match(owner, q); g == nil || g.Grantee != groupG {
					t.Errorf("got %+v", g)
					return
				}
				x.covering(owner, q)
				x.each(owner, q.Target, func(*Grant) bool { return true })
			}
		})
	}
	c := &crowdOf{t: t, r: rand.New(rand.NewPCG(7, 8))}
	for i := range 4000 {
		g := c.grant()
		x.add(g)
		if i%3 == 0 {
			x.remove(g)
		}
		x.add(stays)
	}
	close(done)
	wg.Wait()
}
