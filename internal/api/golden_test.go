package api_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/identitystore"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/wire"
)

var update = flag.Bool("update", false, "write the answers into testdata instead of comparing them")

// TestExchanges holds whole answers against testdata/*.http, byte for byte. A file has requests with their answers:
//
//	### what this is about
//	POST /token?aws_iam=t            the request line, headers, an empty line, the body
//	…
//	--- answer
//	HTTP 200                         the status, headers by name, an empty line, the body
//
// `go test ./internal/api -update` writes the answers anew; what changed is then reviewed like code.
func TestExchanges(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	mux := implementations{
		identitystore: goldenStore{}, s3control: goldenControl{at}, ssoadmin: goldenAdmin{at}, ssooidc: goldenOIDC{}, sts: goldenSTS{at},
	}.mux()
	files, err := filepath.Glob(filepath.Join("testdata", "*.http"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no exchanges: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for exchange := range strings.SplitSeq(strings.TrimPrefix(string(text), "### "), "\n### ") {
				title, rest, _ := strings.Cut(exchange, "\n")
				request, _, _ := strings.Cut(rest, "\n--- answer")
				fmt.Fprintf(&got, "### %s\n%s\n--- answer\n%s\n\n", title, strings.TrimRight(request, "\n"), answer(t, mux, request))
			}
			want := got.String()
			if *update {
				if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), want); diff != "" {
				t.Errorf("(-testdata +got):\n%s", diff)
			}
		})
	}
}

// answer asks for one request and writes down all of the answer.
func answer(t *testing.T, mux *wire.Mux, request string) string {
	t.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	lines := bufio.NewScanner(strings.NewReader(head))
	lines.Scan()
	method, target, _ := strings.Cut(lines.Text(), " ")
	r := httptest.NewRequest(method, target, strings.NewReader(strings.TrimRight(body, "\n")))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	serve(mux, w, r)
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP %d\n", w.Code)
	for _, name := range slices.Sorted(maps.Keys(w.Header())) {
		fmt.Fprintf(&b, "%s: %s\n", name, w.Header().Get(name))
	}
	fmt.Fprintf(&b, "\n%s", w.Body)
	return strings.TrimRight(b.String(), "\n")
}

// The services behind the exchanges answer the same always.

type goldenStore struct{}

func (goldenStore) DescribeUser(_ context.Context, in *identitystore.DescribeUserInput) (*identitystore.DescribeUserOutput, error) {
	return nil, identitystore.ResourceNotFoundException("USER not found.").With("ResourceType", "USER").With("ResourceId", in.UserId)
}

type goldenControl struct{ at time.Time }

func (g goldenControl) GetDataAccess(_ context.Context, in *s3control.GetDataAccessInput) (*s3control.GetDataAccessOutput, error) {
	if !strings.HasPrefix(in.Target, "s3://red/") {
		return nil, wire.NewError("AccessDenied", http.StatusForbidden, fmt.Sprintf("You do not have %s permissions to the requested S3 Prefix: %s", in.Permission, in.Target))
	}
	return &s3control.GetDataAccessOutput{
		Credentials:        &s3control.Credentials{AccessKeyId: new("ASIA"), SecretAccessKey: new("a<b>&c"), SessionToken: new("t"), Expiration: &g.at},
		MatchedGrantTarget: new("s3://red/*"), Grantee: &s3control.Grantee{GranteeType: new(s3control.GranteeTypeDIRECTORYGROUP), GranteeIdentifier: new("group")},
	}, nil
}

func (goldenControl) ListAccessGrants(context.Context, *s3control.ListAccessGrantsInput) (*s3control.ListAccessGrantsOutput, error) {
	return &s3control.ListAccessGrantsOutput{AccessGrantsList: []s3control.ListAccessGrantEntry{{AccessGrantId: new("1")}, {AccessGrantId: new("2")}}}, nil
}

func (goldenControl) ListCallerAccessGrants(context.Context, *s3control.ListCallerAccessGrantsInput) (*s3control.ListCallerAccessGrantsOutput, error) {
	return &s3control.ListCallerAccessGrantsOutput{CallerAccessGrantsList: []s3control.ListCallerAccessGrantsEntry{}}, nil
}

func (goldenControl) DeleteAccessGrant(context.Context, *s3control.DeleteAccessGrantInput) (*s3control.DeleteAccessGrantOutput, error) {
	return &s3control.DeleteAccessGrantOutput{}, nil
}

func (goldenControl) TagResource(context.Context, *s3control.TagResourceInput) (*s3control.TagResourceOutput, error) {
	return &s3control.TagResourceOutput{}, nil
}

type goldenAdmin struct{ at time.Time }

func (g goldenAdmin) ListApplications(context.Context, *ssoadmin.ListApplicationsInput) (*ssoadmin.ListApplicationsOutput, error) {
	return &ssoadmin.ListApplicationsOutput{Applications: []ssoadmin.Application{{Name: new("Café <1>"), CreatedDate: &g.at}}}, nil
}

func (goldenAdmin) CreateApplication(_ context.Context, in *ssoadmin.CreateApplicationInput) (*ssoadmin.CreateApplicationOutput, error) {
	return nil, ssoadmin.ConflictException("The name " + in.Name + " is taken.")
}

func (goldenAdmin) PutApplicationGrant(context.Context, *ssoadmin.PutApplicationGrantInput) (*ssoadmin.PutApplicationGrantOutput, error) {
	return nil, errors.New("the disk is full")
}

type goldenOIDC struct{}

func (goldenOIDC) CreateTokenWithIAM(_ context.Context, in *ssooidc.CreateTokenWithIAMInput) (*ssooidc.CreateTokenWithIAMOutput, error) {
	if in.Assertion == nil {
		return nil, ssooidc.InvalidGrantException("The assertion is missing.")
	}
	return &ssooidc.CreateTokenWithIAMOutput{AccessToken: new("token"), TokenType: new("Bearer"), ExpiresIn: new(3600), Scope: []string{"openid"}}, nil
}

type goldenSTS struct{ at time.Time }

func (g goldenSTS) AssumeRole(_ context.Context, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	if in.ExternalId != nil {
		return nil, sts.PackedPolicyTooLargeException("The session's policies are too large.")
	}
	return &sts.AssumeRoleOutput{
		Credentials:     &sts.Credentials{AccessKeyId: "ASIA", SecretAccessKey: "s/+=", SessionToken: "t", Expiration: g.at},
		AssumedRoleUser: &sts.AssumedRoleUser{Arn: "arn:aws:sts::111111111111:assumed-role/App/" + in.RoleSessionName, AssumedRoleId: "AROA:" + in.RoleSessionName},
	}, nil
}
