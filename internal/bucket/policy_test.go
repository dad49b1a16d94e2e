package bucket_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

const (
	reader   = "arn:aws:iam::222222222222:role/team/Reader"
	readerID = "AROAAAAAAAAAAAAAREAD1"
	otherID  = "AROAAAAAAAAAAAAAREAD2"
)

// document writes a policy of one statement on a bucket.
func document(n, principal, condition string) string {
	if condition != "" {
		condition = `, "Condition": ` + condition
	}
	return fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": %s, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::%s/*"%s}]}`, principal, n, condition)
}

func TestPolicy(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx, who := t.Context(), people{reader: readerID}
		r := open(t, db, objects, who)
		n := create(t, r, red)
		_, err := r.Policy(n)
		wantCode(t, "none", err, "NoSuchBucketPolicy")
		wantCode(t, "delete none", r.DeletePolicy(ctx, n), "")
		text := document(n, `{"AWS": "`+reader+`"}`, "")
		wantCode(t, "put", r.PutPolicy(ctx, n, []byte(text)), "")
		if got, err := r.Policy(n); err != nil || got != text {
			t.Errorf("policy = %s, %v, want it as it was put", got, err)
		}
		if public, err := r.PolicyIsPublic(n); err != nil || public {
			t.Errorf("public = %v, %v", public, err)
		}
		again, err := open(t, db, objects, who).Get(n)
		if err != nil || again.Policy.Text != text || again.Policy.Document == nil {
			t.Errorf("after opening again: %+v, %v", again, err)
		}
		wantCode(t, "delete", r.DeletePolicy(ctx, n), "")
		if b, _ := r.Get(n); b.ResourcePolicy() != nil {
			t.Error("a deleted policy is still asked")
		}
	})
}

// allows asks the bucket's policy alone about a session of a role in another account that may do everything there.
func allows(t *testing.T, b *bucket.Bucket, roleID string) bool {
	t.Helper()
	everything, err := policy.Parse([]byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`), policy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Evaluate(&policy.Request{
		Principal: policy.Principal{Type: policy.AssumedRole, Account: blue, ARN: "arn:aws:sts::222222222222:assumed-role/Reader/s", RoleARN: reader, UniqueID: roleID},
		Action:    "s3:GetObject", Resource: b.ARN() + "/k", ResourceAccount: b.Account,
	}, &policy.Policies{Identity: []policy.Named{{Name: "all", Document: everything}}, Resource: b.ResourcePolicy()}).Allowed
}

// TestRoleMadeAgainIsSomebodyElse: an attacker who may create roles in the other account takes over a deleted role's name.
func TestRoleMadeAgainIsSomebodyElse(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		who := people{reader: readerID}
		r := open(t, db, objects, who)
		n := create(t, r, red)
		if err := r.PutPolicy(t.Context(), n, []byte(document(n, `{"AWS": ["`+reader+`", "333333333333"]}`, ""))); err != nil {
			t.Fatal(err)
		}
		b, err := r.Get(n)
		if err != nil {
			t.Fatal(err)
		}
		if !allows(t, b, readerID) {
			t.Error("the role that was named gets nothing")
		}
		who[reader] = otherID
		for _, r := range []*bucket.Registry{r, open(t, db, objects, who)} {
			if b, err = r.Get(n); err != nil {
				t.Fatal(err)
			}
			if allows(t, b, otherID) {
				t.Error("a role that was made again under the name gets what the first one had")
			}
			if text, err := r.Policy(n); err != nil || strings.Contains(text, reader) || !strings.Contains(text, readerID) {
				t.Errorf("the policy shows %s, %v, want the id of who is gone", text, err)
			}
		}
	})
}

func TestPolicyRefusals(t *testing.T) {
	r := open(t, storetest.New(t), objects, people{reader: readerID})
	n, other := create(t, r, red), create(t, r, red)
	good := document(n, `{"AWS": "222222222222"}`, "")
	for name, text := range map[string]string{
		"empty": "", "no JSON": "{", "unknown element": strings.Replace(good, `"Effect"`, `"Efect": "x", "Effect"`, 1),
		"no principal": strings.Replace(good, `"Principal": {"AWS": "222222222222"}, `, "", 1), "another bucket": document(other, `{"AWS": "222222222222"}`, ""),
		"a longer name": document(n+"x", `{"AWS": "222222222222"}`, ""), "every bucket": strings.Replace(good, "arn:aws:s3:::"+n+"/*", "*", 1),
		"wildcard in the name": strings.Replace(good, "arn:aws:s3:::"+n+"/*", "arn:aws:s3:::"+n+"*", 1), "other service": strings.Replace(good, "s3:GetObject", "sqs:SendMessage", 1),
		"role that is not": document(n, `{"AWS": "arn:aws:iam::222222222222:role/Nobody"}`, ""), "user that is not": document(n, `{"AWS": "arn:aws:iam::222222222222:user/Nobody"}`, ""),
		"spares a role that is not": fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:iam::222222222222:root", "arn:aws:iam::222222222222:role/Nobody"]}, "Action": "s3:*", "Resource": "arn:aws:s3:::%s/*"}]}`, n),
		"too large":                 strings.Replace(good, `"Version"`, `"Id": "`+strings.Repeat("x", bucket.MaxPolicy)+`", "Version"`, 1),
	} {
		wantCode(t, name, r.PutPolicy(t.Context(), n, []byte(text)), "MalformedPolicy")
	}
	if b, _ := r.Get(n); b.Policy != nil {
		t.Error("a refused policy hangs on the bucket")
	}
	wantCode(t, "good", r.PutPolicy(t.Context(), n, []byte(good)), "")
}

func TestPublicPolicies(t *testing.T) {
	ctx := t.Context()
	r := open(t, storetest.New(t), objects, people{reader: readerID})
	n := create(t, r, red)
	tests := []struct {
		principal, condition string
		public               bool
	}{
		{`"*"`, ``, true},
		{`{"AWS": "*"}`, ``, true},
		{`{"AWS": ["` + reader + `", "*"]}`, ``, true},
		{`{"AWS": "222222222222"}`, ``, false},
		{`{"AWS": "` + reader + `"}`, ``, false},
		{`{"Service": "logging.s3.amazonaws.com"}`, ``, false},
		{`"*"`, `{"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}`, false},
		{`"*"`, `{"StringEquals": {"AWS:principalorgid": ["o-a1b2c3d4e5", "o-x"]}}`, false},
		{`"*"`, `{"StringLike": {"aws:PrincipalOrgID": "o-*"}}`, true},
		{`"*"`, `{"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}`, true},
		{`"*"`, `{"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-a/r-b/"}}`, true},
		{`"*"`, `{"ForAnyValue:StringEquals": {"aws:PrincipalOrgPaths": "o-a/r-b/"}}`, false},
		{`"*"`, `{"StringNotEquals": {"aws:PrincipalAccount": "222222222222"}}`, true},
		{`"*"`, `{"StringEquals": {"aws:PrincipalAccount": "${aws:PrincipalAccount}"}}`, true},
		{`"*"`, `{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:role/*"}}`, true},
		{`"*"`, `{"ArnEquals": {"aws:PrincipalArn": "` + reader + `"}}`, false},
		{`"*"`, `{"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}`, false},
		{`"*"`, `{"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "0.0.0.0/1"]}}`, true},
		{`"*"`, `{"IpAddress": {"aws:SourceIp": "::/0"}}`, true},
		{`"*"`, `{"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}`, false},
		{`"*"`, `{"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}`, true},
		{`"*"`, `{"StringEquals": {"aws:Referer": "x"}}`, true},
		{`"*"`, `{"Bool": {"aws:SecureTransport": "true"}}`, true},
	}
	block := bucket.PublicAccessBlock{BlockPublicPolicy: true}
	for _, tt := range tests {
		text := []byte(document(n, tt.principal, tt.condition))
		wantCode(t, "block", r.PutPublicAccessBlock(ctx, n, block), "")
		want := ""
		if tt.public {
			want = "AccessDenied"
		}
		wantCode(t, fmt.Sprintf("blocked %s %s", tt.principal, tt.condition), r.PutPolicy(ctx, n, text), want)
		wantCode(t, "unblock", r.DeletePublicAccessBlock(ctx, n), "")
		wantCode(t, fmt.Sprintf("%s %s", tt.principal, tt.condition), r.PutPolicy(ctx, n, text), "")
		if got, err := r.PolicyIsPublic(n); err != nil || got != tt.public {
			t.Errorf("%s %s: public = %v, %v, want %v", tt.principal, tt.condition, got, err, tt.public)
		}
	}
}

func TestPublicAccessBlock(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		r := open(t, db, objects, people{})
		n := create(t, r, red)
		wantCode(t, "a public policy on a new bucket", r.PutPolicy(ctx, n, []byte(document(n, `"*"`, ""))), "AccessDenied")
		wantCode(t, "delete", r.DeletePublicAccessBlock(ctx, n), "")
		_, err := r.PublicAccessBlock(n)
		wantCode(t, "none", err, "NoSuchPublicAccessBlockConfiguration")
		wantCode(t, "a public policy", r.PutPolicy(ctx, n, []byte(document(n, `"*"`, ""))), "")
		b, _ := r.Get(n)
		for _, account := range []string{red, blue, ""} {
			if b.Restricted(account) {
				t.Errorf("%q is kept out though nothing is restricted", account)
			}
		}
		want := bucket.PublicAccessBlock{RestrictPublicBuckets: true}
		wantCode(t, "restrict", r.PutPublicAccessBlock(ctx, n, want), "")
		if got, err := r.PublicAccessBlock(n); err != nil || got != want {
			t.Errorf("block = %+v, %v", got, err)
		}
		b, _ = r.Get(n)
		for account, kept := range map[string]bool{red: false, blue: true, "": true} {
			if b.Restricted(account) != kept {
				t.Errorf("%q is kept out: %v, want %v", account, b.Restricted(account), kept)
			}
		}
		wantCode(t, "a policy that is not public", r.PutPolicy(ctx, n, []byte(document(n, `{"AWS": "222222222222"}`, ""))), "")
		if b, _ = r.Get(n); b.Restricted(blue) {
			t.Error("an account that the owner chose is kept out")
		}
	})
}

// TestUnreadablePolicyDenies: what is in the database cannot be read, as after a change of the policy language.
func TestUnreadablePolicyDenies(t *testing.T) {
	db := storetest.New(t)
	n := create(t, open(t, db, objects, people{}), red)
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		return tx.MustExec(t.Context(), `UPDATE buckets SET policy = ? WHERE name = ?`, `{"Statement": [{"Effect": "Perhaps"}]}`, n)
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := open(t, db, objects, people{}).Get(n)
	if err != nil {
		t.Fatal(err)
	}
	if p := b.ResourcePolicy(); p == nil || p.Document != nil {
		t.Errorf("resource policy = %+v, want one without a document, which denies everything", p)
	}
	if allows(t, b, readerID) {
		t.Error("a policy that cannot be read let somebody in")
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(document("bucket", `"*"`, ""))
	f.Add(document("bucket", `{"AWS": ["`+reader+`"]}`, `{"StringEquals": {"aws:PrincipalOrgID": "o-1"}}`))
	f.Fuzz(func(t *testing.T, text string) { bucket.ReadPolicy(t, "bucket", text, people{reader: readerID}) })
}
