package ldap

import (
	"context"
	"errors"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// Stores authorises one of lakegate's own operations on an identity store for those who may change it; directory provides
// it.
type Stores interface {
	// StoreFor is the store that a caller who names none most likely means.
	StoreFor(ctx context.Context, named *string) string
	Enter(ctx context.Context, operation, storeID string) error
}

// SyncService is the part of lakegate's own operations that runs a source.
type SyncService struct {
	// Source is nil when none is configured.
	Source *Source
	Stores Stores
}

// enter authorises an operation on the source's store. Whether a source is configured is told to those alone who may.
func (s *SyncService) enter(ctx context.Context, operation string) error {
	if s.Source == nil {
		if err := s.Stores.Enter(ctx, operation, s.Stores.StoreFor(ctx, nil)); err != nil {
			return err
		}
		return lakegate.ResourceNotFoundException("No LDAP source is configured.")
	}
	return s.Stores.Enter(ctx, operation, s.Source.StoreID())
}

// StartDirectorySync begins a run in the background.
func (s *SyncService) StartDirectorySync(ctx context.Context, in *lakegate.StartDirectorySyncInput) (*lakegate.StartDirectorySyncOutput, error) {
	if err := s.enter(ctx, "StartDirectorySync"); err != nil {
		return nil, err
	}
	id, err := s.Source.Start(ctx, caller.From(ctx).ARN, in.DryRun != nil && *in.DryRun, in.Force != nil && *in.Force)
	switch {
	case errors.Is(err, ErrBusy):
		return nil, lakegate.ConflictException("A directory synchronisation is running; wait for its end.")
	case errors.Is(err, ErrNoStore):
		return nil, lakegate.ResourceNotFoundException("The identity store of the LDAP source was not found.")
	case err != nil:
		return nil, err
	}
	return &lakegate.StartDirectorySyncOutput{SyncId: id}, nil
}

// DescribeDirectorySync tells of one run.
func (s *SyncService) DescribeDirectorySync(ctx context.Context, in *lakegate.DescribeDirectorySyncInput) (*lakegate.DescribeDirectorySyncOutput, error) {
	if err := s.enter(ctx, "DescribeDirectorySync"); err != nil {
		return nil, err
	}
	r, err := s.Source.Run(ctx, in.SyncId)
	if errors.Is(err, store.ErrNotFound) || err == nil && r.StoreID != s.Source.StoreID() {
		return nil, lakegate.ResourceNotFoundException("The directory synchronisation was not found.")
	}
	if err != nil {
		return nil, err
	}
	sync := outputOf(&r)
	out := &lakegate.DescribeDirectorySyncOutput{Sync: &sync, Counts: countsOf(&r)}
	for _, p := range r.Report.Problems {
		out.Problems = append(out.Problems, lakegate.DirectorySyncProblem{Entry: p.Entry, Message: p.Message})
	}
	for _, c := range r.Report.Planned {
		change := lakegate.DirectorySyncChange{Action: string(c.Action), Name: c.Name, Id: optional(c.ID), ExternalId: optional(c.Source)}
		if c.Members > 0 {
			change.MemberCount = &c.Members
		}
		out.Changes = append(out.Changes, change)
	}
	return out, nil
}

// countsOf are the numbers of a run by name: what was read, and the changes by their action.
func countsOf(r *Run) map[string]int {
	counts := map[string]int{"People": r.Report.People, "Groups": r.Report.Groups}
	for action, n := range r.Report.Changes {
		counts[string(action)] = n
	}
	return counts
}

// ListDirectorySyncs lists the newest runs, the newest first.
func (s *SyncService) ListDirectorySyncs(ctx context.Context, in *lakegate.ListDirectorySyncsInput) (*lakegate.ListDirectorySyncsOutput, error) {
	if err := s.enter(ctx, "ListDirectorySyncs"); err != nil {
		return nil, err
	}
	limit := maxRuns
	if in.MaxResults != nil {
		limit = *in.MaxResults
	}
	runs, err := s.Source.Runs(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := &lakegate.ListDirectorySyncsOutput{Syncs: []lakegate.DirectorySync{}}
	for i := range runs {
		if runs[i].StoreID == s.Source.StoreID() {
			out.Syncs = append(out.Syncs, outputOf(&runs[i]))
		}
	}
	return out, nil
}

func outputOf(r *Run) lakegate.DirectorySync {
	changes := r.Report.total()
	out := lakegate.DirectorySync{
		SyncId: r.ID, IdentityStoreId: r.StoreID, Source: r.Source, State: lakegate.DirectorySyncState(r.State), Trigger: lakegate.DirectorySyncTrigger(r.Cause),
		StartedBy: optional(r.StartedBy), DryRun: r.DryRun, Force: r.Force, StartedAt: r.Started, Message: optional(r.Report.Message),
		ChangeCount: &changes, ProblemCount: &r.Report.ProblemCount,
	}
	if !r.Ended.IsZero() {
		out.EndedAt = &r.Ended
	}
	return out
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
