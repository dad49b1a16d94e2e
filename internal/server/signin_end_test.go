package server

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/token"
)

// A person of a sign-in that was ended can act no more, in whatever session the sign-in lives on, while another sign-in of
// the same person goes on.
func TestAnEndedSignInEndsItsSessions(t *testing.T) {
	r, i, person := roomsWithMateo(t)
	signIn := func() token.Access {
		t.Helper()
		out, err := r.tokens.IssueAccess(t.Context(), token.Access{Client: "client", Person: caller.Identity{UserID: person.ID, InstanceARN: i.ARN}}, true)
		if err != nil {
			t.Fatal(err)
		}
		a, err := r.tokens.OpenAccess(t.Context(), out.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	ended, other := signIn(), signIn()
	if err := r.PersonActive(t.Context(), &ended.Person); err != nil {
		t.Fatal(err)
	}
	if err := r.tokens.EndSession(t.Context(), ended.Family); err != nil {
		t.Fatal(err)
	}
	if err := r.PersonActive(t.Context(), &ended.Person); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("after the end: %v", err)
	}
	if err := r.PersonActive(t.Context(), &other.Person); err != nil {
		t.Errorf("another sign-in: %v", err)
	}
}

// roomsWithMateo is a server's rooms, opened, with the organization's instance and a person in its store.
func roomsWithMateo(t *testing.T) (*rooms, *center.Instance, directory.User) {
	t.Helper()
	cfg := &Config{Dir: t.TempDir()}
	if err := cfg.Complete(); err != nil {
		t.Fatal(err)
	}
	r, err := openRooms(t.Context(), cfg, storetest.New(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	i := r.center.Instances()[0]
	person, err := r.directory.CreateUser(t.Context(), "test", directory.User{StoreID: i.StoreID, UserName: "mateo", Enabled: true, Profile: directory.Profile{DisplayName: "Mateo"}})
	if err != nil {
		t.Fatal(err)
	}
	return r, i, person
}
