package store

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
)

// Follower is an index in memory that takes in each change: those of this process before they are acknowledged, those of
// other nodes as the feed tells of them.
type Follower interface {
	// Load reads everything anew. Nothing is decided from the index until it returns.
	Load(ctx context.Context, q Querier) error
	// Prepare reads, inside the transaction, what the changes did, and returns the step that takes it in. The step runs
	// after the commit and cannot fail; when the transaction does not commit it is dropped. Changes of other nodes come
	// together and each thing once, however often it changed, and are read as they were left last.
	Prepare(ctx context.Context, tx *Tx, changes []Change) (take func(), err error)
}

// Mirror holds all rows of one kind in memory, by key. It is a Follower, and safe for concurrent use.
type Mirror[V any] struct {
	// Kind is the kind of change that the mirror follows.
	Kind string
	// One reads one row; ErrNotFound means that it is gone.
	One func(ctx context.Context, q Querier, key string) (V, error)
	// Many, when set, reads rows that are asked for together; those that are gone it leaves out.
	Many func(ctx context.Context, q Querier, keys []string, do func(key string, v V) error) error
	// Every reads all rows.
	Every func(ctx context.Context, q Querier, do func(key string, v V) error) error
	// Changed, when set, is told of each row that came, changed (both set) or went, under the mirror's lock: for further
	// indexes over the same rows. Before a full load it is called with Reset.
	Changed func(key string, before, after *V)
	// Reset, when set, empties those further indexes.
	Reset func()

	mu   sync.RWMutex
	rows map[string]V
}

// Load implements Follower.
func (m *Mirror[V]) Load(ctx context.Context, q Querier) error {
	rows := map[string]V{}
	if err := m.Every(ctx, q, func(key string, v V) error { rows[key] = v; return nil }); err != nil {
		return fmt.Errorf("load %s: %w", m.Kind, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Reset != nil {
		m.Reset()
	}
	m.rows = rows
	if m.Changed != nil {
		for k, v := range rows {
			m.Changed(k, nil, &v)
		}
	}
	return nil
}

// Prepare implements Follower.
func (m *Mirror[V]) Prepare(ctx context.Context, tx *Tx, changes []Change) (func(), error) {
	var keys []string
	for _, c := range changes {
		if c.Kind == m.Kind {
			keys = append(keys, c.Key)
		}
	}
	after, err := m.read(ctx, tx, keys)
	return func() { m.take(after) }, err
}

// read finds what became of rows; nil is one that is gone.
func (m *Mirror[V]) read(ctx context.Context, tx *Tx, keys []string) (map[string]*V, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	after := make(map[string]*V, len(keys))
	if m.Many != nil && len(keys) > 1 {
		for some := range slices.Chunk(keys, rowsAtOnce) {
			for _, key := range some {
				after[key] = nil
			}
			if err := m.Many(ctx, tx, some, func(key string, v V) error { after[key] = &v; return nil }); err != nil {
				return nil, fmt.Errorf("read %s: %w", m.Kind, err)
			}
		}
		return after, nil
	}
	for _, key := range keys {
		v, err := m.One(ctx, tx, key)
		switch {
		case err == nil:
			after[key] = &v
		case isNotFound(err):
			after[key] = nil
		default:
			return nil, fmt.Errorf("read %s %s: %w", m.Kind, key, err)
		}
	}
	return after, nil
}

func (m *Mirror[V]) take(after map[string]*V) {
	if len(after) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, v := range after {
		before, had := m.rows[key]
		if v == nil {
			delete(m.rows, key)
		} else {
			m.rows[key] = *v
		}
		if m.Changed == nil || (!had && v == nil) {
			continue
		}
		if had {
			m.Changed(key, &before, v)
		} else {
			m.Changed(key, nil, v)
		}
	}
}

// Get returns the row with the key.
func (m *Mirror[V]) Get(key string) (V, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok := m.rows[key]
	return v, ok
}

// Read runs do while no change is taken in, for readers of further indexes that Changed keeps.
func (m *Mirror[V]) Read(do func(rows map[string]V)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	do(m.rows)
}

// Len is the number of rows.
func (m *Mirror[V]) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.rows)
}

// Each walks over a copy of the rows, in no order.
func (m *Mirror[V]) Each() iter.Seq2[string, V] {
	m.mu.RLock()
	rows := maps.Clone(m.rows)
	m.mu.RUnlock()
	return maps.All(rows)
}
