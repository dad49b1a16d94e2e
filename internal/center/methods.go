package center

import (
	"context"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// PutApplicationAuthenticationMethod says which principals may act as the application. The policy is kept as it was
// written; whom it names has to exist.
func (s *Service) PutApplicationAuthenticationMethod(ctx context.Context, in *ssoadmin.PutApplicationAuthenticationMethodInput) (*ssoadmin.PutApplicationAuthenticationMethodOutput, error) {
	a, err := s.customApplication(ctx, "PutApplicationAuthenticationMethod", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	if in.AuthenticationMethod.Iam == nil {
		return nil, ssoadmin.ValidationException("The member of AuthenticationMethod does not match the AuthenticationMethodType " + string(in.AuthenticationMethodType))
	}
	text := in.AuthenticationMethod.Iam.ActorPolicy
	d, err := parseActorPolicy(text)
	if err != nil {
		return nil, ssoadmin.ValidationException(err.Error())
	}
	ids, invalid := s.Accounts.ResolvePrincipals(d)
	if invalid != "" {
		trail.From(ctx).Step("principals of the actor policy", trail.Fail, invalid+" does not exist")
		return nil, ssoadmin.ValidationException(errActorPolicy.Error() + ": the principal " + invalid + " does not exist")
	}
	err = s.changeParts(ctx, a.ARN, "application with ARN "+a.ARN, func(tx *store.Tx, _ *Application) error {
		return putMethod(ctx, tx, a.ARN, &Method{Text: string(text), IDs: ids})
	})
	return &ssoadmin.PutApplicationAuthenticationMethodOutput{}, err
}

func (m *Method) toWire() *ssoadmin.AuthenticationMethod {
	return &ssoadmin.AuthenticationMethod{Iam: &ssoadmin.IamAuthenticationMethod{ActorPolicy: []byte(m.Text)}}
}

func methodOf(application string) string {
	return "authentication method IAM of application with ARN " + application
}

// GetApplicationAuthenticationMethod reads the actor policy as it was written.
func (s *Service) GetApplicationAuthenticationMethod(ctx context.Context, in *ssoadmin.GetApplicationAuthenticationMethodInput) (*ssoadmin.GetApplicationAuthenticationMethodOutput, error) {
	a, err := s.application(ctx, "GetApplicationAuthenticationMethod", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	if a.Method == nil {
		return nil, ssoadmin.ResourceNotFoundException("Could not find " + methodOf(a.ARN))
	}
	return &ssoadmin.GetApplicationAuthenticationMethodOutput{AuthenticationMethod: a.Method.toWire()}, nil
}

// ListApplicationAuthenticationMethods lists the methods of an application, of which there is at most one.
func (s *Service) ListApplicationAuthenticationMethods(ctx context.Context, in *ssoadmin.ListApplicationAuthenticationMethodsInput) (*ssoadmin.ListApplicationAuthenticationMethodsOutput, error) {
	a, err := s.application(ctx, "ListApplicationAuthenticationMethods", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	if _, err := after("methods "+a.ARN, in.NextToken); err != nil {
		return nil, err
	}
	out := &ssoadmin.ListApplicationAuthenticationMethodsOutput{AuthenticationMethods: []ssoadmin.AuthenticationMethodItem{}}
	if a.Method != nil {
		out.AuthenticationMethods = append(out.AuthenticationMethods, ssoadmin.AuthenticationMethodItem{
			AuthenticationMethodType: new(ssoadmin.AuthenticationMethodTypeIAM), AuthenticationMethod: a.Method.toWire(),
		})
	}
	return out, nil
}

// DeleteApplicationAuthenticationMethod leaves nobody who may act as the application.
func (s *Service) DeleteApplicationAuthenticationMethod(ctx context.Context, in *ssoadmin.DeleteApplicationAuthenticationMethodInput) (*ssoadmin.DeleteApplicationAuthenticationMethodOutput, error) {
	a, err := s.customApplication(ctx, "DeleteApplicationAuthenticationMethod", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, methodOf(a.ARN), func(tx *store.Tx) error { return deleteMethod(ctx, tx, a.ARN) })
	return &ssoadmin.DeleteApplicationAuthenticationMethodOutput{}, err
}
