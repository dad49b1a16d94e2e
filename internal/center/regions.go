package center

import (
	"context"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
)

// A server has one Region, and an instance is there from its creation. AWS's additional Regions are copies of an instance
// that AWS runs elsewhere; nothing here would run them, so that none can be added.

// AddRegion refuses every Region: the primary one is there, another cannot be.
func (s *Service) AddRegion(ctx context.Context, in *ssoadmin.AddRegionInput) (*ssoadmin.AddRegionOutput, error) {
	if _, err := s.instance(ctx, "AddRegion", in.InstanceArn, delegate); err != nil {
		return nil, err
	}
	if in.RegionName == s.Center.region {
		return nil, ssoadmin.ConflictException("The Region " + in.RegionName + " is enabled for the instance already.")
	}
	return nil, ssoadmin.ValidationException("Additional Regions are not supported. This server has one Region, " + s.Center.region + ".")
}

// DescribeRegion describes the primary Region, the only one.
func (s *Service) DescribeRegion(ctx context.Context, in *ssoadmin.DescribeRegionInput) (*ssoadmin.DescribeRegionOutput, error) {
	i, err := s.instance(ctx, "DescribeRegion", in.InstanceArn, member)
	if err != nil {
		return nil, err
	}
	if in.RegionName != s.Center.region {
		return nil, noRegion(in.RegionName)
	}
	return new(ssoadmin.DescribeRegionOutput(s.primaryRegion(i))), nil
}

// ListRegions lists the primary Region.
func (s *Service) ListRegions(ctx context.Context, in *ssoadmin.ListRegionsInput) (*ssoadmin.ListRegionsOutput, error) {
	i, err := s.instance(ctx, "ListRegions", in.InstanceArn, member)
	if err != nil {
		return nil, err
	}
	all := []ssoadmin.RegionMetadata{s.primaryRegion(i)}
	shown, next, err := page("regions "+i.ARN, all, func(r ssoadmin.RegionMetadata) string { return *r.RegionName }, in.MaxResults, maxPage, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &ssoadmin.ListRegionsOutput{Regions: shown, NextToken: next}, nil
}

// RemoveRegion refuses: the primary Region goes with the instance alone, and there is no other.
func (s *Service) RemoveRegion(ctx context.Context, in *ssoadmin.RemoveRegionInput) (*ssoadmin.RemoveRegionOutput, error) {
	if _, err := s.instance(ctx, "RemoveRegion", in.InstanceArn, delegate); err != nil {
		return nil, err
	}
	if in.RegionName != s.Center.region {
		return nil, noRegion(in.RegionName)
	}
	return nil, ssoadmin.ValidationException("The primary Region of an instance cannot be removed.")
}

func noRegion(name string) error {
	return ssoadmin.ResourceNotFoundException("Could not find Region " + name + " for the instance")
}

func (s *Service) primaryRegion(i *Instance) ssoadmin.RegionMetadata {
	return ssoadmin.RegionMetadata{
		RegionName: &s.Center.region, Status: new(ssoadmin.RegionStatusACTIVE), AddedDate: &i.Created, IsPrimaryRegion: new(true),
	}
}
