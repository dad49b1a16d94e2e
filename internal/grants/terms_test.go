package grants_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// tagsOf are tags from name=value words; a value may have spaces.
func tagsOf(pairs ...string) (tags []s3control.Tag) {
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		tags = append(tags, s3control.Tag{Key: k, Value: v})
	}
	return tags
}

// with adds reserved tags to a new grant.
func with(in *s3control.CreateAccessGrantInput, pairs ...string) *s3control.CreateAccessGrantInput {
	in.Tags = tagsOf(pairs...)
	return in
}

// later moves the clock of the house.
func (h *house) later(d time.Duration) { h.clock.Add(int64(d)) }

func (h *house) in(d time.Duration) string { return h.Now().Add(d).Format(time.RFC3339) }

func toUser(user, sub string, p s3control.Permission) *s3control.CreateAccessGrantInput {
	return grantInput(s3control.GranteeTypeDIRECTORYUSER, user, sub, p)
}

func TestTermsAreValidated(t *testing.T) {
	h := founded(t, "sqlite")
	user, group := h.person("mateo"), h.group("owners")
	for _, tt := range []struct{ tag, why string }{
		{"lakegate:NotAfter=" + h.in(-time.Second), "in the past"},
		{"lakegate:NotAfter=" + h.in(0), "in the past"},
		{"lakegate:NotAfter=tomorrow", "not a time"},
		{"lakegate:NotAfter=2027-01-01", "not a time"},
		{"lakegate:NotAfter=2027-01-01T00:00:00", "not a time"},
		{"lakegate:NotAfter=2027-02-30T00:00:00Z", "not a time"},
		{"lakegate:NotAfter=2027-01-01T00:00:00.5Z", "whole seconds"},
		{"lakegate:NotAfter=", "not a time"},
		{"lakegate:NotBefore=0001-01-01T00:00:00Z", "from 1970 on"},
		{"lakegate:NotBefore=now", "not a time"},
		{"lakegate:Reason=", "empty"},
		{"lakegate:Reason=  ", "empty"},
		{"lakegate:Owner=mateo", "neither"},
		{"lakegate:Owner=user/", "neither"},
		{"lakegate:Owner=" + user, "neither"},
		{"lakegate:Owner=user/" + group, "there is no user"},
		{"lakegate:Owner=group/" + user, "there is no group"},
		{"lakegate:Owner=arn:aws:iam::111111111111:user/admin", "neither"},
		{"lakegate:Owner=arn:aws:identitystore:::role/x", "neither"},
		{"lakegate:Effect=", "neither Allow nor Deny"},
		{"lakegate:Effect=deny", "neither Allow nor Deny"},
		{"lakegate:Actions=", "names no action"},
		{"lakegate:Actions= ", "names no action"},
		{"lakegate:Actions=s3:PutObject", "not an action of READ"},
		{"lakegate:Actions=GetObject", "not an action of READ"},
		{"lakegate:Actions=s3:GetObject s3:PutBucketPolicy", "not an action of READ"},
		{"lakegate:Actions=s3:Get*", "not an action of READ"},
		{"lakegate:Expires=2027-01-01T00:00:00Z", "no meaning"},
		{"lakegate:notafter=2027-01-01T00:00:00Z", "no meaning"},
		{"LAKEGATE:NotAfter=2027-01-01T00:00:00Z", "no meaning"},
	} {
		_, err := h.CreateAccessGrant(h.admin(owner), with(toUser(user, "lake/red/*", s3control.PermissionREAD), tt.tag))
		name, _, _ := strings.Cut(tt.tag, "=")
		wantError(t, err, "InvalidTag", http.StatusBadRequest, "The tag "+name+" is ")
		if err == nil || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: %v", tt.tag, err)
		}
	}
	_, err := h.CreateAccessGrant(h.admin(owner), with(toUser(user, "lake/red/*", s3control.PermissionREAD), "lakegate:NotBefore="+h.in(2*time.Hour), "lakegate:NotAfter="+h.in(2*time.Hour)))
	wantError(t, err, "InvalidTag", http.StatusBadRequest, "The tag lakegate:NotAfter is not valid: it is not after lakegate:NotBefore")
	if all := must(h.ListAccessGrants(h.admin(owner), &s3control.ListAccessGrantsInput{AccountId: owner})).AccessGrantsList; len(all) != 0 {
		t.Errorf("%d grants were made", len(all))
	}
	for i, tag := range []string{
		"lakegate:NotAfter=" + h.Now().Add(time.Hour).In(time.FixedZone("", 7200)).Format(time.RFC3339), "lakegate:NotBefore=2020-01-01T00:00:00Z", "lakegate:Reason=ticket 7 / audit",
		"lakegate:Owner=user/" + user, "lakegate:Owner=group/" + group, "lakegate:Owner=arn:aws:identitystore:::user/" + user, "lakegate:Effect=Allow", "lakegate:Effect=Deny",
		"lakegate:Actions=s3:ListBucket  s3:GetObject s3:ListBucket s3:GetObjectTagging",
	} {
		id := h.grant(with(toUser(user, fmt.Sprintf("lake/%d/*", i), s3control.PermissionREAD), tag))
		// What was written is what is listed, so that no client sees a difference.
		got := must(h.ListTagsForResource(h.admin(owner), &s3control.ListTagsForResourceInput{AccountId: owner, ResourceArn: instanceARN + "/grant/" + id})).Tags
		if len(got) != 1 || got[0].Key+"="+got[0].Value != tag {
			t.Errorf("%s is listed as %v", tag, got)
		}
	}
}

func TestVariablesAreValidated(t *testing.T) {
	h := founded(t, "sqlite")
	user := h.person("mateo")
	role := h.role(owner, "Job", allow(app, "*"))
	for _, sub := range []string{
		"lake/home/${user.name}*", "lake/home${user.name}/*", "lake/${user.name}${user.id}/*", "lake/${username}/*", "lake/${aws:username}/*", "lake/${}/*", "lake/${user.name/*",
		"${user.name}/*", "lake/a$${user.name}/x", "lake/${user.name,'x'}/*", "lake/${USER.NAME}/*", "lake/${*}", "lake/x/${?}/*", "lake/${${user.name}}/*",
	} {
		_, err := h.CreateAccessGrant(h.admin(owner), toUser(user, sub, s3control.PermissionREAD))
		wantError(t, err, "InvalidAccessGrant", http.StatusBadRequest, "The S3SubPrefix is invalid: ")
	}
	_, err := h.CreateAccessGrant(h.admin(owner), grantInput(s3control.GranteeTypeIAM, role.PrincipalARN, "lake/home/${user.name}/*", s3control.PermissionREAD))
	wantError(t, err, "InvalidAccessGrant", http.StatusBadRequest, "A grant to an IAM principal cannot have variables")
	_, err = h.CreateAccessGrant(h.admin(owner), with(toUser(user, "lake/home/${user.name}/*", s3control.PermissionREAD), "lakegate:Effect=Deny"))
	wantError(t, err, "InvalidTag", http.StatusBadRequest, "The tag lakegate:Effect is not valid: a grant with variables")
}

func TestStrictKnowsNoTerms(t *testing.T) {
	h := founded(t, "sqlite")
	user := h.person("mateo")
	c := h.enhanced(h.role(owner, "App", allow(app, "*")), user, h.application("App"))
	h.grant(with(toUser(user, "lake/red/*", s3control.PermissionREAD), "lakegate:NotAfter="+h.in(time.Hour)))
	h.Strict = true
	for _, tag := range []string{"lakegate:NotAfter=" + h.in(time.Hour), "lakegate:Effect=Deny", "lakegate:Other=x"} {
		_, err := h.CreateAccessGrant(h.admin(owner), with(toUser(user, "lake/blue/*", s3control.PermissionREAD), tag))
		name, _, _ := strings.Cut(tag, "=")
		wantError(t, err, "InvalidTag", http.StatusBadRequest, "The tag "+name+" is reserved and has no meaning with compat: strict.")
	}
	_, err := h.CreateAccessGrant(h.admin(owner), toUser(user, "lake/home/${user.name}/*", s3control.PermissionREAD))
	wantError(t, err, "InvalidAccessGrant", http.StatusBadRequest, "The S3SubPrefix is invalid")
	// Terms from before stand.
	v := h.vended(c, "s3://lake/red/*", s3control.PermissionREAD)
	h.later(time.Hour)
	if h.reads(v, "red/x") {
		t.Error("a grant that ended gives in strict")
	}
}

// A grant begins and ends at its second, everywhere: where credentials are asked for, in those that are out, in direct use and
// in the list of what the caller has.
func TestGrantsBeginAndEndAtTheSecond(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		user := h.person("mateo")
		c := h.enhanced(h.role(owner, "App", allow(app, "*")), user, h.application("App"))
		begin, end := h.Now().Add(time.Hour), h.Now().Add(90*time.Minute)
		id := h.grant(with(toUser(user, "lake/red/*", s3control.PermissionREAD), "lakegate:NotBefore="+begin.Format(time.RFC3339), "lakegate:NotAfter="+end.Format(time.RFC3339)))
		h.reopen()
		inForce := func(want bool) {
			t.Helper()
			_, err := h.ask(c, "s3://lake/red/*", s3control.PermissionREAD)
			_, direct := h.Direct(h.as(c), grants.Access{Action: "s3:GetObject", Bucket: "lake", Owner: owner, Key: "red/x"})
			mine := must(h.ListCallerAccessGrants(h.as(c), &s3control.ListCallerAccessGrantsInput{AccountId: owner})).CallerAccessGrantsList
			if (err == nil) != want || (direct == nil) != want || (len(mine) == 1) != want {
				t.Errorf("at %s: %v, %v, %d listed; want %t", h.Now(), err, direct, len(mine), want)
			}
		}
		inForce(false)
		h.later(time.Hour - time.Millisecond)
		inForce(false)
		h.later(time.Millisecond)
		inForce(true)
		h.later(10 * time.Minute)
		out := must(h.ask(c, "s3://lake/red/*", s3control.PermissionREAD, lasting(3600)))
		if !out.Credentials.Expiration.Equal(end) {
			t.Errorf("credentials outlive the grant: %s", out.Credentials.Expiration)
		}
		v := h.vended(c, "s3://lake/red/*", s3control.PermissionREAD)
		h.clock.Store(end.Add(-time.Millisecond).UnixNano())
		inForce(true)
		if !h.reads(v, "red/x") {
			t.Error("not readable before the end")
		}
		h.later(time.Millisecond)
		inForce(false)
		if d := h.may(v, "s3:GetObject", arn.Object("lake", "red/x")); d.Allowed || !strings.Contains(d.Reason, id+" ended at "+end.Format(time.RFC3339)) {
			t.Errorf("at the end: %+v", d)
		}
		// It is still listed, and its tags say when it ended.
		listed := must(h.ListAccessGrants(h.admin(owner), &s3control.ListAccessGrantsInput{AccountId: owner})).AccessGrantsList
		tags := must(h.ListTagsForResource(h.admin(owner), &s3control.ListTagsForResourceInput{AccountId: owner, ResourceArn: *listed[0].AccessGrantArn})).Tags
		if len(listed) != 1 || !slices.Contains(tags, s3control.Tag{Key: grants.TagNotAfter, Value: end.Format(time.RFC3339)}) {
			t.Errorf("listed %v with %v", listed, tags)
		}
		// And it is in nobody's way.
		h.grant(with(toUser(user, "lake/red/*", s3control.PermissionREAD), "lakegate:NotAfter="+h.in(time.Hour)))
		_, err := h.CreateAccessGrant(h.admin(owner), with(toUser(user, "lake/red/*", s3control.PermissionREAD), "lakegate:NotAfter="+h.in(time.Hour), "lakegate:Reason=again"))
		wantError(t, err, "AccessGrantAlreadyExists", http.StatusConflict, "")
		inForce(true)
	})
}

func TestEndedGrantsAreReaped(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		user := h.person("mateo")
		// The years that pass here must not be those after which the trail forgets.
		h.Trail = must(trail.Open(t.Context(), trail.Config{DB: h.db, Dir: t.TempDir(), Retention: 10 * 365 * 24 * time.Hour}))
		t.Cleanup(func() { _ = h.Trail.Close() })
		h.Retention = 24 * time.Hour
		ended := h.grant(with(toUser(user, "lake/a/*", s3control.PermissionREAD), "lakegate:NotAfter="+h.in(time.Hour)))
		later := h.grant(with(toUser(user, "lake/b/*", s3control.PermissionREAD), "lakegate:NotAfter="+h.in(2*time.Hour)))
		endless := h.grant(with(toUser(user, "lake/c/*", s3control.PermissionREAD), "lakegate:Reason=for good"))
		left := func() (ids []string) {
			for _, g := range must(h.ListAccessGrants(h.admin(owner), &s3control.ListAccessGrantsInput{AccountId: owner})).AccessGrantsList {
				ids = append(ids, *g.AccessGrantId)
			}
			return ids
		}
		tend := func(want ...string) {
			t.Helper()
			if err := h.Tend(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := left()
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("at %s left %v, want %v", h.Now(), got, want)
			}
		}
		h.later(25 * time.Hour)
		tend(ended, later, endless)
		h.later(time.Second)
		tend(later, endless)
		h.later(365 * 24 * time.Hour)
		tend(endless)
		var records int
		text := func(s store.Scanner) (record string, err error) {
			err = s.Scan(&record)
			return record, err
		}
		err := h.db.View(t.Context(), func(q store.Querier) error {
			return store.Each(t.Context(), q, text, func(record string) error {
				if strings.Contains(record, `"access-grants.s3.amazonaws.com"`) && (strings.Contains(record, ended) || strings.Contains(record, later)) {
					records++
				}
				return nil
			}, `SELECT record FROM events WHERE name = 'DeleteAccessGrant'`)
		})
		if err != nil || records != 2 {
			t.Errorf("%d records, %v", records, err)
		}
	})
}

// The policy for a storage that asks nobody again has the whole of what holds at the gate.
func TestSessionPolicyHasTheDenials(t *testing.T) {
	h := founded(t, "sqlite")
	user, c := h.mateo()
	h.grant(toUser(user, "lake/red/*", s3control.PermissionREADWRITE))
	for _, sub := range []string{"lake/red/secret/*", "lake/red/a*b", "lake/blue/*"} {
		h.grant(with(toUser(user, sub, s3control.PermissionREADWRITE), "lakegate:Effect=Deny"))
	}
	v := h.vended(c, "s3://lake/red/*", s3control.PermissionREAD)
	text := must(h.SessionPolicy(h.as(v), v))
	d, err := policy.Parse(text, policy.Session)
	if err != nil || len(text) > 2048 {
		t.Fatalf("%d characters, %v: %s", len(text), err, text)
	}
	everything := must(policy.Parse([]byte(allow("s3:*", "*")), policy.Identity))
	for key, want := range map[string]bool{"red/x": true, "red/secret/x": false, "red/a*b": false, "red/axb": true, "blue/x": false, "green/x": false} {
		got := policy.Evaluate(&policy.Request{
			Principal: policy.Principal{Type: policy.AssumedRole, Account: owner}, Action: "s3:GetObject", Resource: arn.Object("lake", key), ResourceAccount: owner,
		}, &policy.Policies{Identity: []policy.Named{{Name: "all", Document: everything}}, Session: [][]policy.Named{{{Name: "session", Document: d}}}})
		if got.Allowed != want || h.reads(v, key) != want {
			t.Errorf("%s: %t by the policy, %t at the gate, want %t", key, got.Allowed, h.reads(v, key), want)
		}
	}
	if strings.Contains(string(text), "blue") {
		t.Errorf("it speaks of what the session does not reach: %s", text)
	}
	if _, err := h.SessionPolicy(h.as(c), c); err == nil {
		t.Error("a session of no grant has such a policy")
	}
	must(h.DeleteAccessGrant(h.admin(owner), &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: v.Session.Vended.GrantID}))
	if _, err := h.SessionPolicy(h.as(v), v); err == nil {
		t.Error("a grant that is gone has a policy")
	}
}

// A location has an owner too, which stays when its role changes.
func TestOwners(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		user, group := h.person("mateo"), h.group("owners")
		create := func(tags ...string) (string, error) {
			out, err := h.CreateAccessGrantsLocation(h.admin(owner), &s3control.CreateAccessGrantsLocationInput{
				AccountId: owner, LocationScope: "s3://lake", IAMRoleArn: arn.Role(owner, "/", "Location"), Tags: tagsOf(tags...),
			})
			if err != nil {
				return "", err
			}
			return *out.AccessGrantsLocationId, nil
		}
		for _, tag := range []string{"lakegate:Owner=group/nobody", "lakegate:Owner=" + group, "lakegate:NotAfter=" + h.in(time.Hour), "lakegate:Effect=Deny"} {
			_, err := create(tag)
			name, _, _ := strings.Cut(tag, "=")
			wantError(t, err, "InvalidTag", http.StatusBadRequest, "The tag "+name+" is ")
		}
		id := must(create("lakegate:Owner=group/" + group))
		h.locationRole("Next")
		must(h.UpdateAccessGrantsLocation(h.admin(owner), &s3control.UpdateAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: id, IAMRoleArn: arn.Role(owner, "/", "Next")}))
		_, err := h.UntagResource(h.admin(owner), &s3control.UntagResourceInput{AccountId: owner, ResourceArn: instanceARN + "/location/" + id, TagKeys: []string{grants.TagOwner}})
		wantError(t, err, "InvalidTag", http.StatusBadRequest, "")
		h.reopen()
		all := h.Registry.LocationsOf(owner)
		i := slices.IndexFunc(all, func(l *grants.Location) bool { return l.ID == id })
		if i < 0 || all[i].Owner != "arn:aws:identitystore:::group/"+group || !strings.HasSuffix(all[i].Role, "/Next") {
			t.Errorf("the locations are %+v", all)
		}
		for _, tt := range []struct {
			owner, user string
			groups      []string
			want        bool
		}{
			{"arn:aws:identitystore:::user/" + user, user, nil, true},
			{"arn:aws:identitystore:::user/" + user, "other", []string{user}, false},
			{"arn:aws:identitystore:::group/" + group, user, []string{"other", group}, true},
			{"arn:aws:identitystore:::group/" + group, group, nil, false},
			{"arn:aws:identitystore:::user/", "", nil, false},
			{"", "", []string{""}, false},
		} {
			if got := grants.OwnedBy(tt.owner, tt.user, tt.groups); got != tt.want {
				t.Errorf("%+v: %t", tt, got)
			}
		}
	})
}

func TestTermsAreTold(t *testing.T) {
	at := time.Date(2026, 12, 31, 17, 0, 0, 0, time.UTC)
	for want, terms := range map[string]*grants.Terms{
		"from 2026-12-31T17:00:00Z until 2026-12-31T18:00:00Z": {NotBefore: at, NotAfter: at.Add(time.Hour), Reason: "audit"},
		"until 2026-12-31T17:00:00Z, denying it":               {NotAfter: at, Deny: true},
		"with s3:GetObject s3:ListBucket alone":                {Actions: []string{"s3:GetObject", "s3:ListBucket"}},
		"":                                                     {Owner: "arn:aws:identitystore:::user/x"},
	} {
		if got := terms.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
