package ldap

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Probe connects, binds and reads everything, changes nothing, and says in a sentence what there is. Its error says in a
// sentence what is wrong. Problems are those of single entries.
func Probe(ctx context.Context, cfg *Config, getenv func(string) string, now time.Time) (summary string, problems []Problem, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(cfg.MaxMinutes)*time.Minute, fmt.Errorf("it took longer than %d minutes (max_minutes)", cfg.MaxMinutes))
	defer cancel()
	c, err := connect(ctx, cfg, getenv)
	if err != nil {
		return "", nil, err
	}
	defer c.close()
	s, err := c.read(now)
	if err != nil {
		return "", nil, err
	}
	switch {
	case len(s.People) == 0:
		return "", s.Problems, fmt.Errorf("bound as %s, but found nobody under %s with the filter %s: see the base, the filter, and what the bind name may read", cfg.BindDN, cfg.Users.Base, cfg.Users.Filter)
	case cfg.Groups.Base != "" && len(s.Groups) == 0:
		return "", s.Problems, fmt.Errorf("found %d people, but no group under %s with the filter %s", len(s.People), cfg.Groups.Base, cfg.Groups.Filter)
	}
	disabled, memberships, names := 0, 0, []string{}
	for _, p := range s.People {
		if !p.Enabled {
			disabled++
		}
		if len(names) < 3 && p.UserName != "" {
			names = append(names, plain(p.UserName))
		}
	}
	for _, g := range s.Groups {
		memberships += len(g.Members)
	}
	return fmt.Sprintf("connected to %s and found %d people (%d disabled; such as %s), %d groups and %d memberships", plain(cfg.URL), len(s.People), disabled,
		strings.Join(names, ", "), len(s.Groups), memberships), s.Problems, nil
}
