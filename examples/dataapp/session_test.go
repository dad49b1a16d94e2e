package dataapp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSessionsEndByThemselves(t *testing.T) {
	clock := &clock{t: time.Unix(1_800_000_000, 0)}
	s := newSessions(10, time.Hour, clock.now)
	id := s.begin(&person{Name: "Mateo"})
	clock.move(time.Hour - 1)
	if p, ok := s.find(id); !ok || p.Name != "Mateo" {
		t.Fatalf("before its end: %v %v", p, ok)
	}
	clock.move(1)
	if _, ok := s.find(id); ok {
		t.Error("found at its end")
	}
	if len(s.byID) != 0 || s.order.Len() != 0 {
		t.Error("an ended session is kept")
	}
}

// The model: a list of sessions in order, cut to the newest max, of which those past their life do not count.
func TestSessionsAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := &clock{t: time.Unix(1_800_000_000, 0)}
		most, life := rapid.IntRange(1, 4).Draw(t, "max"), 10*time.Minute
		s := newSessions(most, life, clock.now)
		type kept struct {
			id    string
			p     *person
			until time.Time
		}
		var model []kept
		for i := range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				p := &person{Name: fmt.Sprint(i)}
				model = append(model, kept{s.begin(p), p, clock.now().Add(life)})
				model = model[max(0, len(model)-most):]
			case 1:
				clock.move(time.Duration(rapid.IntRange(1, 9).Draw(t, "minutes")) * time.Minute)
			case 2:
				if len(model) > 0 {
					n := rapid.IntRange(0, len(model)-1).Draw(t, "ended")
					s.end(model[n].id)
					model = append(model[:n:n], model[n+1:]...)
				}
			}
			for _, k := range model {
				p, ok := s.find(k.id)
				if lives := clock.now().Before(k.until); ok != lives || ok && p != k.p {
					t.Fatalf("session %v: found %v, want %v", k.p.Name, ok, lives)
				}
			}
			if len(s.byID) > most || len(s.byID) != s.order.Len() {
				t.Fatalf("%d sessions, %d in order, at most %d", len(s.byID), s.order.Len(), most)
			}
		}
	})
}

func TestSessionName(t *testing.T) {
	tests := []struct{ name, email, subject, want string }{
		{"an address", "mateo@example.com", "1", "mateo@example.com"},
		{"plus and dots", "m.j+data@example.com", "1", "m.j+data@example.com"},
		{"what AWS does not take", "José Ñ/..*@example.com", "1", "Jos----..-@example.com"},
		{"no address", "", "0374d892-0000", "0374d892-0000"},
		{"one letter", "", "x", "person-x"},
		{"nothing", "", "", "person-"},
		{"too long", strings.Repeat("a", 70), "", strings.Repeat("a", 64)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := (&person{Email: tt.email, Subject: tt.subject}).sessionName()
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestVendedCredentialsAreBounded(t *testing.T) {
	p := newPerson(tokens{})
	start := time.Unix(1_800_000_000, 0)
	for i := range maxVended + 5 {
		p.keep(ask{fmt.Sprint(i), "READ"}, &access{Expires: start.Add(time.Duration(i) * time.Minute)})
	}
	if len(p.vended) != maxVended {
		t.Errorf("%d kept, want %d", len(p.vended), maxVended)
	}
	for i := range 5 {
		if _, ok := p.vended[ask{fmt.Sprint(i), "READ"}]; ok {
			t.Errorf("%d was kept although it ends sooner than the rest", i)
		}
	}
}

func TestNameOfAPerson(t *testing.T) {
	tests := []struct {
		name   string
		claims claims
		want   []string
	}{
		{"all", claims{Subject: "s", Name: "Mateo Jackson", Email: "m@x", Username: "mateo"}, []string{"Mateo Jackson", "m@x"}},
		{"no name", claims{Subject: "s", Email: "m@x", Username: "mateo"}, []string{"mateo", "m@x"}},
		{"no address", claims{Subject: "s", Username: "mateo"}, []string{"mateo", "mateo"}},
		{"a subject alone", claims{Subject: "s"}, []string{"s", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPerson(tokens{claims: tt.claims})
			if diff := cmp.Diff(tt.want, []string{p.Name, p.Email}); diff != "" {
				t.Errorf("name and address (-want +got):\n%s", diff)
			}
		})
	}
}
