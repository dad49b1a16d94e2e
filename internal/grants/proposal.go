package grants

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
)

// Proposal is a grant to a person that somebody is yet to decide about.
type Proposal struct {
	// Account whose instance is to hold it.
	Account string
	// Text is the scope, such as s3://lake/red/*.
	Text       string
	Permission Permission
	// UserID of the person, in the identity store of the instance's identity center.
	UserID string
}

// Drafted is a proposal that could be granted: its scope lies in a location, on a bucket of the account.
type Drafted struct {
	Scope scope.Scope
	// Owners are those whose it is to decide, besides administrators: the owners of the location and of grants that cover the
	// scope, sorted.
	Owners []string
	// Warning says what the person may not have meant; empty for nothing.
	Warning string

	proposal Proposal
	location *Location
	grant    *Grant
}

// Draft holds a proposal against what CreateAccessGrant accepts. It authorises nothing and changes nothing. Its errors are
// those of CreateAccessGrant.
func (s *Service) Draft(ctx context.Context, p Proposal) (*Drafted, error) {
	i, err := s.instance(p.Account)
	if err != nil {
		return nil, err
	}
	_, storeID, _, ok := s.Center.InstanceOf(i.IdentityCenter)
	if i.IdentityCenter == "" || !ok {
		return nil, invalidGrant("The access grants instance is associated with no identity center instance")
	}
	if _, exists := s.Directory.UserName(storeID, p.UserID); !exists {
		return nil, invalidGrant("The grantee does not exist in the identity store")
	}
	if strings.Contains(p.Text, "${") {
		return nil, invalidGrant("The grant scope is invalid: variables have no meaning in it")
	}
	asked, err := scope.ParseGrant(p.Text, false)
	if err != nil {
		return nil, invalidGrant("The grant scope is invalid: " + err.Error())
	}
	if strings.ContainsAny(strings.TrimSuffix(p.Text, "*"), "*?\"'") || strings.Contains(strings.ToLower(p.Text), "%2e") || strings.Contains("/"+asked.Prefix+"/", "/../") || strings.Contains("/"+asked.Prefix+"/", "/./") {
		return nil, invalidGrant("The grant scope is invalid: keys are taken as they are written, so stars, quotes, encodings and dots in the middle of it cover nothing that is meant")
	}
	l, sub := s.locate(p.Account, p.Text, asked)
	if l == nil {
		return nil, invalidGrant("The grant scope is in no location of the account")
	}
	g := &Grant{
		Account: p.Account, LocationID: l.ID, SubPrefix: sub, Text: l.Scope.Join(sub), Permission: p.Permission,
		Grantee: Grantee{DirectoryUser, p.UserID},
	}
	if err := s.setScope(g, l); err != nil {
		return nil, err
	}
	d := &Drafted{Scope: g.Scope, proposal: p, location: l, grant: g}
	// The location's owner is asked, not those of wider locations: the grant is to be made in this one, with its role.
	if d.Owners, err = s.grantOwners(ctx, p.Account, g.Scope, "", l.Owner); err != nil {
		return nil, err
	}
	if !g.Scope.One && g.Scope.Prefix != "" && !strings.HasSuffix(g.Scope.Prefix, "/") {
		d.Warning = fmt.Sprintf("The scope does not end in a slash: it covers every key that begins with %q, such as %s2.", g.Scope.Prefix, g.Scope.Prefix)
	}
	return d, nil
}

// locate finds the narrowest location that a scope is written from, and what is left of the scope behind it.
func (s *Service) locate(account, text string, asked scope.Scope) (best *Location, sub string) {
	s.Registry.locations.Read(func(rows map[string]*Location) {
		best, sub = locateIn(rows, account, text, asked)
	})
	return best, sub
}

func locateIn(rows map[string]*Location, account, text string, asked scope.Scope) (best *Location, sub string) {
	for _, l := range rows {
		if l.Account != account || !l.Scope.Everything && !l.Scope.Scope.CoversScope(asked) {
			continue
		}
		rest, ok := strings.CutPrefix(text, l.Scope.Text)
		if !ok || strings.HasSuffix(l.Scope.Text, "*") && rest != "" {
			continue
		}
		if !l.Scope.Everything && !strings.Contains(strings.TrimPrefix(l.Scope.Text, "s3://"), "/") {
			rest = strings.TrimPrefix(rest, "/")
		}
		if l.Scope.Join(rest) == text && (best == nil || len(l.Scope.Text) > len(best.Scope.Text)) {
			best, sub = l, rest
		}
	}
	return best, sub
}

// IssuedTags are those of a grant that Issue makes. Policies see them as those of CreateAccessGrant.
func IssuedTags(end time.Time, reason string) map[string]string {
	return map[string]string{TagNotAfter: end.UTC().Format(time.RFC3339), TagReason: reason}
}

// Issue makes the grant of a draft, with an end. Whoever calls it has decided that it may be made.
func (s *Service) Issue(ctx context.Context, tx *store.Tx, d *Drafted, end time.Time, reason string) (id string, err error) {
	g := *d.grant
	g.ID, g.Created = uuid.NewString(), s.stamp()
	g.Tags = IssuedTags(end, reason)
	if g.Terms, err = readTerms(g.Tags, g.Permission, s.Now()); err != nil {
		return "", err
	}
	return g.ID, s.insert(ctx, tx, &g)
}
