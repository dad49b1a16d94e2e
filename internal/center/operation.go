package center

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// operation is what became of a request to assign, to end an assignment, or to provision. AWS does the work after it
// answered; here it is done, or has failed, when the request is answered. The answer says IN_PROGRESS all the same, since
// clients wait for what they are told to wait for, and read the outcome from the status.
type operation struct {
	id, instance, kind string
	status, failure    string
	// access is what the request was about; to provision, it has no principal, and no account where it was for all.
	access  AccountAssignment
	created time.Time
}

// The kinds of operation and what becomes of them.
const (
	kindCreation     = "create"
	kindDeletion     = "delete"
	kindProvisioning = "provision"

	succeeded = string(ssoadmin.StatusValuesSUCCEEDED)
	failed    = string(ssoadmin.StatusValuesFAILED)
)

// operationTime is how long an operation's status can be asked for. AWS's is 90 days as well.
const operationTime = 90 * 24 * time.Hour

// maxFailure bounds what is kept of the reasons of a failure, in bytes.
const maxFailure = 2048

func (s *Service) newOperation(i *Instance, kind string, a AccountAssignment) operation {
	return operation{id: newRequestID(), instance: i.ARN, kind: kind, status: succeeded, access: a, created: s.Center.db.Now()}
}

// newRequestID makes a UUID that sorts by time.
func newRequestID() string { return uuid.Must(uuid.NewV7()).String() }

// fail notes why an operation failed; "" says that it did not.
func (o *operation) fail(reason string) {
	if reason == "" {
		return
	}
	if len(reason) > maxFailure {
		reason = reason[:maxFailure]
		for !utf8.ValidString(reason) {
			reason = reason[:len(reason)-1]
		}
	}
	o.status, o.failure = failed, reason
}

// note tells the trail of a failure, of which the answer says nothing.
func (o *operation) note(ctx context.Context) {
	if o.status == failed {
		trail.From(ctx).Step("provision", trail.Fail, o.failure)
	}
}

// begun is the operation as it is answered.
func (o operation) begun() operation {
	o.status, o.failure = string(ssoadmin.StatusValuesINPROGRESS), ""
	return o
}

func (o operation) writeAssignment() *ssoadmin.AccountAssignmentOperationStatus {
	return &ssoadmin.AccountAssignmentOperationStatus{
		Status: new(ssoadmin.StatusValues(o.status)), RequestId: &o.id, FailureReason: optional(o.failure), CreatedDate: &o.created,
		TargetId: &o.access.Account, TargetType: new(ssoadmin.TargetTypeAWSACCOUNT), PermissionSetArn: &o.access.Set,
		PrincipalType: new(ssoadmin.PrincipalType(o.access.Type)), PrincipalId: &o.access.Principal,
	}
}

func (o operation) writeProvisioning() *ssoadmin.PermissionSetProvisioningStatus {
	return &ssoadmin.PermissionSetProvisioningStatus{
		Status: new(ssoadmin.StatusValues(o.status)), RequestId: &o.id, FailureReason: optional(o.failure), CreatedDate: &o.created,
		AccountId: optional(o.access.Account), PermissionSetArn: &o.access.Set,
	}
}

// operation authorises a question for an operation's status and finds it.
func (s *Service) operation(ctx context.Context, op, instance, kind, id string) (o operation, err error) {
	i, err := s.organization(ctx, op, instance, nil)
	if err != nil {
		return o, err
	}
	err = s.Center.db.View(ctx, func(q store.Querier) (err error) {
		o, err = readOperation(ctx, q, i.ARN, kind, id)
		return err
	})
	if isNotFound(err) {
		return o, ssoadmin.ResourceNotFoundException("Could not find a request with id " + id)
	}
	return o, err
}

// operations authorises a list of operations and reads a page of it.
func (s *Service) operations(ctx context.Context, op, instance, kind string, f *ssoadmin.OperationStatusFilter, asked *int, token *string) (shown []operation, next *string, err error) {
	i, err := s.organization(ctx, op, instance, nil)
	if err != nil {
		return nil, nil, err
	}
	status := ""
	if f != nil {
		status = string(value(f.Status))
	}
	list := kind + " " + i.ARN + " " + status
	last, err := after(list, token)
	if err != nil {
		return nil, nil, err
	}
	most := maxPage
	if asked != nil {
		most = min(most, *asked)
	}
	err = s.Center.db.View(ctx, func(q store.Querier) (err error) {
		shown, err = listOperations(ctx, q, i.ARN, kind, status, last, most+1)
		return err
	})
	if len(shown) > most {
		shown = shown[:most]
		next = pageToken(list, shown[most-1].id)
	}
	return shown, next, err
}

// DescribeAccountAssignmentCreationStatus says what became of CreateAccountAssignment.
func (s *Service) DescribeAccountAssignmentCreationStatus(ctx context.Context, in *ssoadmin.DescribeAccountAssignmentCreationStatusInput) (*ssoadmin.DescribeAccountAssignmentCreationStatusOutput, error) {
	o, err := s.operation(ctx, "DescribeAccountAssignmentCreationStatus", in.InstanceArn, kindCreation, in.AccountAssignmentCreationRequestId)
	if err != nil {
		return nil, err
	}
	return &ssoadmin.DescribeAccountAssignmentCreationStatusOutput{AccountAssignmentCreationStatus: o.writeAssignment()}, nil
}

// DescribeAccountAssignmentDeletionStatus says what became of DeleteAccountAssignment.
func (s *Service) DescribeAccountAssignmentDeletionStatus(ctx context.Context, in *ssoadmin.DescribeAccountAssignmentDeletionStatusInput) (*ssoadmin.DescribeAccountAssignmentDeletionStatusOutput, error) {
	o, err := s.operation(ctx, "DescribeAccountAssignmentDeletionStatus", in.InstanceArn, kindDeletion, in.AccountAssignmentDeletionRequestId)
	if err != nil {
		return nil, err
	}
	return &ssoadmin.DescribeAccountAssignmentDeletionStatusOutput{AccountAssignmentDeletionStatus: o.writeAssignment()}, nil
}

// DescribePermissionSetProvisioningStatus says what became of ProvisionPermissionSet.
func (s *Service) DescribePermissionSetProvisioningStatus(ctx context.Context, in *ssoadmin.DescribePermissionSetProvisioningStatusInput) (*ssoadmin.DescribePermissionSetProvisioningStatusOutput, error) {
	o, err := s.operation(ctx, "DescribePermissionSetProvisioningStatus", in.InstanceArn, kindProvisioning, in.ProvisionPermissionSetRequestId)
	if err != nil {
		return nil, err
	}
	return &ssoadmin.DescribePermissionSetProvisioningStatusOutput{PermissionSetProvisioningStatus: o.writeProvisioning()}, nil
}

func writeStatuses(all []operation) []ssoadmin.AccountAssignmentOperationStatusMetadata {
	out := []ssoadmin.AccountAssignmentOperationStatusMetadata{}
	for _, o := range all {
		out = append(out, ssoadmin.AccountAssignmentOperationStatusMetadata{Status: new(ssoadmin.StatusValues(o.status)), RequestId: &o.id, CreatedDate: &o.created})
	}
	return out
}

// ListAccountAssignmentCreationStatus lists what became of CreateAccountAssignment, the newest first.
func (s *Service) ListAccountAssignmentCreationStatus(ctx context.Context, in *ssoadmin.ListAccountAssignmentCreationStatusInput) (*ssoadmin.ListAccountAssignmentCreationStatusOutput, error) {
	all, next, err := s.operations(ctx, "ListAccountAssignmentCreationStatus", in.InstanceArn, kindCreation, in.Filter, in.MaxResults, in.NextToken)
	return &ssoadmin.ListAccountAssignmentCreationStatusOutput{AccountAssignmentsCreationStatus: writeStatuses(all), NextToken: next}, err
}

// ListAccountAssignmentDeletionStatus lists what became of DeleteAccountAssignment, the newest first.
func (s *Service) ListAccountAssignmentDeletionStatus(ctx context.Context, in *ssoadmin.ListAccountAssignmentDeletionStatusInput) (*ssoadmin.ListAccountAssignmentDeletionStatusOutput, error) {
	all, next, err := s.operations(ctx, "ListAccountAssignmentDeletionStatus", in.InstanceArn, kindDeletion, in.Filter, in.MaxResults, in.NextToken)
	return &ssoadmin.ListAccountAssignmentDeletionStatusOutput{AccountAssignmentsDeletionStatus: writeStatuses(all), NextToken: next}, err
}

// ListPermissionSetProvisioningStatus lists what became of ProvisionPermissionSet, the newest first.
func (s *Service) ListPermissionSetProvisioningStatus(ctx context.Context, in *ssoadmin.ListPermissionSetProvisioningStatusInput) (*ssoadmin.ListPermissionSetProvisioningStatusOutput, error) {
	all, next, err := s.operations(ctx, "ListPermissionSetProvisioningStatus", in.InstanceArn, kindProvisioning, in.Filter, in.MaxResults, in.NextToken)
	out := &ssoadmin.ListPermissionSetProvisioningStatusOutput{PermissionSetsProvisioningStatus: []ssoadmin.PermissionSetProvisioningStatusMetadata{}, NextToken: next}
	for _, o := range all {
		out.PermissionSetsProvisioningStatus = append(out.PermissionSetsProvisioningStatus, ssoadmin.PermissionSetProvisioningStatusMetadata{
			Status: new(ssoadmin.StatusValues(o.status)), RequestId: &o.id, CreatedDate: &o.created,
		})
	}
	return out, err
}
