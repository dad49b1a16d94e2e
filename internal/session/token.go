package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authn"
	"github.com/lakegate/lakegate/internal/caller"
)

// Credentials are temporary credentials as they are handed out, once.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}

// maxToken bounds a session token, so that it fits a header with room to spare.
const maxToken = 4096

// ErrTokenTooLarge says that what the session has to carry does not fit a token.
var ErrTokenTooLarge = errors.New("the session does not fit a token")

// claims is the sealed form of a session. The short names keep tokens short.
type claims struct {
	Type           caller.Type       `json:"t"`
	Account        string            `json:"a"`
	UserARN        string            `json:"ua,omitempty"`
	UserID         string            `json:"ui,omitempty"`
	UserName       string            `json:"un,omitempty"`
	RoleARN        string            `json:"r,omitempty"`
	RoleID         string            `json:"ri,omitempty"`
	RoleName       string            `json:"rn,omitempty"`
	Name           string            `json:"n,omitempty"`
	Issued         int64             `json:"i"`
	Expires        int64             `json:"e"`
	SourceIdentity string            `json:"s,omitempty"`
	Tags           map[string]string `json:"g,omitempty"`
	Transitive     []string          `json:"tt,omitempty"`
	Policy         string            `json:"p,omitempty"`
	PolicyARNs     []string          `json:"pa,omitempty"`
	Chained        bool              `json:"c,omitempty"`
	Provider       string            `json:"w,omitempty"`
	Vended         *vended           `json:"v,omitempty"`
	Portal         *portal           `json:"po,omitempty"`
	OnBehalf       *identity         `json:"o,omitempty"`
	Audit          *identity         `json:"u,omitempty"`
}

type portal struct {
	PermissionSet string `json:"s"`
	Account       string `json:"a"`
}

type vended struct {
	Account      string `json:"a"`
	GrantID      string `json:"g"`
	GranteeType  string `json:"t"`
	Grantee      string `json:"i"`
	Permission   string `json:"p"`
	Target       string `json:"s"`
	Object       bool   `json:"o,omitempty"`
	AuditContext string `json:"c,omitempty"`
	Requester    string `json:"r"`
	Principal    string `json:"rp,omitempty"`
	Actions      string `json:"ac,omitempty"`
}

type identity struct {
	User        string `json:"u"`
	StoreID     string `json:"s"`
	StoreARN    string `json:"sa"`
	Instance    string `json:"i"`
	Application string `json:"a"`
	Credential  string `json:"c"`
	Grants      bool   `json:"g,omitempty"`
}

func toIdentity(p *caller.Identity) *identity {
	if p == nil {
		return nil
	}
	return &identity{p.UserID, p.IdentityStoreID, p.IdentityStoreARN, p.InstanceARN, p.ApplicationARN, p.CredentialID, p.Grants}
}

func (i *identity) caller() *caller.Identity {
	if i == nil {
		return nil
	}
	return &caller.Identity{UserID: i.User, IdentityStoreID: i.StoreID, IdentityStoreARN: i.StoreARN, InstanceARN: i.Instance, ApplicationARN: i.Application, CredentialID: i.Credential, Grants: i.Grants}
}

// Issue makes the credentials of a session: of the role or user in c, which must have a Session with its Expires.
func (r *Ring) Issue(c *caller.Caller) (Credentials, error) {
	s := c.Session
	cl := claims{
		Type: c.Type, Account: c.Account, RoleARN: s.RoleARN, RoleID: s.RoleID, RoleName: s.RoleName, Name: s.Name,
		Issued: s.Issued.Unix(), Expires: s.Expires.Unix(), SourceIdentity: s.SourceIdentity, Tags: s.Tags, Transitive: s.TransitiveTags,
		Policy: s.Policy, PolicyARNs: s.PolicyARNs, Chained: s.Chained, Provider: s.Provider, OnBehalf: toIdentity(c.OnBehalf), Audit: toIdentity(s.Audit),
	}
	if c.Type == caller.User {
		cl.UserARN, cl.UserID, cl.UserName = c.ARN, c.UserID, c.UserName
	}
	if f := s.Federator; f != nil {
		cl.UserARN, cl.UserID = f.ARN, f.ID
	}
	if v := s.Vended; v != nil {
		cl.Vended = &vended{v.GrantAccount, v.GrantID, v.GranteeType, v.Grantee, v.Permission, v.Target, v.Object, v.AuditContext, v.RequesterARN, v.Principal, v.Actions}
	}
	if p := s.Portal; p != nil {
		cl.Portal = &portal{p.PermissionSet, p.Account}
	}
	text, err := json.Marshal(cl)
	if err != nil {
		return Credentials{}, fmt.Errorf("encode session: %w", err)
	}
	id := newAccessKeyID(c.Account)
	token, key, err := r.seal(id, text)
	if err != nil {
		return Credentials{}, fmt.Errorf("seal session: %w", err)
	}
	if len(token) > maxToken {
		return Credentials{}, ErrTokenTooLarge
	}
	return Credentials{AccessKeyID: id, SecretAccessKey: key.secretFor(id, token), SessionToken: token, Expires: s.Expires}, nil
}

// Open returns the secret of temporary credentials and whom they speak for. The caller is shared: do not change it.
// authn.ErrInvalidToken and authn.ErrExpiredToken say what is wrong with a token.
func (r *Ring) Open(accessKeyID, token string) (secret string, c *caller.Caller, err error) {
	if len(token) > maxToken {
		return "", nil, authn.ErrInvalidToken
	}
	text, key, err := r.open(accessKeyID, token)
	if err != nil {
		return "", nil, authn.ErrInvalidToken
	}
	var cl claims
	if err := json.Unmarshal(text, &cl); err != nil {
		return "", nil, fmt.Errorf("decode session: %w", err)
	}
	if r.now().Unix() >= cl.Expires {
		return "", nil, authn.ErrExpiredToken
	}
	return key.secretFor(accessKeyID, token), cl.caller(accessKeyID), nil
}

func (cl *claims) caller(accessKeyID string) *caller.Caller {
	s := &caller.Session{
		RoleARN: cl.RoleARN, RoleID: cl.RoleID, RoleName: cl.RoleName, Name: cl.Name,
		Issued: time.Unix(cl.Issued, 0).UTC(), Expires: time.Unix(cl.Expires, 0).UTC(),
		SourceIdentity: cl.SourceIdentity, Tags: cl.Tags, TransitiveTags: cl.Transitive,
		Policy: cl.Policy, PolicyARNs: cl.PolicyARNs, Chained: cl.Chained, Provider: cl.Provider, Audit: cl.Audit.caller(),
	}
	if v := cl.Vended; v != nil {
		s.Vended = &caller.Vended{
			GrantAccount: v.Account, GrantID: v.GrantID, GranteeType: v.GranteeType, Grantee: v.Grantee, Permission: v.Permission,
			Target: v.Target, Object: v.Object, AuditContext: v.AuditContext, RequesterARN: v.Requester, Principal: v.Principal, Actions: v.Actions,
		}
	}
	if p := cl.Portal; p != nil {
		s.Portal = &caller.Portal{PermissionSet: p.PermissionSet, Account: p.Account}
	}
	c := &caller.Caller{Type: cl.Type, Account: cl.Account, AccessKeyID: accessKeyID, Session: s, OnBehalf: cl.OnBehalf.caller()}
	if cl.Type == caller.User {
		c.ARN, c.PrincipalARN, c.UserID, c.UserName = cl.UserARN, cl.UserARN, cl.UserID, cl.UserName
		return c
	}
	if cl.Type == caller.FederatedUser {
		s.Federator = &caller.Federator{ARN: cl.UserARN, ID: cl.UserID}
		c.ARN = federatedARN(cl.Account, cl.Name)
		c.PrincipalARN, c.UserID = c.ARN, cl.Account+":"+cl.Name
		return c
	}
	c.ARN = arn.AssumedRole(cl.Account, cl.RoleName, cl.Name)
	c.PrincipalARN = cl.RoleARN
	c.UserID = cl.RoleID + ":" + cl.Name
	return c
}

// Cache keeps opened sessions, which never change, so that a busy client costs one opening. It forgets everything when it
// is full. Expiry is checked on every use.
type Cache struct {
	ring *Ring
	mu   sync.RWMutex
	open map[credential]opened
}

// credential is what a client presents: both have to be the ones that belong together.
type credential struct{ accessKeyID, token string }

type opened struct {
	secret string
	caller *caller.Caller
}

const cacheSize = 16 << 10

// NewCache returns a cache in front of the ring.
func NewCache(r *Ring) *Cache { return &Cache{ring: r, open: map[credential]opened{}} }

// Open is Ring.Open.
func (c *Cache) Open(accessKeyID, token string) (string, *caller.Caller, error) {
	key := credential{accessKeyID, token}
	c.mu.RLock()
	o, ok := c.open[key]
	c.mu.RUnlock()
	if ok {
		if !c.ring.now().Before(o.caller.Session.Expires) {
			return "", nil, authn.ErrExpiredToken
		}
		return o.secret, o.caller, nil
	}
	secret, who, err := c.ring.Open(accessKeyID, token)
	if err != nil {
		return "", nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= cacheSize {
		clear(c.open)
	}
	c.open[key] = opened{secret, who}
	return secret, who, nil
}

// The places that contexts are bound to: one that only writes a person into the trail never opens as one that acts for them.
const (
	contextPlace = "identity-context"
	auditPlace   = "audit-context"
)

// maxContext is the longest ContextAssertion that AssumeRole takes.
const maxContext = 2048

type contextClaims struct {
	identity
	Issued  int64 `json:"n"`
	Expires int64 `json:"e"`
}

// SealContext makes the identity context that an application hands to AssumeRole. It says who signed in, never what they
// may do, and is valid until expires.
func (r *Ring) SealContext(p *caller.Identity, expires time.Time) (string, error) {
	return r.sealContext(contextPlace, p, expires)
}

// SealAuditContext makes the audit context that an application hands to AssumeRole for a session which names the person in
// the trail and does not act for them.
func (r *Ring) SealAuditContext(p *caller.Identity, expires time.Time) (string, error) {
	return r.sealContext(auditPlace, p, expires)
}

func (r *Ring) sealContext(place string, p *caller.Identity, expires time.Time) (string, error) {
	text, err := json.Marshal(contextClaims{*toIdentity(p), r.now().Unix(), expires.Unix()})
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", place, err)
	}
	token, _, err := r.seal(place, text)
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", place, err)
	}
	if len(token) > maxContext {
		return "", ErrTokenTooLarge
	}
	return token, nil
}

// OpenContext is the inverse of SealContext.
func (r *Ring) OpenContext(token string) (*caller.Identity, error) {
	p, _, err := r.openContext(contextPlace, token)
	return p, err
}

// OpenAuditContext is the inverse of SealAuditContext.
func (r *Ring) OpenAuditContext(token string) (*caller.Identity, error) {
	p, _, err := r.openContext(auditPlace, token)
	return p, err
}

// openContext returns the person of a context, and when it was made.
func (r *Ring) openContext(place, token string) (*caller.Identity, time.Time, error) {
	text, _, err := r.open(place, token)
	if err != nil {
		return nil, time.Time{}, authn.ErrInvalidToken
	}
	var c contextClaims
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, time.Time{}, fmt.Errorf("decode %s: %w", place, err)
	}
	if r.now().Unix() >= c.Expires {
		return nil, time.Time{}, authn.ErrExpiredToken
	}
	return c.caller(), time.Unix(c.Issued, 0).UTC(), nil
}
