package trail

import (
	"slices"
	"strconv"
	"strings"
)

// Gist is what of a record decides whether somebody wants it: a trail by its selectors, or a sink. It is read from the
// record's JSON.
type Gist struct {
	EventTime       string `json:"eventTime"`
	EventSource     string `json:"eventSource"`
	EventName       string `json:"eventName"`
	EventType       string `json:"eventType"`
	ErrorCode       string `json:"errorCode"`
	ReadOnly        bool   `json:"readOnly"`
	ManagementEvent bool   `json:"managementEvent"`
	Recipient       string `json:"recipientAccountId"`
	UserIdentity    struct {
		ARN string `json:"arn"`
	} `json:"userIdentity"`
	Resources []struct {
		Type string `json:"type"`
		ARN  string `json:"ARN"`
	} `json:"resources"`
	Parameters struct {
		Prefix string `json:"prefix"`
	} `json:"requestParameters"`
	Additional struct {
		Decision string `json:"decision"`
	} `json:"additionalEventData"`
}

// ObjectType is the type of the resources of data events.
const (
	ObjectType = "AWS::S3::Object"
	bucketType = "AWS::S3::Bucket"
)

// Objects are the ARNs of the objects that a data event is about. A listing is about the beginning of their names.
func (g *Gist) Objects() (arns []string) {
	bucket := ""
	for _, r := range g.Resources {
		switch r.Type {
		case ObjectType:
			arns = append(arns, r.ARN)
		case bucketType:
			bucket = r.ARN
		}
	}
	if len(arns) == 0 && bucket != "" {
		arns = append(arns, bucket+"/"+g.Parameters.Prefix)
	}
	return arns
}

// Field is what the record has of a field of CloudTrail's selectors, or of one of our own: decision, recipientAccountId.
// Of resources there can be several.
func (g *Gist) Field(name string) []string {
	switch name {
	case "eventCategory":
		if g.ManagementEvent {
			return []string{"Management"}
		}
		return []string{"Data"}
	case "readOnly":
		return []string{strconv.FormatBool(g.ReadOnly)}
	case "eventSource":
		return []string{g.EventSource}
	case "eventName":
		return []string{g.EventName}
	case "eventType":
		return []string{g.EventType}
	case "errorCode":
		return []string{g.ErrorCode}
	case "userIdentity.arn":
		return []string{g.UserIdentity.ARN}
	case "resources.type":
		if g.ManagementEvent {
			return nil
		}
		return []string{ObjectType}
	case "resources.ARN":
		return g.Objects()
	case "decision":
		return []string{g.Additional.Decision}
	case "recipientAccountId":
		return []string{g.Recipient}
	}
	return nil
}

// Condition is what values are wanted of a field, as CloudTrail's advanced selectors say it.
type Condition struct {
	Equals, NotEquals, StartsWith, NotStartsWith, EndsWith, NotEndsWith []string
}

// Values counts what the condition names.
func (c *Condition) Values() int {
	return len(c.Equals) + len(c.NotEquals) + len(c.StartsWith) + len(c.NotStartsWith) + len(c.EndsWith) + len(c.NotEndsWith)
}

// Holds reports whether one of the values that are wanted is there, and none that is not.
func (c *Condition) Holds(values []string) bool {
	any := func(wanted []string, is func(value, wanted string) bool) bool {
		return slices.ContainsFunc(values, func(v string) bool {
			return slices.ContainsFunc(wanted, func(w string) bool { return is(v, w) })
		})
	}
	equal := func(v, w string) bool { return v == w }
	if any(c.NotEquals, equal) || any(c.NotStartsWith, strings.HasPrefix) || any(c.NotEndsWith, strings.HasSuffix) {
		return false
	}
	if len(c.Equals)+len(c.StartsWith)+len(c.EndsWith) == 0 {
		return true
	}
	return any(c.Equals, equal) || any(c.StartsWith, strings.HasPrefix) || any(c.EndsWith, strings.HasSuffix)
}
