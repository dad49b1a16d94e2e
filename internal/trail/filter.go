package trail

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/trail/index"
)

// Filter says which records are looked for. Empty members do not narrow. Names are compared without regard to the case of
// ASCII letters, ids and keys exactly.
type Filter struct {
	// Accounts are those whose copies are looked for; "" is nobody's. Without any, nothing is found.
	Accounts []string
	// Anywhere finds the copies of any account.
	Anywhere bool
	// Own narrows to what the caller's account has of what a person did, by the person's id: one copy of each event.
	Own string
	// Persons are user names or ids of one person.
	Persons []string
	// Principal is the ARN of the caller or its role, or the last part of one.
	Principal string
	// AccessKey signed the request, or was given out by it.
	AccessKey string
	// Application is an ARN, Grant an id.
	Application, Grant string
	Event, Source      string
	// Bucket and Key say which objects: the one of that key, or with Below all that begin so. With an empty key and Below they are
	// those of the bucket.
	Bucket, Key string
	Below       bool
	// Decision is DecisionAllowed, DecisionRefused or DecisionFailed.
	Decision string
	// Request is the id of a request or of an event.
	Request string
	Address string
	// From and To bound the time of events; To does not belong to it. Zero does not bound.
	From, To time.Time
	// Kind is "management", "data" or "".
	Kind string
	// Damaged is told of what a search cannot read, since somebody has altered the log, and the search goes on behind it. Without
	// it, that is an error.
	Damaged func(what string)
	// Except leaves out what an access key did by an operation: whoever waits for events is not woken by having asked.
	Except struct{ Event, AccessKey string }
}

// named gives the names and ids of which a record has at least one of each list, the rarest first. Empty ones do not narrow.
func (f *Filter) named(one func(kind byte, values ...string)) {
	one(kindRequest, f.Request)
	one(kindKey, f.AccessKey)
	one(kindPerson, f.Own)
	one(kindPerson, f.Persons...)
	one(kindPrincipal, f.Principal)
	one(kindGrant, f.Grant)
	one(kindApplication, f.Application)
	one(kindAddress, f.Address)
	one(kindEvent, f.Event)
	one(kindSource, f.Source)
}

// terms are those that a record has: at least one of each list.
func (f *Filter) terms() (all [][]index.Term) {
	one := func(kind byte, values ...string) {
		var list []index.Term
		for _, v := range values {
			if v != "" {
				list = append(list, index.TermOf(kind, v))
			}
		}
		if len(list) > 0 {
			all = append(all, list)
		}
	}
	f.named(one)
	if f.Bucket != "" {
		path := f.Bucket + "/" + f.Key
		if f.Below {
			// Of what begins so, the folder is a term.
			path = path[:strings.LastIndexByte(path, '/')+1]
			for strings.Count(path, "/") > maxLevels {
				path = path[:strings.LastIndexByte(path[:len(path)-1], '/')+1]
			}
		}
		one(kindObject, path)
	}
	if f.Decision == DecisionRefused || f.Decision == DecisionFailed {
		one(kindDecision, f.Decision)
		one(kindRefused, f.Own)
		one(kindRefused, f.Persons...)
		one(kindRefused, f.Principal)
	}
	if !f.Anywhere && !slices.Contains(f.Accounts, "") {
		one(kindAccount, f.Accounts...)
	}
	return all
}

// traces are texts of which a record has at least one of each list, in small letters and as they are written. To look for
// them is much cheaper than to read a record.
func (f *Filter) traces() (all [][][]byte) {
	one := func(_ byte, values ...string) {
		var list [][]byte
		for _, v := range values {
			if v != "" {
				text := appendText(nil, v)
				list = append(list, lowered(text[1:len(text)-1], nil))
			}
		}
		if len(list) > 0 {
			all = append(all, list)
		}
	}
	one(kindObject, f.Key)
	one(kindObject, f.Bucket)
	f.named(one)
	one(kindDecision, f.Decision)
	return all
}

// lowered turns capitals of ASCII into small letters, in the memory that it is given.
func lowered(text, memory []byte) []byte {
	memory = append(memory[:0], text...)
	for i, c := range memory {
		if c-'A' < 26 {
			memory[i] = c + 'a' - 'A'
		}
	}
	return memory
}

// seen is what a filter looks at.
type seen struct {
	EventTime       string `json:"eventTime"`
	EventSource     string `json:"eventSource"`
	EventName       string `json:"eventName"`
	RequestID       string `json:"requestID"`
	EventID         string `json:"eventID"`
	SourceIPAddress string `json:"sourceIPAddress"`
	Recipient       string `json:"recipientAccountId"`
	ManagementEvent bool   `json:"managementEvent"`
	UserIdentity    struct {
		ARN            string `json:"arn"`
		AccountID      string `json:"accountId"`
		AccessKeyID    string `json:"accessKeyId"`
		UserName       string `json:"userName"`
		SessionContext struct {
			SessionIssuer struct {
				ARN string `json:"arn"`
			} `json:"sessionIssuer"`
		} `json:"sessionContext"`
		OnBehalfOf struct {
			UserID string `json:"userId"`
		} `json:"onBehalfOf"`
	} `json:"userIdentity"`
	Parameters json.RawMessage `json:"requestParameters"`
	Additional struct {
		Person      string          `json:"personUserName"`
		PersonID    string          `json:"identitystore:UserId"`
		VendedKey   string          `json:"vendedAccessKeyId"`
		Application string          `json:"applicationArn"`
		Grant       string          `json:"accessGrantId"`
		Grants      []grantSeen     `json:"accessGrants"`
		Decision    string          `json:"decision"`
		Objects     json.RawMessage `json:"objects"`
	} `json:"additionalEventData"`
	Resources []Resource `json:"resources"`
}

// grantSeen is one of the grants that a change of many made.
type grantSeen struct {
	ID string `json:"accessGrantId"`
}

// matches reports whether a record is looked for. One that cannot be read is not.
func (f *Filter) matches(record []byte) bool {
	var r seen
	if json.Unmarshal(record, &r) != nil {
		return false
	}
	if !f.Anywhere && !slices.Contains(f.Accounts, r.Recipient) {
		return false
	}
	person := func(wanted string) bool {
		return alike(wanted, r.Additional.Person) || wanted == r.Additional.PersonID || wanted == r.UserIdentity.OnBehalfOf.UserID
	}
	switch {
	case f.Own != "" && (f.Own != r.UserIdentity.OnBehalfOf.UserID && f.Own != r.Additional.PersonID || r.Recipient != r.UserIdentity.AccountID),
		len(f.Persons) > 0 && !slices.ContainsFunc(f.Persons, person),
		f.Principal != "" && !r.principal(f.Principal),
		f.AccessKey != "" && f.AccessKey != r.UserIdentity.AccessKeyID && f.AccessKey != r.Additional.VendedKey,
		f.Application != "" && f.Application != r.Additional.Application,
		f.Grant != "" && f.Grant != r.Additional.Grant && !slices.Contains(r.Additional.Grants, grantSeen{f.Grant}),
		f.Event != "" && !alike(f.Event, r.EventName),
		f.Source != "" && !alike(f.Source, r.EventSource),
		f.Request != "" && f.Request != r.RequestID && f.Request != r.EventID,
		f.Address != "" && f.Address != r.SourceIPAddress,
		f.Decision != "" && f.Decision != r.Additional.Decision,
		f.Except.Event != "" && f.Except.Event == r.EventName && f.Except.AccessKey == r.UserIdentity.AccessKeyID,
		f.Kind != "" && r.ManagementEvent != (f.Kind == "management"):
		return false
	}
	if !f.From.IsZero() || !f.To.IsZero() {
		at, err := time.Parse(timeFormat, r.EventTime)
		if err != nil || !f.From.IsZero() && at.Before(f.From.Truncate(time.Second)) || !f.To.IsZero() && !at.Before(f.To) {
			return false
		}
	}
	return f.Bucket == "" || r.touches(f)
}

func (r *seen) principal(wanted string) bool {
	for _, arn := range []string{r.UserIdentity.ARN, r.UserIdentity.SessionContext.SessionIssuer.ARN} {
		if arn != "" && (alike(arn, wanted) || alike(arn[strings.LastIndexByte(arn, '/')+1:], wanted)) {
			return true
		}
	}
	return r.UserIdentity.UserName != "" && alike(r.UserIdentity.UserName, wanted)
}

// alike compares as terms do: capitals of ASCII count as small letters, and nothing else does.
func alike(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	small := func(c byte) byte {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}
	for i := range len(a) {
		if small(a[i]) != small(b[i]) {
			return false
		}
	}
	return true
}

// touches reports whether a record is about an object of the filter: by its resources, its parameters, or the keys of a
// batch.
func (r *seen) touches(f *Filter) bool {
	is := func(bucket, key string) bool {
		return bucket == f.Bucket && (key == f.Key || f.Below && strings.HasPrefix(key, f.Key))
	}
	for _, x := range r.Resources {
		if path, ok := strings.CutPrefix(x.ARN, "arn:aws:s3:::"); ok {
			if bucket, key, _ := strings.Cut(path, "/"); is(bucket, key) && (key != "" || x.Type == "AWS::S3::Bucket" && f.Key == "") {
				return true
			}
		}
	}
	var p struct{ BucketName, Key, Prefix string }
	if json.Unmarshal(r.Parameters, &p) == nil && p.BucketName != "" && (is(p.BucketName, p.Key) && p.Key != "" || p.Prefix != "" && is(p.BucketName, p.Prefix)) {
		return true
	}
	var batch []struct{ Key string }
	if len(r.Additional.Objects) > 0 && json.Unmarshal(r.Additional.Objects, &batch) == nil {
		return slices.ContainsFunc(batch, func(one struct{ Key string }) bool { return is(p.BucketName, one.Key) })
	}
	return false
}
