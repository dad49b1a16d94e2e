package session

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// RevocationKind is what a revocation names.
type RevocationKind string

// The kinds of revocation, with what their value is.
const (
	RevokeAccessKey   RevocationKind = "ACCESS_KEY"  // a temporary access key id
	RevokeSession     RevocationKind = "SESSION"     // the ARN of a role's session; with it, what GetDataAccess gave it
	RevokeRole        RevocationKind = "ROLE"        // the ARN of a role
	RevokePerson      RevocationKind = "PERSON"      // the user id of a person
	RevokeApplication RevocationKind = "APPLICATION" // the ARN of an application
	RevokeAll         RevocationKind = "ALL"         // empty
)

// Revocation ends sessions before their time: those that were issued at or before a moment and are of what it names.
type Revocation struct {
	ID string
	// Account is whose sessions; empty for those of every account.
	Account string
	Kind    RevocationKind
	Value   string
	Before  time.Time
	Reason  string
	Created time.Time
	By      string
}

// revocationTime is how long a revocation is kept: no session, and no sign-in from which another could come, is older.
const revocationTime = 91 * 24 * time.Hour

const kindRevocation = "revocation"

// Revocations is the list of them, in memory. It is asked on each request.
type Revocations struct {
	db   *store.DB
	rows store.Mirror[*Revocation]
	// count spares the look-ups while there are none; by finds them, and of tells how many an account has, under the
	// mirror's lock.
	count atomic.Int64
	by    map[revoked][]*Revocation
	of    map[string]int
}

// revoked is one thing that may have been revoked.
type revoked struct {
	account string
	kind    RevocationKind
	value   string
}

// sessionsOf is the kind by which a revoked role is found from the ARN of one of its sessions, which has no path. In an
// account no two roles have the same name.
const sessionsOf RevocationKind = "sessions of"

// keys are what a revocation is found by.
func (r *Revocation) keys() []revoked {
	keys := []revoked{{r.Account, r.Kind, r.Value}}
	if name, err := arn.Parse(r.Value); err == nil && r.Kind == RevokeRole {
		keys = append(keys, revoked{r.Account, sessionsOf, name.Account + "/" + r.Value[strings.LastIndexByte(r.Value, '/')+1:]})
	}
	return keys
}

// OpenRevocations reads the list and follows its changes.
func OpenRevocations(ctx context.Context, db *store.DB) (*Revocations, error) {
	l := &Revocations{db: db}
	l.rows.Kind, l.rows.One, l.rows.Every = kindRevocation, readRevocation, eachRevocation
	l.rows.Reset = func() { l.by, l.of = map[revoked][]*Revocation{}, map[string]int{}; l.count.Store(0) }
	l.rows.Changed = func(_ string, before, after *(*Revocation)) {
		if before != nil {
			l.drop(*before)
		}
		if after != nil {
			r := *after
			for _, k := range r.keys() {
				l.by[k] = append(l.by[k], r)
			}
			l.of[r.Account]++
			l.count.Add(1)
		}
	}
	if err := db.Follow(ctx, &l.rows); err != nil {
		return nil, fmt.Errorf("open revocations: %w", err)
	}
	return l, nil
}

func (l *Revocations) drop(r *Revocation) {
	for _, k := range r.keys() {
		left := make([]*Revocation, 0, len(l.by[k]))
		for _, other := range l.by[k] {
			if other.ID != r.ID {
				left = append(left, other)
			}
		}
		if l.by[k] = left; len(left) == 0 {
			delete(l.by, k)
		}
	}
	if l.of[r.Account]--; l.of[r.Account] == 0 {
		delete(l.of, r.Account)
	}
	l.count.Add(-1)
}

// held is how many revocations an account has; those of every account are the empty one's.
func (l *Revocations) held(account string) (n int) {
	l.rows.Read(func(map[string]*Revocation) { n = l.of[account] })
	return n
}

// Check returns why the session of a caller is over before its time, nil when it is not. Long-term keys have no session:
// they are disabled by IAM.
func (l *Revocations) Check(c *caller.Caller) error {
	if l.count.Load() == 0 || c.Session == nil {
		return nil
	}
	s := c.Session
	names := [...]revoked{{kind: RevokeAll}, {kind: RevokeAccessKey, value: c.AccessKeyID}, {kind: RevokeSession, value: c.ARN}, {kind: RevokeRole, value: s.RoleARN}, {}, {}}
	n := 4
	if p := c.Named(); p != nil {
		names[n], names[n+1] = revoked{kind: RevokePerson, value: p.UserID}, revoked{kind: RevokeApplication, value: p.ApplicationARN}
		n += 2
	}
	r := l.find(names[:n], c.Account, s.Issued)
	if r == nil && s.Vended != nil {
		r = l.findRequester(s.Vended.RequesterARN, s.Issued)
	}
	if r != nil {
		return fmt.Errorf("the session was revoked by %s", r.ID)
	}
	return nil
}

// findRequester looks for a revocation of the session, or of its role, that asked for the credentials of a grant. It may be
// of another account than the role of the location, and that account's to revoke.
func (l *Revocations) findRequester(requester string, issued time.Time) *Revocation {
	name, err := arn.Parse(requester)
	if err != nil || name.Service != "sts" {
		return nil
	}
	role, _, _ := strings.Cut(strings.TrimPrefix(name.Resource, "assumed-role/"), "/")
	return l.find([]revoked{
		{kind: RevokeAll}, {kind: RevokeSession, value: requester}, {kind: sessionsOf, value: name.Account + "/" + role},
	}, name.Account, issued)
}

// CheckPerson returns why a person's sign-in, or what was made from it at a moment, no longer counts; nil when it does. The
// application is empty for a sign-in that is for none.
func (l *Revocations) CheckPerson(userID, application string, at time.Time) error {
	if l.count.Load() == 0 {
		return nil
	}
	names := [...]revoked{{kind: RevokeAll}, {kind: RevokePerson, value: userID}, {kind: RevokeApplication, value: application}}
	if r := l.find(names[:], "", at); r != nil {
		return fmt.Errorf("the sign-in was revoked by %s", r.ID)
	}
	return nil
}

// find looks for a revocation of any of the names, by every account's list and by the account's own. Sessions know the
// second in which they were issued, so that one of the same second as the revocation is over.
func (l *Revocations) find(names []revoked, account string, issued time.Time) (found *Revocation) {
	issued = issued.Truncate(time.Second)
	l.rows.Read(func(map[string]*Revocation) {
		for _, k := range names {
			if k.kind != RevokeAll && k.value == "" {
				continue
			}
			for _, k.account = range [...]string{"", account} {
				for _, r := range l.by[k] {
					if !issued.After(r.Before) {
						found = r
						return
					}
				}
				if account == "" {
					break
				}
			}
		}
	})
	return found
}

// Tend removes revocations that have nothing left to end.
func (l *Revocations) Tend(ctx context.Context) error {
	oldest := l.db.Now().Add(-revocationTime)
	var over []string
	for id, r := range l.rows.Each() {
		if r.Before.Before(oldest) {
			over = append(over, id)
		}
	}
	if len(over) == 0 {
		return nil
	}
	err := l.db.Update(ctx, func(tx *store.Tx) error {
		for _, id := range over {
			if err := deleteRevocation(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove old revocations: %w", err)
	}
	return nil
}
