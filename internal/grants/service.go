package grants

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Directory is what grants ask of the people.
type Directory interface {
	GroupsOf(storeID, userID string) []string
	UserName(storeID, userID string) (name string, ok bool)
	GroupName(storeID, groupID string) (name string, ok bool)
}

// People answers whether the person of an identity may still act. The error says why not.
type People interface {
	PersonActive(ctx context.Context, id *caller.Identity) error
}

// Center is what grants ask of the identity center.
type Center interface {
	// InstanceOf returns the account that owns an identity center instance and its identity store.
	InstanceOf(arn string) (account, storeID string, organization, ok bool)
	ApplicationExists(arn string) bool
	// GrantsReach reports whether an application has the scope of access grants for a target: the application of an access
	// grants instance, or its identity center.
	GrantsReach(application string, targets ...string) bool
	CreateServiceApplication(ctx context.Context, instanceARN, account, name string) (arn string, err error)
	DeleteServiceApplication(ctx context.Context, arn string) error
}

// Role is what grants have to know of a location's role.
type Role struct {
	ARN, ID, Name, Account string
	Trust                  policy.Named
	MaxDuration            time.Duration
}

// Accounts is what grants ask of IAM and of the organization.
type Accounts interface {
	LocationRole(arn string) (Role, bool)
	// Exists reports whether a user or role of one of the server's accounts exists.
	Exists(arn string) bool
	OrganizationOf(ctx context.Context, account string) string
}

// Buckets tells whose a bucket is.
type Buckets interface {
	Owner(bucket string) (account, region string, ok bool)
}

// Vault makes the credentials of a session.
type Vault interface {
	Vend(c *caller.Caller) (Credentials, error)
}

// Credentials are temporary credentials, as they are handed out once.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}

// Quotas bound an instance; zero takes AWS's for locations and no bound for grants. Denials bounds the grants that deny
// something to one grantee, all of which are looked at on each request; zero is 1,000.
type Quotas struct {
	Locations, Grants, Denials int
}

// Service is s3control, as far as it concerns access grants.
type Service struct {
	Registry  *Registry
	Directory Directory
	People    People
	Center    Center
	Accounts  Accounts
	Buckets   Buckets
	Vault     Vault
	// Vendor may be nil: then no location vends credentials of its storage.
	Vendor     Vendor
	Authorizer *authz.Authorizer
	Region     string
	Quotas     Quotas
	// Retention is how long a grant is listed after its end; zero is for ever. Trail records what Tend deletes.
	Retention time.Duration
	Trail     *trail.Trail
	// Strict refuses reserved tags and variables in new grants, which AWS does not have. Terms that grants have stand.
	Strict bool
	// UntilExpiry lets credentials of a grant live until they expire, whatever becomes of the grant, the person or the
	// location, as AWS does. What other grants deny counts at once all the same, and so do the policies of the role.
	UntilExpiry bool
	Now         func() time.Time

	limits limitCache
}

const resourceType = "AWS:S3::AccessGrantsInstance" // with one colon, as CloudTrail has it

func (s *Service) instanceARN(account string) string {
	return arn.AccessGrantsInstance(s.Region, account)
}

func (s *Service) locationARN(account, id string) string {
	return s.instanceARN(account) + "/location/" + id
}

func (s *Service) grantARN(account, id string) string {
	return s.instanceARN(account) + "/grant/" + id
}

// authorize asks whether the caller may do an operation on an instance, or on a part of it, of an account. Other accounts
// need the instance's resource policy.
func (s *Service) authorize(ctx context.Context, operation, account, resource string, values policy.Values) error {
	trail.From(ctx).Resource(resourceType, s.instanceARN(account), account)
	i, _ := s.Registry.instances.Get(account)
	return s.Authorizer.Authorize(ctx, authz.Request{
		Action: "s3:" + operation, Resource: resource, Account: account, ResourcePolicy: i.named(), Context: values,
	})
}

// own is authorize for an operation that only the owning account has, on the instance itself.
func (s *Service) own(ctx context.Context, operation, account string, values policy.Values) error {
	return s.ownPart(ctx, operation, account, s.instanceARN(account), values)
}

func (s *Service) ownPart(ctx context.Context, operation, account, resource string, values policy.Values) error {
	trail.From(ctx).Resource(resourceType, s.instanceARN(account), account)
	return s.Authorizer.Authorize(ctx, authz.Request{Action: "s3:" + operation, Resource: resource, Account: account, Context: values})
}

// also asks for a permission that an operation needs in another service.
func (s *Service) also(ctx context.Context, action, resource string, values policy.Values) error {
	return s.Authorizer.Authorize(ctx, authz.Request{Action: action, Resource: resource, Context: values})
}

// instance finds the instance of an account.
func (s *Service) instance(account string) (*Instance, error) {
	i, ok := s.Registry.instances.Get(account)
	if !ok {
		return nil, noInstance()
	}
	return i, nil
}

func noInstance() *wire.Error {
	return wire.NewError("AccessGrantsInstanceNotExistsError", http.StatusNotFound, "Access Grants Instance does not exist")
}

// The conditions that tags and scopes put into a decision.
func tagValues(request []s3control.Tag, resource map[string]string) policy.Values {
	v := policy.Values{}
	for _, t := range request {
		v.Set("aws:RequestTag/"+t.Key, t.Value)
		v.Add("aws:TagKeys", t.Key)
	}
	for k, t := range resource {
		v.Set("aws:ResourceTag/"+k, t)
	}
	return v
}

func withScope(v policy.Values, key, scope string) policy.Values {
	v.Set(key, scope)
	return v
}

// stamp is the time as the database keeps it.
func (s *Service) stamp() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func principalOf(c *caller.Caller) string {
	if slices.Contains([]caller.Type{caller.User, caller.AssumedRole}, c.Type) {
		return c.PrincipalARN
	}
	return ""
}
