package dataapp

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A person is somebody who signed in, with everything that was issued in their name. Name, Email and Subject do not change;
// the rest is read and written only by whoever holds turn, so that of many requests at once one renews and the others find
// it renewed.
type person struct {
	Name, Email, Subject string

	turn   chan struct{}
	tokens tokens
	// spent says that the ID token has been exchanged. Identity center takes each once.
	spent           bool
	identity        string
	identityExpires time.Time
	session         aws.Credentials
	vended          map[ask]*access
}

// An ask is what GetDataAccess was asked for.
type ask struct{ target, permission string }

// An access is what GetDataAccess vended for an ask.
type access struct {
	Target, Permission string
	// Scope is the MatchedGrantTarget: what the credentials reach, which is the whole grant.
	Scope string
	// GranteeType and Grantee say which identity of the person the grant names: the user, a group, or the role.
	GranteeType, Grantee string
	AccessKeyID          string
	Expires              time.Time

	objects *s3.Client
}

const (
	// maxVended bounds the credentials kept for a person, who may try any number of prefixes.
	maxVended = 16
	// early is how long before its end a credential counts as expired, so that none ends within a request.
	early = time.Minute
)

func newPerson(t tokens) *person {
	return &person{
		Name:    shorten(cmp.Or(t.claims.Name, t.claims.Username, t.claims.Email, t.claims.Subject), 120),
		Email:   shorten(cmp.Or(t.claims.Email, t.claims.Username), 120),
		Subject: t.claims.Subject,
		turn:    make(chan struct{}, 1),
		tokens:  t,
		vended:  map[ask]*access{},
	}
}

func (p *person) lock(ctx context.Context) error {
	select {
	case p.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *person) unlock() { <-p.turn }

// keep remembers an access. When there is no room the one that ends soonest goes.
func (p *person) keep(key ask, a *access) {
	if _, ok := p.vended[key]; !ok && len(p.vended) >= maxVended {
		var oldest ask
		for k, v := range p.vended {
			if first, ok := p.vended[oldest]; !ok || v.Expires.Before(first.Expires) {
				oldest = k
			}
		}
		delete(p.vended, oldest)
	}
	p.vended[key] = a
}

// sessionName is the person's name in the form that AssumeRole takes for a RoleSessionName: 2 to 64 of [\w+=,.@-]. It is for
// people who read logs; rights hang on the identity context alone.
func (p *person) sessionName() string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("_+=,.@-", r):
			return r
		}
		return '-'
	}, cmp.Or(p.Email, p.Subject))
	name = name[:min(len(name), 64)]
	if len(name) < 2 {
		return "person-" + name
	}
	return name
}

// shorten keeps what strangers wrote to a length that a page can show.
func shorten(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
