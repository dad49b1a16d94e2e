package grants

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/storage/remote"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Direct vending: a location whose storage has an STS of its own can hand out credentials of that storage, for data paths
// that must not pass the gate. What the gate does on each request is then done once, when the credentials are made:
//
//   - The storage enforces the session policy of the grant and the role there, and nothing else: not the location's role
//     here, not the bucket's policy, and no listing leaves out a single denied key.
//   - Nothing ends the credentials before they expire, so they never outlive the grant's own end, and last an hour unless
//     the client asks for another time.
//   - The storage's log knows the session by the name of the person, which the trail here ties to the grant.
const (
	// TagVending on a location is "direct"; TagVendingRole is the ARN of the role at the storage.
	TagVending     = "lakegate:Vending"
	TagVendingRole = "lakegate:VendingRole"

	vendingDirect = "direct"
)

// Vendor reaches the STS of a bucket's storage; bucket provides it.
type Vendor interface {
	// Vends says whether there is one that reaches the bucket; the error says why not.
	Vends(bucket string) error
	Vend(ctx context.Context, bucket string, in remote.AssumeRole) (*remote.TemporaryCredentials, error)
}

// remoteRole is what a role is called at a storage, whose account ids may be none.
var remoteRole = regexp.MustCompile(`^arn:[a-z0-9-]{1,32}:iam:[a-z0-9-]{0,32}:[0-9]{0,12}:role/[\w+=,.@/-]{1,512}$`)

// checkVending refuses a location that could not vend as its tags say.
func (s *Service) checkVending(tags map[string]string, l scope.Location) error {
	how, direct := tags[TagVending]
	role, named := tags[TagVendingRole]
	switch {
	case !direct && !named:
		return nil
	case how != vendingDirect:
		return invalidTag(TagVending, "it must be "+vendingDirect)
	case !remoteRole.MatchString(role):
		return invalidTag(TagVendingRole, "it must be the ARN of a role at the storage")
	case l.Everything:
		return invalidTag(TagVending, "the location must be in one bucket")
	case s.Vendor == nil:
		return invalidTag(TagVending, "this server has no backends")
	}
	if err := s.Vendor.Vends(l.Scope.Bucket); err != nil {
		return invalidTag(TagVending, err.Error())
	}
	return nil
}

func (l *Location) direct() bool { return l.Tags[TagVending] == vendingDirect }

// vendDirect makes credentials of the storage for a session that has been decided on.
func (s *Service) vendDirect(ctx context.Context, c, who *caller.Caller, l *Location, covered scope.Scope) (Credentials, error) {
	e := trail.From(ctx)
	refuse := func(code string, status int, message string, err error) (Credentials, error) {
		e.Step("direct vending", trail.Fail, err.Error())
		return Credentials{}, wire.NewError(code, status, message).Because(err)
	}
	if s.Vendor == nil || covered.Bucket != l.Scope.Scope.Bucket {
		return refuse("StsNotAuthorizedError", http.StatusForbidden, "The storage of the location cannot hand out credentials.", errors.New("the location has no storage that could"))
	}
	text, err := s.SessionPolicy(ctx, who)
	if err != nil {
		return refuse("StsNotAuthorizedError", http.StatusForbidden, "The storage of the location cannot hand out credentials.", err)
	}
	if len(text) > remote.MaxSessionPolicy {
		return refuse("StsPackedPolicyTooLargeError", http.StatusBadRequest, "Serialized token too large for session",
			fmt.Errorf("the session policy has %d characters, and an STS takes %d: the grants that deny something of it are too many, or its prefixes too long", len(text), remote.MaxSessionPolicy))
	}
	// They cannot be taken back, so they must not last beyond the grant.
	left := who.Session.Expires.Sub(s.Now()).Truncate(time.Second)
	if left < remote.MinDuration {
		return refuse("StsValidationError", http.StatusBadRequest, "The grant ends before the shortest credentials of the storage do.",
			fmt.Errorf("%v are left, and the credentials of an STS last %v at least", left, remote.MinDuration))
	}
	in := remote.AssumeRole{RoleARN: l.Tags[TagVendingRole], SessionName: s.attribution(c), Policy: string(text), Duration: left}
	got, err := s.Vendor.Vend(ctx, covered.Bucket, in)
	if err != nil {
		return refuse("StsNotAuthorizedError", http.StatusForbidden, "The storage of the location does not hand out credentials.", err)
	}
	e.Step("direct vending", trail.Pass, fmt.Sprintf("credentials %s of the storage itself, role %s, session %s, until %s: no request with them passes the gate, and nothing here ends them before",
		got.AccessKeyID, in.RoleARN, in.SessionName, got.Expires.UTC().Format(time.RFC3339)))
	return Credentials{AccessKeyID: got.AccessKeyID, SecretAccessKey: got.SecretAccessKey, SessionToken: got.SessionToken, Expires: got.Expires}, nil
}

// attribution is the session name by which the storage's own log knows who it is: the person's user name, or what the
// requester is called. It is no proof; the trail ties the access key to the grant.
func (s *Service) attribution(c *caller.Caller) string {
	if p := c.OnBehalf; p != nil {
		if name, ok := s.Directory.UserName(p.IdentityStoreID, p.UserID); ok {
			return sessionName(name)
		}
		return sessionName(p.UserID)
	}
	return sessionName(sourceIdentity(c))
}

// sessionName is a name in the form that STS takes for one: 2 to 64 characters.
func sessionName(name string) string {
	name = stsName(name)
	for len(name) < 2 {
		name += "-"
	}
	return name
}
