package center

import (
	"context"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/store"
)

// accountAssignment authorises an operation on an account assignment: on the instance, the permission set and the account.
func (s *Service) accountAssignment(ctx context.Context, op, instance, set, target string) (*Instance, *PermissionSet, error) {
	i, p, err := s.permissionSet(ctx, op, instance, set)
	if err != nil {
		return nil, nil, err
	}
	return i, p, s.onAccount(ctx, op, i, target)
}

// CreateAccountAssignment gives a person or a group a permission set in an account, and provisions it there as it is now.
// Repeating it changes nothing more. When the account lacks what the set needs, the request has failed and nobody has
// anything.
func (s *Service) CreateAccountAssignment(ctx context.Context, in *ssoadmin.CreateAccountAssignmentInput) (*ssoadmin.CreateAccountAssignmentOutput, error) {
	const op = "CreateAccountAssignment"
	i, p, err := s.accountAssignment(ctx, op, in.InstanceArn, in.PermissionSetArn, in.TargetId)
	if err != nil {
		return nil, err
	}
	if err := s.mayReachInto(ctx, op, i, in.TargetId); err != nil {
		return nil, err
	}
	a := AccountAssignment{Set: p.ARN, Account: in.TargetId, Type: string(in.PrincipalType), Principal: in.PrincipalId}
	if !s.principalExists(i.ARN, a.Type, a.Principal) {
		return nil, ssoadmin.ResourceNotFoundException("Could not find " + a.Type + " with id " + a.Principal)
	}
	o := s.newOperation(i, kindCreation, a)
	err = s.change(ctx, "PermissionSet with ARN "+p.ARN, func(tx *store.Tx) error {
		o.status, o.failure = succeeded, ""
		now, err := readPermissionSet(ctx, tx, p.ARN)
		if err != nil {
			return err
		}
		failure, err := s.provision(ctx, tx, i, now, a.Account)
		if err != nil {
			return err
		}
		if failure == "" {
			err = insertAccountAssignment(ctx, tx, a)
		}
		o.fail(failure)
		if err != nil {
			return err
		}
		return insertOperation(ctx, tx, o)
	})
	if err != nil {
		return nil, err
	}
	o.note(ctx)
	return &ssoadmin.CreateAccountAssignmentOutput{AccountAssignmentCreationStatus: o.begun().writeAssignment()}, nil
}

// DeleteAccountAssignment ends an assignment. With the last one of a permission set in an account its role goes, and what
// was signed in with it ends.
func (s *Service) DeleteAccountAssignment(ctx context.Context, in *ssoadmin.DeleteAccountAssignmentInput) (*ssoadmin.DeleteAccountAssignmentOutput, error) {
	const op = "DeleteAccountAssignment"
	i, p, err := s.accountAssignment(ctx, op, in.InstanceArn, in.PermissionSetArn, in.TargetId)
	if err != nil {
		return nil, err
	}
	if err := s.mayReachInto(ctx, op, i, in.TargetId); err != nil {
		return nil, err
	}
	a := AccountAssignment{Set: p.ARN, Account: in.TargetId, Type: string(in.PrincipalType), Principal: in.PrincipalId}
	o := s.newOperation(i, kindDeletion, a)
	err = s.change(ctx, "assignment of "+a.Type+" "+a.Principal+" to account "+a.Account, func(tx *store.Tx) error {
		if err := deleteAccountAssignment(ctx, tx, a); err != nil {
			return err
		}
		if err := s.withdraw(ctx, tx, a.Set, a.Account); err != nil {
			return err
		}
		return insertOperation(ctx, tx, o)
	})
	if err != nil {
		return nil, err
	}
	return &ssoadmin.DeleteAccountAssignmentOutput{AccountAssignmentDeletionStatus: o.begun().writeAssignment()}, nil
}

// ListAccountAssignments lists who has a permission set in an account.
func (s *Service) ListAccountAssignments(ctx context.Context, in *ssoadmin.ListAccountAssignmentsInput) (*ssoadmin.ListAccountAssignmentsOutput, error) {
	_, p, err := s.accountAssignment(ctx, "ListAccountAssignments", in.InstanceArn, in.PermissionSetArn, in.AccountId)
	if err != nil {
		return nil, err
	}
	list := "assigned " + in.AccountId + " " + p.ARN
	last, err := after(list, in.NextToken)
	if err != nil {
		return nil, err
	}
	from := AccountAssignment{Set: p.ARN, Account: in.AccountId}
	from.Type, from.Principal, _ = strings.Cut(last, " ")
	most := maxPage
	if in.MaxResults != nil {
		most = min(most, *in.MaxResults)
	}
	var all []AccountAssignment
	err = s.Center.db.View(ctx, func(q store.Querier) (err error) {
		all, err = listAccountAssignments(ctx, q, from, most+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &ssoadmin.ListAccountAssignmentsOutput{AccountAssignments: []ssoadmin.AccountAssignment{}}
	if len(all) > most {
		all = all[:most]
		out.NextToken = pageToken(list, all[most-1].Type+" "+all[most-1].Principal)
	}
	for _, a := range all {
		out.AccountAssignments = append(out.AccountAssignments, ssoadmin.AccountAssignment{
			AccountId: &a.Account, PermissionSetArn: &a.Set, PrincipalType: new(ssoadmin.PrincipalType(a.Type)), PrincipalId: &a.Principal,
		})
	}
	return out, nil
}

// ListAccountAssignmentsForPrincipal lists what a person has in accounts, through groups too, or a group.
func (s *Service) ListAccountAssignmentsForPrincipal(ctx context.Context, in *ssoadmin.ListAccountAssignmentsForPrincipalInput) (*ssoadmin.ListAccountAssignmentsForPrincipalOutput, error) {
	const op = "ListAccountAssignmentsForPrincipal"
	i, err := s.organization(ctx, op, in.InstanceArn, nil)
	if err != nil {
		return nil, err
	}
	only := ""
	if in.Filter != nil {
		only = value(in.Filter.AccountId)
	}
	kind := string(in.PrincipalType)
	if !s.principalExists(i.ARN, kind, in.PrincipalId) {
		return nil, ssoadmin.ResourceNotFoundException("Could not find " + kind + " with id " + in.PrincipalId)
	}
	ids := []string{in.PrincipalId}
	if kind == userPrincipal {
		ids = append(ids, s.Center.people.GroupsOf(i.StoreID, in.PrincipalId)...)
	}
	all := slices.DeleteFunc(s.Center.access.of(ids...), func(a AccountAssignment) bool { return only != "" && a.Account != only })
	slices.SortFunc(all, func(a, b AccountAssignment) int { return strings.Compare(a.key(), b.key()) })
	shown, next, err := page("access "+in.PrincipalId+" "+only, all, AccountAssignment.key, in.MaxResults, maxPage, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ssoadmin.ListAccountAssignmentsForPrincipalOutput{AccountAssignments: []ssoadmin.AccountAssignmentForPrincipal{}, NextToken: next}
	for _, a := range shown {
		out.AccountAssignments = append(out.AccountAssignments, ssoadmin.AccountAssignmentForPrincipal{
			AccountId: &a.Account, PermissionSetArn: &a.Set, PrincipalType: new(ssoadmin.PrincipalType(a.Type)), PrincipalId: &a.Principal,
		})
	}
	return out, nil
}
