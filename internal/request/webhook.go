package request

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/hook"
	"github.com/lakegate/lakegate/internal/store"
)

// Bounds of deliveries.
const (
	deliveryTime = 10 * time.Second
	// idle is how often notices are looked for when nobody wakes the webhook.
	idle = 30 * time.Second
	// attempts is after how many a notice is given up; with the pauses between them that is about a day.
	attempts = 30
	atOnce   = 50
)

// Webhook tells a server of the operator's what happens to requests. Notices wait in the database, so none is lost to a
// restart, and each is told at least once or, after a day of failures, given up with an error in the log. A nil one tells
// nobody. Its fields are set before Start.
type Webhook struct {
	DB *store.DB
	// URL is where notices are posted; Secret signs them.
	URL, Secret string
	Log         *slog.Logger

	client http.Client
	woken  chan struct{}
	stop   context.CancelFunc
	work   sync.WaitGroup
}

// NewWebhook checks the address and the secret.
func NewWebhook(db *store.DB, address, secret string, log *slog.Logger) (*Webhook, error) {
	if err := hook.CheckURL(address); err != nil {
		return nil, fmt.Errorf("requests.webhook.url: %w", err)
	}
	if err := hook.CheckSecret(secret); err != nil {
		return nil, fmt.Errorf("requests.webhook.secret: %w", err)
	}
	return &Webhook{
		DB: db, URL: address, Secret: secret, Log: log, woken: make(chan struct{}, 1),
		client: http.Client{Timeout: deliveryTime, CheckRedirect: hook.StayHere},
	}, nil
}

// Start delivers until Close.
func (w *Webhook) Start() {
	if w == nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	w.work.Go(func() {
		for {
			more, err := w.deliver(ctx)
			if err != nil && ctx.Err() == nil {
				w.Log.ErrorContext(ctx, "cannot read what is to be told to the webhook", slog.Any("error", err))
			}
			if more {
				continue
			}
			timer := time.NewTimer(idle)
			select {
			case <-ctx.Done():
			case <-w.woken:
			case <-timer.C:
			}
			timer.Stop()
			if ctx.Err() != nil {
				return
			}
		}
	})
}

// Close ends the deliveries. What was not told is told after the next start.
func (w *Webhook) Close() {
	if w != nil && w.stop != nil {
		w.stop()
		w.work.Wait()
	}
}

func (w *Webhook) wake() {
	if w == nil {
		return
	}
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// tell puts a notice into the transaction of what it tells.
func (s *Service) tell(ctx context.Context, tx *store.Tx, event string, r *Request) error {
	if s.Hook == nil {
		return nil
	}
	now := s.DB.Now()
	name, _ := s.People.UserName(r.StoreID, r.UserID)
	told := map[string]any{
		"accessRequestId": r.ID, "accountId": r.Account, "identityStoreId": r.StoreID, "userId": r.UserID, "userName": name, "applicationArn": r.Application, "scope": r.Scope,
		"permission": r.Permission, "durationSeconds": int64(r.Duration / time.Second), "reason": r.Reason, "status": r.Status, "createdAt": r.Created.Format(time.RFC3339),
		"expiresAt": r.Expires.Format(time.RFC3339), "decidedBy": r.DecidedBy, "comment": r.Comment, "accessGrantId": r.GrantID,
	}
	if !r.GrantEnds.IsZero() {
		told["grantEndsAt"] = r.GrantEnds.Format(time.RFC3339)
	}
	id := uuid.Must(uuid.NewV7()).String()
	body, err := json.Marshal(map[string]any{"id": id, "event": "access-request." + strings.ToLower(event), "time": now.Format(time.RFC3339), "request": told})
	if err != nil {
		return fmt.Errorf("encode notice: %w", err)
	}
	return insertNotice(ctx, tx, &notice{id: id, body: string(body), due: now}, now)
}

// deliver tells what is due and reports whether there may be more.
func (w *Webhook) deliver(ctx context.Context) (more bool, err error) {
	var due []*notice
	err = w.DB.View(ctx, func(q store.Querier) (err error) { due, err = dueNotices(ctx, q, w.DB.Now(), atOnce); return err })
	if err != nil {
		return false, err
	}
	for _, n := range due {
		if err := w.deliverOne(ctx, n); err != nil {
			return false, err
		}
	}
	return len(due) == atOnce, nil
}

// deliverOne takes a notice before it tells it, so that of several nodes one does, and of a process that dies on the way
// the next one does it again.
func (w *Webhook) deliverOne(ctx context.Context, n *notice) error {
	next := w.DB.Now().Add(pause(n.attempts))
	err := w.DB.Update(ctx, func(tx *store.Tx) error { return n.claim(ctx, tx, next) })
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	failure := w.post(ctx, n)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case failure != nil && n.attempts+1 < attempts:
		w.Log.WarnContext(ctx, "the webhook did not take a notice; it will be told again", slog.String("notice", n.id), slog.Int("attempt", n.attempts+1), slog.Any("error", failure))
		return nil
	case failure != nil:
		w.Log.ErrorContext(ctx, "the webhook did not take a notice, which is given up", slog.String("notice", n.id), slog.Any("error", failure))
	}
	return w.DB.Update(ctx, func(tx *store.Tx) error { return n.remove(ctx, tx) })
}

// pause grows from ten seconds to an hour.
func pause(attempts int) time.Duration {
	return min(10*time.Second<<min(attempts, 10), time.Hour)
}

func (w *Webhook) post(ctx context.Context, n *notice) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader([]byte(n.body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "lakegate")
	req.Header.Set(hook.DeliveryHeader, n.id)
	req.Header.Set(hook.SignatureHeader, hook.Sign(w.Secret, w.DB.Now(), []byte(n.body)))
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}
