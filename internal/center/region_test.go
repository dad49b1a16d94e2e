package center_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/center/centertest"
)

// There is the server's Region and no other, whatever is asked.
func TestRegions(t *testing.T) {
	h := centertest.New(t)
	s, instance := h.Service, h.Instance.ARN
	const elsewhere = "eu-central-1"
	calls := map[string]func(ctx context.Context, region string) error{
		"add": func(ctx context.Context, region string) error {
			_, err := s.AddRegion(ctx, &ssoadmin.AddRegionInput{InstanceArn: instance, RegionName: region})
			return err
		},
		"describe": func(ctx context.Context, region string) error {
			_, err := s.DescribeRegion(ctx, &ssoadmin.DescribeRegionInput{InstanceArn: instance, RegionName: region})
			return err
		},
		"list": func(ctx context.Context, _ string) error {
			_, err := s.ListRegions(ctx, &ssoadmin.ListRegionsInput{InstanceArn: instance})
			return err
		},
		"remove": func(ctx context.Context, region string) error {
			_, err := s.RemoveRegion(ctx, &ssoadmin.RemoveRegionInput{InstanceArn: instance, RegionName: region})
			return err
		},
	}
	for _, c := range []struct{ call, account, region, want string }{
		{"add", management, elsewhere, "ValidationException"},
		{"add", management, centertest.Region, "ConflictException"},
		{"add", member, elsewhere, "AccessDeniedException"},
		{"describe", management, centertest.Region, ""},
		{"describe", member, centertest.Region, ""},
		{"describe", management, elsewhere, "ResourceNotFoundException"},
		{"describe", outsider, centertest.Region, "AccessDeniedException"},
		{"list", member, "", ""},
		{"list", outsider, "", "AccessDeniedException"},
		{"remove", management, centertest.Region, "ValidationException"},
		{"remove", management, elsewhere, "ResourceNotFoundException"},
		{"remove", member, centertest.Region, "AccessDeniedException"},
	} {
		if got := code(calls[c.call](h.As(t.Context(), c.account, "Admin"), c.region)); got != c.want {
			t.Errorf("%s %s by %s: %q, want %q", c.call, c.region, c.account, got, c.want)
		}
	}
	list := must[*ssoadmin.ListRegionsOutput](t)(s.ListRegions(h.As(t.Context(), member, "Admin"), &ssoadmin.ListRegionsInput{InstanceArn: instance}))
	want := &ssoadmin.ListRegionsOutput{Regions: []ssoadmin.RegionMetadata{{
		RegionName: new(centertest.Region), Status: new(ssoadmin.RegionStatusACTIVE), AddedDate: &h.Instance.Created, IsPrimaryRegion: new(true),
	}}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
