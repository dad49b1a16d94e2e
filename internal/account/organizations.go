package account

import (
	"context"
	"errors"
	"slices"

	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/trail"
)

// Organizations is the organizations service. An organization here has one root and no organizational units.
type Organizations struct {
	Registry   *Registry
	Authorizer *authz.Authorizer
}

// standing is what an account may be in the organization, so that it may call an operation.
type standing int

const (
	// asMember: any account of the organization.
	asMember standing = iota
	// asReader: the management account, or a member that administers some service.
	asReader
	// asManagement: the management account alone.
	asManagement
)

// enter authorises an operation and sees that the caller's account may call it.
func (s *Organizations) enter(ctx context.Context, operation, resource string, least standing, v policy.Values) (*Organization, error) {
	account := caller.From(ctx).Account
	err := s.Authorizer.Authorize(ctx, authz.Request{Action: "organizations:" + operation, Resource: resource, Account: account, Context: v})
	if err != nil {
		return nil, err
	}
	o, ok := s.Registry.Organization()
	if _, member := s.Registry.Account(account); !ok || !member {
		return nil, organizations.AWSOrganizationsNotInUseException("Your account is not a member of an organization.")
	}
	have := asMember
	switch {
	case account == o.Management:
		have = asManagement
	case s.Registry.isDelegatedForAny(account):
		have = asReader
	}
	if have < least {
		why := "account " + account + " is not the management account of the organization"
		trail.From(ctx).Step("standing in the organization", trail.Fail, why)
		return nil, organizations.AccessDeniedException("You don't have permissions to access this resource.").Because(errors.New(why))
	}
	return o, nil
}

// isDelegatedForAny reports whether a member account administers any service for the organization.
func (r *Registry) isDelegatedForAny(account string) bool {
	for _, d := range r.delegations.Each() {
		if d.Account == account {
			return true
		}
	}
	return false
}

// accountResource is the ARN of an account for authorisation, whether it exists or not.
func (s *Organizations) accountResource(id string) string {
	o, ok := s.Registry.Organization()
	if !ok || !arn.IsAccountID(id) {
		return "*"
	}
	return o.AccountARN(id)
}

// lookUp finds an account of the organization.
func (s *Organizations) lookUp(ctx context.Context, id string) (*Account, error) {
	a, ok := s.Registry.Account(id)
	if !ok {
		return nil, organizations.AccountNotFoundException("You specified an account that doesn't exist.")
	}
	trail.From(ctx).Resource("AWS::Organizations::Account", s.accountResource(id), id)
	return a, nil
}

// mostShown is the size of a page, and the most that can be asked for.
const mostShown = 20

// list cuts the page out of items that are in the order of their keys.
func list[T any](items []T, key func(T) string, token *string, asked *int) ([]T, *string, error) {
	shown, next, ok := cut(items, key, token, asked, mostShown, mostShown)
	if !ok {
		return nil, nil, invalidInput("INVALID_NEXT_TOKEN", "The provided NextToken is not valid for this request.")
	}
	return shown, next, nil
}

func invalidInput(reason, message string) error {
	return organizations.InvalidInputException(message).With("Reason", reason)
}

func constraint(reason, message string) error {
	return organizations.ConstraintViolationException(message).With("Reason", reason)
}

// DescribeOrganization shows the organization that the caller's account is in.
func (s *Organizations) DescribeOrganization(ctx context.Context, _ *organizations.DescribeOrganizationInput) (*organizations.DescribeOrganizationOutput, error) {
	o, err := s.enter(ctx, "DescribeOrganization", "*", asMember, nil)
	if err != nil {
		return nil, err
	}
	return &organizations.DescribeOrganizationOutput{Organization: s.writeOrganization(o)}, nil
}

func (s *Organizations) writeOrganization(o *Organization) *organizations.Organization {
	out := &organizations.Organization{
		Id: new(o.ID), Arn: new(o.ARN()), FeatureSet: new(organizations.OrganizationFeatureSetALL),
		MasterAccountArn: new(o.AccountARN(o.Management)), MasterAccountId: new(o.Management), AvailablePolicyTypes: []organizations.PolicyTypeSummary{},
	}
	if a, ok := s.Registry.Account(o.Management); ok {
		out.MasterAccountEmail = new(a.Email)
	}
	return out
}

// CreateOrganization is refused: every account is in the one organization from its beginning.
func (s *Organizations) CreateOrganization(ctx context.Context, _ *organizations.CreateOrganizationInput) (*organizations.CreateOrganizationOutput, error) {
	if _, err := s.enter(ctx, "CreateOrganization", "*", asMember, nil); err != nil {
		return nil, err
	}
	return nil, organizations.AlreadyInOrganizationException("The AWS account is already a member of an organization.")
}

// ListRoots lists the one root.
func (s *Organizations) ListRoots(ctx context.Context, _ *organizations.ListRootsInput) (*organizations.ListRootsOutput, error) {
	o, err := s.enter(ctx, "ListRoots", "*", asReader, nil)
	if err != nil {
		return nil, err
	}
	return &organizations.ListRootsOutput{Roots: []organizations.Root{
		{Id: new(o.Root), Arn: new(o.RootARN()), Name: new("Root"), PolicyTypes: []organizations.PolicyTypeSummary{}},
	}}, nil
}

// ListParents shows that the parent of every account is the root.
func (s *Organizations) ListParents(ctx context.Context, in *organizations.ListParentsInput) (*organizations.ListParentsOutput, error) {
	o, err := s.enter(ctx, "ListParents", s.accountResource(in.ChildId), asReader, nil)
	if err != nil {
		return nil, err
	}
	if _, ok := s.Registry.Account(in.ChildId); !ok {
		return nil, organizations.ChildNotFoundException("You specified an organizational unit or account that doesn't exist.")
	}
	return &organizations.ListParentsOutput{Parents: []organizations.Parent{{Id: new(o.Root), Type: new(organizations.ParentTypeROOT)}}}, nil
}

// enterParent is enter for what is listed under a parent, which can only be the root.
func (s *Organizations) enterParent(ctx context.Context, operation, parent string) (*Organization, error) {
	resource := "*"
	if o, ok := s.Registry.Organization(); ok && parent == o.Root {
		resource = o.RootARN()
	}
	o, err := s.enter(ctx, operation, resource, asReader, nil)
	if err != nil {
		return nil, err
	}
	if parent != o.Root {
		return nil, organizations.ParentNotFoundException("You specified a parent that doesn't exist.")
	}
	return o, nil
}

// ListChildren lists the accounts under the root; there are no organizational units.
func (s *Organizations) ListChildren(ctx context.Context, in *organizations.ListChildrenInput) (*organizations.ListChildrenOutput, error) {
	if _, err := s.enterParent(ctx, "ListChildren", in.ParentId); err != nil {
		return nil, err
	}
	out := &organizations.ListChildrenOutput{Children: []organizations.Child{}}
	if in.ChildType != organizations.ChildTypeACCOUNT {
		return out, nil
	}
	shown, next, err := list(s.Registry.Accounts(), accountKey, in.NextToken, in.MaxResults)
	for _, a := range shown {
		out.Children = append(out.Children, organizations.Child{Id: new(a.ID), Type: new(organizations.ChildTypeACCOUNT)})
	}
	out.NextToken = next
	return out, err
}

// ListAccountsForParent lists the accounts under the root.
func (s *Organizations) ListAccountsForParent(ctx context.Context, in *organizations.ListAccountsForParentInput) (*organizations.ListAccountsForParentOutput, error) {
	o, err := s.enterParent(ctx, "ListAccountsForParent", in.ParentId)
	if err != nil {
		return nil, err
	}
	shown, next, err := list(s.Registry.Accounts(), accountKey, in.NextToken, in.MaxResults)
	return &organizations.ListAccountsForParentOutput{Accounts: writeAccounts(o, shown), NextToken: next}, err
}

// ListAWSServiceAccessForOrganization lists the services that may act in the whole organization.
func (s *Organizations) ListAWSServiceAccessForOrganization(ctx context.Context, in *organizations.ListAWSServiceAccessForOrganizationInput) (*organizations.ListAWSServiceAccessForOrganizationOutput, error) {
	if _, err := s.enter(ctx, "ListAWSServiceAccessForOrganization", "*", asReader, nil); err != nil {
		return nil, err
	}
	all, err := s.Registry.serviceAccess(ctx)
	if err != nil {
		return nil, err
	}
	shown, next, err := list(all, func(a serviceAccess) string { return a.service }, in.NextToken, in.MaxResults)
	out := &organizations.ListAWSServiceAccessForOrganizationOutput{EnabledServicePrincipals: []organizations.EnabledServicePrincipal{}, NextToken: next}
	for _, a := range shown {
		out.EnabledServicePrincipals = append(out.EnabledServicePrincipals, organizations.EnabledServicePrincipal{ServicePrincipal: new(a.service), DateEnabled: new(a.enabled)})
	}
	return out, err
}

// delegable are the services that know an organization here.
var delegable = []string{identityCenterService}

func checkService(service string) error {
	if !slices.Contains(delegable, service) {
		return invalidInput("UNRECOGNIZED_SERVICE_PRINCIPAL", "You specified an unrecognized service principal.")
	}
	return nil
}
