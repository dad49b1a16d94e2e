package session_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
)

var mateo = &caller.Identity{
	UserID: "94482488-3041-7075-0000-6a6b1dd40a8d", IdentityStoreID: "d-1234567890", IdentityStoreARN: "arn:aws:identitystore::222222222222:identitystore/d-1234567890",
	InstanceARN: "arn:aws:sso:::instance/ssoins-0123456789abcdef", ApplicationARN: "arn:aws:sso::222222222222:application/ssoins-0123456789abcdef/apl-0123456789abcdef",
	CredentialID: "credential-1",
}

func assume(role string) *sts.AssumeRoleInput {
	return &sts.AssumeRoleInput{RoleArn: role, RoleSessionName: "s"}
}

// TestAssumeRoleNeedsBothSides: in one account either the caller's policy or the trust policy has to name the other, but
// the trust policy has to allow in any case.
func TestAssumeRoleNeedsBothSides(t *testing.T) {
	h := newHouse(t)
	everything := h.user("everything", allow("sts:*"))
	nothing := h.user("nothing", allow("s3:ListAllMyBuckets"))
	direct := arn.User(management, "/", "nothing")
	for name, c := range map[string]struct {
		trust  statement
		caller func() error
		want   string
	}{
		"trusted account, caller allowed":     {trust("sts:AssumeRole"), nil, ""},
		"trusted account, caller not allowed": {trust("sts:AssumeRole"), func() error { return nil }, "AccessDenied"},
		"trusted by name":                     {statement{"Effect": "Allow", "Principal": map[string]string{"AWS": direct}, "Action": "sts:AssumeRole"}, func() error { return nil }, ""},
		"trusts somebody else":                {statement{"Effect": "Allow", "Principal": map[string]string{"AWS": direct}, "Action": "sts:AssumeRole"}, nil, "AccessDenied"},
		"trusts another action":               {trust("sts:TagSession"), nil, "AccessDenied"},
		"trusts on a condition not met": {statement{"Effect": "Allow", "Principal": map[string]string{"AWS": arn.Root(management)}, "Action": "sts:AssumeRole",
			"Condition": map[string]any{"StringEquals": map[string]string{"sts:ExternalId": "42"}}}, nil, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			role := h.role("role-"+strings.Map(onlyLetters, name), c.trust)
			ctx := everything
			if c.caller != nil {
				ctx = nothing
			}
			_, err := h.sts.AssumeRole(ctx, assume(role))
			wantCode(t, err, c.want)
		})
	}
}

func onlyLetters(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r
	}
	return -1
}

// TestRolesThatCannotBeSeen: a role that does not exist gets the answer of one that may not be assumed.
func TestRolesThatCannotBeSeen(t *testing.T) {
	h := newHouse(t)
	nobody := h.user("nobody", allow("s3:ListAllMyBuckets"))
	there := h.role("there", trust("sts:AssumeRole"))
	_, refused := h.sts.AssumeRole(nobody, assume(there))
	_, absent := h.sts.AssumeRole(nobody, assume(arn.Role(management, "/", "absent")))
	wantCode(t, refused, "AccessDenied")
	wantCode(t, absent, "AccessDenied")
	if strings.Contains(absent.Error(), "not exist") || strings.Contains(absent.Error(), "no role") {
		t.Errorf("the refusal tells that the role is absent: %v", absent)
	}
	root := caller.With(t.Context(), &caller.Caller{Type: caller.Root, Account: management, ARN: arn.Root(management), PrincipalARN: arn.Root(management)})
	_, err := h.sts.AssumeRole(root, assume(there))
	wantCode(t, err, "AccessDenied")
}

// TestIdentityContextNeedsSetContext: somebody who may assume the role but not set its context does not act for a person.
func TestIdentityContextNeedsSetContext(t *testing.T) {
	h := newHouse(t)
	application := h.user("application", allow("sts:*"))
	plain := h.role("plain", trust("sts:AssumeRole"))
	bearer := h.role("bearer", trust("sts:AssumeRole", "sts:SetContext"))
	fresh := must(h.ring.SealContext(mateo, h.now.Add(time.Hour)))
	other := must(newHouse(t).ring.SealContext(mateo, h.now.Add(time.Hour)))
	with := func(role, provider, assertion string) *sts.AssumeRoleInput {
		in := assume(role)
		in.ProvidedContexts = []sts.ProvidedContext{{ProviderArn: &provider, ContextAssertion: &assertion}}
		return in
	}
	for name, c := range map[string]struct {
		in   *sts.AssumeRoleInput
		want string
	}{
		"trusted with context":              {with(bearer, arn.ContextProvider, fresh), ""},
		"trusted without context":           {with(plain, arn.ContextProvider, fresh), "AccessDenied"},
		"another provider":                  {with(bearer, "arn:aws:iam::aws:contextProvider/Other", fresh), "ValidationError"},
		"sealed elsewhere":                  {with(bearer, arn.ContextProvider, other), "ValidationError"},
		"altered":                           {with(bearer, arn.ContextProvider, fresh[:len(fresh)-4]+"AAAA"), "ValidationError"},
		"a session token is not an context": {with(bearer, arn.ContextProvider, must(h.sts.AssumeRole(application, assume(plain))).Credentials.SessionToken), "ValidationError"},
		"two contexts": {func() *sts.AssumeRoleInput {
			in := with(bearer, arn.ContextProvider, fresh)
			in.ProvidedContexts = append(in.ProvidedContexts, in.ProvidedContexts[0])
			return in
		}(), "ValidationError"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := h.sts.AssumeRole(application, c.in)
			wantCode(t, err, c.want)
			if err != nil {
				return
			}
			got := caller.From(h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken)).OnBehalf
			if got == nil || *got != *mateo {
				t.Errorf("the session acts for %+v, want %+v", got, mateo)
			}
		})
	}
	h.now = h.now.Add(time.Hour)
	_, err := h.sts.AssumeRole(application, with(bearer, arn.ContextProvider, fresh))
	wantCode(t, err, "ExpiredTokenException")
	h.gone[mateo.UserID] = true
	_, err = h.sts.AssumeRole(application, with(bearer, arn.ContextProvider, must(h.ring.SealContext(mateo, h.now.Add(time.Hour)))))
	wantCode(t, err, "AccessDenied")
}

// TestTheMaximumOfARole bounds its sessions, and one hour those of chained roles.
func TestTheMaximumOfARole(t *testing.T) {
	h := newHouse(t)
	application := h.user("application", allow("sts:*"))
	first := h.role("first", trust("sts:AssumeRole"))
	must(h.iam.PutRolePolicy(h.admin(), &iam.PutRolePolicyInput{RoleName: "first", PolicyName: "own", PolicyDocument: document(allow("sts:*"))}))
	second := must(h.iam.CreateRole(h.admin(), &iam.CreateRoleInput{
		RoleName: "second", AssumeRolePolicyDocument: document(trust("sts:AssumeRole")), MaxSessionDuration: ptr(43200),
	})).Role.Arn
	for _, c := range []struct {
		role    string
		chained bool
		seconds int
		want    string
	}{
		{first, false, 3600, ""},
		{first, false, 3601, "ValidationError"},
		{second, false, 43200, ""},
		{second, true, 3600, ""},
		{second, true, 3601, "ValidationError"},
	} {
		t.Run(fmt.Sprintf("%s %v %d", c.role, c.chained, c.seconds), func(t *testing.T) {
			ctx := application
			if c.chained {
				out := must(h.sts.AssumeRole(application, assume(first)))
				ctx = h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken)
			}
			in := assume(c.role)
			in.DurationSeconds = &c.seconds
			out, err := h.sts.AssumeRole(ctx, in)
			wantCode(t, err, c.want)
			if err == nil && !out.Credentials.Expiration.Equal(h.now.Add(time.Duration(c.seconds)*time.Second)) {
				t.Errorf("the session ends at %v", out.Credentials.Expiration)
			}
		})
	}
}

// TestTagsOfASession: they need sts:TagSession, pass on when transitive, and cannot be replaced then.
func TestTagsOfASession(t *testing.T) {
	h := newHouse(t)
	application := h.user("application", allow("sts:*"))
	tagged := h.role("tagged", trust("sts:AssumeRole", "sts:TagSession"))
	must(h.iam.PutRolePolicy(h.admin(), &iam.PutRolePolicyInput{RoleName: "tagged", PolicyName: "own", PolicyDocument: document(allow("sts:*"))}))
	untagged := h.role("untagged", trust("sts:AssumeRole"))
	ask := func(role string, transitive []string, tags ...string) *sts.AssumeRoleInput {
		in := assume(role)
		for i := 0; i < len(tags); i += 2 {
			in.Tags = append(in.Tags, sts.Tag{Key: tags[i], Value: tags[i+1]})
		}
		in.TransitiveTagKeys = transitive
		return in
	}
	for name, c := range map[string]struct {
		in   *sts.AssumeRoleInput
		want string
	}{
		"may not tag":               {ask(untagged, nil, "project", "red"), "AccessDenied"},
		"the same key twice":        {ask(tagged, nil, "project", "red", "Project", "blue"), "InvalidParameterValue"},
		"a key of AWS":              {ask(tagged, nil, "aws:project", "red"), "InvalidParameterValue"},
		"a transitive key not sent": {ask(tagged, []string{"other"}, "project", "red"), "InvalidParameterValue"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.sts.AssumeRole(application, c.in)
			wantCode(t, err, c.want)
		})
	}
	out := must(h.sts.AssumeRole(application, ask(tagged, []string{"project"}, "project", "red", "team", "a")))
	within := h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken)
	_, err := h.sts.AssumeRole(within, ask(tagged, nil, "PROJECT", "blue"))
	wantCode(t, err, "InvalidParameterValue")
	out = must(h.sts.AssumeRole(within, assume(untagged)))
	passed := caller.From(h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken)).Session.Tags
	if len(passed) != 1 || passed["project"] != "red" {
		t.Errorf("passed on: %v, want the transitive tag alone", passed)
	}
}

// TestTagsAreBoundedThroughAChain: each role may add tags, and those that are passed on count.
func TestTagsAreBoundedThroughAChain(t *testing.T) {
	h := newHouse(t)
	application := h.user("application", allow("sts:*"))
	role := h.role("role", trust("sts:AssumeRole", "sts:TagSession"))
	must(h.iam.PutRolePolicy(h.admin(), &iam.PutRolePolicyInput{RoleName: "role", PolicyName: "own", PolicyDocument: document(allow("sts:*"))}))
	tagged := func(from, to int) *sts.AssumeRoleInput {
		in := assume(role)
		for i := from; i < to; i++ {
			key := fmt.Sprintf("tag-%d", i)
			in.Tags, in.TransitiveTagKeys = append(in.Tags, sts.Tag{Key: key, Value: "x"}), append(in.TransitiveTagKeys, key)
		}
		return in
	}
	out := must(h.sts.AssumeRole(application, tagged(0, 30)))
	within := h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken)
	must(h.sts.AssumeRole(within, tagged(30, 50)))
	_, err := h.sts.AssumeRole(within, tagged(30, 51))
	wantCode(t, err, "PackedPolicyTooLarge")
}

// TestWhatIsWrongTellsNothingOfRoles: a request that cannot be read is answered alike for a role that is there, for one that
// the caller may not assume, and for one that is not there; and who may not assume a role learns of no policy in its account.
func TestWhatIsWrongTellsNothingOfRoles(t *testing.T) {
	h := newHouse(t)
	stranger := h.user("stranger", allow("s3:*"))
	there := h.role("there", trust("sts:AssumeRole"))
	// What a refusal says of policies differs, and is the same as without the fault.
	codes := func(text string) string { code, _, _ := strings.Cut(text, ":"); return code }
	answers := func(in func(role string) *sts.AssumeRoleInput) (texts []string) {
		for _, role := range []string{there, strings.Replace(there, "role/there", "role/nowhere", 1)} {
			_, err := h.sts.AssumeRole(stranger, in(role))
			texts = append(texts, strings.ReplaceAll(fmt.Sprint(err), role, "ROLE"))
		}
		return texts
	}
	for name, in := range map[string]func(role string) *sts.AssumeRoleInput{
		"a malformed policy": func(role string) *sts.AssumeRoleInput { in := assume(role); in.Policy = ptr("{"); return in },
		"a bad tag": func(role string) *sts.AssumeRoleInput {
			in := assume(role)
			in.Tags = []sts.Tag{{Key: "aws:x", Value: "y"}}
			return in
		},
		"a bad context": func(role string) *sts.AssumeRoleInput {
			in := assume(role)
			in.ProvidedContexts = []sts.ProvidedContext{{ProviderArn: ptr("arn:aws:iam::aws:contextProvider/Other"), ContextAssertion: ptr("x")}}
			return in
		},
		"a policy that is not there": func(role string) *sts.AssumeRoleInput {
			in := assume(role)
			in.PolicyArns = []sts.PolicyDescriptorType{{Arn: ptr("arn:aws:iam::aws:policy/NotThere")}}
			return in
		},
	} {
		if got := answers(in); codes(got[0]) != codes(got[1]) {
			t.Errorf("%s: %q for a role that is there, %q for one that is not", name, got[0], got[1])
		}
	}
}

// TestSourceIdentityStays: who set it once keeps it through every role.
func TestSourceIdentityStays(t *testing.T) {
	h := newHouse(t)
	application := h.user("application", allow("sts:*"))
	role := h.role("role", trust("sts:AssumeRole", "sts:SetSourceIdentity"))
	must(h.iam.PutRolePolicy(h.admin(), &iam.PutRolePolicyInput{RoleName: "role", PolicyName: "own", PolicyDocument: document(allow("sts:*"))}))
	in := assume(role)
	in.SourceIdentity = ptr("mateo")
	out := must(h.sts.AssumeRole(application, in))
	within := h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken)
	if again := must(h.sts.AssumeRole(within, assume(role))); again.SourceIdentity == nil || *again.SourceIdentity != "mateo" {
		t.Errorf("the source identity is %v", again.SourceIdentity)
	}
	in.SourceIdentity = ptr("ana")
	_, err := h.sts.AssumeRole(within, in)
	wantCode(t, err, "AccessDenied")
	in.SourceIdentity = ptr("AWS:root")
	_, err = h.sts.AssumeRole(application, in)
	wantCode(t, err, "ValidationError")
}

// TestSessionPoliciesAreBounded before anything is issued.
func TestSessionPoliciesAreBounded(t *testing.T) {
	h := newHouse(t)
	application := h.user("application", allow("sts:*"))
	role := h.role("role", trust("sts:AssumeRole"))
	for name, c := range map[string]struct{ policy, want string }{
		"a policy":          {document(allow("s3:GetObject")), ""},
		"not a policy":      {`{"Statement"`, "MalformedPolicyDocument"},
		"with a principal":  {document(trust("s3:GetObject")), "MalformedPolicyDocument"},
		"of 2049 letters":   {document(allow("s3:" + strings.Repeat("a", 2049-len(document(allow("s3:")))))), "PackedPolicyTooLarge"},
		"of 100,000 spaces": {document(allow("s3:GetObject")) + strings.Repeat(" ", 100_000), "PackedPolicyTooLarge"},
	} {
		t.Run(name, func(t *testing.T) {
			in := assume(role)
			in.Policy = &c.policy
			_, err := h.sts.AssumeRole(application, in)
			wantCode(t, err, c.want)
		})
	}
	in := assume(role)
	in.PolicyArns = []sts.PolicyDescriptorType{{Arn: ptr("arn:aws:iam::aws:policy/NotThere")}}
	_, err := h.sts.AssumeRole(application, in)
	wantCode(t, err, "MalformedPolicyDocument")
}

// TestGetSessionToken is for users with long-term keys.
func TestGetSessionToken(t *testing.T) {
	h := newHouse(t)
	user := h.user("user", allow("s3:GetObject"))
	out := must(h.sts.GetSessionToken(user, &sts.GetSessionTokenInput{DurationSeconds: ptr(900)}))
	within := h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken)
	if got, want := caller.From(within).ARN, arn.User(management, "/", "user"); got != want {
		t.Errorf("the session is %s, want %s", got, want)
	}
	_, err := h.sts.GetSessionToken(within, &sts.GetSessionTokenInput{})
	wantCode(t, err, "AccessDenied")
	_, err = h.sts.GetSessionToken(user, &sts.GetSessionTokenInput{SerialNumber: ptr("arn:aws:iam::222222222222:mfa/user"), TokenCode: ptr("123456")})
	wantCode(t, err, "AccessDenied")
}
