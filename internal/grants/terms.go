package grants

import (
	"time"
)

// The reserved tags of a grant. They are given when it is made and stay as they are.
const (
	// TagNotBefore and TagNotAfter are when the grant begins and ends: RFC 3339, in whole seconds.
	TagNotBefore = "lakegate:NotBefore"
	TagNotAfter  = "lakegate:NotAfter"
	// TagReason says what the grant is for, and TagOwner whose it is to approve: a person or a group.
	TagReason = "lakegate:Reason"
	TagOwner  = "lakegate:Owner"
	// TagEffect is Allow, which is what a grant does anyway, or Deny.
	TagEffect = "lakegate:Effect"
	// TagActions are the only S3 actions of the permission that the grant is about, separated by spaces.
	TagActions = "lakegate:Actions"
)

// Terms are what the reserved tags of a grant say. They are immutable.
type Terms struct {
	// NotBefore is the first instant at which the grant is in force, NotAfter the first at which it is over; zero is none.
	NotBefore, NotAfter time.Time
	Reason              string
	// Owner is the ARN of a user or group of the identity store; empty for none.
	Owner string
	// Deny takes the scope from every grant of its grantee.
	Deny bool
	// Actions are the only ones that the grant is about, sorted and with their prefix s3:; nil for those of its permission.
	Actions []string
}

// InForce reports whether a moment lies between begin and end. At no moment at all, the zero time, a grant with an end or a
// begin gives nothing, and one that denies holds.
func (t *Terms) InForce(now time.Time) bool {
	switch {
	case t == nil || t.NotBefore.IsZero() && t.NotAfter.IsZero():
		return true
	case now.IsZero():
		return t.Deny
	}
	return !now.Before(t.NotBefore) && (t.NotAfter.IsZero() || now.Before(t.NotAfter))
}

// denies reports whether a grant with these terms takes access instead of giving it.
func (t *Terms) denies() bool { return t != nil && t.Deny }

// actions are the S3 actions to which the terms bound a grant; nil for all of its permission.
func (t *Terms) actions() []string {
	if t == nil {
		return nil
	}
	return t.Actions
}
