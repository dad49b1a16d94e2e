package grants

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/wire"
)

// sharable are the actions that an instance can share with other accounts.
var sharable = []string{"s3:listaccessgrants", "s3:listaccessgrantslocations", "s3:listcalleraccessgrants", "s3:getdataaccess", "s3:getaccessgrantsinstanceforprefix"}

// PutAccessGrantsInstanceResourcePolicy lets other accounts use the instance.
func (s *Service) PutAccessGrantsInstanceResourcePolicy(ctx context.Context, in *s3control.PutAccessGrantsInstanceResourcePolicyInput) (*s3control.PutAccessGrantsInstanceResourcePolicyOutput, error) {
	if err := s.own(ctx, "PutAccessGrantsInstanceResourcePolicy", in.AccountId, nil); err != nil {
		return nil, err
	}
	if _, err := s.instance(in.AccountId); err != nil {
		return nil, err
	}
	p, err := s.readPolicy(in.AccountId, in.Policy)
	if err != nil {
		return nil, err
	}
	p.Created = s.stamp()
	if in.Organization != nil {
		p.Organization = *in.Organization
	}
	err = s.change(ctx, in.AccountId, func(i *Instance) error {
		i.Policy = p
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3control.PutAccessGrantsInstanceResourcePolicyOutput{Policy: &p.Text, Organization: optional(p.Organization), CreatedAt: &p.Created}, nil
}

// readPolicy checks a resource policy: it may speak of the instance alone, and allow only what can be shared.
func (s *Service) readPolicy(account, text string) (*ResourcePolicy, error) {
	invalid := func(why string) error {
		return wire.NewError("InvalidResourcePolicy", http.StatusBadRequest, "The specified Resource Policy is invalid: "+why)
	}
	text = awsPrincipals.ReplaceAllStringFunc(text, func(list string) string {
		return bareAccount.ReplaceAllString(list, `"arn:aws:iam::$1:root"`)
	})
	document, err := policy.Parse([]byte(text), policy.Resource)
	if err != nil {
		return nil, invalid(err.Error())
	}
	for _, st := range document.Statements() {
		if len(st.NotResources) > 0 || slices.ContainsFunc(st.Resources, func(r string) bool { return r != s.instanceARN(account) }) {
			return nil, invalid("the resource must be " + s.instanceARN(account))
		}
		if st.Effect != policy.Allow {
			continue
		}
		if len(st.NotActions) > 0 || slices.ContainsFunc(st.Actions, func(a string) bool { return !slices.Contains(sharable, strings.ToLower(a)) }) {
			return nil, invalid("it allows an action that cannot be shared")
		}
	}
	return &ResourcePolicy{Text: text, Document: document}, nil
}

// Accounts that are named by their id alone among AWS principals; IAM writes them as their root.
var (
	awsPrincipals = regexp.MustCompile(`"AWS"\s*:\s*(?:\[[^\]]*\]|"\d{12}")`)
	bareAccount   = regexp.MustCompile(`"(\d{12})"`)
)

// GetAccessGrantsInstanceResourcePolicy shows the policy.
func (s *Service) GetAccessGrantsInstanceResourcePolicy(ctx context.Context, in *s3control.GetAccessGrantsInstanceResourcePolicyInput) (*s3control.GetAccessGrantsInstanceResourcePolicyOutput, error) {
	if err := s.own(ctx, "GetAccessGrantsInstanceResourcePolicy", in.AccountId, nil); err != nil {
		return nil, err
	}
	i, err := s.instance(in.AccountId)
	if err != nil {
		return nil, err
	}
	if i.Policy == nil {
		return nil, wire.NewError("AccessGrantsInstanceResourcePolicyNotExists", http.StatusNotFound, "Access Grants Instance Resource Policy does not exist")
	}
	return &s3control.GetAccessGrantsInstanceResourcePolicyOutput{Policy: &i.Policy.Text, Organization: optional(i.Policy.Organization), CreatedAt: &i.Policy.Created}, nil
}

// DeleteAccessGrantsInstanceResourcePolicy ends the sharing.
func (s *Service) DeleteAccessGrantsInstanceResourcePolicy(ctx context.Context, in *s3control.DeleteAccessGrantsInstanceResourcePolicyInput) (*s3control.DeleteAccessGrantsInstanceResourcePolicyOutput, error) {
	if err := s.own(ctx, "DeleteAccessGrantsInstanceResourcePolicy", in.AccountId, nil); err != nil {
		return nil, err
	}
	err := s.change(ctx, in.AccountId, func(i *Instance) error {
		i.Policy = nil
		return nil
	})
	return &s3control.DeleteAccessGrantsInstanceResourcePolicyOutput{}, err
}
