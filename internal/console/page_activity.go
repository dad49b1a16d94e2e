package console

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
)

// event is a record of the audit log, as far as a page tells it.
type event struct {
	Time      time.Time `json:"eventTime"`
	Name      string    `json:"eventName"`
	Source    string    `json:"eventSource"`
	Error     string    `json:"errorCode"`
	Address   string    `json:"sourceIPAddress"`
	Request   string    `json:"requestID"`
	Resources []struct {
		ARN string `json:"ARN"`
	} `json:"resources"`
	Identity struct {
		ARN string `json:"arn"`
	} `json:"userIdentity"`
	More struct {
		Person      string `json:"personUserName"`
		Decision    string `json:"decision"`
		Reason      string `json:"reason"`
		Application string `json:"applicationArn"`
		Grant       string `json:"accessGrantId"`
	} `json:"additionalEventData"`
}

// Refused reports whether the record is of something that was not done.
func (e *event) Refused() bool { return e.Error != "" || e.More.Decision == "refused" }

// activityView is the page Activity. Account says that it is that of the role's account, not the person's own.
type activityView struct {
	Events                         []event
	Incomplete                     []string
	Next                           string
	Account                        bool
	Person, Object, Decision, Kind string
}

// showActivity shows what the person did, and what others did to objects that are the person's; or, in a role, what happened
// in the role's account.
func (v *visit) showActivity() (*answer, error) {
	view := activityView{Account: v.role != nil && v.query("of") == "account", Person: v.query("person"), Object: v.query("object"), Decision: v.query("decision"), Kind: v.query("kind")}
	who := v.person
	if view.Account {
		who = v.role.Caller
	}
	page := &answer{page: "activity", title: "Activity"}
	in := &lakegate.QueryEventsInput{
		Object: known(view.Object), Decision: known(lakegate.EventDecision(view.Decision)), Category: known(lakegate.EventKind(view.Kind)), MaxResults: new(pageLength), NextToken: known(v.query("next")),
	}
	if view.Account {
		in.Person = known(view.Person)
	}
	out, err := own[lakegate.QueryEventsOutput](v, who, "QueryEvents", in)
	if err != nil {
		page.view = view
		return again(page, err)
	}
	for _, text := range out.Events {
		var e event
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, fmt.Errorf("read record: %w", err)
		}
		view.Events = append(view.Events, e)
	}
	view.Next, view.Incomplete = value(out.NextToken), out.Incomplete
	page.view = view
	return page, nil
}
