package server

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/request"
	"github.com/lakegate/lakegate/internal/store"
)

// openRequests makes the room in which people ask for access.
func (r *rooms) openRequests(cfg *Config, db *store.DB, access *grants.Service, authorizer *authz.Authorizer) (*request.Service, error) {
	const day = 24 * time.Hour
	s := &request.Service{
		DB: db, Grants: access, People: people{r.directory}, Authorizer: authorizer, Strict: cfg.Compat == Strict,
		InstanceARN: func(account string) string { return arn.AccessGrantsInstance(cfg.Region, account) },
		Limits:      request.Limits{Longest: time.Duration(cfg.Requests.MaxDays) * day, Patience: time.Duration(cfg.Requests.PendingDays) * day, Open: cfg.Requests.Open},
	}
	hook := cfg.Requests.Webhook
	if hook.URL == "" {
		return s, nil
	}
	secret, err := cfg.secret(hook.Secret)
	if err != nil {
		return nil, fmt.Errorf("requests.webhook.secret: %w", err)
	}
	s.Hook, err = request.NewWebhook(db, hook.URL, secret, r.log)
	return s, err
}

// secret reads what env:NAME or file:PATH refers to.
func (c *Config) secret(reference string) (string, error) {
	kind, name, _ := strings.Cut(reference, ":")
	switch kind {
	case "env":
		if c.getenv == nil {
			return os.Getenv(name), nil
		}
		return c.getenv(name), nil
	case "file":
		text, err := os.ReadFile(name) //nolint:gosec // the operator names the file
		return strings.TrimSpace(string(text)), err
	}
	return "", errors.New("want env:NAME or file:PATH")
}
