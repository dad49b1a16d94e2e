package trail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// headTime is how often the end of the log is noted in the database. What is cut off the log is noticed unless it is
// younger than that.
const headTime = 10 * time.Second

// noteHead notes in the database how far the log has come on the disk.
func (t *Trail) noteHead(ctx context.Context) {
	at := t.log.forcedMark()
	if at == t.noted {
		return
	}
	err := t.cfg.DB.Update(ctx, func(tx *store.Tx) error { return putHead(ctx, tx, t.log.Node(), at, t.cfg.DB.Now()) })
	if err != nil {
		t.cfg.Log.ErrorContext(ctx, "cannot note the head of the audit log", slog.Any("error", err))
		return
	}
	t.noted = at
}

// Heads are the ends of the logs of all nodes as the database last heard of them.
func Heads(ctx context.Context, db *store.DB) (heads []Head, err error) {
	err = db.View(ctx, func(q store.Querier) error {
		known, err := knownHeads(ctx, q)
		for node, m := range known {
			heads = append(heads, Head{Node: node, Entry: m.entry, Hash: m.head})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read heads of the audit logs: %w", err)
	}
	return heads, nil
}

// checkHead holds the log against what the database knows of it, and lets the log say so when it lacks anything.
func (t *Trail) checkHead(ctx context.Context) error {
	var known map[string]mark
	err := t.cfg.DB.View(ctx, func(q store.Querier) (err error) { known, err = knownHeads(ctx, q); return err })
	if err != nil {
		return err
	}
	m, ok := known[t.log.Node()]
	if !ok {
		return nil
	}
	missing, err := t.log.lacks(m)
	if err != nil || missing == "" {
		return err
	}
	t.tampered.Store(true)
	t.cfg.Log.ErrorContext(ctx, "the audit log is not what it was: "+missing, slog.String("node", t.log.Node()), slog.String("known", Head{Node: t.log.Node(), Entry: m.entry, Hash: m.head}.String()))
	return t.log.noteMissing(missing)
}

// lacks says what the log lacks of what it had at a mark, "" for nothing.
func (l *Log) lacks(m mark) (string, error) {
	if end := l.forcedMark(); m.entry > end.entry || m.segment > end.segment {
		return fmt.Sprintf("the database knows entry %d, and the log ended with entry %d", m.entry, end.entry), nil
	}
	head, ok, err := headAt(l.cfg.Dir, m.segment, m.entry)
	if err != nil {
		// Removed, or damaged: Verify tells which.
		return "", nil //nolint:nilerr // as said
	}
	if !ok || head != m.head {
		return fmt.Sprintf("entry %d is another one than the database knows", m.entry), nil
	}
	return "", nil
}

func (l *Log) noteMissing(detail string) error {
	l.writing.Lock()
	err := l.note(noteMissing, detail)
	l.writing.Unlock()
	return errors.Join(err, l.force())
}

func (l *Log) forcedMark() mark {
	l.marks.Lock()
	defer l.marks.Unlock()
	return l.forced
}
