// Package caller says who makes a request and where it comes from.
//
// A Caller is what a verified signature (or a bearer token) proved: the account, the principal, and for a session its
// role, its limits and, when it is identity-enhanced, the person it acts for. It refers to roles, people and grants by
// id and never carries their policies or rights: those are looked up on each request.
package caller

import (
	"context"
	"net/netip"
	"time"
)

// Type is the kind of principal, spelt as the condition key aws:PrincipalType and CloudTrail's userIdentity spell it.
type Type string

// The kinds of principal.
const (
	Root        Type = "Root"
	User        Type = "IAMUser"
	AssumedRole Type = "AssumedRole"
	Service     Type = "AWSService"
	// FederatedUser is the session of GetFederationToken.
	FederatedUser Type = "FederatedUser"
	Person        Type = "IdentityCenterUser"
	Anonymous     Type = "Anonymous"
	// WebIdentity is the bearer of an OpenID Connect token that nobody signed for: who asks for a role with it.
	WebIdentity Type = "WebIdentityUser"
)

// Caller is the authenticated origin of a request.
type Caller struct {
	Type    Type
	Account string // twelve digits; empty for Anonymous
	// ARN is the principal as GetCallerIdentity prints it: the user's ARN, or for a session the assumed-role ARN.
	ARN string
	// PrincipalARN is the value of aws:PrincipalArn: for a session the ARN of its role, with the role's path.
	PrincipalARN string
	// UserID is the value of aws:userid: AIDA… for a user, AROA…:<session name> for a session, the account id for root.
	UserID string
	// UserName is the IAM user's name; empty for sessions.
	UserName string
	// AccessKeyID signed the request; empty when nothing was signed.
	AccessKeyID string
	// Session is set for temporary credentials.
	Session *Session
	// OnBehalf is the person of an identity-enhanced session, of one that began at the portal, or of a bearer token; nil
	// otherwise.
	OnBehalf *Identity
	// ServiceName is set for Type Service, such as "access-grants.s3.amazonaws.com".
	ServiceName string
	// Provider is the ARN of the OpenID Connect provider of Type WebIdentity.
	Provider string
	// Auth is how the request proved it: "AuthHeader", "QueryString", "HtmlForm", "Bearer" or "".
	Auth string
}

// Session is what temporary credentials carry, all of it fixed when they were issued.
type Session struct {
	// RoleARN, RoleID and RoleName name the role; empty for GetSessionToken sessions of a user.
	RoleARN, RoleID, RoleName string
	// Name is the RoleSessionName.
	Name            string
	Issued, Expires time.Time
	SourceIdentity  string
	Tags            map[string]string
	TransitiveTags  []string
	// Policy and PolicyARNs are the session policies given when the session was made.
	Policy     string
	PolicyARNs []string
	// Federator is the user who asked for the session of a FederatedUser.
	Federator *Federator
	// Provider is the ARN of the OpenID Connect provider whose token the role was assumed with; empty for others.
	Provider string
	// Chained is set when a role session assumed this role.
	Chained bool
	// Vended is set for the credentials of GetDataAccess.
	Vended *Vended
	// Audit is the person whom the trail names and for whom the session does not act: that of an audit context, or who came
	// in through the portal and went on to another role. A session has this, or its caller has OnBehalf, or neither.
	Audit *Identity
	// Portal is set where a person (see Named) came in through the portal: for the session of a permission set, and for what
	// was made from one by AssumeRole or GetDataAccess.
	Portal *Portal
}

// Federator is the user whose rights a federated user has a part of.
type Federator struct{ ARN, ID string }

// Portal says which assignment of the person a session rests on. Whether it still stands is asked on each request.
type Portal struct {
	// PermissionSet is the ARN of the permission set, Account where it is assigned. The instance is the person's.
	PermissionSet, Account string
}

// Identity is the person that a request acts for: ids alone, never rights.
type Identity struct {
	UserID           string
	IdentityStoreID  string
	IdentityStoreARN string
	InstanceARN      string
	// ApplicationARN is empty for a person who signed in to the portal with a client that is no application, such as a
	// command line.
	ApplicationARN string
	CredentialID   string
	// Grants says that the sign-in through the application is good for access grants: its tokens have the scope
	// s3:access_grants:read_write.
	Grants bool
}

// Named is the person whom the trail names for what the caller does: the one it acts for, or the one of an audit context.
func (c *Caller) Named() *Identity {
	if c.OnBehalf == nil && c.Session != nil {
		return c.Session.Audit
	}
	return c.OnBehalf
}

// Vended says for which grant credentials were handed out and how far they reach: the most that they can ever do. What
// they may do now is decided on each request from the grant as it is then.
type Vended struct {
	// GrantAccount is the account whose access grants instance holds the grant.
	GrantAccount string
	GrantID      string
	// GranteeType and Grantee name the identity that won: DIRECTORY_USER, DIRECTORY_GROUP or IAM.
	GranteeType, Grantee string
	// Permission asked for: READ, WRITE or READWRITE.
	Permission string
	// Target is the scope that the credentials cover, such as s3://bucket/red/*. Object says that it names one key.
	Target string
	Object bool
	// Actions are those that the grant's terms named when the credentials were handed out, joined by spaces; empty for all of
	// the permission.
	Actions string
	// AuditContext is what the requester wrote for the trail.
	AuditContext string
	// RequesterARN is the principal that asked, Principal the user or role that it is (Caller.PrincipalARN); the latter is
	// empty for others, and in credentials that were handed out before it was kept.
	RequesterARN, Principal string
}

// Request is the origin of a call, apart from who makes it.
type Request struct {
	ID        string // the request id that the client gets back
	SourceIP  string
	UserAgent string
	Host      string
	Region    string // the server's Region
	Secure    bool   // arrived over TLS
	Time      time.Time
}

// Network is what bounds count as one source of requests: an IPv4 address, or the /64 of an IPv6 address, which one
// customer has whole; empty for what is no address.
func (r *Request) Network() string {
	a, err := netip.ParseAddr(r.SourceIP)
	if err != nil {
		return ""
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

type callerKey struct{}
type requestKey struct{}

// With returns a context that carries the caller.
func With(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// From returns the caller of a request, or an anonymous one when nobody was authenticated.
func From(ctx context.Context) *Caller {
	if c, ok := ctx.Value(callerKey{}).(*Caller); ok {
		return c
	}
	return &Caller{Type: Anonymous}
}

// WithRequest returns a context that carries the request's origin.
func WithRequest(ctx context.Context, r *Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestFrom returns the request's origin; its zero value outside a request.
func RequestFrom(ctx context.Context) *Request {
	if r, ok := ctx.Value(requestKey{}).(*Request); ok {
		return r
	}
	return &Request{}
}
