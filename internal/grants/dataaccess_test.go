package grants_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/s3control"
)

func TestGetDataAccess(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		c := h.role(owner, "App", allow(app, "*"))
		_, err := h.ask(c, "s3://lake/x", s3control.PermissionREAD)
		wantError(t, err, "AccessGrantsInstanceNotExistsError", http.StatusNotFound, "")
		h.found()
		user := h.person("mateo")
		application := h.application("App")
		enhanced := h.enhanced(c, user, application)
		h.grant(grantInput(s3control.GranteeTypeDIRECTORYUSER, user, "lake/bob/*", s3control.PermissionREAD))

		for _, tt := range []struct {
			target  string
			more    []func(*s3control.GetDataAccessInput)
			matched string
			reads   []string
			not     []string
		}{
			{"s3://lake/bob/*", nil, "s3://lake/bob/*", []string{"bob/x", "bob/"}, []string{"bob", "bobby/x"}},
			{"s3://lake/bob/images/1", nil, "s3://lake/bob/*", []string{"bob/x"}, nil},
			{"s3://lake/bob/images/*", []func(*s3control.GetDataAccessInput){minimal}, "s3://lake/bob/images/*", []string{"bob/images/1"}, []string{"bob/x"}},
			{"s3://lake/bob/", []func(*s3control.GetDataAccessInput){minimal}, "s3://lake/bob/", []string{"bob/"}, []string{"bob/x"}},
			{"s3://lake/bob/f.txt", []func(*s3control.GetDataAccessInput){minimal, object}, "s3://lake/bob/f.txt", []string{"bob/f.txt"}, []string{"bob/f.txt2", "bob/f"}},
			{"s3://lake/bob/f*", []func(*s3control.GetDataAccessInput){minimal, object}, "s3://lake/bob/f*", []string{"bob/f*"}, []string{"bob/f", "bob/ff"}},
			{"s3://lake/bob/f*", []func(*s3control.GetDataAccessInput){object}, "s3://lake/bob/*", []string{"bob/x"}, nil},
		} {
			out, err := h.ask(enhanced, tt.target, s3control.PermissionREAD, tt.more...)
			if err != nil {
				t.Errorf("%s: %v", tt.target, err)
				continue
			}
			if *out.MatchedGrantTarget != tt.matched || *out.Grantee.GranteeIdentifier != user || *out.Grantee.GranteeType != s3control.GranteeTypeDIRECTORYUSER {
				t.Errorf("%s: matched %s for %+v", tt.target, *out.MatchedGrantTarget, out.Grantee)
			}
			v := h.vended(enhanced, tt.target, s3control.PermissionREAD, tt.more...)
			if !strings.HasPrefix(v.ARN, "arn:aws:sts::111111111111:assumed-role/Location/access-grants-") || v.OnBehalf == nil || v.OnBehalf.UserID != user {
				t.Errorf("%s: vended to %s on behalf of %+v", tt.target, v.ARN, v.OnBehalf)
			}
			for _, k := range tt.reads {
				if !h.reads(v, k) {
					t.Errorf("%s does not read %s", tt.target, k)
				}
			}
			for _, k := range tt.not {
				if h.reads(v, k) {
					t.Errorf("%s reads %s", tt.target, k)
				}
			}
		}

		for target, p := range map[string]s3control.Permission{
			"s3://lake/bob/*": s3control.PermissionREADWRITE, "s3://lake/bob/x": s3control.PermissionWRITE, "s3://lake/*": s3control.PermissionREAD,
			"s3://lake": s3control.PermissionREAD, "s3://missing/x": s3control.PermissionREAD, "s3://lake2/bob/x": s3control.PermissionREAD,
		} {
			_, err := h.ask(enhanced, target, p)
			wantDenied(t, err, "You do not have "+string(p)+" permissions to the requested S3 Prefix: "+target)
		}
		_, err = h.ask(c, "s3://lake/bob/x", s3control.PermissionREAD)
		wantDenied(t, err, "You do not have READ permissions")
		_, err = h.ask(h.role(owner, "Nothing", ""), "s3://lake/bob/x", s3control.PermissionREAD)
		wantDenied(t, err, "User: arn:aws:sts::111111111111:assumed-role/Nothing/session is not authorized to perform: s3:GetDataAccess on resource: "+instanceARN)
		_, err = h.ask(enhanced, "lake/bob/x", s3control.PermissionREAD)
		wantError(t, err, "InvalidRequest", http.StatusBadRequest, "The target is not valid.")

		// The role's longest session is an hour, and credentials last as long as is asked for.
		out := must(h.ask(enhanced, "s3://lake/bob/*", s3control.PermissionREAD, lasting(900)))
		if left := out.Credentials.Expiration.Sub(h.Now()); left.Seconds() != 900 {
			t.Errorf("900 seconds are %s", left)
		}
		if left := must(h.ask(enhanced, "s3://lake/bob/*", s3control.PermissionREAD)).Credentials.Expiration.Sub(h.Now()); left.Hours() != 1 {
			t.Errorf("without a duration: %s", left)
		}
		_, err = h.ask(enhanced, "s3://lake/bob/*", s3control.PermissionREAD, lasting(3601))
		wantError(t, err, "StsValidationError", http.StatusBadRequest, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
		// A refusal comes before what only concerns the role.
		_, err = h.ask(enhanced, "s3://lake/blue/*", s3control.PermissionREAD, lasting(3601))
		wantDenied(t, err, "You do not have READ permissions")

		// A role that lets no person be carried along serves IAM principals alone, and a role that trusts nobody no one.
		trust := func(actions string) {
			text := strings.Replace(trustService, `["sts:AssumeRole","sts:SetSourceIdentity","sts:SetContext"]`, actions, 1)
			must(h.iam.UpdateAssumeRolePolicy(h.admin(owner), &iam.UpdateAssumeRolePolicyInput{RoleName: "Location", PolicyDocument: text}))
		}
		h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/role/*", s3control.PermissionREAD))
		const refusal = "User: access-grants.s3.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111111111111:role/Location"
		trust(`"sts:AssumeRole"`)
		_, err = h.ask(enhanced, "s3://lake/bob/*", s3control.PermissionREAD)
		wantError(t, err, "StsNotAuthorizedError", http.StatusForbidden, refusal)
		if _, err = h.ask(c, "s3://lake/role/*", s3control.PermissionREAD); err != nil {
			t.Errorf("an IAM grantee without sts:SetSourceIdentity: %v", err)
		}
		trust(`"sts:SetSourceIdentity"`)
		_, err = h.ask(c, "s3://lake/role/*", s3control.PermissionREAD)
		wantError(t, err, "StsNotAuthorizedError", http.StatusForbidden, refusal)
	})
}

// What was acknowledged is there after a restart, the index included.
func TestRestart(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		c := h.role(owner, "App", allow(app, "*"))
		h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/a*b", s3control.PermissionREAD))
		in := grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/o*", s3control.PermissionREAD)
		in.S3PrefixType = new(s3control.S3PrefixTypeObject)
		h.grant(in)
		before := h.vended(c, "s3://lake/a*b", s3control.PermissionREAD)
		h.reopen()
		if !h.reads(before, "a*b") {
			t.Error("credentials do not outlive the restart")
		}
		if _, err := h.ask(c, "s3://lake/ox", s3control.PermissionREAD); err == nil {
			t.Error("the object became a prefix")
		}
		if _, err := h.ask(c, "s3://lake/o*", s3control.PermissionREAD, object); err != nil {
			t.Error(err)
		}
	})
}
