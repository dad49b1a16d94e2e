package signin

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// showStart is the start page of an instance: who is signed in, and how to set up a client. A program gets what it needs to
// set itself up, without a sign-in.
func (s *Service) showStart(ctx context.Context, r *http.Request) (*answer, error) {
	i, ok := s.instanceByID(r.PathValue("instance"))
	if !ok {
		return nil, refuse(http.StatusNotFound, "There is no sign-in here", "Nobody can sign in to this identity center yet.", errors.New("no such instance, or it has no sign-in provider"))
	}
	if accept := r.Header.Get("Accept"); strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") {
		return &answer{document: Place{StartURL: s.StartURL(i), Region: s.region, Endpoint: s.apiURL}}, nil
	}
	b, err := s.browserOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if b == nil || b.instance.ARN != i.ARN {
		return s.signIn(ctx, r, i.ARN, "/"+i.ID()+startPath)
	}
	return &answer{page: "start", view: started{frame: s.frame("Signed in"), Person: shown(b.person), StartURL: s.StartURL(i), Region: s.region, Endpoint: s.apiURL}}, nil
}

// Place is what a program has to know to sign somebody in: the document at a start URL, for who accepts JSON.
type Place struct {
	StartURL string `json:"startUrl"`
	Region   string `json:"region"`
	Endpoint string `json:"endpoint"`
}

// signOut ends the browser session. What clients were given goes on: each is signed out by itself.
func (s *Service) signOut(ctx context.Context, r *http.Request) (*answer, error) {
	b, err := s.browserOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if b != nil {
		s.noteBrowser(ctx, b)
		if err := s.endBrowser(ctx, b.hash); err != nil {
			return nil, err
		}
	}
	return &answer{
		page: "notice", cookies: []*http.Cookie{s.cookie(sessionCookie, "", 0), s.cookie(flowCookie, "", 0), s.cookie(againCookie, "1", againTime)},
		view: notice{frame: s.frame("Signed out"), Text: "This browser is signed out of Lakegate. You may still be signed in at your organisation's sign-in page, and in command line tools: run aws sso logout to end those."},
	}, nil
}
