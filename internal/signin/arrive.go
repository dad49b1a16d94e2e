package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/trail"
)

// signIn sends a browser to the provider of an instance; afterwards it goes on at the path and query.
func (s *Service) signIn(ctx context.Context, r *http.Request, instance, next string) (*answer, error) {
	i, ok := s.center.Instance(instance)
	p, has := s.providers.Get(instance)
	if !ok || !has {
		return nil, refuse(http.StatusNotFound, "There is no sign-in here", "Nobody can sign in to this identity center yet.", errors.New("the instance has no sign-in provider"))
	}
	if len(next) > maxReturn {
		return nil, refuse(http.StatusRequestURITooLong, "This link cannot be used", "It is too long.", errors.New("the request is too long to return to"))
	}
	f := &flow{
		Instance: i.ARN, Issuer: p.Issuer, State: newSecret(), Nonce: newSecret(), Verifier: newSecret(), Return: next, Expires: s.db.Now().Add(flowTime).Unix(),
	}
	to, err := s.relying.begin(ctx, &p, s.RedirectURI(i), f, s.cookieOf(r, againCookie) != "")
	if err != nil {
		s.log.WarnContext(ctx, "cannot send a browser to the sign-in provider", slog.String("instance", i.ARN), slog.Any("error", err))
		return nil, refuse(http.StatusBadGateway, "The sign-in page cannot be reached", "Your organisation's sign-in page does not answer as it should. Try again later.", err)
	}
	sealed, err := s.sealed(placeFlow, f)
	if err != nil {
		return nil, err
	}
	return &answer{redirect: to, cookies: []*http.Cookie{s.cookie(flowCookie, sealed, flowTime)}}, nil
}

// cannotSignIn is the one page for whoever cannot be signed in: an unknown person, a disabled one and a forged token read the
// same.
func cannotSignIn(cause error) *refusal {
	return refuse(http.StatusForbidden, "You could not be signed in", "If you should have access, ask an administrator of the identity center and give them the reference below.", cause)
}

// finishSignIn is where the provider sends the browser back to.
func (s *Service) finishSignIn(ctx context.Context, r *http.Request) (*answer, error) {
	i, ok := s.instanceByID(r.PathValue("instance"))
	if !ok {
		return nil, refuse(http.StatusNotFound, "There is no sign-in here", "Nobody can sign in to this identity center yet.", errors.New("no such instance, or it has no sign-in provider"))
	}
	p, _ := s.providers.Get(i.ARN)
	entry := trail.From(ctx)
	noteInstance(entry, i)
	spent := []*http.Cookie{s.cookie(flowCookie, "", 0), s.cookie(againCookie, "", 0)}
	person, cause := s.believe(ctx, r, &p)
	if cause != nil {
		no := cannotSignIn(cause)
		if errors.Is(cause, errFlow) {
			no = refuse(http.StatusBadRequest, "This sign-in is no longer open", "It took more than ten minutes, was finished before, or was begun in another window. Go back to where you started and try again.", cause)
		}
		no.cookies = spent
		return nil, no
	}
	cookie, err := s.newBrowser(ctx, r, i, &p, person.Person)
	if err != nil {
		return nil, err
	}
	who := identity(i, person.ID)
	s.note(ctx, &who)
	entry.Caller(&caller.Caller{Type: caller.Person, Account: i.Account, UserID: person.ID, OnBehalf: &who})
	entry.Step("person", trail.Pass, person.UserName)
	// Not a redirect: the page of the provider may forbid that its form leads on to whoever asked us for a sign-in.
	return &answer{
		page: "continue", view: continued{frame: s.frame("Signed in"), Person: person.shown(), Next: person.next},
		cookies: append(spent, cookie),
	}, nil
}

// errFlow says that an answer of the provider does not belong to a sign-in of this browser.
var errFlow = errors.New("the answer does not belong to a sign-in that this browser began")

// believe holds what the provider answered against the sign-in that the browser began, and finds the person.
func (s *Service) believe(ctx context.Context, r *http.Request, p *Provider) (*arrived, error) {
	q := r.URL.Query()
	var f flow
	if err := s.unsealed(placeFlow, s.cookieOf(r, flowCookie), &f); err != nil {
		return nil, fmt.Errorf("the browser has no sign-in under way: %w", errFlow)
	}
	switch {
	case !sameText(f.State, q.Get("state")) || len(q["state"]) != 1:
		return nil, fmt.Errorf("the state differs: %w", errFlow)
	case s.db.Now().Unix() >= f.Expires:
		return nil, fmt.Errorf("it was begun more than ten minutes ago: %w", errFlow)
	case f.Instance != p.Instance:
		return nil, fmt.Errorf("it was begun at another instance: %w", errFlow)
	case f.Issuer != p.Issuer:
		return nil, fmt.Errorf("the instance has another provider by now: %w", errFlow)
	case q.Has("error"):
		return nil, fmt.Errorf("the provider answered %.100q", q.Get("error"))
	case len(q["code"]) != 1:
		return nil, errors.New("the provider answered without a code")
	}
	secret, err := p.secret(s.db)
	if err != nil {
		return nil, err
	}
	i, ok := s.center.Instance(p.Instance)
	if !ok {
		return nil, errors.New("the instance is gone")
	}
	claims, err := s.relying.finish(ctx, p, secret, s.RedirectURI(i), q.Get("code"), q.Get("iss"), &f)
	if err != nil {
		return nil, err
	}
	value, err := valueOf(claims, p.Claim)
	if err != nil {
		return nil, err
	}
	found := s.people.FindUsers(i.StoreID, p.Attribute, value)
	if len(found) != 1 {
		return nil, fmt.Errorf("%d people have the %s %.256q that claim %s holds", len(found), p.Attribute, value, p.Claim)
	}
	person, ok := s.people.User(i.StoreID, found[0])
	if !ok || !person.Enabled {
		return nil, fmt.Errorf("the person %s is disabled or gone", found[0])
	}
	return &arrived{Person: person, next: f.Return}, nil
}
