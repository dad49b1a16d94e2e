package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

// PutEventSelectors says which events a trail wants, in place of what it wanted before.
func (s *Service) PutEventSelectors(ctx context.Context, in *cloudtrail.PutEventSelectorsInput) (*cloudtrail.PutEventSelectorsOutput, error) {
	t, err := s.find(ctx, "PutEventSelectors", in.TrailName)
	if err != nil {
		return nil, err
	}
	var selection Selection
	switch {
	case len(in.EventSelectors) > 0 && len(in.AdvancedEventSelectors) > 0:
		return nil, badSelectors("A trail has event selectors or advanced event selectors, not both.")
	case len(in.EventSelectors) > 0:
		basic, wrong := checkBasic(in.EventSelectors)
		if wrong != nil {
			return nil, wrong
		}
		selection.Basic = basic
	case len(in.AdvancedEventSelectors) > 0:
		if wrong := checkAdvanced(in.AdvancedEventSelectors); wrong != nil {
			return nil, wrong
		}
		selection.Advanced = in.AdvancedEventSelectors
	default:
		return nil, badSelectors("Specify event selectors or advanced event selectors.")
	}
	if err := s.change(ctx, t, func(fresh *Trail) error { fresh.Selection = selection; return nil }); err != nil {
		return nil, err
	}
	return &cloudtrail.PutEventSelectorsOutput{TrailARN: new(t.ARN(s.Region)), EventSelectors: selection.Basic, AdvancedEventSelectors: selection.Advanced}, nil
}

// GetEventSelectors tells which events a trail wants.
func (s *Service) GetEventSelectors(ctx context.Context, in *cloudtrail.GetEventSelectorsInput) (*cloudtrail.GetEventSelectorsOutput, error) {
	t, err := s.find(ctx, "GetEventSelectors", in.TrailName)
	if err != nil {
		return nil, err
	}
	out := &cloudtrail.GetEventSelectorsOutput{TrailARN: new(t.ARN(s.Region)), EventSelectors: t.Selection.Basic, AdvancedEventSelectors: t.Selection.Advanced}
	if len(out.EventSelectors)+len(out.AdvancedEventSelectors) == 0 {
		out.EventSelectors = []cloudtrail.EventSelector{{
			ReadWriteType: new(cloudtrail.ReadWriteTypeAll), IncludeManagementEvents: new(true), DataResources: []cloudtrail.DataResource{}, ExcludeManagementEventSources: []string{},
		}}
	}
	return out, nil
}

// maxTags is how many tags a trail has at most.
const maxTags = 50

// checkTags holds tags that are given, and all that a trail then has, against CloudTrail's rules.
func checkTags(given []cloudtrail.Tag, all map[string]string) *wire.Error {
	seen := map[string]bool{}
	for _, tag := range given {
		if seen[tag.Key] {
			return cloudtrail.InvalidTagParameterException(fmt.Sprintf("Tag key %.128q is there more than once.", tag.Key))
		}
		seen[tag.Key] = true
		if strings.HasPrefix(strings.ToLower(tag.Key), "aws:") {
			return cloudtrail.InvalidTagParameterException("Tag keys must not begin with aws:.")
		}
	}
	if len(all) > maxTags {
		return cloudtrail.TagsLimitExceededException(fmt.Sprintf("A trail has at most %d tags.", maxTags))
	}
	return nil
}

// AddTags sets tags of a trail, which is named by its ARN.
func (s *Service) AddTags(ctx context.Context, in *cloudtrail.AddTagsInput) (*cloudtrail.AddTagsOutput, error) {
	t, err := s.findARN(ctx, "AddTags", in.ResourceId)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, t, func(fresh *Trail) error {
		for _, tag := range in.TagsList {
			fresh.Tags[tag.Key] = text(tag.Value)
		}
		if wrong := checkTags(in.TagsList, fresh.Tags); wrong != nil {
			return wrong
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &cloudtrail.AddTagsOutput{}, nil
}

// RemoveTags takes tags away: those whose key and, where one is given, value are the same.
func (s *Service) RemoveTags(ctx context.Context, in *cloudtrail.RemoveTagsInput) (*cloudtrail.RemoveTagsOutput, error) {
	t, err := s.findARN(ctx, "RemoveTags", in.ResourceId)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, t, func(fresh *Trail) error {
		for _, tag := range in.TagsList {
			if tag.Value == nil || *tag.Value == fresh.Tags[tag.Key] {
				delete(fresh.Tags, tag.Key)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &cloudtrail.RemoveTagsOutput{}, nil
}

// maxTagged is how many trails ListTags answers for at once.
const maxTagged = 20

// ListTags tells the tags of trails, which are named by their ARNs.
func (s *Service) ListTags(ctx context.Context, in *cloudtrail.ListTagsInput) (*cloudtrail.ListTagsOutput, error) {
	if len(in.ResourceIdList) == 0 || len(in.ResourceIdList) > maxTagged || in.NextToken != nil {
		if err := s.authorize(ctx, "ListTags", "*"); err != nil {
			return nil, err
		}
		if in.NextToken != nil {
			return nil, cloudtrail.InvalidTokenException("The next token is not valid.")
		}
		return nil, wire.Invalid(fmt.Sprintf("ResourceIdList has 1 to %d ARNs.", maxTagged))
	}
	out := &cloudtrail.ListTagsOutput{ResourceTagList: []cloudtrail.ResourceTag{}}
	for _, id := range in.ResourceIdList {
		t, err := s.findARN(ctx, "ListTags", id)
		if err != nil {
			return nil, err
		}
		tags := []cloudtrail.Tag{}
		for k, v := range t.Tags {
			tags = append(tags, cloudtrail.Tag{Key: k, Value: &v})
		}
		slices.SortFunc(tags, func(a, b cloudtrail.Tag) int { return strings.Compare(a.Key, b.Key) })
		out.ResourceTagList = append(out.ResourceTagList, cloudtrail.ResourceTag{ResourceId: new(t.ARN(s.Region)), TagsList: tags})
	}
	return out, nil
}

// findARN is find for operations that take no name.
func (s *Service) findARN(ctx context.Context, action, id string) (*Trail, error) {
	if !strings.HasPrefix(id, "arn:") {
		if err := s.authorize(ctx, action, "*"); err != nil {
			return nil, err
		}
		return nil, cloudtrail.CloudTrailARNInvalidException(fmt.Sprintf("%.300q is not the ARN of a trail.", id))
	}
	t, err := s.find(ctx, action, id)
	if e, ok := err.(*wire.Error); ok && e.Code == "TrailNotFoundException" { //nolint:errorlint // find returns it as it is
		return nil, cloudtrail.ResourceNotFoundException(e.Message)
	}
	return t, err
}

// ListPublicKeys gives the keys by which digests of a time are verified; without a time, those of today.
func (s *Service) ListPublicKeys(ctx context.Context, in *cloudtrail.ListPublicKeysInput) (*cloudtrail.ListPublicKeysOutput, error) {
	if err := s.authorize(ctx, "ListPublicKeys", "*"); err != nil {
		return nil, err
	}
	if in.NextToken != nil {
		return nil, cloudtrail.InvalidTokenException("The next token is not valid.")
	}
	to := s.DB.Now()
	from := to
	if in.EndTime != nil {
		to = *in.EndTime
		from = to
	}
	if in.StartTime != nil {
		from = *in.StartTime
	}
	if from.After(to) {
		return nil, cloudtrail.InvalidTimeRangeException("The start time is after the end time.")
	}
	var keys []*key
	err := s.DB.View(ctx, func(q store.Querier) (err error) { keys, err = keysBetween(ctx, q, from, to); return err })
	if err != nil {
		return nil, fmt.Errorf("list keys of digests of %s: %w", caller.From(ctx).Account, err)
	}
	out := &cloudtrail.ListPublicKeysOutput{PublicKeyList: []cloudtrail.PublicKey{}}
	for _, k := range keys {
		begins, ends := k.begins.Truncate(time.Second), k.ends.Truncate(time.Second)
		out.PublicKeyList = append(out.PublicKeyList, cloudtrail.PublicKey{Value: k.public, Fingerprint: &k.fingerprint, ValidityStartTime: &begins, ValidityEndTime: &ends})
	}
	return out, nil
}
