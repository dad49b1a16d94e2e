package explain_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/wire"
)

// failing lists the steps that fail.
func failing(out *lakegate.DiagnoseOutput) (steps []string) {
	for _, f := range out.Findings {
		if f.Outcome == lakegate.StepOutcomeFail {
			steps = append(steps, f.Step)
		}
	}
	return steps
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// Each link is broken alone. The doctor finds the right one, knows what mends it, and changes nothing.
func TestDoctorFindsTheBrokenLink(t *testing.T) {
	without := func(c string) func(h *house, in *lakegate.DiagnoseInput) {
		return func(h *house, in *lakegate.DiagnoseInput) { in.Token = new(h.token(map[string]any{c: nil})) }
	}
	for name, c := range map[string]struct {
		harm   func(h *house, in *lakegate.DiagnoseInput)
		want   []string
		remedy string
	}{
		"nothing": {func(*house, *lakegate.DiagnoseInput) {}, nil, ""},
		"application disabled": {func(h *house, _ *lakegate.DiagnoseInput) {
			must(h.admin.UpdateApplication(h.data, &ssoadmin.UpdateApplicationInput{ApplicationArn: h.app, Status: new(ssoadmin.ApplicationStatusDISABLED)}))
		}, []string{"enabled", "permission of the role", "grant"}, "update-application"},
		"without the scope": {func(h *house, _ *lakegate.DiagnoseInput) {
			must(h.admin.DeleteApplicationAccessScope(h.data, &ssoadmin.DeleteApplicationAccessScopeInput{ApplicationArn: h.app, Scope: center.ScopeAccessGrants}))
		}, []string{"scopes", "grant"}, "put-application-access-scope"},
		"no such application": {func(_ *house, in *lakegate.DiagnoseInput) { in.Application = new("Nothing") }, []string{"application"}, "list-applications"},
		"no grant": {func(h *house, _ *lakegate.DiagnoseInput) {
			must(h.admin.DeleteApplicationGrant(h.data, &ssoadmin.DeleteApplicationGrantInput{ApplicationArn: h.app, GrantType: center.GrantJWTBearer}))
		}, []string{"grant", "trusted issuer"}, "put-application-grant"},
		"issuer deleted": {func(h *house, _ *lakegate.DiagnoseInput) {
			must(h.admin.DeleteTrustedTokenIssuer(h.management, &ssoadmin.DeleteTrustedTokenIssuerInput{TrustedTokenIssuerArn: h.tti}))
		}, []string{"grant", "trusted issuer"}, "Create the issuer anew"},
		"no audience": {func(h *house, _ *lakegate.DiagnoseInput) { h.trust(h.tti) }, []string{"grant", "audience"}, "AuthorizedAudiences"},
		"no token":    {func(_ *house, in *lakegate.DiagnoseInput) { in.Token = new("bm90.YS50.b2tlbg") }, []string{"token"}, "three parts"},
		"token of others": {func(h *house, in *lakegate.DiagnoseInput) {
			in.Token = new(h.token(map[string]any{"iss": "https://x.example.com"}))
		}, []string{"trusted issuer"}, "letter by letter"},
		"issuer down": {func(h *house, _ *lakegate.DiagnoseInput) { h.issuer.Close() }, []string{"issuer reachable"}, "firewall"},
		"issuer's other name": {func(h *house, _ *lakegate.DiagnoseInput) {
			h.publish("/.well-known/openid-configuration", map[string]string{"issuer": h.issuer.URL + "/", "jwks_uri": h.issuer.URL + "/keys"})
		}, []string{"discovery document"}, "must equal"},
		"no keys": {func(h *house, _ *lakegate.DiagnoseInput) { h.publish("/keys", map[string]any{"keys": []any{}}) }, []string{"keys of the issuer"}, "jwks_uri"},
		"signed with another": {func(h *house, in *lakegate.DiagnoseInput) {
			h.key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
			in.Token = new(h.token(nil))
		}, []string{"signature"}, "fresh one"},
		"expired": {func(h *house, in *lakegate.DiagnoseInput) {
			in.Token = new(h.token(map[string]any{"exp": now().Unix() - 3600}))
		}, []string{"validity"}, "clocks"},
		"for another audience": {func(h *house, in *lakegate.DiagnoseInput) { in.Token = new(h.token(map[string]any{"aud": "others"})) }, []string{"audience"}, "AuthorizedAudiences"},
		"no mapped claim":      {without("oid"), []string{"mapped claim"}, "update-trusted-token-issuer"},
		"nobody has the value": {func(h *house, in *lakegate.DiagnoseInput) { in.Token = new(h.token(map[string]any{"oid": "nobody"})) }, []string{"person"}, "exactly one person"},
		"two have the value": {func(h *house, _ *lakegate.DiagnoseInput) {
			must(h.directory.CreateUser(t.Context(), "test", directory.User{StoreID: h.instance.StoreID, UserName: "twin", ExternalIDs: []directory.ExternalID{{Issuer: "other", ID: "oid-of-mateo"}}}))
		}, []string{"person"}, "exactly one person"},
		"person disabled": {func(h *house, _ *lakegate.DiagnoseInput) {
			h.changePerson(func(u *directory.User) { u.Enabled = false })
		}, []string{"active"}, "Enable"},
		"not assigned": {func(h *house, _ *lakegate.DiagnoseInput) {
			must(h.admin.DeleteApplicationAssignment(h.data, &ssoadmin.DeleteApplicationAssignmentInput{ApplicationArn: h.app, PrincipalType: "GROUP", PrincipalId: h.team}))
		}, []string{"assignment"}, "create-application-assignment"},
		"no actor policy": {func(h *house, _ *lakegate.DiagnoseInput) {
			must(h.admin.DeleteApplicationAuthenticationMethod(h.data, &ssoadmin.DeleteApplicationAuthenticationMethodInput{ApplicationArn: h.app, AuthenticationMethodType: "IAM"}))
		}, []string{"actor policy", "exchange as the application"}, "put-application-authentication-method"},
		"actor policy for another role": {func(h *house, _ *lakegate.DiagnoseInput) {
			h.actors(strings.Replace(actorPolicy, actorRole, personRole, 1))
		},
			[]string{"exchange as the application"}, "actor policy"},
		"actor without a policy": {func(h *house, _ *lakegate.DiagnoseInput) { h.permit("Application", may(`"sts:*"`)) }, []string{"exchange as the application"}, "a policy of its own"},
		"actor made anew": {func(h *house, _ *lakegate.DiagnoseInput) {
			must(h.iam.DeleteRolePolicy(h.data, &iam.DeleteRolePolicyInput{RoleName: "Application", PolicyName: "own"}))
			must(h.iam.DeleteRole(h.data, &iam.DeleteRoleInput{RoleName: "Application"}))
			h.role("Application", trustOwner, may(`"sso-oauth:*","sts:*"`))
		}, []string{"actor policy", "exchange as the application", "trust sts:AssumeRole", "trust sts:SetContext"}, "once more"},
		"no such actor":   {func(_ *house, in *lakegate.DiagnoseInput) { in.ActorRoleArn = new(actorRole + "x") }, []string{"role"}, "create-role"},
		"no role's ARN":   {func(_ *house, in *lakegate.DiagnoseInput) { in.RoleArn = new("arn:not-one") }, []string{"role"}, "by its ARN"},
		"role untrusting": {func(h *house, _ *lakegate.DiagnoseInput) { h.retrust("Person", trustService) }, []string{"trust sts:AssumeRole", "trust sts:SetContext"}, "trust policy"},
		"role without SetContext": {func(h *house, _ *lakegate.DiagnoseInput) {
			h.retrust("Person", strings.Replace(trustActor, `,"sts:SetContext"`, "", 1))
		},
			[]string{"trust sts:SetContext"}, "sts:SetContext"},
		"actor may not assume": {func(h *house, _ *lakegate.DiagnoseInput) {
			h.permit("Application", `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":["sso-oauth:*","sts:*"],"Resource":"*"},{"Effect":"Deny","Action":"sts:SetContext","Resource":"*"}]}`)
		}, []string{"trust sts:SetContext"}, "a policy of Application"},
		"role may not ask": {func(h *house, _ *lakegate.DiagnoseInput) { h.permit("Person", may(`"s3:ListCallerAccessGrants"`)) }, []string{"permission of the role"}, "s3:GetDataAccess"},
		"no access grants": {func(_ *house, in *lakegate.DiagnoseInput) { in.GrantsAccountId = new(outsider) }, []string{"instance"}, "create-access-grants-instance"},
		"not associated": {func(h *house, _ *lakegate.DiagnoseInput) {
			must(h.grants.DissociateAccessGrantsIdentityCenter(h.data, &s3control.DissociateAccessGrantsIdentityCenterInput{AccountId: owner}))
		}, []string{"association"}, "associate-access-grants-identity-center"},
		"no grant on the target": {func(h *house, _ *lakegate.DiagnoseInput) {
			must(h.grants.DeleteAccessGrant(h.data, &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: h.grant}))
		}, []string{"grant"}, "create-access-grant"},
		"no membership": {func(h *house, _ *lakegate.DiagnoseInput) {
			must(0, h.directory.DeleteGroup(t.Context(), h.instance.StoreID, h.team))
		}, []string{"assignment", "grant"}, "create-application-assignment"},
		"grant for less":           {func(_ *house, in *lakegate.DiagnoseInput) { in.Permission = new(lakegate.PermissionWRITE) }, []string{"grant"}, "create-access-grant"},
		"no target at all":         {func(_ *house, in *lakegate.DiagnoseInput) { in.Target = new("lake/red") }, []string{"grant"}, "s3://bucket/prefix*"},
		"location role untrusting": {func(h *house, _ *lakegate.DiagnoseInput) { h.retrust("Location", trustOwner) }, []string{"location role"}, "access-grants.s3.amazonaws.com"},
		"location role without SetContext": {func(h *house, _ *lakegate.DiagnoseInput) {
			h.retrust("Location", strings.Replace(trustService, `,"sts:SetContext"`, "", 1))
		},
			[]string{"location role"}, "sts:SetContext"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			in := h.way()
			c.harm(h, in)
			before := h.db.Revision()
			out, err := h.doctor.Diagnose(h.management, in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, failing(out)); diff != "" {
				t.Errorf("failing steps (-want +got):\n%s", diff)
			}
			if out.Healthy != (c.want == nil) {
				t.Errorf("healthy: %v", out.Healthy)
			}
			answer := string(must(json.Marshal(out)))
			if i := slices.IndexFunc(out.Findings, func(f lakegate.Finding) bool { return f.Outcome == lakegate.StepOutcomeFail }); i >= 0 && !strings.Contains(text(out.Findings[i].Remedy), c.remedy) {
				t.Errorf("remedy %q, want %q in it", text(out.Findings[i].Remedy), c.remedy)
			}
			for part := range strings.SplitSeq(*in.Token, ".") {
				if strings.Contains(answer, part) {
					t.Errorf("the answer echoes the token's part %s", part)
				}
			}
			if h.db.Revision() != before {
				t.Error("something changed")
			}
		})
	}
}

// A person stands in for a token.
func TestDoctorOfAPerson(t *testing.T) {
	h := newHouse(t)
	diagnose := func(person string) *lakegate.DiagnoseOutput {
		in := h.way()
		in.Token, in.Person = nil, &person
		return must(h.doctor.Diagnose(h.management, in))
	}
	for _, name := range []string{"mateo", "MATEO", "oid-of-mateo", h.user} {
		if got := failing(diagnose(name)); got != nil {
			t.Errorf("%s: failing %v", name, got)
		}
	}
	if got := failing(diagnose("nobody")); !slices.Equal(got, []string{"person"}) {
		t.Errorf("nobody: failing %v", got)
	}
	// Somebody who was made by hand has no external id that a token could mean.
	h.changePerson(func(u *directory.User) { u.ExternalIDs = nil })
	out := diagnose("mateo")
	if got := failing(out); !slices.Equal(got, []string{"mapping"}) {
		t.Errorf("without an external id: failing %v", got)
	}
	h.issuer.Close()
	if got := failing(diagnose("mateo")); !slices.Equal(got, []string{"issuer reachable", "mapping"}) {
		t.Errorf("with the issuer down: failing %v", got)
	}
}

// Without a question the doctor looks at all that concerns no single person.
func TestDoctorOfAnInstance(t *testing.T) {
	h := newHouse(t)
	whole := func() []string { return failing(must(h.doctor.Diagnose(h.management, &lakegate.DiagnoseInput{}))) }
	if got := whole(); got != nil {
		t.Errorf("failing %v", got)
	}
	h.retrust("Location", trustOwner)
	must(h.admin.DeleteApplicationAssignment(h.data, &ssoadmin.DeleteApplicationAssignmentInput{ApplicationArn: h.app, PrincipalType: "GROUP", PrincipalId: h.team}))
	must(h.admin.DeleteApplicationAuthenticationMethod(h.data, &ssoadmin.DeleteApplicationAuthenticationMethodInput{ApplicationArn: h.app, AuthenticationMethodType: "IAM"}))
	h.issuer.Close()
	if got, want := whole(), []string{"issuer reachable", "actor policy", "assignment", "location role"}; !slices.Equal(got, want) {
		t.Errorf("failing %v, want %v", got, want)
	}
	// What is switched off is meant to be off.
	must(h.admin.UpdateApplication(h.data, &ssoadmin.UpdateApplicationInput{ApplicationArn: h.app, Status: new(ssoadmin.ApplicationStatusDISABLED)}))
	if got, want := whole(), []string{"issuer reachable", "location role"}; !slices.Equal(got, want) {
		t.Errorf("with the application off: failing %v, want %v", got, want)
	}
}

// Only who administers an instance learns anything of it, and of other accounts' roles and grants only their owner and the
// management account do.
func TestWhoMayAskTheDoctor(t *testing.T) {
	h := newHouse(t)
	code := func(err error) string {
		if err == nil {
			return ""
		}
		e, ok := errors.AsType[*wire.Error](err)
		if !ok {
			t.Fatalf("not modelled: %v", err)
		}
		return e.Code
	}
	for name, c := range map[string]struct {
		in   *lakegate.DiagnoseInput
		want string
	}{
		"own":                 {&lakegate.DiagnoseInput{}, "ResourceNotFoundException"},
		"by its ARN":          {&lakegate.DiagnoseInput{InstanceArn: &h.instance.ARN}, "ResourceNotFoundException"},
		"that is not there":   {&lakegate.DiagnoseInput{InstanceArn: new("arn:aws:sso:::instance/ssoins-0000000000000000")}, "ResourceNotFoundException"},
		"by the application":  {h.way(), "ResourceNotFoundException"},
		"created application": {&lakegate.DiagnoseInput{Application: &h.app}, "ResourceNotFoundException"},
	} {
		_, err := h.doctor.Diagnose(h.data, c.in)
		if got := code(err); got != c.want {
			t.Errorf("a member account asks for the instance %s: %q, want %q", name, got, c.want)
		}
	}
	// Even an administrator's account needs a policy that allows it.
	visitor := must(h.iam.CreateRole(h.management, &iam.CreateRoleInput{RoleName: "Visitor", AssumeRolePolicyDocument: trustOwner})).Role
	_, err := h.doctor.Diagnose(h.session(management, visitor), &lakegate.DiagnoseInput{})
	if got := code(err); got != "AccessDenied" {
		t.Errorf("without a policy: %q", got)
	}
	must(h.iam.PutRolePolicy(h.management, &iam.PutRolePolicyInput{RoleName: "Visitor", PolicyName: "own", PolicyDocument: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"lakegate:Diagnose","Resource":"` + h.instance.ARN + `"}]}`}))
	if _, err := h.doctor.Diagnose(h.session(management, visitor), &lakegate.DiagnoseInput{}); err != nil {
		t.Errorf("with a policy: %v", err)
	}
	// An administrator of the instance who does not run the server sees neither roles nor grants of others, there or not.
	h.delegate(outsider)
	delegate := h.as(outsider)
	var answers []string
	for _, role := range []string{personRole, personRole + "x"} {
		in := h.way()
		in.RoleArn, in.ActorRoleArn = &role, &role
		out := must(h.doctor.Diagnose(delegate, in))
		if got := failing(out); got != nil {
			t.Errorf("a delegated administrator: failing %v", got)
		}
		for _, f := range out.Findings {
			if strings.Contains(text(f.Detail), h.grant) || strings.Contains(f.Step, "trust sts") {
				t.Errorf("a delegated administrator sees %+v", f)
			}
		}
		answers = append(answers, strings.ReplaceAll(string(must(json.Marshal(out))), role, "ROLE"))
	}
	if answers[0] != answers[1] {
		t.Errorf("a role that exists is told from one that does not:\n%s\n%s", answers[0], answers[1])
	}
}

func TestDoctorNeedsAQuestion(t *testing.T) {
	h := newHouse(t)
	must(h.admin.CreateApplication(h.data, &ssoadmin.CreateApplicationInput{InstanceArn: h.instance.ARN, ApplicationProviderArn: center.ProviderCustom, Name: "Second"}))
	for name, in := range map[string]*lakegate.DiagnoseInput{
		"which application":  {Person: new("mateo")},
		"token and a person": {Application: &h.app, Person: new("mateo"), Token: new("x")},
	} {
		_, err := h.doctor.Diagnose(h.management, in)
		if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != "ValidationException" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
