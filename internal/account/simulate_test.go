package account_test

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/policy"
)

func entry(key string, values ...string) iam.ContextEntry {
	return iam.ContextEntry{ContextKeyName: &key, ContextKeyValues: values}
}

// TestSimulatedPrincipal: a simulation of a user gives what the user's requests get.
func TestSimulatedPrincipal(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	user := h.user("alice", "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\"Effect\": \"Allow\", \"Action\": \"s3:*\", \"Resource\": \"*\"},\n"+
		"    {\"Effect\": \"Deny\", \"Action\": \"s3:DeleteObject\", \"Resource\": \"arn:aws:s3:::data/red/*\"},\n"+
		"    {\"Effect\": \"Allow\", \"Action\": \"iam:GetUser\", \"Resource\": \"*\", \"Condition\": {\"StringEquals\": {\"aws:RequestedRegion\": \"us-east-1\"}}}\n  ]\n}")
	who := arnOfUser(member, "alice")
	out := must(h.iam.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: who, ActionNames: []string{"s3:GetObject", "s3:DeleteObject", "iam:GetUser"}, ResourceArns: []string{"arn:aws:s3:::data/red/a", "arn:aws:s3:::data/blue/a"},
	}))
	if len(out.EvaluationResults) != 6 {
		t.Fatalf("got %d results", len(out.EvaluationResults))
	}
	for _, r := range out.EvaluationResults {
		ask := authz.Request{Action: r.EvalActionName, Resource: *r.EvalResourceName}
		if allowed := h.authorizer.Decide(user, ask).Allowed; allowed != (r.EvalDecision == iam.PolicyEvaluationDecisionTypeAllowed) {
			t.Errorf("%s on %s: simulated %s, decided %v", r.EvalActionName, *r.EvalResourceName, r.EvalDecision, allowed)
		}
		if !slices.Equal(r.MissingContextValues, []string{"aws:requestedregion"}) {
			t.Errorf("missing keys: %q", r.MissingContextValues)
		}
	}
	denied := out.EvaluationResults[2]
	if denied.EvalDecision != iam.PolicyEvaluationDecisionTypeExplicitDeny || len(denied.MatchedStatements) != 1 {
		t.Fatalf("the deletion of red: %+v", denied)
	}
	s := denied.MatchedStatements[0]
	if *s.SourcePolicyId != "user_alice_own" || *s.SourcePolicyType != iam.PolicySourceTypeUser || *s.StartPosition.Line != 5 || *s.StartPosition.Column != 5 || *s.EndPosition.Line != 5 {
		t.Errorf("the statement that denies: %s %s %+v", *s.SourcePolicyId, *s.SourcePolicyType, s)
	}
	here := must(h.iam.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: who, ActionNames: []string{"iam:GetUser"}, ContextEntries: []iam.ContextEntry{entry("aws:RequestedRegion", "us-east-1")},
	}))
	if r := here.EvaluationResults[0]; r.EvalDecision != iam.PolicyEvaluationDecisionTypeAllowed || len(r.MissingContextValues) != 0 || *r.EvalResourceName != "*" {
		t.Errorf("with the Region: %+v", r)
	}
	bounded := must(h.iam.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: who, ActionNames: []string{"s3:GetObject"}, PermissionsBoundaryPolicyInputList: []string{allow("s3:PutObject", "*")},
	})).EvaluationResults[0]
	if bounded.EvalDecision != iam.PolicyEvaluationDecisionTypeImplicitDeny || *bounded.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary {
		t.Errorf("under a boundary: %+v", bounded)
	}
}

func arnOfUser(account, name string) string { return "arn:aws:iam::" + account + ":user/" + name }

// TestSimulatedPages: pages join to the whole, whatever their size.
func TestSimulatedPages(t *testing.T) {
	h := house1(t)
	in := iam.SimulateCustomPolicyInput{PolicyInputList: []string{allow("s3:GetObject", "*")}, ActionNames: []string{"s3:GetObject", "s3:PutObject", "s3:ListBucket"}}
	for i := range 4 {
		in.ResourceArns = append(in.ResourceArns, "arn:aws:s3:::data/"+strings.Repeat("x", i+1))
	}
	whole := must(h.iam.SimulateCustomPolicy(h.admin(member), &in)).EvaluationResults
	var joined []iam.EvaluationResult
	in.MaxItems = new(5)
	for {
		out := must(h.iam.SimulateCustomPolicy(h.admin(member), &in))
		joined = append(joined, out.EvaluationResults...)
		if in.Marker = out.Marker; !*out.IsTruncated {
			break
		}
	}
	if len(whole) != 12 || len(joined) != 12 {
		t.Fatalf("%d results at once, %d in pages", len(whole), len(joined))
	}
	for i := range whole {
		if whole[i].EvalActionName != joined[i].EvalActionName || *whole[i].EvalResourceName != *joined[i].EvalResourceName {
			t.Errorf("result %d: %s and %s", i, *whole[i].EvalResourceName, *joined[i].EvalResourceName)
		}
	}
}

// TestSimulationsRefused: what cannot be asked, and who may not ask.
func TestSimulationsRefused(t *testing.T) {
	h := house1(t)
	h.user("alice", "")
	many := make([]string, 101)
	for i := range many {
		many[i] = "s3:GetObject"
	}
	custom := func(change func(*iam.SimulateCustomPolicyInput)) error {
		in := &iam.SimulateCustomPolicyInput{PolicyInputList: []string{allow("s3:GetObject", "*")}, ActionNames: []string{"s3:GetObject"}}
		change(in)
		_, err := h.iam.SimulateCustomPolicy(h.admin(member), in)
		return err
	}
	wantCode(t, custom(func(*iam.SimulateCustomPolicyInput) {}), "")
	wantCode(t, custom(func(in *iam.SimulateCustomPolicyInput) { in.ActionNames = []string{"s3:*"} }), "InvalidInput")
	wantCode(t, custom(func(in *iam.SimulateCustomPolicyInput) { in.ActionNames = []string{"GetObject"} }), "InvalidInput")
	wantCode(t, custom(func(in *iam.SimulateCustomPolicyInput) { in.ActionNames, in.ResourceArns = many, many }), "InvalidInput")
	wantCode(t, custom(func(in *iam.SimulateCustomPolicyInput) { in.PolicyInputList = []string{"{"} }), "MalformedPolicyDocument")
	wantCode(t, custom(func(in *iam.SimulateCustomPolicyInput) { in.ResourceOwner = new("nobody") }), "InvalidInput")
	wantCode(t, custom(func(in *iam.SimulateCustomPolicyInput) { in.ResourcePolicy = new(allow("s3:GetObject", "*")) }), "InvalidInput")
	wantCode(t, custom(func(in *iam.SimulateCustomPolicyInput) { in.CallerArn = new("arn:aws:iam::111111111111:role/r") }), "InvalidInput")

	principal := func(who string) *iam.SimulatePrincipalPolicyInput {
		return &iam.SimulatePrincipalPolicyInput{PolicySourceArn: who, ActionNames: []string{"s3:GetObject"}}
	}
	_, err := h.iam.SimulatePrincipalPolicy(h.admin(member), principal(arnOfUser(member, "nobody")))
	wantCode(t, err, "NoSuchEntity")
	// Another account's user is refused as if it were not there, or as nobody's to ask for.
	_, err = h.iam.SimulatePrincipalPolicy(h.admin(other), principal(arnOfUser(member, "alice")))
	wantCode(t, err, "AccessDenied")
	_, err = h.iam.SimulatePrincipalPolicy(h.user("bob", allow("s3:*", "*")), principal(arnOfUser(member, "alice")))
	wantCode(t, err, "AccessDenied")
	_, err = h.iam.GetAccountAuthorizationDetails(h.user("carol", allow("s3:*", "*")), &iam.GetAccountAuthorizationDetailsInput{})
	wantCode(t, err, "AccessDenied")
}

// TestAccountDetails: everything of the account, by kind, in pages, and nothing of another account.
func TestAccountDetails(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	h.user("alice", allow("s3:GetObject", "*"))
	h.role("reader", allow("s3:GetObject", "*"))
	must(h.iam.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: "people"}))
	must(h.iam.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: "people", UserName: "alice"}))
	must(h.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: "mine", PolicyDocument: allow("s3:GetObject", "*")}))
	must(h.iam.CreatePolicy(h.admin(other), &iam.CreatePolicyInput{PolicyName: "theirs", PolicyDocument: allow("s3:GetObject", "*")}))
	var found []string
	in := &iam.GetAccountAuthorizationDetailsInput{MaxItems: new(2)}
	for {
		out := must(h.iam.GetAccountAuthorizationDetails(ctx, in))
		for _, u := range out.UserDetailList {
			found = append(found, "user "+*u.UserName+" "+strings.Join(u.GroupList, ","))
		}
		for _, g := range out.GroupDetailList {
			found = append(found, "group "+*g.GroupName)
		}
		for _, r := range out.RoleDetailList {
			found = append(found, "role "+*r.RoleName+" "+strconv.Itoa(len(r.RolePolicyList)))
		}
		for _, p := range out.Policies {
			if _, err := policy.Parse([]byte(unescape(t, *p.PolicyVersionList[0].Document)), policy.Identity); err != nil {
				t.Errorf("the document of %s: %v", *p.PolicyName, err)
			}
			found = append(found, "policy "+*p.PolicyName)
		}
		if in.Marker = out.Marker; !*out.IsTruncated {
			break
		}
	}
	if want := []string{"user administrator ", "user alice people", "group people", "role OrganizationAccountAccessRole 0", "role reader 1", "policy mine", "policy AdministratorAccess"}; !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	only := must(h.iam.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{Filter: []iam.EntityType{iam.EntityTypeRole}}))
	if len(only.RoleDetailList) != 2 || len(only.UserDetailList)+len(only.GroupDetailList)+len(only.Policies) != 0 {
		t.Errorf("the roles alone: %+v", only)
	}
}

func unescape(t *testing.T, text string) string {
	t.Helper()
	plain, err := url.PathUnescape(text)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
