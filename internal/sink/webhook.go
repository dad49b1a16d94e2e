package sink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
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
	region string
	now    func() time.Time
	body   []byte
}

func newWebhook(c *Webhook, env Env) (*webhook, error) {
	p, err := newPoster(&c.HTTP, env)
	if err != nil {
		return nil, fmt.Errorf("webhook.%w", err)
	}
	w := &webhook{poster: p, lines: c.Format == formatLines, region: env.Region, now: env.Now}
	if c.Secret != "" {
		if w.secret, err = env.Refer(c.Secret); err == nil {
			err = hook.CheckSecret(w.secret)
		}
		if err != nil {
			return nil, fmt.Errorf("webhook.secret: %w", err)
		}
		w.secrets = append(w.secrets, w.secret)
	}
	return w, nil
}

// Deliver implements receiver. Of a delivery that the server does not understand, lines that are no JSON are delivered as
// records that tell of them.
func (w *webhook) Deliver(ctx context.Context, lines []trail.Line) error {
	err := w.deliver(ctx, lines)
	if r, ok := errors.AsType[*refusal](err); ok && r.code >= 400 && r.code <= 499 && r.code != http.StatusRequestEntityTooLarge {
		if mended, any := w.mend(lines); any {
			return w.deliver(ctx, mended)
		}
	}
	return err
}

// mend replaces what is no JSON, since somebody has altered the log: it spoils what is delivered with it, and holds up what
// comes behind.
func (w *webhook) mend(lines []trail.Line) (mended []trail.Line, any bool) {
	mended = slices.Clone(lines)
	for i := range mended {
		if !json.Valid(mended[i].Record) {
			mended[i].Record, any = trail.DamagedRecord(mended[i], w.region, w.now()), true
		}
	}
	return mended, any
}

func (w *webhook) deliver(ctx context.Context, lines []trail.Line) error {
	header := http.Header{"Content-Type": {"application/json"}}
	if w.lines {
		header.Set("Content-Type", "application/x-ndjson")
	}
	w.body = w.encode(w.body[:0], lines)
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
func (w *webhook) encode(to []byte, lines []trail.Line) []byte {
	if w.lines {
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
