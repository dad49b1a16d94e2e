package session_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/session"
)

// managers says which account manages, for requests of other accounts than the test's own.
type managers string

func (m managers) IsManagement(account string) bool { return account == string(m) }

func (h *house) revocation(manager string) *session.RevocationService {
	return &session.RevocationService{Revocations: h.revocations, Accounts: managers(manager), Authorizer: h.sts.Authorizer}
}

func revoke(kind lakegate.RevocationKind, value string) *lakegate.CreateRevocationInput {
	in := &lakegate.CreateRevocationInput{Kind: kind}
	if value != "" {
		in.Value = &value
	}
	return in
}

const (
	reader   = "arn:aws:iam::222222222222:role/reader"
	foreign  = "333333333333"
	personID = "94482488-3041-7075-0000-6a6b1dd40a8d"
)

// sessionAt is an open session as the authenticator would find it: of the role reader, for mateo, vended by a grant that
// another session asked for.
func sessionAt(issued time.Time) *caller.Caller {
	return &caller.Caller{
		Type: caller.AssumedRole, Account: management, AccessKeyID: "ASIAAAAAAAAAAAAAAAAA", ARN: "arn:aws:sts::222222222222:assumed-role/reader/s", OnBehalf: mateo,
		Session: &caller.Session{RoleARN: reader, RoleID: "AROA", RoleName: "reader", Name: "s", Issued: issued.Truncate(time.Second),
			Vended: &caller.Vended{RequesterARN: "arn:aws:sts::222222222222:assumed-role/bearer/mateo"}},
	}
}

// TestWhatARevocationEnds: everything that it names and that was issued by then, nothing else, until it is taken back.
func TestWhatARevocationEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  lakegate.RevocationKind
		value string
		ends  bool
	}{
		{"its key", lakegate.RevocationKindACCESSKEY, newKeyOf(management), false},
		{"its ARN", lakegate.RevocationKindSESSION, "arn:aws:sts::222222222222:assumed-role/reader/s", true},
		{"the session that asked for it", lakegate.RevocationKindSESSION, "arn:aws:sts::222222222222:assumed-role/bearer/mateo", true},
		{"a session that begins alike", lakegate.RevocationKindSESSION, "arn:aws:sts::222222222222:assumed-role/reader/s2", false},
		{"its role", lakegate.RevocationKindROLE, reader, true},
		{"a role of the same name elsewhere", lakegate.RevocationKindROLE, "arn:aws:iam::333333333333:role/reader", false},
		{"its person", lakegate.RevocationKindPERSON, personID, true},
		{"somebody else", lakegate.RevocationKindPERSON, "94482488-3041-7075-0000-6a6b1dd40a8e", false},
		{"its application", lakegate.RevocationKindAPPLICATION, mateo.ApplicationARN, true},
		{"everything", lakegate.RevocationKindALL, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			s := h.revocation(management)
			out, err := s.CreateRevocation(h.admin(), revoke(c.kind, c.value))
			if err != nil {
				t.Fatal(err)
			}
			if err := h.revocations.Check(sessionAt(h.now)); (err != nil) != c.ends {
				t.Errorf("a session of the same second: %v", err)
			}
			if err := h.revocations.Check(sessionAt(h.now.Add(time.Second))); err != nil {
				t.Errorf("a session of a second later: %v", err)
			}
			if _, err := s.DeleteRevocation(h.admin(), &lakegate.DeleteRevocationInput{RevocationId: out.RevocationId}); err != nil {
				t.Fatal(err)
			}
			if err := h.revocations.Check(sessionAt(h.now)); err != nil {
				t.Errorf("after it was taken back: %v", err)
			}
		})
	}
	h := newHouse(t)
	key := sessionAt(h.now)
	key.AccessKeyID = newKeyOf(management)
	if _, err := h.revocation(management).CreateRevocation(h.admin(), revoke(lakegate.RevocationKindACCESSKEY, key.AccessKeyID)); err != nil {
		t.Fatal(err)
	}
	if h.revocations.Check(key) == nil {
		t.Error("the revoked key goes on")
	}
	if err := h.revocations.Check(&caller.Caller{Type: caller.User, Account: management, AccessKeyID: "AKIAUSER"}); err != nil {
		t.Errorf("a long-term key: %v", err)
	}
}

// newKeyOf is a temporary access key id of an account: its digits follow the prefix.
func newKeyOf(account string) string {
	var n uint64
	for _, d := range account {
		n = n*10 + uint64(d-'0')
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	var b strings.Builder
	b.WriteString("ASIA")
	for shift := 35; shift >= 0; shift -= 5 {
		b.WriteByte(digits[n>>shift&31])
	}
	return b.String() + "AAAAAAAA"
}

// TestWhoMayRevoke: an account what is its own, the management account everything, and nobody what is not named well.
func TestWhoMayRevoke(t *testing.T) {
	h := newHouse(t)
	later := h.now.Add(time.Second)
	for _, c := range []struct {
		name    string
		manager string
		in      *lakegate.CreateRevocationInput
		want    string
	}{
		{"its own role", foreign, revoke(lakegate.RevocationKindROLE, reader), ""},
		{"its own session", foreign, revoke(lakegate.RevocationKindSESSION, "arn:aws:sts::222222222222:assumed-role/reader/s"), ""},
		{"its own key", foreign, revoke(lakegate.RevocationKindACCESSKEY, newKeyOf(management)), ""},
		{"all of its own", foreign, revoke(lakegate.RevocationKindALL, ""), ""},
		{"another account's role", foreign, revoke(lakegate.RevocationKindROLE, "arn:aws:iam::333333333333:role/reader"), "AccessDeniedException"},
		{"another account's key", foreign, revoke(lakegate.RevocationKindACCESSKEY, newKeyOf(foreign)), "AccessDeniedException"},
		{"a person", foreign, revoke(lakegate.RevocationKindPERSON, personID), "AccessDeniedException"},
		{"an application", foreign, revoke(lakegate.RevocationKindAPPLICATION, mateo.ApplicationARN), "AccessDeniedException"},
		{"a person, by the management account", management, revoke(lakegate.RevocationKindPERSON, personID), ""},
		{"a long-term key", management, revoke(lakegate.RevocationKindACCESSKEY, "AKIAIOSFODNN7EXAMPLE"), "ValidationException"},
		{"a role by its name", management, revoke(lakegate.RevocationKindROLE, "reader"), "ValidationException"},
		{"a role as a session", management, revoke(lakegate.RevocationKindSESSION, reader), "ValidationException"},
		{"nobody", management, revoke(lakegate.RevocationKindPERSON, ""), "ValidationException"},
		{"all with a name", management, revoke(lakegate.RevocationKindALL, reader), "ValidationException"},
		{"what is yet to come", management, &lakegate.CreateRevocationInput{Kind: lakegate.RevocationKindALL, IssuedBefore: &later}, "ValidationException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := h.revocation(c.manager).CreateRevocation(h.admin(), c.in)
			wantCode(t, err, c.want)
		})
	}
	nobody := h.user("nobody", allow("s3:*"))
	for _, call := range map[string]func(context.Context) error{
		"create": func(ctx context.Context) error {
			_, err := h.revocation(management).CreateRevocation(ctx, revoke(lakegate.RevocationKindALL, ""))
			return err
		},
		"list": func(ctx context.Context) error {
			_, err := h.revocation(management).ListRevocations(ctx, &lakegate.ListRevocationsInput{})
			return err
		},
		"delete": func(ctx context.Context) error {
			_, err := h.revocation(management).DeleteRevocation(ctx, &lakegate.DeleteRevocationInput{RevocationId: "rev-0"})
			return err
		},
	} {
		wantCode(t, call(nobody), "AccessDenied")
	}
}

// TestAccountsRevokeApart: what an account revokes binds its own sessions, and no other account sees it or takes it back.
func TestAccountsRevokeApart(t *testing.T) {
	h := newHouse(t)
	other := &caller.Caller{
		Type: caller.AssumedRole, Account: foreign, ARN: "arn:aws:sts::333333333333:assumed-role/reader/s",
		Session: &caller.Session{RoleARN: "arn:aws:iam::333333333333:role/reader", Issued: h.now},
	}
	own := must(h.revocation(foreign).CreateRevocation(h.admin(), revoke(lakegate.RevocationKindALL, "")))
	if h.revocations.Check(sessionAt(h.now)) == nil || h.revocations.Check(other) != nil {
		t.Error("an account's revocation of all binds all of its own sessions and no other")
	}
	must(h.revocation(management).CreateRevocation(h.admin(), revoke(lakegate.RevocationKindALL, "")))
	if h.revocations.Check(other) == nil {
		t.Error("the management account's revocation of all does not bind another account")
	}
	seen := must(h.revocation(foreign).ListRevocations(h.admin(), &lakegate.ListRevocationsInput{})).Revocations
	if len(seen) != 1 || seen[0].RevocationId != own.RevocationId {
		t.Errorf("the account sees %+v", seen)
	}
	all := must(h.revocation(management).ListRevocations(h.admin(), &lakegate.ListRevocationsInput{MaxResults: ptr(1)}))
	if len(all.Revocations) != 1 || all.NextToken == nil {
		t.Fatalf("a page of one: %+v", all)
	}
	rest := must(h.revocation(management).ListRevocations(h.admin(), &lakegate.ListRevocationsInput{NextToken: all.NextToken}))
	if len(rest.Revocations) != 1 || rest.NextToken != nil || rest.Revocations[0].RevocationId == all.Revocations[0].RevocationId {
		t.Errorf("the second page: %+v", rest)
	}
	for _, r := range append(all.Revocations, rest.Revocations...) {
		if r.RevocationId == own.RevocationId {
			continue
		}
		_, err := h.revocation(foreign).DeleteRevocation(h.admin(), &lakegate.DeleteRevocationInput{RevocationId: r.RevocationId})
		wantCode(t, err, "ResourceNotFoundException")
	}
}

// TestContextsFallWithTheirPerson: an identity context that was made before a revocation opens no new session.
func TestContextsFallWithTheirPerson(t *testing.T) {
	h := newHouse(t)
	application := h.user("application", allow("sts:*"))
	bearer := h.role("bearer", trust("sts:AssumeRole", "sts:SetContext"))
	in := assume(bearer)
	with := func() *sts.AssumeRoleInput {
		assertion := must(h.ring.SealContext(mateo, h.now.Add(time.Hour)))
		in.ProvidedContexts = []sts.ProvidedContext{{ProviderArn: ptr(arn.ContextProvider), ContextAssertion: &assertion}}
		return in
	}
	old := *with()
	if _, err := h.revocation(management).CreateRevocation(h.admin(), revoke(lakegate.RevocationKindPERSON, mateo.UserID)); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(time.Minute)
	_, err := h.sts.AssumeRole(application, &old)
	wantCode(t, err, "AccessDenied")
	_, err = h.sts.AssumeRole(application, with())
	wantCode(t, err, "")
}

// TestOldRevocationsGo once nothing is left that they could end.
func TestOldRevocationsGo(t *testing.T) {
	h := newHouse(t)
	must(h.revocation(management).CreateRevocation(h.admin(), revoke(lakegate.RevocationKindALL, "")))
	for _, step := range []struct {
		after time.Duration
		left  int
	}{{90 * 24 * time.Hour, 1}, {2 * 24 * time.Hour, 0}} {
		h.now = h.now.Add(step.after)
		if err := h.revocations.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := len(must(h.revocation(management).ListRevocations(h.admin(), &lakegate.ListRevocationsInput{})).Revocations); left != step.left {
			t.Errorf("after %v: %d are left, want %d", step.after, left, step.left)
		}
	}
}

// TestRevokingASessionEndsWhatItAskedForElsewhere: the credentials of a grant are of the role of a location, which may be in
// another account. The account whose session asked for them ends them with it; an account that merely has a session of the
// same name does not.
func TestRevokingASessionEndsWhatItAskedForElsewhere(t *testing.T) {
	for name, in := range map[string]*lakegate.CreateRevocationInput{
		"the session":          revoke(lakegate.RevocationKindSESSION, "arn:aws:sts::222222222222:assumed-role/bearer/mateo"),
		"all of the account's": revoke(lakegate.RevocationKindALL, ""),
		"another session":      revoke(lakegate.RevocationKindSESSION, "arn:aws:sts::222222222222:assumed-role/bearer/other"),
		"its role":             revoke(lakegate.RevocationKindROLE, "arn:aws:iam::222222222222:role/apps/bearer"),
		"another role":         revoke(lakegate.RevocationKindROLE, "arn:aws:iam::222222222222:role/bearer/reader"),
	} {
		h := newHouse(t)
		vended := sessionAt(h.now)
		vended.Account, vended.ARN = "444444444444", "arn:aws:sts::444444444444:assumed-role/location/s"
		vended.Session.RoleARN = "arn:aws:iam::444444444444:role/location"
		must(h.revocation(foreign).CreateRevocation(h.admin(), in))
		if err := h.revocations.Check(vended); (err == nil) != strings.HasPrefix(name, "another") {
			t.Errorf("%s: %v", name, err)
		}
		vended.Session.Vended.RequesterARN = "arn:aws:sts::333333333333:assumed-role/bearer/mateo"
		if err := h.revocations.Check(vended); err != nil {
			t.Errorf("%s, asked for by another account: %v", name, err)
		}
		vended.Session.Vended.RequesterARN = "arn:aws:sts::222222222222:assumed-role/bearer/mateo"
		must(h.revocation(foreign).DeleteRevocation(h.admin(), &lakegate.DeleteRevocationInput{
			RevocationId: must(h.revocation(foreign).ListRevocations(h.admin(), &lakegate.ListRevocationsInput{})).Revocations[0].RevocationId,
		}))
		if err := h.revocations.Check(vended); err != nil {
			t.Errorf("%s, after it was taken back: %v", name, err)
		}
	}
}

// TestNoAccountUsesUpTheRevocations: whoever administers a member account cannot keep the management account from ending
// that account's sessions by filling the list.
func TestNoAccountUsesUpTheRevocations(t *testing.T) {
	h := newHouse(t)
	member, ctx := h.revocation(foreign), h.admin()
	var err error
	made := 0
	for ; err == nil && made <= 10_000; made++ {
		_, err = member.CreateRevocation(ctx, revoke(lakegate.RevocationKindALL, ""))
	}
	wantCode(t, err, "ServiceQuotaExceededException")
	if made > 1001 {
		t.Errorf("a member account has %d", made)
	}
	if _, err := h.revocation(management).CreateRevocation(ctx, revoke(lakegate.RevocationKindALL, "")); err != nil {
		t.Errorf("the management account: %v", err)
	}
	own := must(member.ListRevocations(ctx, &lakegate.ListRevocationsInput{})).Revocations
	must(member.DeleteRevocation(ctx, &lakegate.DeleteRevocationInput{RevocationId: own[0].RevocationId}))
	if _, err := member.CreateRevocation(ctx, revoke(lakegate.RevocationKindALL, "")); err != nil {
		t.Errorf("after one was taken back: %v", err)
	}
}
