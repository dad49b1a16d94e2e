package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// maxAccounts is the quota of accounts in an organization.
const maxAccounts = 1000

func accountKey(a *Account) string { return a.ID }

func writeAccount(o *Organization, a *Account) organizations.Account {
	out := organizations.Account{
		Id: new(a.ID), Arn: new(o.AccountARN(a.ID)), Email: new(a.Email), Name: new(a.Name), Paths: []string{o.ID + "/" + o.Root + "/" + a.ID + "/"},
		Status: new(organizations.AccountStatusACTIVE), State: new(organizations.AccountStateACTIVE),
		JoinedMethod: new(organizations.AccountJoinedMethod(a.JoinedMethod)), JoinedTimestamp: new(a.Joined),
	}
	if a.Status != Active {
		out.Status, out.State = new(organizations.AccountStatusSUSPENDED), new(organizations.AccountStateCLOSED)
	}
	return out
}

func writeAccounts(o *Organization, all []*Account) []organizations.Account {
	out := []organizations.Account{}
	for _, a := range all {
		out = append(out, writeAccount(o, a))
	}
	return out
}

// request is what became of a CreateAccount request. On AWS it takes minutes; here it is over when the operation answers.
type request struct {
	id, name, account    string
	state                organizations.CreateAccountState
	failure              string
	requested, completed time.Time
}

func (r *request) write() *organizations.CreateAccountStatus {
	return &organizations.CreateAccountStatus{
		Id: new(r.id), AccountName: new(r.name), State: new(r.state), RequestedTimestamp: new(r.requested), CompletedTimestamp: new(r.completed),
		AccountId: optional(r.account), FailureReason: optional(organizations.CreateAccountFailureReason(r.failure)),
	}
}

// CreateAccount makes a member account with its administrator and with the role by which the management account reaches
// it. The reserved tag lakegate:AccountId chooses the account's id.
func (s *Organizations) CreateAccount(ctx context.Context, in *organizations.CreateAccountInput) (*organizations.CreateAccountOutput, error) {
	v := policy.Values{}
	for _, t := range in.Tags {
		v.Set("aws:RequestTag/"+t.Key, t.Value)
		v.Add("aws:TagKeys", t.Key)
	}
	o, err := s.enter(ctx, "CreateAccount", "*", asManagement, v)
	if err != nil {
		return nil, err
	}
	a := &Account{Name: in.AccountName, Email: in.Email, Status: Active, JoinedMethod: "CREATED", Joined: s.Registry.now()}
	if a.ID, a.Tags, err = readAccountTags(in.Tags); err != nil {
		return nil, err
	}
	if strings.HasPrefix(nameKey(deref(in.RoleName)), nameKey(reservedName)) {
		return nil, invalidInput("INVALID_ROLE_NAME", "Role names that begin with "+reservedName+" are reserved for AWS services.")
	}
	asked := a.ID != ""
	if !asked {
		if a.ID, err = newAccountID(); err != nil {
			return nil, err
		}
	}
	done := &request{
		id: "car-" + newLowerID(20), name: a.Name, account: a.ID, state: organizations.CreateAccountStateSUCCEEDED, requested: a.Joined, completed: a.Joined,
	}
	var profile Profile
	err = s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		if err := checkNewAccount(ctx, tx, a); err != nil {
			return err
		}
		if profile, err = s.Registry.insertAccountWithAdministrator(ctx, tx, a); err != nil {
			return err
		}
		if err := s.Registry.insertDelegateRole(ctx, tx, a.ID, cmp.Or(deref(in.RoleName), DelegateRole), o.Management); err != nil {
			return err
		}
		return insertRequest(ctx, tx, done)
	})
	if errors.Is(err, errEmailTaken) {
		return s.failedAccount(ctx, done, organizations.CreateAccountFailureReasonEMAILALREADYEXISTS)
	}
	if err != nil {
		return nil, fmt.Errorf("create account %s: %w", a.ID, err)
	}
	trail.From(ctx).Resource("AWS::Organizations::Account", o.AccountARN(a.ID), a.ID)
	s.Registry.created(ctx, profile)
	return &organizations.CreateAccountOutput{CreateAccountStatus: done.write()}, nil
}

var errEmailTaken = errors.New("another account has this e-mail address")

// checkNewAccount sees, inside the transaction, that there is room for an account and that its id and address are free.
func checkNewAccount(ctx context.Context, q store.Querier, a *Account) error {
	all, err := store.All(ctx, q, scanAccount, accountColumns)
	if err != nil {
		return err
	}
	if len(all) >= maxAccounts {
		return constraint("ACCOUNT_NUMBER_LIMIT_EXCEEDED", fmt.Sprintf("You have reached the limit of %d accounts in the organization.", maxAccounts))
	}
	for _, other := range all {
		if other.ID == a.ID {
			return organizations.DuplicateAccountException("The account " + a.ID + " is already in the organization.")
		}
	}
	if slices.ContainsFunc(all, func(other *Account) bool { return nameKey(other.Email) == nameKey(a.Email) }) {
		return errEmailTaken
	}
	return nil
}

// failedAccount notes a request that came to nothing and answers with it, as AWS does: it is no error of the operation.
func (s *Organizations) failedAccount(ctx context.Context, r *request, reason organizations.CreateAccountFailureReason) (*organizations.CreateAccountOutput, error) {
	r.state, r.failure, r.account = organizations.CreateAccountStateFAILED, string(reason), ""
	trail.From(ctx).Step("create account", trail.Fail, r.failure)
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error { return insertRequest(ctx, tx, r) })
	if err != nil {
		return nil, fmt.Errorf("note failed request %s: %w", r.id, err)
	}
	return &organizations.CreateAccountOutput{CreateAccountStatus: r.write()}, nil
}

// readAccountTags takes the tags of a new account in, and the id that one of them chooses.
func readAccountTags(in []organizations.Tag) (id string, tags []Tag, err error) {
	if len(in) > maxTags {
		return "", nil, constraint("MAX_TAG_LIMIT_EXCEEDED", fmt.Sprintf("You have exceeded the number of tags allowed: %d.", maxTags))
	}
	for _, t := range in {
		if slices.ContainsFunc(tags, func(o Tag) bool { return strings.EqualFold(o.Key, t.Key) }) {
			return "", nil, invalidInput("DUPLICATE_TAG_KEY", "Tag keys must be unique among the tags attached to the same entity.")
		}
		switch {
		case t.Key == AccountIDTag:
			if id = t.Value; !arn.IsAccountID(id) {
				return "", nil, invalidInput("INVALID_PATTERN", "The tag "+AccountIDTag+" must be an account id of twelve digits.")
			}
		case isReserved(t.Key):
			return "", nil, reservedTag(t.Key)
		}
		tags = append(tags, Tag(t))
	}
	return id, mergeTags(nil, tags), nil
}

func reservedTag(key string) error {
	return invalidInput("INVALID_SYSTEM_TAGS_PARAMETER", "You specified the tag key "+key+", which is reserved for system use.")
}

// DescribeCreateAccountStatus shows what became of a CreateAccount request.
func (s *Organizations) DescribeCreateAccountStatus(ctx context.Context, in *organizations.DescribeCreateAccountStatusInput) (*organizations.DescribeCreateAccountStatusOutput, error) {
	if _, err := s.enter(ctx, "DescribeCreateAccountStatus", "*", asReader, nil); err != nil {
		return nil, err
	}
	var r *request
	err := s.Registry.db.View(ctx, func(q store.Querier) (err error) {
		r, err = readRequest(ctx, q, in.CreateAccountRequestId)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, organizations.CreateAccountStatusNotFoundException("You specified a create account request ID that doesn't exist.")
	}
	if err != nil {
		return nil, fmt.Errorf("read create account request: %w", err)
	}
	return &organizations.DescribeCreateAccountStatusOutput{CreateAccountStatus: r.write()}, nil
}

// ListCreateAccountStatus lists what became of CreateAccount requests.
func (s *Organizations) ListCreateAccountStatus(ctx context.Context, in *organizations.ListCreateAccountStatusInput) (*organizations.ListCreateAccountStatusOutput, error) {
	if _, err := s.enter(ctx, "ListCreateAccountStatus", "*", asReader, nil); err != nil {
		return nil, err
	}
	var all []*request
	err := s.Registry.db.View(ctx, func(q store.Querier) (err error) {
		all, err = allRequests(ctx, q)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list create account requests: %w", err)
	}
	all = slices.DeleteFunc(all, func(r *request) bool { return len(in.States) > 0 && !slices.Contains(in.States, r.state) })
	shown, next, err := list(all, func(r *request) string { return r.id }, in.NextToken, in.MaxResults)
	out := &organizations.ListCreateAccountStatusOutput{CreateAccountStatuses: []organizations.CreateAccountStatus{}, NextToken: next}
	for _, r := range shown {
		out.CreateAccountStatuses = append(out.CreateAccountStatuses, *r.write())
	}
	return out, err
}

// ListAccounts lists the accounts of the organization.
func (s *Organizations) ListAccounts(ctx context.Context, in *organizations.ListAccountsInput) (*organizations.ListAccountsOutput, error) {
	o, err := s.enter(ctx, "ListAccounts", "*", asReader, nil)
	if err != nil {
		return nil, err
	}
	shown, next, err := list(s.Registry.Accounts(), accountKey, in.NextToken, in.MaxResults)
	return &organizations.ListAccountsOutput{Accounts: writeAccounts(o, shown), NextToken: next}, err
}

// DescribeAccount shows an account of the organization.
func (s *Organizations) DescribeAccount(ctx context.Context, in *organizations.DescribeAccountInput) (*organizations.DescribeAccountOutput, error) {
	o, err := s.enter(ctx, "DescribeAccount", s.accountResource(in.AccountId), asReader, nil)
	if err != nil {
		return nil, err
	}
	a, err := s.lookUp(ctx, in.AccountId)
	if err != nil {
		return nil, err
	}
	return &organizations.DescribeAccountOutput{Account: new(writeAccount(o, a))}, nil
}

// CloseAccount suspends a member account for good: none of its principals can do anything from then on.
func (s *Organizations) CloseAccount(ctx context.Context, in *organizations.CloseAccountInput) (*organizations.CloseAccountOutput, error) {
	o, err := s.enter(ctx, "CloseAccount", s.accountResource(in.AccountId), asManagement, nil)
	if err != nil {
		return nil, err
	}
	a, err := s.lookUp(ctx, in.AccountId)
	switch {
	case err != nil:
		return nil, err
	case a.ID == o.Management:
		return nil, constraint("CANNOT_CLOSE_MANAGEMENT_ACCOUNT", "You cannot close the management account.")
	case s.Registry.isDelegatedForAny(a.ID):
		return nil, constraint("CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG", "You cannot close an account that is registered as a delegated administrator. Deregister it first.")
	}
	return &organizations.CloseAccountOutput{}, s.changeAccount(ctx, a.ID, func(now *Account) error {
		if now.Status != Active {
			return organizations.AccountAlreadyClosedException("You attempted to close an account that is already closed.")
		}
		now.Status = Suspended
		return nil
	})
}

// changeAccount runs do on an account as it is inside a transaction, and writes it.
func (s *Organizations) changeAccount(ctx context.Context, id string, do func(now *Account) error) error {
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		now, err := readAccount(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := do(now); err != nil {
			return err
		}
		return updateAccount(ctx, tx, now)
	})
	if err != nil {
		return fmt.Errorf("change account %s: %w", id, err)
	}
	return nil
}
