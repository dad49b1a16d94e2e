package devidp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A shelf is a map with a clock: held against one that is too simple to be wrong.
func TestShelfIsAMapWithAClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(0, 0)
		s := newShelf[int](1000, func() time.Time { return now })
		type entry struct {
			v     int
			until time.Time
		}
		model := map[string]entry{}
		name := rapid.SampledFrom([]string{"a", "b", "c"})
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				n, v, life := name.Draw(t, "name"), rapid.Int().Draw(t, "value"), time.Duration(rapid.IntRange(0, 5).Draw(t, "life"))
				s.put(n, v, life)
				model[n] = entry{v, now.Add(life)}
			},
			"wait": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "time"))) },
			"look": func(t *rapid.T) {
				n := name.Draw(t, "name")
				look, taking := s.get, rapid.Bool().Draw(t, "take")
				if taking {
					look = s.take
				}
				v, ok := look(n)
				want, found := model[n]
				found = found && now.Before(want.until)
				if ok != found || ok && v != want.v {
					t.Fatalf("%s = %d %v, want %d %v", n, v, ok, want.v, found)
				}
				if taking {
					delete(model, n)
				}
			},
		})
	})
}

func TestShelfIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	s := newShelf[int](3, func() time.Time { return now })
	for i := range 10 {
		s.put(fmt.Sprint(i), i, time.Duration(i+1))
	}
	if len(s.items) != 3 {
		t.Fatalf("%d items", len(s.items))
	}
	for i := range 10 {
		if _, ok := s.get(fmt.Sprint(i)); ok != (i >= 7) {
			t.Errorf("item %d is there: %v", i, ok)
		}
	}
	for k := range s.items {
		if strings.Contains("0123456789", k) {
			t.Error("kept under its name, not under its digest")
		}
	}
}

func TestSessionsAreBounded(t *testing.T) {
	m := map[string]session{}
	for i := range 10 {
		m[fmt.Sprint(i)] = session{Until: time.Unix(int64(i), 0)}
	}
	dropFirst(m, 4, func(s session) time.Time { return s.Until })
	if len(m) != 4 || m["6"].Until.IsZero() {
		t.Errorf("left %v", m)
	}
}

func TestPasswordHash(t *testing.T) {
	a, b := hashPassword("hush"), hashPassword("hush")
	if a == b {
		t.Error("two hashes of a password are the same: no salt")
	}
	h, err := parseHash(a)
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"hush": true, "hush ": false, "Hush": false, "": false} {
		if got := h.matches(password); got != want {
			t.Errorf("%q: %v", password, got)
		}
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add(argonPrefix + "AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := parseHash(s); err == nil && (len(h.salt) != saltLen || len(h.sum) != hashLen) {
			t.Errorf("%q: salt of %d, sum of %d bytes", s, len(h.salt), len(h.sum))
		}
	})
}
