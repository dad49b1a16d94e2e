package trail

import (
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/wire"
)

// Record is one record in CloudTrail's shape (CloudTrail user guide, record contents). The order of its members is that
// of the encoded record, in which the copies for several accounts share everything up to the event id.
type Record struct {
	EventVersion        string               `json:"eventVersion"`
	UserIdentity        UserIdentity         `json:"userIdentity"`
	EventTime           string               `json:"eventTime"`
	EventSource         string               `json:"eventSource"`
	EventName           string               `json:"eventName"`
	AwsRegion           string               `json:"awsRegion"`
	SourceIPAddress     string               `json:"sourceIPAddress"`
	UserAgent           string               `json:"userAgent"`
	ErrorCode           string               `json:"errorCode,omitempty"`
	ErrorMessage        string               `json:"errorMessage,omitempty"`
	RequestParameters   map[string]any       `json:"requestParameters"`
	ResponseElements    map[string]any       `json:"responseElements"`
	AdditionalEventData map[string]any       `json:"additionalEventData,omitempty"`
	ServiceEventDetails *ServiceEventDetails `json:"serviceEventDetails,omitempty"`
	RequestID           string               `json:"requestID"`
	EventID             string               `json:"eventID"`
	ReadOnly            bool                 `json:"readOnly"`
	Resources           []Resource           `json:"resources,omitempty"`
	EventType           string               `json:"eventType"`
	ManagementEvent     bool                 `json:"managementEvent"`
	RecipientAccountID  string               `json:"recipientAccountId,omitempty"`
	SharedEventID       string               `json:"sharedEventID,omitempty"`
	EventCategory       string               `json:"eventCategory"`
	TLSDetails          *TLSDetails          `json:"tlsDetails,omitempty"`

	// In a record that is to be written, caller takes the place of UserIdentity, additional that of AdditionalEventData, and
	// asked, where it is set, that of RequestParameters.
	caller            *caller.Caller
	asked, additional fields
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
	// IdentityProvider is the ARN of the OpenID Connect provider of a WebIdentityUser.
	IdentityProvider string `json:"identityProvider,omitempty"`
}

// SessionContext says where temporary credentials come from.
type SessionContext struct {
	SessionIssuer  *SessionIssuer    `json:"sessionIssuer,omitempty"`
	Attributes     SessionAttributes `json:"attributes"`
	SourceIdentity string            `json:"sourceIdentity,omitempty"`
	// WebIDFederationData is set for a session that began with a token of an OpenID Connect provider.
	WebIDFederationData *WebIDFederationData `json:"webIdFederationData,omitempty"`
}

// WebIDFederationData names the provider whose token a session began with.
type WebIDFederationData struct {
	FederatedProvider string `json:"federatedProvider"`
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

// ServiceEventDetails takes the place of parameters where a person calls the portal.
type ServiceEventDetails struct {
	RoleName  string `json:"role_name,omitempty"`
	AccountID string `json:"account_id,omitempty"`
}

// TLSDetails is set for requests over TLS.
type TLSDetails struct {
	ClientProvidedHostHeader string `json:"clientProvidedHostHeader"`
}

// The bounds of a record's parts, in bytes, from the CloudTrail user guide.
const (
	maxParameters = 100 << 10
	maxAdditional = 28 << 10
	maxObjects    = 1280 << 10
	maxAgent      = 1 << 10
	maxHost       = 255
)

// userName is what LookupEvents calls Username: the user, or the session's name.
func userName(c *caller.Caller) string {
	switch {
	case c == nil:
		return ""
	case c.Session != nil && c.Session.Name != "":
		return c.Session.Name
	case c.Type == caller.Root:
		return "root"
	default:
		return c.UserName
	}
}

// record makes the record, but for what differs between its copies and with no more than additional already knows. The
// entry's lock is held.
func (e *Entry) record(req *caller.Request, at time.Time, failure error, additional fields) Record {
	r := Record{
		EventVersion: "1.11", caller: e.caller, EventTime: stamp(at),
		EventSource: e.source, EventName: e.name, AwsRegion: req.Region, SourceIPAddress: req.SourceIP, UserAgent: clip(req.UserAgent, maxAgent),
		RequestParameters: e.parameters, asked: e.asked, additional: e.additional(req, at, failure, additional),
		RequestID: req.ID, ReadOnly: e.readOnly, Resources: e.resources, EventType: "AwsApiCall",
		ManagementEvent: !e.data, EventCategory: "Management",
	}
	if e.data {
		r.EventCategory = "Data"
	}
	if failure == nil && (!e.readOnly || e.issues()) {
		r.ResponseElements = e.response
	}
	if failure != nil {
		w := wire.AsError(failure)
		r.ErrorCode, r.ErrorMessage = w.Code, clip(w.Message, maxDetail)
	}
	if req.Secure {
		r.TLSDetails = &TLSDetails{ClientProvidedHostHeader: clip(req.Host, maxHost)}
	}
	if e.caller != nil && e.caller.Type == caller.Person && e.source == portalSource {
		r.EventType = "AwsServiceEvent"
		role, _ := e.parameters["roleName"].(string)
		account, _ := e.parameters["accountId"].(string)
		r.RequestParameters, r.asked, r.ServiceEventDetails = nil, nil, &ServiceEventDetails{RoleName: role, AccountID: account}
	}
	return r
}

// issues reports whether the operation gives out credentials, the only reads whose answer is recorded: the access key id
// in it joins the issue of a session to its use.
func (e *Entry) issues() bool {
	return e.source == "sts.amazonaws.com" && (strings.HasPrefix(e.name, "AssumeRole") || e.name == "GetSessionToken" || e.name == "GetFederationToken")
}

// portalSource is where calls with a person's token are recorded as events of the service.
const portalSource = "sso.amazonaws.com"

// The values of KeyDecision: what was asked is done, was not permitted, or could not be done.
const (
	DecisionAllowed = "allowed"
	DecisionRefused = "refused"
	DecisionFailed  = "failed"
)

// refusals are errors with a status of their own that say that somebody or something was not let in.
var refusals = map[string]bool{
	"ExpiredTokenException": true, "InvalidClientException": true, "InvalidGrantException": true, "InvalidClientTokenId": true,
	"UnauthorizedClientException": true, "UnrecognizedClientException": true, "IncompleteSignatureException": true, "InvalidSignatureException": true,
	"ExpiredToken": true, "InvalidToken": true, "MissingAuthenticationTokenException": true, "MissingAuthenticationToken": true,
}

func decisionOf(failure error) string {
	if failure == nil {
		return DecisionAllowed
	}
	w := wire.AsError(failure)
	if w.Kind == wire.KindAccessDenied || w.Status == 401 || w.Status == 403 || strings.HasPrefix(w.Code, "AccessDenied") || refusals[w.Code] {
		return DecisionRefused
	}
	return DecisionFailed
}

// additional is what is known beyond CloudTrail's members, behind what x has. The entry's lock is held.
func (e *Entry) additional(req *caller.Request, at time.Time, failure error, x fields) fields {
	x = append(x, e.extra...)
	if took := at.Sub(req.Time); !req.Time.IsZero() {
		x.set(field{name: keyDuration, value: max(took, 0).Microseconds()})
	}
	if c := e.caller; c != nil {
		if c.AccessKeyID != "" {
			x.set(field{name: KeySignature, text: "SigV4"})
		}
		x.setDefault(KeyAuthentication, c.Auth)
		if p := c.Named(); p != nil {
			x.setDefault(KeyPersonID, p.UserID)
			x.setDefault(KeyApplication, p.ApplicationARN)
			x.setDefault(KeyCredentialID, p.CredentialID)
			if e.trail.names != nil && !x.has(KeyPersonName) {
				x.setDefault(KeyPersonName, e.trail.names(p))
			}
		}
		if c.Session != nil && c.Session.Vended != nil {
			v := c.Session.Vended
			x.setDefault(KeyGrantID, v.GrantID)
			x.setDefault(KeyGrantAccount, v.GrantAccount)
			x.setDefault(KeyMatchedScope, v.Target)
			x.setDefault(KeyAuditContext, v.AuditContext)
		}
	}
	x.setDefault(KeyDecision, decisionOf(failure))
	if failure != nil {
		for _, s := range slices.Backward(e.steps) {
			if s.Outcome == Fail {
				x.setDefault(KeyReason, strings.TrimSuffix(s.Step+": "+s.Detail, ": "))
				break
			}
		}
		if len(e.steps) > 0 {
			x.set(field{name: keySteps, value: fitting(e.steps, maxStepBytes)})
		}
	}
	return x
}

// The keys that records have of themselves: the answered questions, and how long the request took, in microseconds.
const (
	keySteps    = "steps"
	keyDuration = "durationMicros"
)

// maxStepBytes bounds the steps in a record, which have to leave room for the person and the grant.
const maxStepBytes = 16 << 10

// fitting leaves out steps so that the rest takes no more than limit bytes: first those that only inform, the later ones
// before the earlier. What failed is the last to go.
func fitting(steps []Step, limit int) []Step {
	size := len(appendSteps(nil, steps))
	if size <= limit {
		return slices.Clone(steps)
	}
	keep := slices.Clone(steps)
	for _, kind := range []Outcome{Info, Pass, Fail} {
		for i := len(keep) - 1; i >= 0 && size > limit; i-- {
			if keep[i].Outcome == kind && len(keep) > 1 {
				size -= len(appendSteps(nil, keep[i:i+1])) - 1
				keep = slices.Delete(keep, i, i+1)
			}
		}
	}
	return keep
}

// appendShared writes what all copies of a record have in common, up to the event id; the rest is written by appendOwn.
func (r *Record) appendShared(b []byte) []byte {
	m := members{b: append(b, '{')}
	m.plain("eventVersion", r.EventVersion)
	m.identity(r.caller)
	m.plain("eventTime", r.EventTime)
	m.text("eventSource", r.EventSource)
	m.text("eventName", r.EventName)
	m.text("awsRegion", r.AwsRegion)
	m.text("sourceIPAddress", r.SourceIPAddress)
	m.text("userAgent", r.UserAgent)
	m.known("errorCode", r.ErrorCode)
	m.known("errorMessage", r.ErrorMessage)
	if r.asked != nil {
		m.fields("requestParameters", r.asked, maxParameters)
	} else {
		m.part("requestParameters", r.RequestParameters, maxParameters)
	}
	m.part("responseElements", r.ResponseElements, maxParameters)
	m.fields("additionalEventData", r.additional, r.roomForMore())
	if d := r.ServiceEventDetails; d != nil {
		m.open("serviceEventDetails")
		m.known("role_name", d.RoleName)
		m.known("account_id", d.AccountID)
		m.close()
	}
	m.text("requestID", r.RequestID)
	return m.b
}

// roomForMore is how large additionalEventData may be. The keys of a batch deletion come on top of what CloudTrail, which
// does not record them, allows: a thousand of the longest fit.
func (r *Record) roomForMore() int {
	if r.additional.has(KeyObjects) {
		return maxAdditional + maxObjects
	}
	return maxAdditional
}

func (r *Record) appendOwn(b []byte) []byte {
	m := members{b: b, some: true}
	m.plain("eventID", r.EventID)
	m.flag("readOnly", r.ReadOnly)
	if len(r.Resources) > 0 {
		m.name("resources")
		m.b = append(m.b, '[')
		for i, x := range r.Resources {
			if i > 0 {
				m.b = append(m.b, ',')
			}
			m.b, m.some = append(m.b, '{'), false
			m.text("type", x.Type)
			m.text("ARN", x.ARN)
			m.known("accountId", x.Account)
			m.close()
		}
		m.b = append(m.b, ']')
	}
	m.plain("eventType", r.EventType)
	m.flag("managementEvent", r.ManagementEvent)
	m.known("recipientAccountId", r.RecipientAccountID)
	m.known("sharedEventID", r.SharedEventID)
	m.plain("eventCategory", r.EventCategory)
	if d := r.TLSDetails; d != nil {
		m.open("tlsDetails")
		m.text("clientProvidedHostHeader", d.ClientProvidedHostHeader)
		m.close()
	}
	return append(m.b, '}')
}
