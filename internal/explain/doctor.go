package explain

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/token"
)

// Center is what the doctor asks of the identity center.
type Center interface {
	Instance(arn string) (*center.Instance, bool)
	Instances() []*center.Instance
	Application(arn string) (*center.Application, bool)
	ApplicationsOf(instance string) []*center.Application
	Issuer(arn string) (*center.Issuer, bool)
	IssuersOf(instance string) []*center.Issuer
	Assigned(application, userID string, groups []string) bool
	Assignees(application string) int
}

// Administration tells who administers an instance.
type Administration interface {
	Administers(ctx context.Context, account string, i *center.Instance) bool
}

// Tokens is what the doctor asks of the token exchange.
type Tokens interface {
	InspectIssuer(ctx context.Context, url string) []token.Finding
	InspectAssertion(ctx context.Context, app *center.Application, text string) (token.Inspection, error)
}

// People is what the doctor asks of the directory.
type People interface {
	User(storeID, userID string) (directory.Person, bool)
	ReadUser(ctx context.Context, storeID, id string) (directory.User, error)
	FindUsers(storeID, attribute, value string) []string
	GroupsOf(storeID, userID string) []string
	GroupName(storeID, groupID string) (string, bool)
}

// Role is an IAM role as the doctor asks for it.
type Role struct {
	ARN, ID, Name, Account string
	Trust                  policy.Named
}

// Roles finds roles.
type Roles interface {
	RoleOf(arn string) (Role, bool)
}

// Grants is what the doctor asks of access grants.
type Grants interface {
	InstanceOf(account string) (*grants.Instance, bool)
	Associated(identityCenter string) []*grants.Instance
	LocationsOf(account string) []*grants.Location
	LocationOf(g *grants.Grant) (*grants.Location, bool)
	MayAsk(ctx context.Context, account string, c *caller.Caller) policy.Decision
	Preview(ctx context.Context, account string, c *caller.Caller, target string, permission grants.Permission) (grants.Preview, error)
	Reaches(ctx context.Context, l *grants.Location, person bool) error
}

// Doctor walks the chain from an issuer to the data and says of each link whether it holds, and of a broken one what mends
// it. It looks only: a sample token is not used up, nothing is issued, and nothing changes. What it reads of a token is
// neither kept nor answered, apart from the issuer, the audience and the mapped claim.
//
// The administrator of an instance may ask. Roles, locations and grants are told to who owns them and to the management
// account; to others they are neither there nor missing.
type Doctor struct {
	Center         Center
	Administration Administration
	Tokens         Tokens
	People         People
	Roles          Roles
	Grants         Grants
	Accounts       Accounts
	Authorizer     *authz.Authorizer
	Now            func() time.Time
}

// The bounds of an examination.
const (
	// examination bounds the whole: issuers that do not answer take their time.
	examination = 50 * time.Second
	// maxVisits is how many issuers are visited at a time, maxIssuers how many in all.
	maxVisits  = 4
	maxIssuers = 20
	// maxApplications, maxLocations and maxGrants are how many are looked at.
	maxApplications = 100
	maxLocations    = 100
	maxGrants       = 5
)

// examinee is one examination as far as it got.
type examinee struct {
	*Doctor
	in       *lakegate.DiagnoseInput
	account  string // of the caller
	instance *center.Instance
	app      *center.Application

	// person is who was found and may act, else nil.
	person *directory.Person
	found  []lakegate.Finding
}

// Diagnose examines the way of a token or a person through an application, or a whole instance.
func (d *Doctor) Diagnose(ctx context.Context, in *lakegate.DiagnoseInput) (*lakegate.DiagnoseOutput, error) {
	x := &examinee{Doctor: d, in: in, account: caller.From(ctx).Account}
	if err := x.admit(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, examination)
	defer cancel()
	particular := in.Token != nil || in.Person != nil || in.ActorRoleArn != nil || in.RoleArn != nil || in.Target != nil || in.GrantsAccountId != nil
	if in.Token != nil && in.Person != nil {
		return nil, lakegate.ValidationException("Give a token or a person, not both: a token says who the person is.")
	}
	switch {
	case in.Application != nil:
		if !x.findApplication(*in.Application) {
			return x.report(), nil
		}
	case particular:
		// Where there is but one, it is meant.
		all := x.customApplications()
		if len(all) != 1 {
			return nil, lakegate.ValidationException(fmt.Sprintf("Name an application: the instance has %d.", len(all)))
		}
		x.app = all[0]
	}
	if x.app == nil {
		x.examineInstance(ctx)
		return x.report(), nil
	}
	if err := x.examineWay(ctx); err != nil {
		return nil, err
	}
	return x.report(), nil
}

// admit finds the instance and asks whether the caller may examine it. An instance that somebody else administers and one
// that does not exist get the same answer.
func (x *examinee) admit(ctx context.Context) error {
	name := value(x.in.InstanceArn)
	if name == "" {
		name, _ = center.InstanceOf(value(x.in.Application))
	}
	if i, ok := x.Center.Instance(name); ok && x.Administration.Administers(ctx, x.account, i) {
		x.instance = i
	}
	if name == "" {
		x.instance = x.ownInstance(ctx)
		name = "*"
		if x.instance != nil {
			name = x.instance.ARN
		}
	}
	if err := x.Authorizer.Authorize(ctx, authz.Request{Action: "lakegate:Diagnose", Resource: name, Account: x.account}); err != nil {
		return err
	}
	if x.instance == nil {
		return lakegate.ResourceNotFoundException("There is no instance of the identity center that account " + x.account + " administers and that fits the request.")
	}
	return nil
}

// ownInstance is the instance that is meant when none is named: the organization's before the account's own.
func (x *examinee) ownInstance(ctx context.Context) (found *center.Instance) {
	for _, i := range x.Center.Instances() {
		if x.Administration.Administers(ctx, x.account, i) && (found == nil || i.Organization) {
			found = i
		}
	}
	return found
}

// mayLook reports whether the caller may learn of the roles and grants of an account.
func (x *examinee) mayLook(account string) bool {
	return account == x.account || x.Accounts.IsManagement(x.account)
}

func (x *examinee) report() *lakegate.DiagnoseOutput {
	out := &lakegate.DiagnoseOutput{InstanceArn: x.instance.ARN, Healthy: true, Findings: x.found}
	for _, f := range x.found {
		if f.Outcome == lakegate.StepOutcomeFail {
			out.Healthy = false
		}
	}
	return out
}

// subject collects the findings about one thing.
type subject struct {
	name string
	x    *examinee
}

func (x *examinee) about(name string) subject { return subject{name, x} }

func (s subject) add(f lakegate.Finding) {
	f.Subject = s.name
	s.x.found = append(s.x.found, f)
}

func (s subject) pass(step, detail string) {
	s.add(lakegate.Finding{Step: step, Outcome: lakegate.StepOutcomePass, Detail: known(detail)})
}

func (s subject) info(step, detail, remedy string) {
	s.add(lakegate.Finding{Step: step, Outcome: lakegate.StepOutcomeInfo, Detail: known(detail), Remedy: known(remedy)})
}

func (s subject) fail(step, detail, remedy string) {
	s.add(lakegate.Finding{Step: step, Outcome: lakegate.StepOutcomeFail, Detail: known(detail), Remedy: known(remedy)})
}

// decision passes a step that the policies allow.
func (s subject) decision(step string, d policy.Decision, detail, remedy string) bool {
	if d.Allowed {
		s.pass(step, detail)
		return true
	}
	s.fail(step, "refused "+strings.TrimSpace(d.Reason), remedy)
	return false
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
