package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/lakegate/lakegate/internal/ldap"
	"github.com/lakegate/lakegate/internal/server"
)

type ldapCommand struct {
	Sync ldapSyncCommand `cmd:"" help:"Take over now what LDAP says, and tell what came of it."`
	Runs ldapRunsCommand `cmd:"" help:"List the last runs."`
	Test ldapTestCommand `cmd:"" help:"Connect, bind and read as the configuration says, change nothing, and say what is wrong."`
}

type ldapSyncCommand struct {
	Dir     string `required:"" help:"The directory of the running server."`
	Account string `help:"The account whose administrator asks; the management account by default."`
	DryRun  bool   `help:"Tell what would be changed and change nothing."`
	Force   bool   `help:"Go beyond the safety limit."`
}

// syncRun is a run as DescribeDirectorySync tells it.
type syncRun struct {
	Sync struct {
		SyncID       string `json:"SyncId"`
		State        string
		Message      string
		ProblemCount int
	}
	Counts   map[string]int
	Problems []struct{ Entry, Message string }
	Changes  []struct {
		Action, Name string
		MemberCount  int
	}
}

// askEvery is how often the command asks whether the run has ended.
const askEvery = 300 * time.Millisecond

func (c *ldapSyncCommand) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	var started struct {
		SyncID string `json:"SyncId"`
	}
	if err := server.call(ctx, "StartDirectorySync", map[string]any{"DryRun": c.DryRun, "Force": c.Force}, &started); err != nil {
		return err
	}
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		var r syncRun
		if err := server.call(ctx, "DescribeDirectorySync", map[string]any{"SyncId": started.SyncID}, &r); err != nil {
			return err
		}
		if r.Sync.State != "RUNNING" {
			return r.end(s)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the run %s goes on in the server: %w", started.SyncID, ctx.Err())
		case <-tick.C:
		}
	}
}

// end prints what came of a run that has ended.
func (r *syncRun) end(s *streams) error {
	if err := r.print(s); err != nil {
		return err
	}
	switch r.Sync.State {
	case "SUCCEEDED":
		return nil
	case "REFUSED":
		return fmt.Errorf("the run was refused: %s", r.Sync.Message)
	}
	return fmt.Errorf("the run failed: %s", r.Sync.Message)
}

func (r *syncRun) print(s *streams) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "Run\t%s\nState\t%s\n", r.Sync.SyncID, r.Sync.State)
	if r.Sync.State == "SUCCEEDED" && r.Sync.Message != "" {
		_, _ = fmt.Fprintf(w, "Note\t%s\n", plain(r.Sync.Message))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Counts)) {
		_, _ = fmt.Fprintf(w, "%s\t%d\n", name, r.Counts[name])
	}
	if len(r.Changes) > 0 {
		_, _ = fmt.Fprintln(w, "\nPlanned\t")
	}
	for _, c := range r.Changes {
		_, _ = fmt.Fprintf(w, "  %s\t%s", c.Action, plain(c.Name))
		if c.MemberCount > 0 {
			_, _ = fmt.Fprintf(w, " (%d members)", c.MemberCount)
		}
		_, _ = fmt.Fprintln(w)
	}
	if r.Sync.ProblemCount > 0 {
		_, _ = fmt.Fprintf(w, "\nProblems\t%d\n", r.Sync.ProblemCount)
	}
	for _, p := range r.Problems {
		_, _ = fmt.Fprintf(w, "  %s\t%s\n", plain(p.Entry), plain(p.Message))
	}
	return w.Flush()
}

type ldapRunsCommand struct {
	Dir     string `required:"" help:"The directory of the running server."`
	Account string `help:"The account whose administrator asks; the management account by default."`
	Max     int    `default:"20" help:"How many to list, 100 at most."`
}

func (c *ldapRunsCommand) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	var out struct {
		Syncs []struct {
			SyncID                    string `json:"SyncId"`
			State, Trigger, Message   string
			DryRun                    bool
			StartedAt                 float64
			ChangeCount, ProblemCount int
		}
	}
	if err := server.call(ctx, "ListDirectorySyncs", map[string]any{"MaxResults": c.Max}, &out); err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "started\tstate\ttrigger\tchanges\tproblems\trun\tmessage")
	for _, r := range out.Syncs {
		trigger := r.Trigger
		if r.DryRun {
			trigger += " (dry run)"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", time.UnixMilli(int64(r.StartedAt*1000)).UTC().Format(time.RFC3339), r.State, trigger,
			r.ChangeCount, r.ProblemCount, r.SyncID, plain(r.Message))
	}
	return w.Flush()
}

// ldapTestCommand reads the configuration file alone and needs no running server.
type ldapTestCommand struct {
	Config string `required:"" type:"existingfile" help:"The configuration file of the server."`
}

func (c *ldapTestCommand) Run(ctx context.Context, s *streams) error {
	var cfg server.Config
	if err := server.ReadConfig(c.Config, &cfg); err != nil {
		return err
	}
	if cfg.LDAP == nil {
		return fmt.Errorf("%s has no section ldap", c.Config)
	}
	if err := cfg.LDAP.Complete(cfg.Development); err != nil {
		return err
	}
	summary, problems, err := ldap.Probe(ctx, cfg.LDAP, s.getenv, time.Now())
	for _, p := range problems {
		_, _ = fmt.Fprintf(s.err, "%s: %s\n", plain(p.Entry), plain(p.Message))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, summary)
	return err
}
