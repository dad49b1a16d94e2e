package e2e

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// TestGrantToAGroupOfGroups: a grant to a group reaches the people of the groups in it, until the group in the middle leaves.
func TestGrantToAGroupOfGroups(t *testing.T) {
	s := newStory(t)
	ctx := t.Context()
	var page struct {
		Resources []struct{ ID, DisplayName string }
	}
	if err := json.Unmarshal(s.scim("GET", "/Groups", nil), &page); err != nil {
		t.Fatal(err)
	}
	red := ""
	for _, g := range page.Resources {
		if g.DisplayName == "Red Project Group" {
			red = g.ID
		}
	}
	var all struct{ ID string }
	if err := json.Unmarshal(s.scim("POST", "/Groups", map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": "Whole Company",
		"members": []any{map[string]any{"value": red, "type": "Group"}},
	}), &all); err != nil {
		t.Fatal(err)
	}
	s.grantTo(types.GranteeTypeDirectoryGroup, all.ID, "blue/*", types.PermissionRead)
	person := s.person(mateo)
	vended, _, err := vend(ctx, person, "s3://"+storyLake+"/blue/*", types.PermissionRead)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]error{"with credentials": list(ctx, storage(vended), "blue/"), "directly": list(ctx, storage(person), "blue/")} {
		if c != nil {
			t.Errorf("%s: %v", name, c)
		}
	}
	s.scim("PATCH", "/Groups/"+all.ID, map[string]any{
		"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{map[string]any{"op": "remove", "path": `members[value eq "` + red + `"]`}},
	})
	for name, c := range map[string]error{"with credentials": list(ctx, storage(vended), "blue/"), "directly": list(ctx, storage(person), "blue/")} {
		if got := codeOf(c); got != "AccessDenied" {
			t.Errorf("%s, after the group in the middle left: %q", name, got)
		}
	}
	if err := list(ctx, storage(person), "red/"); err != nil {
		t.Errorf("the grant to the group itself: %v", err)
	}
}
