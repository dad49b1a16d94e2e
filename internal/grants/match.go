package grants

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/scope"
)

// GranteeType is the kind of identity that a grant is for.
type GranteeType string

// The kinds of grantee.
const (
	DirectoryUser  GranteeType = "DIRECTORY_USER"
	DirectoryGroup GranteeType = "DIRECTORY_GROUP"
	IAM            GranteeType = "IAM"
)

// Grantee is who a grant is for: the id of a user or group of the identity store, or the ARN of an IAM user or role.
type Grantee struct {
	Type GranteeType
	ID   string
}

// Permission is what a grant allows, and what a caller asks for.
type Permission string

// The permissions.
const (
	Read      Permission = "READ"
	Write     Permission = "WRITE"
	ReadWrite Permission = "READWRITE"
)

// Satisfies reports whether the permission of a grant is enough for what is asked. READ and WRITE of two grants do not add
// up to READWRITE.
func (p Permission) Satisfies(asked Permission) bool { return p == asked || p == ReadWrite }

// Grant is an access grant as matching sees it. It is immutable.
type Grant struct {
	Account, ID string
	LocationID  string
	SubPrefix   string
	// Text is the scope as AWS shows it, Scope as it is matched; Object says that it names one key.
	Text    string
	Scope   scope.Scope
	Object  bool
	Grantee Grantee
	// Permission of the grant.
	Permission Permission
	// Application is the only one through which a person can use the grant; empty is any.
	Application string
	Created     time.Time
	Tags        map[string]string
	// Terms are what the reserved tags say; nil for none.
	Terms *Terms
}

// Question is who asks for what. Identities are all that count at once: a person with the groups, and the IAM role or user
// that carries the request.
type Question struct {
	User string
	// Groups are sorted.
	Groups      []string
	Principal   string
	Application string
	Target      scope.Target
	Permission  Permission
	// Action is the S3 action that is about to be done, such as "s3:GetObject"; empty where credentials are asked for.
	Action string
	// Now is the moment that the terms of grants are held to. The service's clock fills it in.
	Now time.Time
	// Names fill in the variables of scopes.
	Names Names
	// partly admits grants whose terms bound them to some actions where a whole permission is asked for: they answer when
	// nothing else does.
	partly bool
}

// identities goes through the grantees that the asker is.
func (q *Question) identities(yield func(Grantee) bool) {
	if q.Principal != "" && !yield(Grantee{IAM, q.Principal}) {
		return
	}
	if q.User == "" || !yield(Grantee{DirectoryUser, q.User}) {
		return
	}
	for _, g := range q.Groups {
		if !yield(Grantee{DirectoryGroup, g}) {
			return
		}
	}
}

// is reports whether the asker is a grantee.
func (q *Question) is(g Grantee) bool {
	switch g.Type {
	case IAM:
		return q.Principal != "" && g.ID == q.Principal
	case DirectoryUser:
		return q.User != "" && g.ID == q.User
	default:
		_, ok := slices.BinarySearch(q.Groups, g.ID)
		return ok && q.User != ""
	}
}

// admits reports whether a grant of one of the asker's identities allows what is asked, its scope aside.
func (q *Question) admits(g *Grant) bool {
	return g.Permission.Satisfies(q.Permission) && q.through(g) && q.accepts(g)
}

// accepts reports whether the terms of a grant let it answer.
func (q *Question) accepts(g *Grant) bool {
	if q.Action != "" && !g.gives(q.Action) {
		return false
	}
	t := g.Terms
	return t == nil || !t.Deny && t.InForce(q.Now) && (q.Action != "" || t.Actions == nil || q.partly && g.enough(q.Permission))
}

// through reports whether the application is one that the grant can be used with. Grants to IAM principals know none.
func (q *Question) through(g *Grant) bool {
	return g.Through(q.Application)
}

// Through reports whether the grant can be used with an application.
func (g *Grant) Through(application string) bool {
	return g.Grantee.Type == IAM || g.Application == "" || g.Application == application
}

// better orders grants that all allow what is asked: the narrowest scope first, then the exact permission before the wider
// one, a user before a group before an IAM principal, the oldest, the least id. docs/matching.md explains why.
func (q *Question) better(a, b *Grant) int {
	exact := func(g *Grant) int {
		if g.Permission == q.Permission {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(len(b.Scope.Prefix), len(a.Scope.Prefix)),
		cmp.Compare(single(a), single(b)),
		cmp.Compare(exact(a), exact(b)),
		cmp.Compare(order[a.Grantee.Type], order[b.Grantee.Type]),
		a.Created.Compare(b.Created),
		strings.Compare(a.ID, b.ID),
	)
}

// single: of two scopes with the same text, the one that is a single key is narrower.
func single(g *Grant) int {
	if g.Scope.One {
		return 0
	}
	return 1
}

var order = map[GranteeType]int{DirectoryUser: 0, DirectoryGroup: 1, IAM: 2}

// miss says why nothing matched, for the log and for whoever may ask why; a client is told only that access is denied.
func (q *Question) miss(x *Index, account string) string {
	covering := x.covering(account, q)
	if len(covering) == 0 {
		if !x.holds(account, q) {
			return "no grant on the bucket " + q.Target.Bucket + " is for any identity of the caller"
		}
		return "the caller has grants on the bucket " + q.Target.Bucket + ", none of which covers " + q.Target.Text
	}
	return q.missed(covering...)
}

// missed says why grants that cover the target do not answer, by the one that lacks least: the permission, the application,
// or what its terms say.
func (q *Question) missed(covering ...*Grant) string {
	said := "the grant " + covering[0].ID + " covers " + q.Target.Text + " with " + string(covering[0].Permission) + ", not with " + string(q.Permission)
	permitted := false
	for _, g := range covering {
		switch {
		case !g.Permission.Satisfies(q.Permission):
		case q.through(g):
			return "the grant " + g.ID + " covers " + q.Target.Text + " and " + q.lacks(g)
		case !permitted:
			said = "the grant " + g.ID + " covers " + q.Target.Text + " through the application " + g.Application + " alone"
			permitted = true
		}
	}
	return said
}

// lacks says why the terms of a grant do not let it answer.
func (q *Question) lacks(g *Grant) string {
	switch t := g.Terms; {
	case !t.InForce(q.Now):
		return t.lapse(q.Now)
	case t == nil || t.Actions == nil:
		return "has no actions on tags, such as " + q.Action
	case q.Action != "":
		return "has the actions " + strings.Join(t.Actions, " ") + ", not " + q.Action + " (" + TagActions + ")"
	default:
		return "has the actions " + strings.Join(t.Actions, " ") + ", none for all of " + string(q.Permission) + " (" + TagActions + ")"
	}
}
