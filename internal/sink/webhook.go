package sink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lakegate/lakegate/internal/hook"
	"github.com/lakegate/lakegate/internal/trail"
)

// Webhook is a sink that posts records to a web service.
type Webhook struct {
	HTTP `yaml:",inline"`
	// Secret signs deliveries: file:PATH or env:NAME, at least 16 characters. Empty signs none.
	Secret string `yaml:"secret"`
	// Format of the body: "records" (default), {"Records":[…]} as in CloudTrail's files, or "lines", one record a line.
	Format string `yaml:"format"`
}

const (
	formatRecords = "records"
	formatLines   = "lines"
)

func (c *Webhook) check() error {
	if err := c.HTTP.check(); err != nil {
		return fmt.Errorf("webhook.%w", err)
	}
	if c.Format != "" && c.Format != formatRecords && c.Format != formatLines {
		return fmt.Errorf("webhook.format %q: want %q or %q", c.Format, formatRecords, formatLines)
	}
	return nil
}

// webhook posts deliveries. An answer from 200 to 299 takes a delivery.
type webhook struct {
	*poster
	secret string
	lines  bool
	now    func() time.Time
	body   []byte
}

func newWebhook(c *Webhook, env Env) (*webhook, error) {
	p, err := newPoster(&c.HTTP, env)
	if err != nil {
		return nil, fmt.Errorf("webhook.%w", err)
	}
	w := &webhook{poster: p, lines: c.Format == formatLines, now: env.Now}
	if c.Secret != "" {
		if w.secret, err = env.Refer(c.Secret); err == nil {
			err = hook.CheckSecret(w.secret)
		}
		if err != nil {
			return nil, fmt.Errorf("webhook.secret: %w", err)
		}
	}
	return w, nil
}

// Deliver implements receiver. A delivery that is too large for the server is made in halves.
func (w *webhook) Deliver(ctx context.Context, lines []trail.Line) error {
	err := w.deliver(ctx, lines)
	if r, ok := errors.AsType[*refusal](err); ok && r.code == http.StatusRequestEntityTooLarge && len(lines) > 1 {
		half := len(lines) / 2
		if err := w.Deliver(ctx, lines[:half]); err != nil {
			return err
		}
		return w.Deliver(ctx, lines[half:])
	}
	return err
}

func (w *webhook) deliver(ctx context.Context, lines []trail.Line) error {
	header := http.Header{"Content-Type": {"application/json"}}
	if w.lines {
		header.Set("Content-Type", "application/x-ndjson")
	}
	w.body = encode(w.body[:0], lines, w.lines)
	// The same records, delivered again, have the same id.
	sum := sha256.Sum256(w.body)
	header.Set(hook.DeliveryHeader, hex.EncodeToString(sum[:16]))
	if w.secret != "" {
		header.Set(hook.SignatureHeader, hook.Sign(w.secret, w.now(), w.body))
	}
	_, err := w.post(ctx, header, w.body)
	return err
}

// Close implements receiver.
func (w *webhook) Close() error { w.close(); return nil }

// encode appends records as lines, or as CloudTrail's files have them.
func encode(to []byte, lines []trail.Line, asLines bool) []byte {
	if asLines {
		for _, l := range lines {
			to = append(append(to, l.Record...), '\n')
		}
		return to
	}
	to = append(to, `{"Records":[`...)
	for i, l := range lines {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(to, l.Record...)
	}
	return append(to, `]}`...)
}
