package trail

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/wire"
)

var update = flag.Bool("update", false, "write the golden records anew")

// vended is a session of the location's role that GetDataAccess handed out to Mateo.
func vended() *caller.Caller {
	c := session(dataAccount, "LocationRole", "access-grants-ade86c3c-0000-4000-8000-000000000001")
	c.OnBehalf = mateo()
	c.Session.Vended = &caller.Vended{
		GrantAccount: dataAccount, GrantID: "5c1f0b6e-0000-4000-8000-000000000001", GranteeType: "DIRECTORY_GROUP", Grantee: "group",
		Permission: "READ", Target: "s3://data/red/*", AuditContext: "chart of October", RequesterARN: "arn:aws:sts::" + dataAccount + ":assumed-role/AppRole/mateo",
	}
	return c
}

func enhanced() *caller.Caller {
	c := session(dataAccount, "AppRole", "mateo")
	c.OnBehalf, c.Session.SourceIdentity = mateo(), "my-application"
	return c
}

// TestGoldenRecords holds the shape of the records of the chain, from the token to the object, to what CloudTrail writes.
func TestGoldenRecords(t *testing.T) {
	instance := "arn:aws:s3:us-east-1:" + dataAccount + ":access-grants/default"
	application := mateo().ApplicationARN
	object := func(e *Entry) {
		e.Resource("AWS::S3::Object", "arn:aws:s3:::data/red/sales.csv", "")
		e.Resource("AWS::S3::Bucket", "arn:aws:s3:::data", dataAccount)
		e.Parameters(map[string]any{"bucketName": "data", "Host": "lakegate.internal", "key": "red/sales.csv"})
	}
	tests := []struct {
		name    string
		caller  *caller.Caller
		op      Operation
		tell    func(e *Entry)
		failure error
	}{
		{"create-token-with-iam", session(dataAccount, "AppRole", "app"), Operation{Source: "sso-oauth.amazonaws.com", Name: "CreateTokenWithIAM"}, func(e *Entry) {
			e.Parameters(map[string]any{"clientId": application, "grantType": "urn:ietf:params:oauth:grant-type:jwt-bearer", "scope": []any{"s3:access_grants:read_write"}, "assertion": "never"})
			e.Response(map[string]any{"accessToken": "never", "idToken": "never", "expiresIn": int64(3600), "tokenType": "Bearer", "issuedTokenType": "urn:ietf:params:oauth:token-type:access_token"})
			e.Add(KeyPersonID, mateo().UserID)
			e.Add(KeyPersonName, "mateo@example.com")
			e.Add(KeyIdentityStore, mateo().IdentityStoreARN)
			e.Add(KeyCredentialID, mateo().CredentialID)
			e.Add(KeyApplication, application)
			e.Resource("AWS::SSO::Application", application, centerAccount)
		}, nil},
		{"assume-role", session(dataAccount, "AppRole", "app"), Operation{Source: "sts.amazonaws.com", Name: "AssumeRole", ReadOnly: true}, func(e *Entry) {
			e.Parameters(map[string]any{
				"roleArn": "arn:aws:iam::" + dataAccount + ":role/AppRole", "roleSessionName": "mateo", "durationSeconds": int64(3600),
				"providedContexts": []any{map[string]any{"providerArn": "arn:aws:iam::aws:contextProvider/IdentityCenter", "contextAssertion": "never"}},
			})
			e.Response(map[string]any{
				"credentials":     map[string]any{"accessKeyId": "ASIAEXAMPLEAppRole", "secretAccessKey": "never", "sessionToken": "never", "expiration": "2026-11-02T11:00:05Z"},
				"assumedRoleUser": map[string]any{"arn": "arn:aws:sts::" + dataAccount + ":assumed-role/AppRole/mateo", "assumedRoleId": "AROAEXAMPLEAppRole:mateo"},
			})
			e.Add(KeyVendedKey, "ASIAEXAMPLEAppRole")
			e.Add(KeyPersonID, mateo().UserID)
			e.Resource("AWS::IAM::Role", "arn:aws:iam::"+dataAccount+":role/AppRole", dataAccount)
		}, nil},
		{"get-data-access", enhanced(), Operation{Source: "s3.amazonaws.com", Name: "GetDataAccess", ReadOnly: true}, func(e *Entry) {
			e.Parameters(map[string]any{"Host": dataAccount + ".lakegate.internal", "target": "s3://data/red/*", "permission": "READ", "durationSeconds": int64(900)})
			e.Response(map[string]any{"credentials": "never"})
			e.Add(KeyGrantID, "5c1f0b6e-0000-4000-8000-000000000001")
			e.Add(KeyMatchedScope, "s3://data/red/*")
			e.Add(KeyVendedKey, "ASIAEXAMPLELocationRole")
			e.Add(KeyRevision, int64(42))
			e.Resource("AWS:S3::AccessGrantsInstance", instance, dataAccount)
		}, nil},
		{"get-data-access-refused", enhanced(), Operation{Source: "s3.amazonaws.com", Name: "GetDataAccess", ReadOnly: true}, func(e *Entry) {
			e.Parameters(map[string]any{"target": "s3://data/blue/*", "permission": "READ"})
			e.Step("authorize s3:GetDataAccess", Pass, "identity policy AppPolicy allows")
			e.Step("grant", Fail, "no grant of mateo@example.com or of one of 2 groups covers s3://data/blue/* for READ")
			e.Resource("AWS:S3::AccessGrantsInstance", instance, dataAccount)
		}, &wire.Error{Kind: wire.KindAccessDenied, Code: "AccessDenied", Status: 403, Message: "You do not have READ permission to the requested S3 Prefix: s3://data/blue/*"}},
		{"get-object", vended(), getOp, func(e *Entry) {
			object(e)
			e.Add(KeyPersonName, "mateo@example.com")
			e.Add(KeyBytesOut, int64(1234))
		}, nil},
		{"put-object", vended(), Operation{Source: "s3.amazonaws.com", Name: "PutObject", Data: true}, func(e *Entry) {
			object(e)
			e.Add(KeyBytesIn, int64(42))
		}, nil},
		{"create-access-grant", user(dataAccount, "administrator"), Operation{Source: "s3.amazonaws.com", Name: "CreateAccessGrant"}, func(e *Entry) {
			e.Parameters(map[string]any{"accountId": dataAccount, "permission": "READ", "grantee": map[string]any{"granteeType": "DIRECTORY_GROUP", "granteeIdentifier": "group"}})
			e.Response(map[string]any{"accessGrantId": "5c1f0b6e-0000-4000-8000-000000000001", "grantScope": "s3://data/red/*"})
			e.Resource("AWS:S3::AccessGrantsInstance", instance, dataAccount)
		}, nil},
		{"cross-account", session(centerAccount, "Reader", "anna"), getOp, object, nil},
		{"portal", &caller.Caller{Type: caller.Person, Account: centerAccount, OnBehalf: mateo(), Auth: "Bearer"}, Operation{Source: portalSource, Name: "GetRoleCredentials", ReadOnly: true}, func(e *Entry) {
			e.Parameters(map[string]any{"accountId": dataAccount, "roleName": "Reader", "accessToken": "never"})
		}, nil},
		{"anonymous", &caller.Caller{Type: caller.Anonymous}, getOp, object, wire.NewError("AccessDenied", 403, "Access Denied")},
		{"unauthenticated", nil, Operation{Source: "sts.amazonaws.com", Name: "GetCallerIdentity", ReadOnly: true}, func(e *Entry) {
			e.Step("signature", Fail, "the signature does not match")
		}, wire.NewError("SignatureDoesNotMatch", 403, "The request signature we calculated does not match the signature you provided.")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := openHouse(t, "sqlite", Config{})
			ctx, e := h.request(test.caller, test.op)
			r := *caller.RequestFrom(ctx)
			r.ID, r.Secure = "7b4e1a52-0000-4000-8000-000000000001", test.name == "get-object"
			ctx = caller.WithRequest(ctx, &r)
			test.tell(e)
			h.finish(t, ctx, e, test.failure)
			var got []byte
			for _, line := range h.lines(t) {
				var indented bytes.Buffer
				if err := json.Indent(&indented, []byte(line), "", "  "); err != nil {
					t.Fatal(err)
				}
				got = append(append(got, indented.Bytes()...), '\n')
			}
			path := filepath.Join("testdata", "records", test.name+".json")
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("record differs (-want +got):\n%s", diff)
			}
			if bytes.Contains(got, []byte("never")) {
				t.Error("a secret is in the record")
			}
		})
	}
}
