package grants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/scope"
)

// The S3 actions of each permission (S3 user guide, access grants credentials; Service Authorization Reference, the actions
// with the condition key s3:AccessGrantsInstanceArn).
var (
	readObject  = []string{"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAcl", "s3:GetObjectVersionAcl", "s3:ListMultipartUploadParts"}
	readBucket  = []string{"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"}
	writeObject = []string{"s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload"}
)

// LimitsOf bounds the credentials of a grant on each of their requests, by what stands now: the grant, its location and
// role, its grantee, and for a person the account, the membership and the application. Callers without such credentials
// have no limit here. The error says what is gone.
func (s *Service) LimitsOf(ctx context.Context, c *caller.Caller) ([]policy.Named, error) {
	if c.Session == nil || c.Session.Vended == nil {
		return nil, nil
	}
	v := c.Session.Vended
	g, ok := s.Registry.grant(v.GrantAccount, v.GrantID)
	if !ok {
		return nil, errors.New("the access grant " + v.GrantID + " was deleted")
	}
	if string(g.Grantee.Type) != v.GranteeType || g.Grantee.ID != v.Grantee {
		return nil, errors.New("the access grant " + v.GrantID + " is for somebody else")
	}
	if err := s.standing(ctx, g, c); err != nil {
		return nil, err
	}
	asked := Permission(v.Permission)
	if !g.Permission.Satisfies(asked) {
		return nil, errors.New("the access grant " + v.GrantID + " no longer gives " + v.Permission)
	}
	covered, err := scope.Read(v.Target, v.Object)
	if err != nil {
		return nil, fmt.Errorf("the scope of the credentials cannot be read: %w", err)
	}
	if !g.Scope.CoversScope(covered) {
		return nil, errors.New("the access grant " + v.GrantID + " no longer covers " + v.Target)
	}
	document, err := s.limits.of(covered, asked)
	if err != nil {
		return nil, err
	}
	return []policy.Named{{Name: "access grant " + g.ID, Document: document}}, nil
}

// standing asks whether what a grant rests on still stands for the one who uses it.
func (s *Service) standing(ctx context.Context, g *Grant, c *caller.Caller) error {
	l, ok := s.Registry.location(g.Account, g.LocationID)
	if !ok {
		return errors.New("the location of the access grant " + g.ID + " was deleted")
	}
	if role, ok := s.Accounts.LocationRole(l.Role); !ok || role.ID != c.Session.RoleID {
		return errors.New("the location of the access grant " + g.ID + " has another role now")
	}
	if g.Grantee.Type == IAM {
		if !s.Accounts.Exists(g.Grantee.ID) {
			return errors.New("the grantee " + g.Grantee.ID + " is gone")
		}
		return nil
	}
	i, ok := s.Registry.instances.Get(g.Account)
	if !ok {
		return errors.New("the access grants instance is gone")
	}
	p, err := s.identityOf(ctx, i, c)
	switch {
	case err != nil:
		return err
	case p == nil:
		return errors.New("the credentials carry no person")
	case g.Application != "" && g.Application != p.ApplicationARN:
		return errors.New("the access grant " + g.ID + " is for another application")
	}
	q := Question{User: p.UserID, Groups: s.Directory.GroupsOf(p.IdentityStoreID, p.UserID)}
	if !q.is(g.Grantee) {
		return errors.New("the person is no longer in the group " + g.Grantee.ID)
	}
	return nil
}

// limitCache keeps the compiled session policies. It forgets everything when it is full.
type limitCache struct {
	mu        sync.RWMutex
	documents map[limitKey]*policy.Document
}

type limitKey struct {
	scope      scope.Scope
	permission Permission
}

const maxLimits = 4096

func (c *limitCache) of(s scope.Scope, p Permission) (*policy.Document, error) {
	k := limitKey{s, p}
	c.mu.RLock()
	d := c.documents[k]
	c.mu.RUnlock()
	if d != nil {
		return d, nil
	}
	text, err := sessionPolicy(s, p)
	if err != nil {
		return nil, err
	}
	d, err = policy.Parse(text, policy.Session)
	if err != nil {
		return nil, fmt.Errorf("make session policy for %s: %w", s, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.documents == nil || len(c.documents) >= maxLimits {
		c.documents = map[limitKey]*policy.Document{}
	}
	c.documents[k] = d
	return d, nil
}

type statement struct {
	Effect    string
	Action    []string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// sessionPolicy allows the actions of a permission in a scope and nothing else. Keys are escaped, so that a star in one is
// no wildcard. A whole bucket can also be listed without a prefix; a prefix or a key only with itself before it.
func sessionPolicy(s scope.Scope, p Permission) ([]byte, error) {
	objects := arn.Object(s.Bucket, policy.Escape(s.Prefix))
	prefix := policy.Escape(s.Prefix)
	if !s.One {
		objects, prefix = objects+"*", prefix+"*"
	}
	var statements []statement
	if p == Read || p == ReadWrite {
		list := statement{Effect: "Allow", Action: readBucket, Resource: arn.Bucket(s.Bucket)}
		if s.Prefix != "" {
			list.Condition = map[string]map[string]string{"StringLike": {"s3:prefix": prefix}}
		}
		statements = append(statements, statement{Effect: "Allow", Action: readObject, Resource: objects}, list)
	}
	if p == Write || p == ReadWrite {
		statements = append(statements, statement{Effect: "Allow", Action: writeObject, Resource: objects})
	}
	return json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", statements})
}
