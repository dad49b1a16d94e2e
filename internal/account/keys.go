package account

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// ErrNoKey says that no access key of that id can sign: there is none, it is disabled, or its user is gone. Which of them
// is not told to whoever asks over the network.
var ErrNoKey = errors.New("no such active access key")

// Lookup returns the secret of a long-term key and the user who signs with it.
func (r *Registry) Lookup(accessKeyID string) (secret string, c *caller.Caller, err error) {
	k, ok := r.keys.Get(accessKeyID)
	if !ok || !k.Enabled {
		return "", nil, ErrNoKey
	}
	u, ok := r.entities.Get(k.User)
	if !ok || !r.isActive(u.Account) {
		return "", nil, ErrNoKey
	}
	raw, err := r.db.Unseal(keyPlace(k.ID), k.sealed)
	if err != nil {
		return "", nil, fmt.Errorf("unseal access key %s: %w", k.ID, err)
	}
	name := u.ARN()
	return string(raw), &caller.Caller{
		Type: caller.User, Account: u.Account, ARN: name, PrincipalARN: name, UserID: u.ID, UserName: u.Name, AccessKeyID: k.ID,
	}, nil
}

// AccountOfKey returns the account of a long-term key, whether the key works or not.
func (r *Registry) AccountOfKey(accessKeyID string) (string, bool) {
	k, ok := r.keys.Get(accessKeyID)
	if !ok {
		return "", false
	}
	return k.Account, true
}

// keyPlace is where a secret is sealed for.
func keyPlace(id string) string { return "access-key/" + id }

// newKey makes a key for a user. The secret is returned once.
func (r *Registry) newKey(u *Entity) (k *AccessKey, secret string) {
	id, secret := newAccessKeyID(), newSecret()
	return &AccessKey{
		ID: id, Account: u.Account, User: u.ID, Enabled: true, Created: r.now(), sealed: r.db.Seal(keyPlace(id), []byte(secret)),
	}, secret
}

// Use is one use of an access key.
type Use struct {
	At              time.Time
	Service, Region string
}

// uses holds the last use of each key since it was last written down.
type uses struct {
	mu   sync.Mutex
	last map[string]Use
}

// NoteUse remembers that a long-term key signed a request that was accepted. It is written down by SaveUses.
func (r *Registry) NoteUse(accessKeyID string, u Use) {
	r.uses.mu.Lock()
	defer r.uses.mu.Unlock()
	if r.uses.last == nil {
		r.uses.last = map[string]Use{}
	}
	r.uses.last[accessKeyID] = u
}

// SaveUses writes down what NoteUse remembered: to be called every few minutes and at the end. It makes no revision, since
// no decision depends on it, and what was not written when a server is killed is lost.
func (r *Registry) SaveUses(ctx context.Context) error {
	r.uses.mu.Lock()
	last := r.uses.last
	r.uses.last = nil
	r.uses.mu.Unlock()
	if len(last) == 0 {
		return nil
	}
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		for id, u := range last {
			if err := saveUse(ctx, tx, id, u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save last uses of access keys: %w", err)
	}
	return nil
}

// lastUse is the last use of a key; its time is zero when there is none.
func (r *Registry) lastUse(ctx context.Context, id string) (u Use, err error) {
	r.uses.mu.Lock()
	u, ok := r.uses.last[id]
	r.uses.mu.Unlock()
	if ok {
		return u, nil
	}
	err = r.db.View(ctx, func(q store.Querier) error {
		u, err = readUse(ctx, q, id)
		return err
	})
	return u, err
}
