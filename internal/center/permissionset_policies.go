package center

import (
	"context"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
)

// attachPolicy hangs a managed policy on a permission set.
func (s *Service) attachPolicy(ctx context.Context, op string, i *Instance, p *PermissionSet, r PolicyReference, twice string) error {
	most := s.Center.quotas.Policies
	return s.changePermissionSet(ctx, op, i, p.ARN, func(tx *store.Tx, now *PermissionSet) (bool, error) {
		if _, ok := now.find(r); ok {
			return false, ssoadmin.ConflictException(twice)
		}
		if len(now.Policies) >= most {
			return false, quota("ManagedPolicy", most)
		}
		return true, insertHeld(ctx, tx, now.ARN, r)
	})
}

func (s *Service) detachPolicy(ctx context.Context, op string, i *Instance, p *PermissionSet, r PolicyReference, missing string) error {
	return s.changePermissionSet(ctx, op, i, p.ARN, func(tx *store.Tx, now *PermissionSet) (bool, error) {
		if _, ok := now.find(r); !ok {
			return false, ssoadmin.ResourceNotFoundException(missing)
		}
		return true, deleteHeld(ctx, tx, now.ARN, r)
	})
}

// checkAWSManaged refuses a policy that AWS does not have, or that is not known here: on a role it would deny everything.
func (s *Service) checkAWSManaged(i *Instance, arn string) error {
	if !strings.HasPrefix(arn, "arn:aws:iam::aws:policy/") || !s.Center.roles.ManagedPolicyExists(i.Account, arn) {
		return ssoadmin.ResourceNotFoundException("Policy does not exist with ARN: " + arn)
	}
	return nil
}

// AttachManagedPolicyToPermissionSet hangs one of AWS's policies on a permission set.
func (s *Service) AttachManagedPolicyToPermissionSet(ctx context.Context, in *ssoadmin.AttachManagedPolicyToPermissionSetInput) (*ssoadmin.AttachManagedPolicyToPermissionSetOutput, error) {
	const op = "AttachManagedPolicyToPermissionSet"
	i, p, err := s.permissionSet(ctx, op, in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	if err := s.checkAWSManaged(i, in.ManagedPolicyArn); err != nil {
		return nil, err
	}
	twice := "Permission set with id " + p.id() + " already has a typed link attachment to a managed policy with " + in.ManagedPolicyArn
	return &ssoadmin.AttachManagedPolicyToPermissionSetOutput{}, s.attachPolicy(ctx, op, i, p, PolicyReference{Name: in.ManagedPolicyArn}, twice)
}

// DetachManagedPolicyFromPermissionSet takes one of AWS's policies from a permission set.
func (s *Service) DetachManagedPolicyFromPermissionSet(ctx context.Context, in *ssoadmin.DetachManagedPolicyFromPermissionSetInput) (*ssoadmin.DetachManagedPolicyFromPermissionSetOutput, error) {
	const op = "DetachManagedPolicyFromPermissionSet"
	i, p, err := s.permissionSet(ctx, op, in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	err = s.detachPolicy(ctx, op, i, p, PolicyReference{Name: in.ManagedPolicyArn}, "Could not find ManagedPolicy with arn "+in.ManagedPolicyArn)
	return &ssoadmin.DetachManagedPolicyFromPermissionSetOutput{}, err
}

// ListManagedPoliciesInPermissionSet lists AWS's policies on a permission set.
func (s *Service) ListManagedPoliciesInPermissionSet(ctx context.Context, in *ssoadmin.ListManagedPoliciesInPermissionSetInput) (*ssoadmin.ListManagedPoliciesInPermissionSetOutput, error) {
	_, p, err := s.permissionSet(ctx, "ListManagedPoliciesInPermissionSet", in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	shown, next, err := p.page("managed", PolicyReference.isAWS, in.MaxResults, in.NextToken)
	out := &ssoadmin.ListManagedPoliciesInPermissionSetOutput{AttachedManagedPolicies: []ssoadmin.AttachedManagedPolicy{}, NextToken: next}
	for _, r := range shown {
		out.AttachedManagedPolicies = append(out.AttachedManagedPolicies, ssoadmin.AttachedManagedPolicy{Arn: new(r.Name), Name: new(r.Name[strings.LastIndexByte(r.Name, '/')+1:])})
	}
	return out, err
}

// page cuts a page out of the managed policies of one kind.
func (p *PermissionSet) page(list string, is func(PolicyReference) bool, asked *int, token *string) ([]PolicyReference, *string, error) {
	of := slices.DeleteFunc(slices.Clone(p.Policies), func(r PolicyReference) bool { return !is(r) })
	return page(list+" "+p.ARN, of, PolicyReference.key, asked, maxPage, token)
}

// AttachCustomerManagedPolicyReferenceToPermissionSet names a policy that accounts have themselves. It is looked for where
// the set is provisioned, not here.
func (s *Service) AttachCustomerManagedPolicyReferenceToPermissionSet(ctx context.Context, in *ssoadmin.AttachCustomerManagedPolicyReferenceToPermissionSetInput) (*ssoadmin.AttachCustomerManagedPolicyReferenceToPermissionSetOutput, error) {
	const op = "AttachCustomerManagedPolicyReferenceToPermissionSet"
	i, p, err := s.permissionSet(ctx, op, in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	r := readReference(in.CustomerManagedPolicyReference)
	err = s.attachPolicy(ctx, op, i, p, r, "Given customer managed policy with name: "+r.Name+" and path "+r.Path+" already attached")
	return &ssoadmin.AttachCustomerManagedPolicyReferenceToPermissionSetOutput{}, err
}

// DetachCustomerManagedPolicyReferenceFromPermissionSet names a policy of the accounts no more.
func (s *Service) DetachCustomerManagedPolicyReferenceFromPermissionSet(ctx context.Context, in *ssoadmin.DetachCustomerManagedPolicyReferenceFromPermissionSetInput) (*ssoadmin.DetachCustomerManagedPolicyReferenceFromPermissionSetOutput, error) {
	const op = "DetachCustomerManagedPolicyReferenceFromPermissionSet"
	i, p, err := s.permissionSet(ctx, op, in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	r := readReference(in.CustomerManagedPolicyReference)
	err = s.detachPolicy(ctx, op, i, p, r, "Given managed policy with name: "+r.Name+" and path "+r.Path+" does not exist on PermissionSet")
	return &ssoadmin.DetachCustomerManagedPolicyReferenceFromPermissionSetOutput{}, err
}

// ListCustomerManagedPolicyReferencesInPermissionSet lists the policies of the accounts that a permission set names.
func (s *Service) ListCustomerManagedPolicyReferencesInPermissionSet(ctx context.Context, in *ssoadmin.ListCustomerManagedPolicyReferencesInPermissionSetInput) (*ssoadmin.ListCustomerManagedPolicyReferencesInPermissionSetOutput, error) {
	_, p, err := s.permissionSet(ctx, "ListCustomerManagedPolicyReferencesInPermissionSet", in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	shown, next, err := p.page("customer", func(r PolicyReference) bool { return !r.isAWS() }, in.MaxResults, in.NextToken)
	out := &ssoadmin.ListCustomerManagedPolicyReferencesInPermissionSetOutput{CustomerManagedPolicyReferences: []ssoadmin.CustomerManagedPolicyReference{}, NextToken: next}
	for _, r := range shown {
		out.CustomerManagedPolicyReferences = append(out.CustomerManagedPolicyReferences, *r.write())
	}
	return out, err
}

// maxInlinePolicy is in characters without white space. It is AWS's quota of a permission set, wider than that of a role.
const maxInlinePolicy = 32_768

// PutInlinePolicyToPermissionSet sets the permission set's own policy.
func (s *Service) PutInlinePolicyToPermissionSet(ctx context.Context, in *ssoadmin.PutInlinePolicyToPermissionSetInput) (*ssoadmin.PutInlinePolicyToPermissionSetOutput, error) {
	const op = "PutInlinePolicyToPermissionSet"
	i, p, err := s.permissionSet(ctx, op, in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	if _, err := (policy.Limits{Characters: maxInlinePolicy}).Parse([]byte(in.InlinePolicy), policy.Identity); err != nil {
		return nil, ssoadmin.ValidationException("The inline policy is not valid. " + err.Error())
	}
	return &ssoadmin.PutInlinePolicyToPermissionSetOutput{}, s.setInline(ctx, op, i, p, in.InlinePolicy)
}

func (s *Service) setInline(ctx context.Context, op string, i *Instance, p *PermissionSet, text string) error {
	return s.changePermissionSet(ctx, op, i, p.ARN, func(_ *store.Tx, now *PermissionSet) (bool, error) {
		changed := now.Inline != text
		now.Inline = text
		return changed, nil
	})
}

// GetInlinePolicyForPermissionSet returns the permission set's own policy, an empty text when there is none.
func (s *Service) GetInlinePolicyForPermissionSet(ctx context.Context, in *ssoadmin.GetInlinePolicyForPermissionSetInput) (*ssoadmin.GetInlinePolicyForPermissionSetOutput, error) {
	_, p, err := s.permissionSet(ctx, "GetInlinePolicyForPermissionSet", in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	return &ssoadmin.GetInlinePolicyForPermissionSetOutput{InlinePolicy: &p.Inline}, nil
}

// DeleteInlinePolicyFromPermissionSet removes the permission set's own policy. That there is none is no error.
func (s *Service) DeleteInlinePolicyFromPermissionSet(ctx context.Context, in *ssoadmin.DeleteInlinePolicyFromPermissionSetInput) (*ssoadmin.DeleteInlinePolicyFromPermissionSetOutput, error) {
	const op = "DeleteInlinePolicyFromPermissionSet"
	i, p, err := s.permissionSet(ctx, op, in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	return &ssoadmin.DeleteInlinePolicyFromPermissionSetOutput{}, s.setInline(ctx, op, i, p, "")
}

// PutPermissionsBoundaryToPermissionSet bounds the roles of a permission set by one policy, of AWS or of the account.
func (s *Service) PutPermissionsBoundaryToPermissionSet(ctx context.Context, in *ssoadmin.PutPermissionsBoundaryToPermissionSetInput) (*ssoadmin.PutPermissionsBoundaryToPermissionSetOutput, error) {
	const op = "PutPermissionsBoundaryToPermissionSet"
	i, p, err := s.permissionSet(ctx, op, in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	var boundary PolicyReference
	switch b := in.PermissionsBoundary; {
	case (b.ManagedPolicyArn == nil) == (b.CustomerManagedPolicyReference == nil):
		return nil, ssoadmin.ValidationException("A permissions boundary is either ManagedPolicyArn or CustomerManagedPolicyReference.")
	case b.ManagedPolicyArn != nil:
		if err := s.checkAWSManaged(i, *b.ManagedPolicyArn); err != nil {
			return nil, err
		}
		boundary = PolicyReference{Name: *b.ManagedPolicyArn}
	default:
		boundary = readReference(b.CustomerManagedPolicyReference)
	}
	err = s.changePermissionSet(ctx, op, i, p.ARN, func(_ *store.Tx, now *PermissionSet) (bool, error) {
		changed := now.Boundary != boundary
		now.Boundary = boundary
		return changed, nil
	})
	return &ssoadmin.PutPermissionsBoundaryToPermissionSetOutput{}, err
}

func noBoundary(p *PermissionSet) error {
	return ssoadmin.ResourceNotFoundException("Could not find a permissions boundary of PermissionSet with id " + p.id())
}

// GetPermissionsBoundaryForPermissionSet returns the policy that bounds the roles of a permission set.
func (s *Service) GetPermissionsBoundaryForPermissionSet(ctx context.Context, in *ssoadmin.GetPermissionsBoundaryForPermissionSetInput) (*ssoadmin.GetPermissionsBoundaryForPermissionSetOutput, error) {
	_, p, err := s.permissionSet(ctx, "GetPermissionsBoundaryForPermissionSet", in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	b := &ssoadmin.PermissionsBoundary{}
	switch {
	case p.Boundary.Name == "":
		return nil, noBoundary(p)
	case p.Boundary.isAWS():
		b.ManagedPolicyArn = &p.Boundary.Name
	default:
		b.CustomerManagedPolicyReference = p.Boundary.write()
	}
	return &ssoadmin.GetPermissionsBoundaryForPermissionSetOutput{PermissionsBoundary: b}, nil
}

// DeletePermissionsBoundaryFromPermissionSet frees the roles of a permission set of their boundary, once it is provisioned
// again.
func (s *Service) DeletePermissionsBoundaryFromPermissionSet(ctx context.Context, in *ssoadmin.DeletePermissionsBoundaryFromPermissionSetInput) (*ssoadmin.DeletePermissionsBoundaryFromPermissionSetOutput, error) {
	const op = "DeletePermissionsBoundaryFromPermissionSet"
	i, p, err := s.permissionSet(ctx, op, in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	err = s.changePermissionSet(ctx, op, i, p.ARN, func(_ *store.Tx, now *PermissionSet) (bool, error) {
		if now.Boundary.Name == "" {
			return false, noBoundary(p)
		}
		now.Boundary = PolicyReference{}
		return true, nil
	})
	return &ssoadmin.DeletePermissionsBoundaryFromPermissionSetOutput{}, err
}
