package gateway

import (
	"testing"

	"pgregory.net/rapid"
)

func TestSharesLeaveRoomForOthers(t *testing.T) {
	for _, c := range []struct {
		places             int
		bounded            bool
		alone, second, all int
	}{
		{16, true, 8, 4, 16}, {16, false, 8, 4, 0}, {1, true, 1, 0, 1}, {2, true, 1, 1, 2}, {1024, true, 512, 256, 1024},
	} {
		s := NewShares(c.places, c.bounded)
		take := func(who string, most int) (n int) {
			for n < most && s.Enter(who) {
				n++
			}
			return n
		}
		if n := take("alice", c.places); n != c.alone {
			t.Errorf("of %d places one alone gets %d, want %d", c.places, n, c.alone)
		}
		if n := take("bob", c.places); n != c.second {
			t.Errorf("of %d places the second one gets %d, want %d", c.places, n, c.second)
		}
		total := c.alone + c.second
		for _, who := range []string{"carol", "dave", "erin", "frank", "grace"} {
			total += take(who, c.places)
		}
		if c.bounded && total != c.all {
			t.Errorf("of %d places %d are taken, want %d", c.places, total, c.all)
		}
		s.Leave("alice")
		if c.bounded && c.places > 1 && !s.Enter("heidi") {
			t.Errorf("of %d places the one that was left is not given again", c.places)
		}
	}
}

// Whatever comes and goes: nobody has more than half, and more than a quarter only what was taken while half was free.
func TestSharesProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		places := rapid.IntRange(1, 40).Draw(t, "places")
		s := NewShares(places, true)
		has, total := map[string]int{}, 0
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			who := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "who")
			if has[who] > 0 && rapid.Bool().Draw(t, "leaves") {
				s.Leave(who)
				has[who]--
				total--
				continue
			}
			few := total >= (places+1)/2
			if in, want := s.Enter(who), total < places && (!few || has[who] < max(places/4, 1)); in != want {
				t.Fatalf("%s with %d of %d taken %d: in %t, want %t", who, has[who], places, total, in, want)
			} else if in {
				has[who]++
				total++
			}
			if total > places || has[who] > max((places+1)/2, 1) {
				t.Fatalf("%s has %d, all have %d of %d", who, has[who], total, places)
			}
		}
		for who, n := range has {
			for range n {
				s.Leave(who)
			}
		}
		if s.taken != 0 || len(s.of) != 0 {
			t.Fatalf("left behind: %d, %v", s.taken, s.of)
		}
	})
}

func TestLimiterSharesConnectionsOfABackend(t *testing.T) {
	n := 8
	l := NewLimiter(Limits{}, Capacity{Connections: func(string) int { return n }})
	var left []func()
	for i := range 4 {
		leave, err := l.enterBackend("slow", "alice")
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		left = append(left, leave)
	}
	if _, err := l.enterBackend("slow", "alice"); err == nil || spell(err).Code != "SlowDown" {
		t.Errorf("a fifth: %v", err)
	}
	for _, who := range [][2]string{{"slow", "bob"}, {"other", "alice"}} {
		if _, err := l.enterBackend(who[0], who[1]); err != nil {
			t.Errorf("%v: %v", who, err)
		}
	}
	n = 16 // as an operator changes it while requests are on their way
	if _, err := l.enterBackend("slow", "alice"); err != nil {
		t.Errorf("with more connections: %v", err)
	}
	for _, leave := range left {
		leave()
	}
}
