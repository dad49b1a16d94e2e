package trail

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/wire"
)

// Record is one record in CloudTrail's shape (CloudTrail user guide, record contents).
type Record struct {
	EventVersion        string         `json:"eventVersion"`
	UserIdentity        *UserIdentity  `json:"userIdentity"`
	EventTime           string         `json:"eventTime"`
	EventSource         string         `json:"eventSource"`
	EventName           string         `json:"eventName"`
	AwsRegion           string         `json:"awsRegion"`
	SourceIPAddress     string         `json:"sourceIPAddress"`
	UserAgent           string         `json:"userAgent"`
	ErrorCode           string         `json:"errorCode,omitempty"`
	ErrorMessage        string         `json:"errorMessage,omitempty"`
	RequestParameters   map[string]any `json:"requestParameters"`
	ResponseElements    map[string]any `json:"responseElements"`
	AdditionalEventData map[string]any `json:"additionalEventData,omitempty"`
	RequestID           string         `json:"requestID"`
	EventID             string         `json:"eventID"`
	ReadOnly            bool           `json:"readOnly"`
	Resources           []Resource     `json:"resources,omitempty"`
	EventType           string         `json:"eventType"`
	ManagementEvent     bool           `json:"managementEvent"`
	RecipientAccountID  string         `json:"recipientAccountId,omitempty"`
	SharedEventID       string         `json:"sharedEventID,omitempty"`
	EventCategory       string         `json:"eventCategory"`
	TLSDetails          *TLSDetails    `json:"tlsDetails,omitempty"`
}

// UserIdentity says who called.
type UserIdentity struct {
	Type           string          `json:"type"`
	PrincipalID    string          `json:"principalId,omitempty"`
	ARN            string          `json:"arn,omitempty"`
	AccountID      string          `json:"accountId,omitempty"`
	AccessKeyID    string          `json:"accessKeyId,omitempty"`
	UserName       string          `json:"userName,omitempty"`
	SessionContext *SessionContext `json:"sessionContext,omitempty"`
	OnBehalfOf     *OnBehalfOf     `json:"onBehalfOf,omitempty"`
	CredentialID   string          `json:"credentialId,omitempty"`
	InvokedBy      string          `json:"invokedBy,omitempty"`
}

// SessionContext says where temporary credentials come from.
type SessionContext struct {
	SessionIssuer  *SessionIssuer    `json:"sessionIssuer,omitempty"`
	Attributes     SessionAttributes `json:"attributes"`
	SourceIdentity string            `json:"sourceIdentity,omitempty"`
}

// SessionIssuer is the role of a session.
type SessionIssuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName"`
}

// SessionAttributes are the creation time and, as text, whether a second factor was used.
type SessionAttributes struct {
	CreationDate     string `json:"creationDate"`
	MFAAuthenticated string `json:"mfaAuthenticated"`
}

// OnBehalfOf is the person that a session acts for.
type OnBehalfOf struct {
	UserID           string `json:"userId"`
	IdentityStoreARN string `json:"identityStoreArn"`
}

// TLSDetails is set for requests over TLS.
type TLSDetails struct {
	ClientProvidedHostHeader string `json:"clientProvidedHostHeader"`
}

// The bounds of a record's parts, in bytes, from the CloudTrail user guide.
const (
	maxParameters = 100 << 10
	maxAdditional = 28 << 10
	maxAgent      = 1 << 10
)

const timeFormat = "2006-01-02T15:04:05Z"

func identityOf(c *caller.Caller) *UserIdentity {
	u := &UserIdentity{Type: string(c.Type), PrincipalID: c.UserID, ARN: c.ARN, AccountID: c.Account, AccessKeyID: c.AccessKeyID, UserName: c.UserName, InvokedBy: c.ServiceName}
	if c.Type == caller.Anonymous {
		u.Type, u.AccountID, u.PrincipalID = "AWSAccount", "ANONYMOUS_PRINCIPAL", ""
	}
	if p := c.OnBehalf; p != nil {
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
	if s.RoleID != "" {
		u.SessionContext.SessionIssuer = &SessionIssuer{Type: "Role", PrincipalID: s.RoleID, ARN: s.RoleARN, AccountID: c.Account, UserName: s.RoleName}
	}
	return u
}

// userName is what LookupEvents calls Username: the user, or the session's name.
func userName(c *caller.Caller) string {
	switch {
	case c.Session != nil && c.Session.Name != "":
		return c.Session.Name
	case c.Type == caller.Root:
		return "root"
	default:
		return c.UserName
	}
}

// record makes the record for one account. The entry's lock is held.
func (e *Entry) record(req *caller.Request, at time.Time, failure error) *Record {
	c := e.caller
	if c == nil {
		c = &caller.Caller{Type: caller.Anonymous}
	}
	r := &Record{
		EventVersion: "1.11", UserIdentity: identityOf(c), EventTime: at.UTC().Format(timeFormat),
		EventSource: e.source, EventName: e.name, AwsRegion: req.Region, SourceIPAddress: req.SourceIP, UserAgent: clip(req.UserAgent, maxAgent),
		RequestParameters: bounded(e.parameters, maxParameters), AdditionalEventData: e.additional(c, failure),
		RequestID: req.ID, ReadOnly: e.readOnly, Resources: e.resources, EventType: "AwsApiCall",
		ManagementEvent: !e.data, EventCategory: "Management",
	}
	if e.data {
		r.EventCategory = "Data"
	}
	if !e.readOnly && failure == nil {
		r.ResponseElements = bounded(e.response, maxParameters)
	}
	if failure != nil {
		w := wire.AsError(failure)
		r.ErrorCode, r.ErrorMessage = w.Code, clip(w.Message, maxDetail)
	}
	if req.Secure {
		r.TLSDetails = &TLSDetails{ClientProvidedHostHeader: req.Host}
	}
	return r
}

// The values of KeyDecision.
const (
	decisionAllowed = "allowed"
	decisionRefused = "refused"
	decisionFailed  = "failed"
)

func (e *Entry) additional(c *caller.Caller, failure error) map[string]any {
	extra := map[string]any{}
	maps.Copy(extra, e.extra)
	if c.AccessKeyID != "" {
		extra[KeySignature] = "SigV4"
	}
	if c.Auth != "" {
		extra[KeyAuthentication] = c.Auth
	}
	if p := c.OnBehalf; p != nil {
		setDefault(extra, KeyApplication, p.ApplicationARN)
		setDefault(extra, KeyCredentialID, p.CredentialID)
	}
	if c.Session != nil && c.Session.Vended != nil {
		v := c.Session.Vended
		setDefault(extra, KeyGrantID, v.GrantID)
		setDefault(extra, KeyGrantAccount, v.GrantAccount)
		setDefault(extra, KeyMatchedScope, v.Target)
		setDefault(extra, KeyAuditContext, v.AuditContext)
	}
	if _, set := extra[KeyDecision]; !set {
		extra[KeyDecision] = decisionAllowed
		if failure != nil {
			extra[KeyDecision] = decisionFailed
			if w := wire.AsError(failure); w.Kind == wire.KindAccessDenied || w.Status == 403 || strings.Contains(w.Code, "AccessDenied") {
				extra[KeyDecision] = decisionRefused
			}
		}
	}
	if failure != nil {
		for _, s := range slices.Backward(e.steps) {
			if s.Outcome == Fail {
				setDefault(extra, KeyReason, s.Step+": "+s.Detail)
				break
			}
		}
		extra["steps"] = slices.Clone(e.steps)
	}
	return bounded(extra, maxAdditional)
}

func setDefault(m map[string]any, key, value string) {
	if _, ok := m[key]; !ok && value != "" {
		m[key] = value
	}
}

// bounded hides what is named like a secret, and replaces a part that is too large with a marker.
func bounded(m map[string]any, limit int) map[string]any {
	if m == nil {
		return nil
	}
	m = hide(m)
	text, err := json.Marshal(m)
	if err != nil {
		return map[string]any{"omitted": "not representable"}
	}
	if len(text) > limit {
		return map[string]any{"omitted": "too large", "bytes": len(text)}
	}
	return m
}

const hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// secrets are member names, in lower case, whose values are never written, whoever puts them into a record.
var secrets = map[string]bool{
	"secretaccesskey": true, "sessiontoken": true, "assertion": true, "contextassertion": true, "accesstoken": true, "idtoken": true,
	"refreshtoken": true, "clientsecret": true, "password": true, "token": true, "subjecttoken": true, "code": true, "codeverifier": true,
	"authorization": true, "devicecode": true, "identitycontext": true, "x-amz-security-token": true, "x-amz-signature": true, "x-amz-sso_bearer_token": true,
}

func hide(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if secrets[strings.ToLower(k)] {
			v = hidden
		}
		out[k] = hideIn(v)
	}
	return out
}

func hideIn(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return hide(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = hideIn(v[i])
		}
		return out
	case string:
		return strings.ToValidUTF8(v, "\uFFFD")
	}
	return v
}

// clip cuts a text to at most n bytes at the beginning of a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
