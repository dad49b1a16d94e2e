package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Statements that the tables below put together. Principals are added with to.
const (
	allowAll  = `{'Effect': 'Allow', 'Action': '*', 'Resource': '*'}`
	allowPut  = `{'Effect': 'Allow', 'Action': 's3:PutObject', 'Resource': '*'}`
	denyAll   = `{'Sid': 'Never', 'Effect': 'Deny', 'Action': '*', 'Resource': '*'}`
	denyPut   = `{'Effect': 'Deny', 'Action': 's3:PutObject', 'Resource': '*'}`
	everyone  = `'*'`
	account   = `{'AWS': '111111111111'}`
	theUser   = `{'AWS': 'arn:aws:iam::111111111111:user/mateo'}`
	theRole   = `{'AWS': 'arn:aws:iam::111111111111:role/team/Analyst'}`
	session   = `{'AWS': 'arn:aws:sts::111111111111:assumed-role/Analyst/mateo'}`
	stranger  = `{'AWS': 'arn:aws:iam::111111111111:user/wang'}`
	theBucket = `'Action': 's3:*', 'Resource': ['arn:aws:s3:::data', 'arn:aws:s3:::data/*']`
)

func to(principal string) string {
	return `{'Effect': 'Allow', 'Principal': ` + principal + `, ` + theBucket + `}`
}

func TestOrderOfEvaluation(t *testing.T) {
	type in struct {
		identity, boundary, session, control, guardrail, resource string
	}
	const (
		allowed    = ""
		byIdentity = "because no identity-based policy allows the s3:GetObject action"
		byBoundary = "because no permissions boundary allows the s3:GetObject action"
		bySession  = "because no session policy allows the s3:GetObject action"
		byControl  = "because no service control policy allows the s3:GetObject action"
		byResource = "because no resource-based policy allows the s3:GetObject action"
	)
	user, role := userRequest, roleRequest
	root := func() *Request {
		r := userRequest()
		r.Principal = Principal{Type: Root, Account: here, ARN: "arn:aws:iam::111111111111:root"}
		return r
	}
	across := func(make func() *Request) func() *Request {
		return func() *Request {
			r := make()
			r.ResourceAccount = there
			return r
		}
	}
	tests := []struct {
		name string
		who  func() *Request
		in   in
		why  string // AWS's words for the refusal, empty when allowed
	}{
		{"nothing", user, in{}, byIdentity},
		{"identity alone", user, in{identity: allowAll}, allowed},
		{"identity for another action", user, in{identity: allowPut}, byIdentity},
		{"a denied action is another", user, in{identity: allowAll + "," + denyPut}, allowed},
		{"explicit deny in identity", user, in{identity: allowAll + "," + denyAll, resource: to(theUser)}, "with an explicit deny in an identity-based policy"},
		{"explicit deny in boundary", user, in{identity: allowAll, boundary: allowAll + "," + denyAll, resource: to(theUser)}, "with an explicit deny in a permissions boundary"},
		{"explicit deny in session", role, in{identity: allowAll, session: allowAll + "," + denyAll, resource: to(session)}, "with an explicit deny in a session policy"},
		{"explicit deny in resource", user, in{identity: allowAll, resource: to(theUser) + `, {'Effect': 'Deny', 'Principal': '*', ` + theBucket + `}`}, "with an explicit deny in a resource-based policy"},
		{"explicit deny in service control", user, in{identity: allowAll, control: allowAll + "," + denyAll, resource: to(theUser)}, "with an explicit deny in a service control policy"},
		{"guardrail", role, in{identity: allowAll, guardrail: `{'Effect': 'Deny', 'NotAction': ['s3:GetDataAccess'], 'Resource': '*'}`, resource: to(session)}, "with an explicit deny in a session policy"},
		{"guardrail lets through what it lists", role, in{identity: allowAll, guardrail: `{'Effect': 'Deny', 'NotAction': ['s3:getobject'], 'Resource': '*'}`}, allowed},
		{"guardrail allows nothing", role, in{guardrail: allowAll}, byIdentity},

		{"boundary limits", user, in{identity: allowAll, boundary: allowPut}, byBoundary},
		{"boundary grants nothing", user, in{boundary: allowAll}, byIdentity},
		{"session limits", role, in{identity: allowAll, session: allowPut}, bySession},
		{"session grants nothing", role, in{session: allowAll}, byIdentity},
		{"all limits allow", role, in{identity: allowAll, boundary: allowAll, session: allowAll, control: allowAll}, allowed},
		{"service control limits", user, in{identity: allowAll, control: allowPut, resource: to(theUser)}, byControl},

		{"resource names the user", user, in{resource: to(theUser)}, allowed},
		{"resource names another user", user, in{resource: to(stranger)}, byIdentity},
		{"resource names the user: past the boundary", user, in{resource: to(theUser), boundary: allowPut}, allowed},
		{"resource names the user by id", user, in{resource: to(`{'AWS': 'AIDAEXAMPLEMATEO00000'}`), boundary: allowPut}, allowed},
		{"resource names the account: delegates", user, in{resource: to(account)}, byIdentity},
		{"resource names the account, identity allows", user, in{resource: to(account), identity: allowAll}, allowed},
		{"resource names everyone", user, in{resource: to(everyone)}, allowed},
		{"resource names everyone: boundary stays", user, in{resource: to(everyone), boundary: allowPut}, byBoundary},
		{"resource names the session", role, in{resource: to(session)}, allowed},
		{"resource names the session: past all limits", role, in{resource: to(session), boundary: allowPut, session: allowPut}, allowed},
		{"resource names the session: not past service control", role, in{resource: to(session), control: allowPut}, byControl},
		{"resource names the role", role, in{resource: to(theRole)}, allowed},
		{"resource names the role by id", role, in{resource: to(`{'AWS': 'AROAEXAMPLEROLE000000'}`)}, allowed},
		{"resource names the role by id: session stays", role, in{resource: to(`{'AWS': 'AROAEXAMPLEROLE000000'}`), session: allowPut}, bySession},
		{"resource names the role: boundary stays", role, in{resource: to(theRole), boundary: allowPut}, byBoundary},
		{"resource names the role: session stays", role, in{resource: to(theRole), session: allowPut}, bySession},
		{"resource names everyone: session stays", role, in{resource: to(everyone), session: allowPut}, bySession},
		{"resource names role and session: the more direct counts", role, in{resource: to(theRole) + "," + to(session), session: allowPut}, allowed},
		{"resource names the role without its path", role, in{resource: to(`{'AWS': 'arn:aws:iam::111111111111:role/Analyst'}`)}, byIdentity},

		{"root", root, in{}, allowed},
		{"root knows no boundary", root, in{boundary: allowPut}, allowed},
		{"root under a session policy", root, in{session: allowPut}, bySession},
		{"root under service control", root, in{control: allowPut}, byControl},
		{"root denied by the resource", root, in{resource: `{'Effect': 'Deny', 'Principal': ` + account + `, ` + theBucket + `}`}, "with an explicit deny in a resource-based policy"},

		{"across: identity alone", across(user), in{identity: allowAll}, byResource},
		{"across: resource alone", across(user), in{resource: to(theUser)}, byIdentity},
		{"across: both", across(user), in{identity: allowAll, resource: to(theUser)}, allowed},
		{"across: the account is enough", across(user), in{identity: allowAll, resource: to(account)}, allowed},
		{"across: everyone is enough", across(user), in{identity: allowAll, resource: to(everyone)}, allowed},
		{"across: another account", across(user), in{identity: allowAll, resource: to(`{'AWS': '333333333333'}`)}, byResource},
		{"across: naming the session is no way past the limits", across(role), in{identity: allowAll, resource: to(session), session: allowPut}, bySession},
		{"across: nor past the boundary", across(role), in{identity: allowAll, resource: to(session), boundary: allowPut}, byBoundary},
		{"across: nor past identity", across(role), in{resource: to(session)}, byIdentity},
		{"across: root is not root there", across(root), in{}, byResource},
		{"across: root let in", across(root), in{resource: to(account)}, allowed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &Policies{}
			add := func(kind Kind, list string) []Named {
				if list == "" {
					return nil
				}
				return []Named{policyOf(t, kind, list)}
			}
			p.Identity = add(Identity, tt.in.identity)
			p.Boundary = add(Identity, tt.in.boundary)
			p.Guardrail = add(Identity, tt.in.guardrail)
			if group := add(Session, tt.in.session); group != nil {
				p.Session = [][]Named{group}
			}
			if level := add(Identity, tt.in.control); level != nil {
				p.ServiceControl = [][]Named{level}
			}
			if list := add(Resource, tt.in.resource); list != nil {
				p.Resource = &list[0]
			}
			d := Evaluate(tt.who(), p)
			if d.Allowed != (tt.why == allowed) || !d.Allowed && d.Reason != tt.why {
				t.Errorf("allowed %v %q\nwant %q", d.Allowed, d.Reason, tt.why)
			}
			if d.Allowed && (d.Reason == "" || d.Explicit) {
				t.Errorf("allowed with the reason %q, explicit %v", d.Reason, d.Explicit)
			}
		})
	}
}

// Each group of session policies must allow, one policy of the group is enough; a limit without policies allows nothing.
func TestLimitGroups(t *testing.T) {
	get, put := policyOf(t, Session, allowAll), policyOf(t, Session, allowPut)
	identity := []Named{policyOf(t, Identity, allowAll)}
	tests := []struct {
		name string
		p    Policies
		want bool
	}{
		{"one of a group", Policies{Session: [][]Named{{put, get}}}, true},
		{"both groups", Policies{Session: [][]Named{{put, get}, {get}}}, true},
		{"one group of two", Policies{Session: [][]Named{{get}, {put}}}, false},
		{"an empty group", Policies{Session: [][]Named{{get}, {}}}, false},
		{"an empty boundary", Policies{Boundary: []Named{}}, false},
		{"an empty level of service control", Policies{ServiceControl: [][]Named{{get}, {}}}, false},
		{"one level of two", Policies{ServiceControl: [][]Named{{get}, {put}}}, false},
	}
	for _, tt := range tests {
		tt.p.Identity = identity
		if d := Evaluate(roleRequest(), &tt.p); d.Allowed != tt.want {
			t.Errorf("%s: allowed %v %s", tt.name, d.Allowed, d.Reason)
		}
	}
}

func TestTrustPolicies(t *testing.T) {
	trust := func(principal, rest string) string {
		return `{'Effect': 'Allow', 'Principal': ` + principal + `, 'Action': 'sts:AssumeRole'` + rest + `}`
	}
	const byTrust, byIdentity = "because no role trust policy allows the sts:AssumeRole action", "because no identity-based policy allows the sts:AssumeRole action"
	service := Principal{Type: Service, Service: "access-grants.s3.amazonaws.com"}
	federated := Principal{Type: Federated, Provider: "arn:aws:iam::111111111111:oidc-provider/idp.example.com"}
	tests := []struct {
		name     string
		who      Principal
		role     string // the account of the role
		trust    string
		identity string
		why      string
	}{
		{"the user is named", userRequest().Principal, here, trust(theUser, ""), "", ""},
		{"the role is named", roleRequest().Principal, here, trust(theRole, ""), "", ""},
		{"the session is named", roleRequest().Principal, here, trust(session, ""), "", ""},
		{"the account is named", userRequest().Principal, here, trust(account, ""), "", byIdentity},
		{"the account is named, identity allows", userRequest().Principal, here, trust(account, ""), allowAll, ""},
		{"everyone with permission", userRequest().Principal, here, trust(`{'AWS': '*'}`, ""), "", byIdentity},
		{"everyone with permission, identity allows", userRequest().Principal, here, trust(`{'AWS': '*'}`, ""), allowAll, ""},
		{"identity alone", userRequest().Principal, here, trust(stranger, ""), allowAll, byTrust},
		{"root alone", Principal{Type: Root, Account: here}, here, trust(stranger, ""), "", byTrust},
		{"another feature", userRequest().Principal, here, `{'Effect': 'Allow', 'Principal': ` + theUser + `, 'Action': 'sts:SetContext'}`, "", byTrust},
		{"across, the user is named", userRequest().Principal, there, trust(theUser, ""), "", byIdentity},
		{"across, both", userRequest().Principal, there, trust(theUser, ""), allowAll, ""},
		{"across, identity alone", userRequest().Principal, there, trust(stranger, ""), allowAll, byTrust},
		{"denied", userRequest().Principal, here, trust(theUser, "") + `, {'Effect': 'Deny', 'Principal': ` + account + `, 'Action': 'sts:*'}`, allowAll, "with an explicit deny in the role trust policy"},
		{"a service", service, here, trust(`{'Service': 'access-grants.s3.amazonaws.com'}`, ""), "", ""},
		{"another service", service, here, trust(`{'Service': 's3.amazonaws.com'}`, ""), "", byTrust},
		{"a service is not anyone with permission", service, here, trust(everyone, ""), allowAll, byTrust},
		{"a provider", federated, here, trust(`{'Federated': 'arn:aws:iam::111111111111:oidc-provider/idp.example.com'}`, ""), "", ""},
		{"another provider", federated, here, trust(`{'Federated': 'accounts.google.com'}`, ""), "", byTrust},
		{"nobody is not anyone with permission", Principal{Type: Anonymous}, here, trust(everyone, ""), allowAll, byTrust},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &Request{Principal: tt.who, Action: "sts:AssumeRole", Resource: "arn:aws:iam::" + tt.role + ":role/Data", ResourceAccount: tt.role}
			doc := policyOf(t, Trust, tt.trust)
			p := &Policies{Resource: &doc, ResourceMustAllow: true}
			if tt.identity != "" {
				p.Identity = []Named{policyOf(t, Identity, tt.identity)}
			}
			if d := Evaluate(r, p); d.Allowed != (tt.why == "") || !d.Allowed && d.Reason != tt.why {
				t.Errorf("allowed %v %q\nwant %q", d.Allowed, d.Reason, tt.why)
			}
		})
	}
}

// An actor policy is needed in the same account too.
func TestActorPolicies(t *testing.T) {
	actor := policyOf(t, Actor, `{'Effect': 'Allow', 'Principal': {'AWS': '111111111111'}, 'Action': 'sso-oauth:CreateTokenWithIAM', 'Resource': '*',
		'Condition': {'ArnEquals': {'aws:PrincipalArn': 'arn:aws:iam::111111111111:role/team/Analyst'}}}`)
	identity := []Named{policyOf(t, Identity, allowAll)}
	for _, tt := range []struct {
		name         string
		resource     *Named
		principalARN string
		owner        string
		want         bool
	}{
		{"both", &actor, "arn:aws:iam::111111111111:role/team/Analyst", here, true},
		{"across, both", &actor, "arn:aws:iam::111111111111:role/team/Analyst", there, true},
		{"another role", &actor, "arn:aws:iam::111111111111:role/team/Other", here, false},
		{"no actor policy", nil, "arn:aws:iam::111111111111:role/team/Analyst", here, false},
	} {
		r := roleRequest()
		r.Action, r.Resource, r.ResourceAccount = "sso-oauth:CreateTokenWithIAM", "arn:aws:sso::222222222222:application/ssoins-1234567890abcdef/apl-1234567890abcdef", tt.owner
		r.Context.Set("aws:PrincipalArn", tt.principalARN)
		if d := Evaluate(r, &Policies{Identity: identity, Resource: tt.resource, ResourceMustAllow: true}); d.Allowed != tt.want {
			t.Errorf("%s: allowed %v %s", tt.name, d.Allowed, d.Reason)
		}
	}
}

func TestServicesAndAnonymous(t *testing.T) {
	service := Principal{Type: Service, Service: "logging.s3.amazonaws.com"}
	anonymous := Principal{Type: Anonymous}
	tests := []struct {
		name      string
		who       Principal
		principal string
		want      bool
	}{
		{"service named", service, `{'Service': ['a.amazonaws.com', 'logging.s3.amazonaws.com']}`, true},
		{"service not named", service, `{'Service': 'a.amazonaws.com'}`, false},
		{"service and everyone", service, everyone, true},
		{"service and an account", service, account, false},
		{"anonymous and everyone", anonymous, everyone, true},
		{"anonymous and every AWS principal", anonymous, `{'AWS': '*'}`, true},
		{"anonymous and an account", anonymous, account, false},
		{"a service without a name", Principal{Type: Service}, `{'Service': 'a.amazonaws.com'}`, false},
		{"a type of its own", Principal{Type: "IdentityCenterUser", Account: here}, everyone, false},
		{"no type", Principal{}, everyone, false},
	}
	for _, tt := range tests {
		r := userRequest()
		r.Principal = tt.who
		bucket := policyOf(t, Resource, to(tt.principal))
		// Identity policies say nothing about those who have no account.
		p := &Policies{Resource: &bucket, Identity: []Named{policyOf(t, Identity, allowAll)}}
		if d := Evaluate(r, p); d.Allowed != tt.want || d.Reason == "" {
			t.Errorf("%s: allowed %v %q", tt.name, d.Allowed, d.Reason)
		}
		if p.Resource = nil; Evaluate(r, p).Allowed {
			t.Errorf("%s: allowed without a resource policy", tt.name)
		}
	}
}

func TestNotPrincipal(t *testing.T) {
	const root, user, role, sess, other = "arn:aws:iam::111111111111:root", "arn:aws:iam::111111111111:user/mateo", "arn:aws:iam::111111111111:role/team/Analyst",
		"arn:aws:sts::111111111111:assumed-role/Analyst/mateo", "arn:aws:sts::111111111111:assumed-role/Analyst/wang"
	service := &Request{Principal: Principal{Type: Service, Service: "a.amazonaws.com"}, Action: "s3:GetObject", Resource: "arn:aws:s3:::data/x", ResourceAccount: here}
	anonymous := &Request{Principal: Principal{Type: Anonymous}, Action: "s3:GetObject", Resource: "arn:aws:s3:::data/x", ResourceAccount: here}
	rootUser := userRequest()
	rootUser.Principal = Principal{Type: Root, Account: here}
	tests := []struct {
		name           string
		r              *Request
		list           []string
		denied, allows bool
	}{
		{"user with account", userRequest(), []string{user, root}, false, false},
		{"user without account", userRequest(), []string{user}, true, false},
		{"account alone", userRequest(), []string{here}, true, false},
		{"another user", userRequest(), []string{"arn:aws:iam::111111111111:user/wang"}, true, true},
		{"role with account", roleRequest(), []string{role, root}, false, false},
		{"session, role and account", roleRequest(), []string{sess, role, root}, false, false},
		{"another session of the role", roleRequest(), []string{other, role, root}, true, false},
		{"session without role", roleRequest(), []string{sess, root}, true, false},
		{"role without account", roleRequest(), []string{role}, true, false},
		{"root", rootUser, []string{root}, false, false},
		{"anonymous", anonymous, []string{user, root}, true, true},
		{"service", service, []string{user, root}, true, true},
	}
	for _, tt := range tests {
		list := ""
		for i, p := range tt.list {
			if i > 0 {
				list += ", "
			}
			list += "'" + p + "'"
		}
		statement := `'NotPrincipal': {'AWS': [` + list + `]}, ` + theBucket + `}`
		denies := policyOf(t, Resource, to(everyone), `{'Effect': 'Deny', `+statement)
		allows := policyOf(t, Resource, `{'Effect': 'Allow', `+statement)
		if d := Evaluate(tt.r, &Policies{Resource: &denies}); d.Explicit != tt.denied || d.Allowed == tt.denied {
			t.Errorf("Deny, %s: %+v", tt.name, d)
		}
		wantAllowed := tt.allows || tt.r.Principal.Type == Root
		if d := Evaluate(tt.r, &Policies{Resource: &allows}); d.Allowed != wantAllowed {
			t.Errorf("Allow, %s: %+v", tt.name, d)
		}
	}
	spared := policyOf(t, Resource, to(everyone), `{'Effect': 'Deny', 'NotPrincipal': {'Service': 'a.amazonaws.com'}, `+theBucket+`}`)
	if d := Evaluate(service, &Policies{Resource: &spared}); !d.Allowed {
		t.Errorf("a service that is spared: %+v", d)
	}
}

func TestDecisionNamesWhatDecided(t *testing.T) {
	identity := Named{"TeamAccess", mustParse(t, Identity, statements(
		`{'Sid': 'Red', 'Effect': 'Allow', 'Action': 's3:Get*', 'Resource': 'arn:aws:s3:::data/red/*'}`,
		`{'Effect': 'Deny', 'Action': 's3:*', 'Resource': 'arn:aws:s3:::data/secret/*'}`,
		`{'Sid': 'Office', 'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*', 'Condition': {'IpAddress': {'aws:SourceIp': '10.0.0.0/8'}}}`,
		`{'Sid': 'Own', 'Effect': 'Allow', 'Action': 's3:*', 'Resource': 'arn:aws:s3:::data/${aws:userid}/*'}`))}
	bucket := policyOf(t, Resource, `{'Effect': 'Allow', 'Principal': `+stranger+`, `+theBucket+`}`)
	p := &Policies{Identity: []Named{identity}, Resource: &bucket}

	got := Evaluate(userRequest(), p)
	want := Decision{Allowed: true, Reason: "allowed by an identity-based policy", Layer: LayerIdentity, Policy: "TeamAccess", Statement: "Red"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	r := userRequest()
	r.Resource = "arn:aws:s3:::data/secret/x"
	got = Evaluate(r, p)
	want = Decision{Explicit: true, Reason: "with an explicit deny in an identity-based policy", Layer: LayerIdentity, Policy: "TeamAccess", Statement: "Statement[1]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	r.Resource = "arn:aws:s3:::data/blue/x"
	got = Explain(r, p)
	want = Decision{
		Reason: "because no identity-based policy allows the s3:GetObject action", Layer: LayerIdentity,
		Steps: []Step{
			{Layer: LayerResource, Outcome: Silent, Misses: []Miss{{"resource", "Statement[0]", Allow, "Principal"}}},
			{Layer: LayerIdentity, Outcome: Silent, Misses: []Miss{
				{"TeamAccess", "Statement[1]", Deny, "Resource"},
				{"TeamAccess", "Red", Allow, "Resource"},
				{"TeamAccess", "Office", Allow, "Condition.IpAddress.aws:SourceIp"},
				{"TeamAccess", "Own", Allow, "${aws:userid}"},
			}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
