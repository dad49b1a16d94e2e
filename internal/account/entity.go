package account

import (
	"time"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/policy"
)

// Kind is the kind of an entity, spelt as in its ARN.
type Kind string

// The kinds of entity.
const (
	UserKind  Kind = "user"
	GroupKind Kind = "group"
	RoleKind  Kind = "role"
)

// Entity is a user, a group or a role. It is immutable.
type Entity struct {
	Kind                    Kind
	ID, Account, Path, Name string
	Created                 time.Time
	// Boundary is the ARN of the managed policy that bounds a user or role; empty for none.
	Boundary string
	Tags     []Tag
	// Inline policies in order of their names; Attached are the ARNs of managed policies, sorted.
	Inline   []Inline
	Attached []string
	// Groups are the ids of the groups that a user is in, sorted.
	Groups []string

	// Description, MaxSession and Trust are for roles.
	Description string
	MaxSession  time.Duration
	Trust       Trust
}

// Inline is a policy that belongs to one entity.
type Inline struct {
	Name, Text string
	// Document is nil when the text cannot be read, so that the policy denies everything.
	Document *policy.Document
}

// ARN of the entity.
func (e *Entity) ARN() string { return entityARN(e.Kind, e.Account, e.Path, e.Name) }

func entityARN(kind Kind, account, path, name string) string {
	return arn.New("iam", "", account, string(kind)+path+name).String()
}

// AccessKey is a long-term key of a user. The secret stays sealed.
type AccessKey struct {
	ID, Account string
	// User is the id of the user.
	User    string
	Enabled bool
	Created time.Time

	sealed []byte
}

// ManagedPolicy is a policy that can be attached to many entities. It is immutable.
type ManagedPolicy struct {
	ARN, ID string
	// Account owns the policy: twelve digits, or "aws" for AWS's own.
	Account, Path, Name, Description string
	Created, Updated                 time.Time
	// Default is the number of the version that is in effect, Last the highest number ever given.
	Default, Last int
	// Versions in order of their numbers.
	Versions []PolicyVersion
	Tags     []Tag
}

// PolicyVersion is one text of a managed policy.
type PolicyVersion struct {
	Number   int
	Text     string
	Document *policy.Document
	Created  time.Time
}

// version finds a version by number.
func (p *ManagedPolicy) version(number int) (PolicyVersion, bool) {
	for _, v := range p.Versions {
		if v.Number == number {
			return v, true
		}
	}
	return PolicyVersion{}, false
}

// named is the policy as decisions take it: the version in effect.
func (p *ManagedPolicy) named() policy.Named {
	v, _ := p.version(p.Default)
	return policy.Named{Name: p.ARN, Document: v.Document}
}

// Role is what the rooms above have to know of a role.
type Role struct {
	ARN, ID, Name, Account string
	// Trust is the trust policy as it is compared: with ids for the users and roles that it names.
	Trust       policy.Named
	MaxDuration time.Duration
	Tags        map[string]string
}

func (e *Entity) role() Role {
	return Role{
		ARN: e.ARN(), ID: e.ID, Name: e.Name, Account: e.Account,
		Trust:       policy.Named{Name: "trust policy of " + e.ARN(), Document: e.Trust.Document},
		MaxDuration: e.MaxSession, Tags: tagMap(e.Tags),
	}
}
