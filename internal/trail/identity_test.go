package trail

import (
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/caller"
)

// identityOf tells by the rules of CloudTrail's user guide who called, as the structure that encoding/json writes.
func identityOf(c *caller.Caller) UserIdentity {
	if c == nil {
		return UserIdentity{Type: "Unknown"}
	}
	u := UserIdentity{
		Type: string(c.Type), PrincipalID: c.UserID, ARN: c.ARN, AccountID: c.Account, AccessKeyID: c.AccessKeyID,
		UserName: c.UserName, InvokedBy: c.ServiceName,
	}
	switch c.Type {
	case caller.Anonymous:
		return UserIdentity{Type: "AWSAccount", AccountID: "ANONYMOUS_PRINCIPAL"}
	case caller.Person:
		u.PrincipalID, u.ARN, u.UserName = "", "", ""
	case caller.WebIdentity:
		u.IdentityProvider = c.Provider
	}
	if p := c.Named(); p != nil {
		u.OnBehalfOf = &OnBehalfOf{UserID: p.UserID, IdentityStoreARN: p.IdentityStoreARN}
		if c.Type == caller.Person {
			u.CredentialID = p.CredentialID
		}
	}
	s := c.Session
	if s == nil {
		return u
	}
	u.SessionContext = &SessionContext{
		Attributes:     SessionAttributes{CreationDate: s.Issued.UTC().Format(timeFormat), MFAAuthenticated: "false"},
		SourceIdentity: s.SourceIdentity,
	}
	if s.Provider != "" {
		u.SessionContext.WebIDFederationData = &WebIDFederationData{s.Provider}
	}
	if f := s.Federator; f != nil {
		u.SessionContext.SessionIssuer = &SessionIssuer{Type: "IAMUser", PrincipalID: f.ID, ARN: f.ARN, AccountID: c.Account, UserName: f.ARN[strings.LastIndexByte(f.ARN, '/')+1:]}
	}
	if s.RoleID != "" {
		u.SessionContext.SessionIssuer = &SessionIssuer{Type: "Role", PrincipalID: s.RoleID, ARN: s.RoleARN, AccountID: c.Account, UserName: s.RoleName}
	}
	return u
}

// anyCaller makes callers of every kind, or nil, with texts of the generator.
func anyCaller(text *rapid.Generator[string]) *rapid.Generator[*caller.Caller] {
	person := rapid.Custom(func(t *rapid.T) *caller.Identity {
		if rapid.Bool().Draw(t, "nobody") {
			return nil
		}
		return &caller.Identity{UserID: text.Draw(t, "user"), IdentityStoreARN: text.Draw(t, "store"), CredentialID: text.Draw(t, "credential")}
	})
	return rapid.Custom(func(t *rapid.T) *caller.Caller {
		if rapid.IntRange(0, 9).Draw(t, "unknown") == 0 {
			return nil
		}
		kinds := []caller.Type{caller.Root, caller.User, caller.AssumedRole, caller.Service, caller.FederatedUser, caller.Person, caller.Anonymous, caller.WebIdentity}
		c := &caller.Caller{
			Type: rapid.SampledFrom(kinds).Draw(t, "type"), Account: text.Draw(t, "account"), ARN: text.Draw(t, "arn"), UserID: text.Draw(t, "id"),
			UserName: text.Draw(t, "name"), AccessKeyID: text.Draw(t, "key"), ServiceName: text.Draw(t, "service"), Provider: text.Draw(t, "provider"),
			OnBehalf: person.Draw(t, "person"),
		}
		if rapid.Bool().Draw(t, "session") {
			c.Session = &caller.Session{
				RoleID: text.Draw(t, "role id"), RoleARN: text.Draw(t, "role"), RoleName: text.Draw(t, "role name"), SourceIdentity: text.Draw(t, "source"),
				Provider: text.Draw(t, "session provider"), Audit: person.Draw(t, "audit"),
				Issued: time.Unix(rapid.Int64Range(-1<<33, 1<<38).Draw(t, "issued"), 0),
			}
			if rapid.Bool().Draw(t, "federated") {
				c.Session.Federator = &caller.Federator{ARN: text.Draw(t, "federator"), ID: text.Draw(t, "federator id")}
			}
		}
		return c
	})
}
