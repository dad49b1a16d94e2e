package explain

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/scope"
)

// Holders is what the questions ask of access grants.
type Holders interface {
	Grants
	EachCovering(account string, t scope.Target, visit func(*grants.Grant) bool)
	GrantsAfter(ctx context.Context, account, after string, limit int) ([]*grants.Grant, error)
	GrantsWithin(ctx context.Context, account string, t scope.Target, after string, limit int) ([]*grants.Grant, error)
	GrantsOf(ctx context.Context, account string, of []grants.Grantee, after string, limit int) ([]*grants.Grant, error)
	GrantByID(ctx context.Context, account, id string) (*grants.Grant, bool, error)
	Ways(account string, a grants.Asker, t scope.Target, p grants.Permission) []grants.Way
	WaysOf(g *grants.Grant, a grants.Asker, p grants.Permission) []grants.Way
	Propose(g *grants.Grant, tags []s3control.Tag) error
	FormsOf(g *grants.Grant, a grants.Asker) []*grants.Grant
	Above(account string, a grants.Asker, sc scope.Scope) []*grants.Grant
	Below(ctx context.Context, account string, a grants.Asker, within, after scope.Scope, limit int) ([]scope.Scope, error)
	HoldersBelow(ctx context.Context, account string, within scope.Scope, limit int) (of map[grants.Grantee]bool, all bool, err error)
	Overlapping(g *grants.Grant, groups []string) []*grants.Grant
	OwnersOf(ctx context.Context, account string, sc scope.Scope, without string) ([]string, error)
	UsesOf(ctx context.Context, account string, ids []string) (map[string]time.Time, error)
}

// Everybody is what the questions ask of the directory.
type Everybody interface {
	People
	PeopleAfter(ctx context.Context, storeID, after string, limit int) ([]string, error)
	GroupsBelow(ctx context.Context, storeID string, groups []string) ([]string, error)
	MembersAfter(ctx context.Context, storeID string, groups []string, after string, limit int) ([]string, error)
	WayInto(storeID, userID, groupID string) []string
	DirectGroupsOf(storeID, memberID string) []string
	FindGroup(ctx context.Context, storeID, displayName string) (directory.Group, error)
}

// Principals lists IAM users, roles and roots.
type Principals interface {
	Accounts
	PrincipalsAfter(after string, limit int) []caller.Caller
	Exists(arn string) bool
}

// Buckets finds buckets.
type Buckets interface {
	Lookup(name string) (*bucket.Bucket, bool)
}

// Questions are about who reaches what, by the access grants of one account and the policies of IAM.
//
// Principals of the account that has the instance, and of the management account, see everything that their policies let them
// ask. No other account asks anything, since a resource policy of an instance cannot share these actions. A person, in
// a session with an identity context, sees themself, whatever the policies of the session's role allow; and who can reach a
// scope that is theirs (lakegate:Owner) as well. Who came in through the portal asks as the role of their permission set.
// Credentials of a grant ask nothing.
//
// All that is long comes in pages. A page's token is good for the same question of the same caller; it gives access to
// nothing, since each page is authorised anew. Neither side holds more than a page.
type Questions struct {
	Doctor     *Doctor
	Holders    Holders
	Everybody  Everybody
	Principals Principals
	Buckets    Buckets
	Events     Events
	// Nodes may be nil: then there are no others.
	Nodes  Nodes
	Region string
}

// viewer is who asks, and about whose access grants.
type viewer struct {
	account  string
	access   *grants.Instance
	instance *center.Instance // nil where the access grants instance is associated with none
	// self is the person who asks and sees themself; nil for an administrator.
	self *caller.Identity
	// apps are the applications through which data can be asked for, in the order of their ARNs.
	apps []*center.Application
}

// enter authorises a question and finds what it is about.
func (s *Questions) enter(ctx context.Context, operation string, account *string, about string) (*viewer, error) {
	c := caller.From(ctx)
	v := &viewer{account: value(account), self: selfOf(c)}
	// Whose a bucket is is told to the management account alone.
	if v.account == "" && v.self == nil && s.Principals.IsManagement(c.Account) {
		if b, ok := s.Buckets.Lookup(about); ok {
			v.account = b.Account
		}
	}
	v.account = cmp.Or(v.account, c.Account)
	i, ok := s.Holders.InstanceOf(v.account)
	r := authz.Request{
		Action: "lakegate:" + operation, Resource: arn.AccessGrantsInstance(s.Region, v.account), Account: v.account, ResourcePolicy: i.Guard(),
		Unguarded: c.OnBehalf != nil, // the guard-rail of identity-enhanced sessions knows AWS's operations alone
	}
	if v.self == nil && s.Principals.IsManagement(c.Account) {
		r.Account, r.ResourcePolicy = c.Account, nil
	}
	if err := s.Doctor.Authorizer.Authorize(ctx, r); err != nil {
		return nil, err
	}
	if c.Session != nil && c.Session.Vended != nil {
		return nil, lakegate.AccessDeniedException("Credentials of an access grant cannot ask about others.")
	}
	if !ok {
		return nil, lakegate.ResourceNotFoundException("The account " + v.account + " has no access grants instance.")
	}
	v.access = i
	if i.IdentityCenter != "" {
		if v.instance, ok = s.Doctor.Center.Instance(i.IdentityCenter); !ok {
			v.instance = nil
		}
	}
	if v.self != nil && (v.instance == nil || v.self.InstanceARN != v.instance.ARN || v.self.IdentityStoreID != v.instance.StoreID) {
		return nil, lakegate.AccessDeniedException("The access grants instance does not know the person who asks.")
	}
	if v.instance != nil {
		for _, a := range s.Doctor.Center.ApplicationsOf(v.instance.ARN) {
			if a.Enabled && a.ScopeReaches(center.ScopeAccessGrants, i.Application, i.IdentityCenter) {
				v.apps = append(v.apps, a)
			}
		}
	}
	return v, nil
}

// administrator refuses persons.
func (v *viewer) administrator() error {
	if v.self != nil {
		return lakegate.AccessDeniedException("This question is for administrators of the access grants instance.")
	}
	return nil
}

// owns reports whether a scope is the asking person's.
func (s *Questions) owns(ctx context.Context, v *viewer, sc scope.Scope) (bool, error) {
	if v.self == nil {
		return true, nil
	}
	owners, err := s.Holders.OwnersOf(ctx, v.account, sc, "")
	groups := s.Everybody.GroupsOf(v.self.IdentityStoreID, v.self.UserID)
	return slices.ContainsFunc(owners, func(o string) bool { return grants.OwnedBy(o, v.self.UserID, groups) }), err
}

// person finds somebody by id, user name, email or external id. Of others than themself a person learns nothing, not even
// whether they exist.
func (s *Questions) person(v *viewer, name string) (directory.Person, error) {
	if v.instance == nil {
		return directory.Person{}, lakegate.ResourceNotFoundException("The access grants instance is associated with no identity center: people have no grants there.")
	}
	storeID := v.instance.StoreID
	var found []string
	if p, ok := s.Everybody.User(storeID, name); ok {
		found = []string{p.ID}
	}
	for _, attribute := range []string{directory.AttributeUserName, directory.AttributeEmail, directory.AttributeExternalID} {
		if len(found) == 0 {
			found = s.Everybody.FindUsers(storeID, attribute, name)
		}
	}
	if v.self != nil && (len(found) != 1 || found[0] != v.self.UserID) {
		return directory.Person{}, lakegate.AccessDeniedException("A person asks about themself alone.")
	}
	if len(found) != 1 {
		return directory.Person{}, lakegate.ResourceNotFoundException("Exactly one person must have the id, user name, email or external id that is given.")
	}
	p, ok := s.Everybody.User(storeID, found[0])
	if !ok {
		return p, lakegate.ResourceNotFoundException("The person is gone.")
	}
	return p, nil
}

// asker is a person as access grants are asked about them. Who is disabled can use nothing.
func (s *Questions) asker(v *viewer, p directory.Person) grants.Asker {
	a := grants.Asker{StoreID: p.StoreID, User: p.ID}
	if !p.Enabled {
		return a
	}
	groups := s.Everybody.GroupsOf(p.StoreID, p.ID)
	for _, app := range v.apps {
		if !app.AssignmentRequired || s.Doctor.Center.Assigned(app.ARN, p.ID, groups) {
			a.Applications = append(a.Applications, app.ARN)
		}
	}
	return a
}

// entry tells a way.
func (s *Questions) entry(v *viewer, p directory.Person, w grants.Way) lakegate.AccessEntry {
	e := lakegate.AccessEntry{
		PrincipalType: lakegate.AccessPrincipalTypePERSON, PrincipalId: p.ID, Name: known(p.UserName), Effective: w.Permission != "", Method: lakegate.AccessMethodGRANT, Why: known(w.Why),
		AccessGrantId: &w.Grant.ID, GrantScope: &w.Grant.Text, GranteeType: new(string(w.Grant.Grantee.Type)), GranteeId: &w.Grant.Grantee.ID,
	}
	if w.Permission != "" {
		e.Permission = new(lakegate.Permission(w.Permission))
	}
	if p.ID != "" && !p.Enabled {
		e.Why = new("the person is disabled")
	}
	if w.Grant.Grantee.Type == grants.DirectoryGroup {
		for _, id := range s.Everybody.WayInto(p.StoreID, p.ID, w.Grant.Grantee.ID) {
			name, _ := s.Everybody.GroupName(p.StoreID, id)
			e.GroupPath = append(e.GroupPath, name)
		}
	}
	for _, name := range w.Applications {
		for _, a := range v.apps {
			if a.ARN == name {
				e.Applications = append(e.Applications, a.Name)
			}
		}
	}
	if t := w.Grant.Terms; t != nil {
		e.Actions = t.Actions
		if !t.NotBefore.IsZero() {
			e.NotBefore = &t.NotBefore
		}
		if !t.NotAfter.IsZero() {
			e.NotAfter = &t.NotAfter
		}
	}
	return e
}

// question is what a token is bound to: everything that was asked, and by whom.
type question string

func questionOf(ctx context.Context, v *viewer, operation string, parts ...any) question {
	c := caller.From(ctx)
	who := []any{operation, v.account, c.PrincipalARN}
	if v.self != nil {
		who = append(who, v.self.UserID)
	}
	text, _ := json.Marshal(append(who, parts...)) // texts and pointers to them can always be encoded
	sum := sha256.Sum256(text)
	return question(sum[:8])
}

var errToken = errors.New("not a token of this question")

func (q question) token(after string) *string {
	return new(base64.RawURLEncoding.EncodeToString([]byte(string(q) + after)))
}

func (q question) after(token *string) (string, error) {
	if token == nil {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(*token)
	after, ok := strings.CutPrefix(string(raw), string(q))
	if err != nil || !ok || after == "" {
		return "", lakegate.ValidationException("The NextToken is not one of this question and this caller.").Because(errToken)
	}
	return after, nil
}

// page is how many are asked for.
func page(asked *int) int {
	if asked == nil {
		return 1000
	}
	return min(*asked, 1000)
}
