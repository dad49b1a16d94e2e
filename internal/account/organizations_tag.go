package account

import (
	"context"
	"fmt"

	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/policy"
)

// taggable finds what tags are asked for. Accounts alone have tags here.
func (s *Organizations) taggable(ctx context.Context, operation, id string, least standing, v policy.Values) (*Account, error) {
	resource := s.accountResource(id)
	if o, ok := s.Registry.Organization(); ok && id == o.Root {
		resource = o.RootARN()
	}
	if _, err := s.enter(ctx, operation, resource, least, v); err != nil {
		return nil, err
	}
	a, ok := s.Registry.Account(id)
	switch {
	case ok:
		return a, nil
	case arn.IsAccountID(id):
		return nil, organizations.TargetNotFoundException("You specified a target that doesn't exist.")
	}
	return nil, invalidInput("TARGET_NOT_SUPPORTED", "You can't perform the specified operation on that target.")
}

// TagResource puts tags on an account.
func (s *Organizations) TagResource(ctx context.Context, in *organizations.TagResourceInput) (*organizations.TagResourceOutput, error) {
	v := policy.Values{}
	for _, t := range in.Tags {
		v.Set("aws:RequestTag/"+t.Key, t.Value)
		v.Add("aws:TagKeys", t.Key)
	}
	a, err := s.taggable(ctx, "TagResource", in.ResourceId, asManagement, v)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		if isReserved(t.Key) {
			return nil, reservedTag(t.Key)
		}
	}
	_, tags, err := readAccountTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return &organizations.TagResourceOutput{}, s.changeAccount(ctx, a.ID, func(now *Account) error {
		now.Tags = mergeTags(now.Tags, tags)
		if len(now.Tags) > maxTags {
			return constraint("MAX_TAG_LIMIT_EXCEEDED", fmt.Sprintf("You have exceeded the number of tags allowed: %d.", maxTags))
		}
		return nil
	})
}

// UntagResource removes tags from an account. Reserved ones stay as they were set at creation.
func (s *Organizations) UntagResource(ctx context.Context, in *organizations.UntagResourceInput) (*organizations.UntagResourceOutput, error) {
	v := policy.Values{}
	v.Add("aws:TagKeys", in.TagKeys...)
	a, err := s.taggable(ctx, "UntagResource", in.ResourceId, asManagement, v)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		if isReserved(k) {
			return nil, reservedTag(k)
		}
	}
	return &organizations.UntagResourceOutput{}, s.changeAccount(ctx, a.ID, func(now *Account) error {
		now.Tags = removeTags(now.Tags, in.TagKeys)
		return nil
	})
}

// ListTagsForResource lists the tags of an account.
func (s *Organizations) ListTagsForResource(ctx context.Context, in *organizations.ListTagsForResourceInput) (*organizations.ListTagsForResourceOutput, error) {
	a, err := s.taggable(ctx, "ListTagsForResource", in.ResourceId, asReader, nil)
	if err != nil {
		return nil, err
	}
	at, places := numbered(a.Tags)
	places, next, err := list(places, at, in.NextToken, nil)
	out := &organizations.ListTagsForResourceOutput{Tags: []organizations.Tag{}, NextToken: next}
	for _, p := range places {
		out.Tags = append(out.Tags, organizations.Tag(a.Tags[p]))
	}
	return out, err
}
