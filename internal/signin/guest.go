package signin

import (
	"context"
	"errors"
	"net/http"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
)

// SignOutPath is where a form ends the browser session.
const SignOutPath = signOutPath

// Guest is a person who is signed in with a browser, for pages of another room.
type Guest struct {
	Instance *center.Instance
	Person   directory.Person
	Identity caller.Identity
	// Session names the browser session without giving it away: a hash of what the cookie holds.
	Session []byte
}

// GuestOf finds who is signed in with the browser of a request, nil for nobody. The person is looked up each time, so that
// one who is disabled, or whose sign-in was revoked, is nobody at the next request.
func (s *Service) GuestOf(ctx context.Context, r *http.Request) (*Guest, error) {
	b, err := s.browserOf(ctx, r)
	if err != nil || b == nil {
		return nil, err
	}
	return &Guest{Instance: b.instance, Person: b.person, Identity: identity(b.instance, b.person.ID), Session: b.hash}, nil
}

// SendToProvider answers a request of nobody by leading the browser to the provider's page, and from there to next, which is
// a path and query of the web door. It is the provider of the organization's instance, or the only one that there is.
func (s *Service) SendToProvider(w http.ResponseWriter, r *http.Request, next string) {
	s.handler(page{"", func(ctx context.Context, r *http.Request) (*answer, error) {
		for _, i := range s.center.Instances() {
			if _, has := s.providers.Get(i.ARN); has && i.Organization {
				return s.signIn(ctx, r, i.ARN, next)
			}
		}
		i, ok := s.onlyInstance()
		if !ok {
			return nil, refuse(http.StatusNotFound, "There is no sign-in here", "Nobody can sign in to this identity center yet.", errors.New("no instance with a sign-in provider"))
		}
		return s.signIn(ctx, r, i.ARN, next)
	}}).ServeHTTP(w, r)
}
