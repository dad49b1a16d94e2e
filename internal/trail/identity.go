package trail

import (
	"strings"

	"github.com/lakegate/lakegate/internal/caller"
)

// identity writes who called. A nil caller is one who was not authenticated, which is not the same as one who did not
// sign: that one is called as S3 calls it.
func (m *members) identity(c *caller.Caller) {
	m.open("userIdentity")
	defer m.close()
	switch {
	case c == nil:
		m.plain("type", "Unknown")
		return
	case c.Type == caller.Anonymous:
		m.plain("type", "AWSAccount")
		m.plain("accountId", "ANONYMOUS_PRINCIPAL")
		return
	}
	// The bearer of a token of the identity center is told by the person alone.
	bearer := c.Type == caller.Person
	m.text("type", string(c.Type))
	if !bearer {
		m.known("principalId", c.UserID)
		m.known("arn", c.ARN)
	}
	m.known("accountId", c.Account)
	m.known("accessKeyId", c.AccessKeyID)
	if !bearer {
		m.known("userName", c.UserName)
	}
	if c.Session != nil {
		m.session(c.Account, c.Session)
	}
	if p := c.Named(); p != nil {
		m.open("onBehalfOf")
		m.text("userId", p.UserID)
		m.text("identityStoreArn", p.IdentityStoreARN)
		m.close()
		if bearer {
			m.known("credentialId", p.CredentialID)
		}
	}
	m.known("invokedBy", c.ServiceName)
	if c.Type == caller.WebIdentity {
		m.known("identityProvider", c.Provider)
	}
}

// session writes where temporary credentials come from.
func (m *members) session(account string, s *caller.Session) {
	m.open("sessionContext")
	if f := s.Federator; s.RoleID != "" {
		m.issuer("Role", s.RoleID, s.RoleARN, account, s.RoleName)
	} else if f != nil {
		m.issuer("IAMUser", f.ID, f.ARN, account, f.ARN[strings.LastIndexByte(f.ARN, '/')+1:])
	}
	m.open("attributes")
	m.plain("creationDate", stamp(s.Issued))
	m.plain("mfaAuthenticated", "false")
	m.close()
	m.known("sourceIdentity", s.SourceIdentity)
	if s.Provider != "" {
		m.open("webIdFederationData")
		m.text("federatedProvider", s.Provider)
		m.close()
	}
	m.close()
}

func (m *members) issuer(kind, id, arn, account, name string) {
	m.open("sessionIssuer")
	m.plain("type", kind)
	m.text("principalId", id)
	m.text("arn", arn)
	m.text("accountId", account)
	m.text("userName", name)
	m.close()
}
