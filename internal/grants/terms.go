package grants

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/wire"
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

var (
	grantTags    = []string{TagNotBefore, TagNotAfter, TagReason, TagOwner, TagEffect, TagActions}
	locationTags = []string{TagOwner, TagVending, TagVendingRole}
)

// What owners begin with: a user or a group of the identity store.
const (
	ownerUser  = "arn:aws:identitystore:::user/"
	ownerGroup = "arn:aws:identitystore:::group/"
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

// actions are those that the terms name; nil for all of the permission.
func (t *Terms) actions() []string {
	if t == nil {
		return nil
	}
	return t.Actions
}

// lapse says why the grant is not in force, for whoever may ask why.
func (t *Terms) lapse(now time.Time) string {
	if now.Before(t.NotBefore) {
		return "begins at " + t.NotBefore.Format(time.RFC3339) + " (" + TagNotBefore + ")"
	}
	return "ended at " + t.NotAfter.Format(time.RFC3339) + " (" + TagNotAfter + ")"
}

// String tells the terms that decide, such as "from 2026-01-01T00:00:00Z until 2026-12-31T17:00:00Z, with s3:GetObject alone";
// it is empty where there are none.
func (t *Terms) String() string {
	if t == nil {
		return ""
	}
	var when, parts []string
	if !t.NotBefore.IsZero() {
		when = append(when, "from "+t.NotBefore.Format(time.RFC3339))
	}
	if !t.NotAfter.IsZero() {
		when = append(when, "until "+t.NotAfter.Format(time.RFC3339))
	}
	if len(when) > 0 {
		parts = append(parts, strings.Join(when, " "))
	}
	if t.Actions != nil {
		parts = append(parts, "with "+strings.Join(t.Actions, " ")+" alone")
	}
	if t.Deny {
		parts = append(parts, "denying it")
	}
	return strings.Join(parts, ", ")
}

// until cuts a time at the end of the grant.
func (t *Terms) until(end time.Time) time.Time {
	if t != nil && !t.NotAfter.IsZero() && end.After(t.NotAfter) {
		return t.NotAfter
	}
	return end
}

// OwnedBy reports whether a person of the identity store, or one of the groups, is the owner.
func OwnedBy(owner, user string, groups []string) bool {
	if id, ok := strings.CutPrefix(owner, ownerUser); ok {
		return id != "" && id == user
	}
	id, ok := strings.CutPrefix(owner, ownerGroup)
	return ok && id != "" && slices.Contains(groups, id)
}

func invalidTag(name, why string) *wire.Error {
	return wire.NewError("InvalidTag", http.StatusBadRequest, "The tag "+name+" is not valid: "+why+".")
}

// readTerms reads the reserved tags of a new grant. Whether the owner exists is for owner to say.
func readTerms(tags map[string]string, permission Permission, now time.Time) (*Terms, error) {
	t := &Terms{}
	var err error
	if t.NotBefore, err = instant(tags, TagNotBefore); err != nil {
		return nil, err
	}
	if t.NotAfter, err = instant(tags, TagNotAfter); err != nil {
		return nil, err
	}
	switch end := t.NotAfter; {
	case end.IsZero():
	case !end.After(now):
		return nil, invalidTag(TagNotAfter, "it is in the past")
	case !end.After(t.NotBefore):
		return nil, invalidTag(TagNotAfter, "it is not after "+TagNotBefore)
	}
	if reason, ok := tags[TagReason]; ok {
		if t.Reason = strings.TrimSpace(reason); t.Reason == "" {
			return nil, invalidTag(TagReason, "it is empty")
		}
	}
	switch effect, ok := tags[TagEffect]; {
	case effect == "Deny":
		t.Deny = true
	case ok && effect != "Allow":
		return nil, invalidTag(TagEffect, "it is neither Allow nor Deny")
	}
	if text, ok := tags[TagActions]; ok {
		if t.Actions, err = readActions(text, permission); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// instant reads a time. Fractions are refused, since a grant ends at a second.
func instant(tags map[string]string, name string) (time.Time, error) {
	text, ok := tags[name]
	if !ok {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Nanosecond() != 0 || at.Year() < 1970 {
		return time.Time{}, invalidTag(name, "it is not a time such as 2026-12-31T17:00:00Z, in whole seconds, from 1970 on")
	}
	return at.UTC(), nil
}

func readActions(text string, permission Permission) (actions []string, err error) {
	within := actionsOf(permission, true)
	for _, word := range strings.Fields(text) {
		if !slices.Contains(within, word) {
			return nil, invalidTag(TagActions, word+" is not an action of "+string(permission)+", which has "+strings.Join(within, " "))
		}
		actions = append(actions, word)
	}
	if len(actions) == 0 {
		return nil, invalidTag(TagActions, "it names no action")
	}
	slices.Sort(actions)
	return slices.Compact(actions), nil
}

// owner resolves the owner that the tags name: user/<id>, group/<id>, or the ARN of one of them. It must be in the identity
// store of the instance's identity center.
func (s *Service) owner(i *Instance, tags map[string]string, ask func(action, resource string) error) (string, error) {
	text, ok := tags[TagOwner]
	if !ok {
		return "", nil
	}
	kind, id, found := strings.Cut(strings.TrimPrefix(text, "arn:aws:identitystore:::"), "/")
	if !found || id == "" || kind != "user" && kind != "group" {
		return "", invalidTag(TagOwner, "it is neither user/<user id>, group/<group id> nor the ARN of one")
	}
	_, storeID, _, ok := s.Center.InstanceOf(i.IdentityCenter)
	if i.IdentityCenter == "" || !ok {
		return "", invalidTag(TagOwner, "the access grants instance is associated with no identity center instance")
	}
	begins, action := ownerUser, "identitystore:DescribeUser"
	_, exists := s.Directory.UserName(storeID, id)
	if kind == "group" {
		begins, action = ownerGroup, "identitystore:DescribeGroup"
		_, exists = s.Directory.GroupName(storeID, id)
	}
	if err := ask(action, begins+id); err != nil {
		return "", err
	}
	if !exists {
		return "", invalidTag(TagOwner, "there is no "+kind+" "+id+" in the identity store")
	}
	return begins + id, nil
}

// setTerms reads what the tags of a new grant say.
func (s *Service) setTerms(ctx context.Context, g *Grant, i *Instance) error {
	return s.readTermsOf(g, i, s.seen(ctx))
}

// seen decides whether the caller may see an owner.
func (s *Service) seen(ctx context.Context) func(action, resource string) error {
	return func(action, resource string) error { return s.also(ctx, action, resource, nil) }
}

// readTermsOf reads what the tags of a grant say. ask decides whether the caller may see the owner that they name.
func (s *Service) readTermsOf(g *Grant, i *Instance, ask func(action, resource string) error) error {
	t, err := readTerms(g.Tags, g.Permission, s.Now())
	if err != nil {
		return err
	}
	if t.Owner, err = s.owner(i, g.Tags, ask); err != nil {
		return err
	}
	if g.Scope.HasVariables() {
		switch {
		case g.Grantee.Type == IAM:
			return invalidGrant("A grant to an IAM principal cannot have variables in its S3SubPrefix: it is nobody's in particular")
		case t.Deny:
			// Whoever is renamed would slip out of it.
			return invalidTag(TagEffect, "a grant with variables in its S3SubPrefix cannot be a Deny")
		}
	}
	if !t.zero() {
		g.Terms = t
	}
	return nil
}

func (t *Terms) zero() bool {
	return t.NotBefore.IsZero() && t.NotAfter.IsZero() && t.Reason == "" && t.Owner == "" && !t.Deny && t.Actions == nil
}

// storedTerms is what the database keeps in one column, and by what two grants to the same grantee may differ.
type storedTerms struct {
	NotBefore int64    `json:"notBefore,omitempty"` // seconds
	NotAfter  int64    `json:"notAfter,omitempty"`
	Deny      bool     `json:"deny,omitempty"`
	Actions   []string `json:"actions,omitempty"`
}

// encode writes the terms for the database; ends is in milliseconds, 0 for never.
func (t *Terms) encode() (text string, ends int64, owner string, err error) {
	if t == nil {
		return "", 0, "", nil
	}
	s := storedTerms{Deny: t.Deny, Actions: t.Actions}
	if !t.NotBefore.IsZero() {
		s.NotBefore = t.NotBefore.Unix()
	}
	if !t.NotAfter.IsZero() {
		s.NotAfter, ends = t.NotAfter.Unix(), t.NotAfter.UnixMilli()
	}
	if s.NotBefore == 0 && s.NotAfter == 0 && !s.Deny && s.Actions == nil {
		return "", 0, t.Owner, nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return "", 0, "", fmt.Errorf("encode terms: %w", err)
	}
	return string(b), ends, t.Owner, nil
}

// decodeTerms is the inverse. Terms that cannot be read are an error, since without them the grant would mean more.
func decodeTerms(text, owner, reason string) (*Terms, error) {
	t := &Terms{Owner: owner, Reason: strings.TrimSpace(reason)}
	if text != "" {
		var s storedTerms
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			return nil, fmt.Errorf("read terms: %w", err)
		}
		t.Deny, t.Actions = s.Deny, s.Actions
		if s.NotBefore != 0 {
			t.NotBefore = time.Unix(s.NotBefore, 0).UTC()
		}
		if s.NotAfter != 0 {
			t.NotAfter = time.Unix(s.NotAfter, 0).UTC()
		}
	}
	if t.zero() {
		return nil, nil
	}
	return t, nil
}

// keepReserved refuses to change, add or remove a reserved tag: the grant would mean more than was given. The same value
// once more changes nothing.
func keepReserved(tags, add map[string]string) error {
	for k, v := range add {
		if !reserved(k) {
			continue
		}
		if old, ok := tags[k]; !ok || old != v {
			return wire.NewError("InvalidTag", http.StatusBadRequest, "The tag "+k+" is given when the resource is made, and cannot be added or changed.")
		}
	}
	return nil
}

func reserved(name string) bool { return strings.HasPrefix(strings.ToLower(name), reservedTags) }
