package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/store"
)

// versionOf finds a version by its id, such as v3.
func (p *ManagedPolicy) versionOf(id string) (PolicyVersion, error) {
	number, err := strconv.Atoi(strings.TrimPrefix(id, "v"))
	if err != nil {
		return PolicyVersion{}, noVersion(p.ARN, id)
	}
	v, ok := p.version(number)
	if !ok || *versionName(number) != id {
		return PolicyVersion{}, noVersion(p.ARN, id)
	}
	return v, nil
}

// CreatePolicyVersion adds a text to a managed policy, and puts it in effect when asked to.
func (s *IAM) CreatePolicyVersion(ctx context.Context, in *iam.CreatePolicyVersionInput) (*iam.CreatePolicyVersionOutput, error) {
	p, err := s.findPolicy(ctx, "CreatePolicyVersion", in.PolicyArn, false, nil)
	if err != nil {
		return nil, err
	}
	doc, err := parseManaged(in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	var out iam.PolicyVersion
	err = s.changePolicy(ctx, p.ARN, func(tx *store.Tx, now *ManagedPolicy) error {
		if len(now.Versions) >= maxVersions {
			return iam.LimitExceededException(fmt.Sprintf("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions))
		}
		now.Last++
		now.Updated = s.Registry.now()
		if deref(in.SetAsDefault) {
			now.Default = now.Last
		}
		v := PolicyVersion{Number: now.Last, Text: in.PolicyDocument, Document: doc, Created: now.Updated}
		out = writeVersion(now, v)
		if err := insertVersion(ctx, tx, now.ARN, v); err != nil {
			return err
		}
		return updatePolicy(ctx, tx, now)
	})
	return &iam.CreatePolicyVersionOutput{PolicyVersion: &out}, err
}

// GetPolicyVersion shows one version of a managed policy with its text, escaped.
func (s *IAM) GetPolicyVersion(ctx context.Context, in *iam.GetPolicyVersionInput) (*iam.GetPolicyVersionOutput, error) {
	p, err := s.findPolicy(ctx, "GetPolicyVersion", in.PolicyArn, true, nil)
	if err != nil {
		return nil, err
	}
	v, err := p.versionOf(in.VersionId)
	if err != nil {
		return nil, err
	}
	out := writeVersion(p, v)
	out.Document = new(escapeDocument(v.Text))
	return &iam.GetPolicyVersionOutput{PolicyVersion: &out}, nil
}

// ListPolicyVersions lists the versions of a managed policy, the newest first.
func (s *IAM) ListPolicyVersions(ctx context.Context, in *iam.ListPolicyVersionsInput) (*iam.ListPolicyVersionsOutput, error) {
	p, err := s.findPolicy(ctx, "ListPolicyVersions", in.PolicyArn, true, nil)
	if err != nil {
		return nil, err
	}
	versions := slices.Clone(p.Versions)
	slices.Reverse(versions)
	at, places := numbered(versions)
	places, truncated, next, err := page(places, at, in.Marker, in.MaxItems)
	out := &iam.ListPolicyVersionsOutput{Versions: []iam.PolicyVersion{}, IsTruncated: truncated, Marker: next}
	for _, i := range places {
		out.Versions = append(out.Versions, writeVersion(p, versions[i]))
	}
	return out, err
}

// SetDefaultPolicyVersion puts a version in effect for whomever the policy is attached to.
func (s *IAM) SetDefaultPolicyVersion(ctx context.Context, in *iam.SetDefaultPolicyVersionInput) (*iam.SetDefaultPolicyVersionOutput, error) {
	p, err := s.findPolicy(ctx, "SetDefaultPolicyVersion", in.PolicyArn, false, nil)
	if err != nil {
		return nil, err
	}
	return &iam.SetDefaultPolicyVersionOutput{}, s.changePolicy(ctx, p.ARN, func(tx *store.Tx, now *ManagedPolicy) error {
		v, err := now.versionOf(in.VersionId)
		if err != nil {
			return err
		}
		now.Default, now.Updated = v.Number, s.Registry.now()
		return updatePolicy(ctx, tx, now)
	})
}

// DeletePolicyVersion deletes a version that is not in effect.
func (s *IAM) DeletePolicyVersion(ctx context.Context, in *iam.DeletePolicyVersionInput) (*iam.DeletePolicyVersionOutput, error) {
	p, err := s.findPolicy(ctx, "DeletePolicyVersion", in.PolicyArn, false, nil)
	if err != nil {
		return nil, err
	}
	err = s.changePolicy(ctx, p.ARN, func(tx *store.Tx, now *ManagedPolicy) error {
		v, err := now.versionOf(in.VersionId)
		if err != nil {
			return err
		}
		if v.Number == now.Default {
			return iam.DeleteConflictException("Cannot delete the default version of a policy.")
		}
		return deleteVersion(ctx, tx, now.ARN, v.Number)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noVersion(p.ARN, in.VersionId)
	}
	return &iam.DeletePolicyVersionOutput{}, err
}
