package center

import (
	"context"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// CreateApplication registers an OAuth application. Any account that sees the instance may. The application has no grant,
// no scope and no authentication method yet, and people have to be assigned to it.
func (s *Service) CreateApplication(ctx context.Context, in *ssoadmin.CreateApplicationInput) (*ssoadmin.CreateApplicationOutput, error) {
	const op = "CreateApplication"
	tags, err := readTagList(in.Tags)
	if err != nil {
		return nil, err
	}
	account := caller.From(ctx).Account
	i, known := s.Center.Instance(in.InstanceArn)
	q := question{op: op, resources: []string{in.InstanceArn, in.ApplicationProviderArn}, request: tags, creator: account}
	created := ""
	if known {
		created = applicationARN(i, randomHex(16))
		q.resources = append(q.resources, created)
	}
	if err := s.authorize(ctx, q); err != nil {
		return nil, err
	}
	if !known {
		return nil, denied(ctx, op, in.InstanceArn, "there is no such instance")
	}
	if err := s.within(ctx, op, in.InstanceArn, i, member); err != nil {
		return nil, err
	}
	if in.ApplicationProviderArn != ProviderCustom {
		return nil, unsupportedProvider(in.ApplicationProviderArn)
	}
	a := &Application{
		ARN: created, Instance: i.ARN, Provider: ProviderCustom, Account: account, Name: in.Name, Description: value(in.Description),
		Enabled: in.Status == nil || *in.Status == ssoadmin.ApplicationStatusENABLED, Portal: Portal{Visibility: enabled},
		AssignmentRequired: true, Created: s.Center.db.Now(), CreatedFrom: s.Center.region, Tags: tags,
	}
	if p := in.PortalOptions; p != nil {
		if err := a.Portal.signIn(p.SignInOptions); err != nil {
			return nil, err
		}
		if p.Visibility != nil {
			a.Portal.Visibility = string(*p.Visibility)
		}
	}
	fingerprint := withoutToken(in, &in.ClientToken)
	err = s.change(ctx, "instance "+i.ARN, func(tx *store.Tx) error {
		created, err = s.once(ctx, tx, op, in.ClientToken, fingerprint, a.ARN, func() error {
			if n, err := countApplications(ctx, tx, i.ARN); err != nil || n >= int64(s.Center.quotas.Applications) {
				return orElse(err, quota("applications", s.Center.quotas.Applications))
			}
			return insertApplication(ctx, tx, a)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ssoadmin.CreateApplicationOutput{ApplicationArn: &created, InstanceArn: &i.ARN, IdentityStoreArn: new(i.StoreARN())}, nil
}

// signIn takes sign-in options over. An application that starts the sign-in itself says where.
func (p *Portal) signIn(o *ssoadmin.SignInOptions) error {
	if o == nil {
		return nil
	}
	if (o.Origin == ssoadmin.SignInOriginAPPLICATION) != (o.ApplicationUrl != nil) {
		return ssoadmin.ValidationException("ApplicationUrl is required if, and only if, the sign-in origin is APPLICATION.")
	}
	p.Origin, p.URL = string(o.Origin), value(o.ApplicationUrl)
	return nil
}

func (p Portal) toWire() *ssoadmin.PortalOptions {
	out := &ssoadmin.PortalOptions{Visibility: optional(ssoadmin.ApplicationVisibility(p.Visibility))}
	if p.Origin != "" {
		out.SignInOptions = &ssoadmin.SignInOptions{Origin: ssoadmin.SignInOrigin(p.Origin), ApplicationUrl: optional(p.URL)}
	}
	return out
}

// toWire is an application as lists show it.
func (c *Center) toWire(a *Application) ssoadmin.Application {
	out := ssoadmin.Application{
		ApplicationArn: &a.ARN, ApplicationProviderArn: &a.Provider, Name: &a.Name, ApplicationAccount: &a.Account, InstanceArn: &a.Instance,
		Status: new(ssoadmin.ApplicationStatus(status(a.Enabled))), PortalOptions: a.Portal.toWire(), Description: optional(a.Description),
		CreatedDate: &a.Created, CreatedFrom: optional(a.CreatedFrom),
	}
	if i, ok := c.Instance(a.Instance); ok {
		out.IdentityStoreArn = new(arn.IdentityStore(i.Account, i.StoreID))
	}
	return out
}

// DescribeApplication describes an application.
func (s *Service) DescribeApplication(ctx context.Context, in *ssoadmin.DescribeApplicationInput) (*ssoadmin.DescribeApplicationOutput, error) {
	a, err := s.application(ctx, "DescribeApplication", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	out := ssoadmin.DescribeApplicationOutput(s.Center.toWire(a))
	return &out, nil
}

// maxApplications is the longest list of applications that the model admits.
const maxApplications = 50

// ListApplications lists the applications of an instance. A member account has to ask for its own.
func (s *Service) ListApplications(ctx context.Context, in *ssoadmin.ListApplicationsInput) (*ssoadmin.ListApplicationsOutput, error) {
	const op = "ListApplications"
	if err := s.authorize(ctx, question{op: op, resources: []string{anyResource}}); err != nil {
		return nil, err
	}
	i, ok := s.Center.Instance(in.InstanceArn)
	if !ok {
		return nil, denied(ctx, op, in.InstanceArn, "there is no such instance")
	}
	if err := s.within(ctx, op, in.InstanceArn, i, member); err != nil {
		return nil, err
	}
	var f ssoadmin.ListApplicationsFilter
	if in.Filter != nil {
		f = *in.Filter
	}
	if account := caller.From(ctx).Account; s.reach(ctx, account, i) < delegate && value(f.ApplicationAccount) != account {
		return nil, denied(ctx, op, in.InstanceArn, "a member account sees its own applications: Filter.ApplicationAccount must be "+account)
	}
	var all []*Application
	for _, a := range sorted(&s.Center.applications, func(a *Application) string { return a.ARN }) {
		if a.Instance == i.ARN && (f.ApplicationAccount == nil || *f.ApplicationAccount == a.Account) && (f.ApplicationProvider == nil || *f.ApplicationProvider == a.Provider) {
			all = append(all, a)
		}
	}
	shown, next, err := page("applications "+i.ARN, all, func(a *Application) string { return a.ARN }, in.MaxResults, maxApplications, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ssoadmin.ListApplicationsOutput{Applications: []ssoadmin.Application{}, NextToken: next}
	for _, a := range shown {
		out.Applications = append(out.Applications, s.Center.toWire(a))
	}
	return out, nil
}

// UpdateApplication changes what an application says of itself, or switches it off and on. Switching it off ends what acts
// through it at the next request.
func (s *Service) UpdateApplication(ctx context.Context, in *ssoadmin.UpdateApplicationInput) (*ssoadmin.UpdateApplicationOutput, error) {
	a, err := s.customApplication(ctx, "UpdateApplication", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	var signIn *ssoadmin.SignInOptions
	if in.PortalOptions != nil {
		signIn = in.PortalOptions.SignInOptions
	}
	err = s.changeApplication(ctx, a.ARN, func(a *Application) error {
		set(&a.Name, in.Name)
		set(&a.Description, in.Description)
		if in.Status != nil {
			a.Enabled = *in.Status == ssoadmin.ApplicationStatusENABLED
		}
		return a.Portal.signIn(signIn)
	})
	return &ssoadmin.UpdateApplicationOutput{}, err
}

// changeApplication reads an application, lets change work on it and writes it, in one transaction.
func (s *Service) changeApplication(ctx context.Context, arn string, change func(a *Application) error) error {
	return s.change(ctx, "application with ARN "+arn, func(tx *store.Tx) error {
		a, err := readApplication(ctx, tx, arn)
		if err != nil {
			return err
		}
		if err := change(a); err != nil {
			return err
		}
		return updateApplication(ctx, tx, a)
	})
}

// DeleteApplication removes an application with all that hangs on it.
func (s *Service) DeleteApplication(ctx context.Context, in *ssoadmin.DeleteApplicationInput) (*ssoadmin.DeleteApplicationOutput, error) {
	a, err := s.customApplication(ctx, "DeleteApplication", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, "application with ARN "+a.ARN, func(tx *store.Tx) error { return deleteApplication(ctx, tx, a.ARN) })
	return &ssoadmin.DeleteApplicationOutput{}, err
}

// PutApplicationAssignmentConfiguration says whether people have to be assigned. Assignments stay as they are.
func (s *Service) PutApplicationAssignmentConfiguration(ctx context.Context, in *ssoadmin.PutApplicationAssignmentConfigurationInput) (*ssoadmin.PutApplicationAssignmentConfigurationOutput, error) {
	a, err := s.customApplication(ctx, "PutApplicationAssignmentConfiguration", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	err = s.changeApplication(ctx, a.ARN, func(a *Application) error {
		a.AssignmentRequired = in.AssignmentRequired
		return nil
	})
	return &ssoadmin.PutApplicationAssignmentConfigurationOutput{}, err
}

// GetApplicationAssignmentConfiguration tells whether people have to be assigned.
func (s *Service) GetApplicationAssignmentConfiguration(ctx context.Context, in *ssoadmin.GetApplicationAssignmentConfigurationInput) (*ssoadmin.GetApplicationAssignmentConfigurationOutput, error) {
	a, err := s.application(ctx, "GetApplicationAssignmentConfiguration", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	return &ssoadmin.GetApplicationAssignmentConfigurationOutput{AssignmentRequired: a.AssignmentRequired}, nil
}

// PutApplicationSessionConfiguration says whether the application may run background sessions for a person.
func (s *Service) PutApplicationSessionConfiguration(ctx context.Context, in *ssoadmin.PutApplicationSessionConfigurationInput) (*ssoadmin.PutApplicationSessionConfigurationOutput, error) {
	a, err := s.customApplication(ctx, "PutApplicationSessionConfiguration", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	err = s.changeApplication(ctx, a.ARN, func(a *Application) error {
		a.Background = string(value(in.UserBackgroundSessionApplicationStatus))
		return nil
	})
	return &ssoadmin.PutApplicationSessionConfigurationOutput{}, err
}

// GetApplicationSessionConfiguration tells what PutApplicationSessionConfiguration said.
func (s *Service) GetApplicationSessionConfiguration(ctx context.Context, in *ssoadmin.GetApplicationSessionConfigurationInput) (*ssoadmin.GetApplicationSessionConfigurationOutput, error) {
	a, err := s.application(ctx, "GetApplicationSessionConfiguration", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	return &ssoadmin.GetApplicationSessionConfigurationOutput{
		UserBackgroundSessionApplicationStatus: optional(ssoadmin.UserBackgroundSessionApplicationStatus(a.Background)),
	}, nil
}
