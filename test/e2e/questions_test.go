package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// The questions of a data owner to the demonstration: Mateo reads red and Ana blue, and each answer of one command agrees
// with those of the others.
func TestQuestions(t *testing.T) {
	s := newStory(t)
	ask := func(args ...string) string {
		t.Helper()
		return s.lakegate(append(args, "--dir", s.dir, "--account", dataAccount)...)
	}
	people := func(text string) string {
		var lines []string
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "PERSON") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "")
	}
	red, blue := people(ask("who-can", storyRed, "--permission", "READ")), people(ask("who-can", storyBlue, "--permission", "READ"))
	if !strings.Contains(red, mateo) || strings.Contains(red, ana) || !strings.Contains(blue, ana) || strings.Contains(blue, mateo) {
		t.Errorf("red:\n%s\nblue:\n%s", red, blue)
	}
	if out := ask("who-can", storyRed, "--format", "csv"); !strings.HasPrefix(out, "TYPE,PRINCIPAL,NAME,") || !strings.Contains(out, "IAM,arn:aws:iam::"+dataAccount+":role/AccessGrantsLocationRole,,READWRITE,,,policies") {
		t.Errorf("as CSV:\n%s", out)
	}
	if out := ask("what-can", mateo); !strings.Contains(out, storyRed) || strings.Contains(out, storyBlue) {
		t.Errorf("what Mateo can:\n%s", out)
	}
	if out := ask("why", storyRed, "READ", "--as", mateo, "--app", "SalesDashboard"); !strings.Contains(out, storyRed+": yes") {
		t.Errorf("why Mateo:\n%s", out)
	}
	if out := ask("why", storyRed, "READ", "--as", ana, "--app", "SalesDashboard"); !strings.Contains(out, storyRed+": no") || !strings.Contains(out, "missing: ") {
		t.Errorf("why not Ana:\n%s", out)
	}
	var id string
	for line := range strings.Lines(blue) {
		if strings.Contains(line, ana) {
			id = strings.Fields(line)[1]
		}
	}
	foretold := ask("diff", "create", "--grantee", ana, "--scope", storyRed, "--permission", "READ")
	if !strings.Contains(foretold, "GAINS") || !strings.Contains(foretold, ana) {
		t.Errorf("if Ana were given red:\n%s", foretold)
	}
	control := s3control.NewFromConfig(s.data)
	out, err := control.CreateAccessGrant(t.Context(), &s3control.CreateAccessGrantInput{
		AccountId: new(dataAccount), AccessGrantsLocationId: new(s.location()), Permission: types.PermissionRead,
		AccessGrantsLocationConfiguration: &types.AccessGrantsLocationConfiguration{S3SubPrefix: new("red/*")},
		Grantee:                           &types.Grantee{GranteeType: types.GranteeTypeDirectoryUser, GranteeIdentifier: &id},
	})
	if err != nil {
		t.Fatal(err)
	}
	if now := people(ask("who-can", storyRed, "--permission", "READ")); !strings.Contains(now, ana) || !strings.Contains(now, *out.AccessGrantId) {
		t.Errorf("after the grant:\n%s", now)
	}
	if lost := ask("diff", "delete", *out.AccessGrantId); !strings.Contains(lost, "LOSES") || !strings.Contains(lost, ana) {
		t.Errorf("if it were taken back:\n%s", lost)
	}
	if found := ask("lint"); !strings.Contains(found, "WIDE") {
		t.Errorf("lint:\n%s", found)
	}
	// The management account is told whose bucket it is.
	if said, err := exec.Command(binary, "who-can", storyRed, "--dir", s.dir, "--account", centerAccount).CombinedOutput(); err != nil || !strings.Contains(string(said), mateo) {
		t.Errorf("the management account: %v\n%s", err, said)
	}
}

// location is the one that the demonstration registers.
func (s *story) location() string {
	s.t.Helper()
	out, err := s3control.NewFromConfig(s.data).ListAccessGrantsLocations(s.t.Context(), &s3control.ListAccessGrantsLocationsInput{AccountId: new(dataAccount)})
	if err != nil || len(out.AccessGrantsLocationsList) == 0 {
		s.t.Fatalf("locations: %v, %v", out, err)
	}
	return *out.AccessGrantsLocationsList[0].AccessGrantsLocationId
}
