package account

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
)

// readTags takes the tags of a request in, in order of their keys.
func readTags(in []iam.Tag) ([]Tag, error) {
	var out []Tag
	for _, t := range in {
		if isReserved(t.Key) {
			return nil, iam.InvalidInputException("Tag keys beginning with aws: or " + reservedTags + " are reserved for system use.")
		}
		if slices.ContainsFunc(out, func(o Tag) bool { return strings.EqualFold(o.Key, t.Key) }) {
			return nil, iam.InvalidInputException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		out = append(out, Tag(t))
	}
	return mergeTags(nil, out), nil
}

func writeTags(tags []Tag) []iam.Tag {
	out := make([]iam.Tag, len(tags))
	for i, t := range tags {
		out[i] = iam.Tag(t)
	}
	return out
}

// someTags is writeTags, but nil for none: the lists that leave out what is empty.
func someTags(tags []Tag) []iam.Tag {
	if len(tags) == 0 {
		return nil
	}
	return writeTags(tags)
}

// setRequestTags adds the condition keys of tags that a request brings, or of the keys that it removes.
func setRequestTags(v policy.Values, tags []iam.Tag, removed ...string) {
	for _, t := range tags {
		v.Set("aws:RequestTag/"+t.Key, t.Value)
		v.Add("aws:TagKeys", t.Key)
	}
	v.Add("aws:TagKeys", removed...)
}

// setResourceTags adds the condition keys of the tags that a thing has.
func setResourceTags(v policy.Values, tags []Tag) {
	for _, t := range tags {
		v.Set("aws:ResourceTag/"+t.Key, t.Value)
		v.Set("iam:ResourceTag/"+t.Key, t.Value)
	}
}

func checkTagCount(tags []Tag) error {
	if len(tags) > maxTags {
		return iam.LimitExceededException(fmt.Sprintf("The number of tags has reached the maximum limit of %d.", maxTags))
	}
	return nil
}

func (s *IAM) tag(ctx context.Context, operation string, kind Kind, name string, in []iam.Tag) error {
	v := policy.Values{}
	setRequestTags(v, in)
	e, err := s.find(ctx, operation, kind, name, v)
	if err != nil {
		return err
	}
	tags, err := readTags(in)
	if err != nil {
		return err
	}
	return s.change(ctx, e, func(tx *store.Tx, now *Entity) error {
		now.Tags = mergeTags(now.Tags, tags)
		if err := checkTagCount(now.Tags); err != nil {
			return err
		}
		return updateEntity(ctx, tx, now)
	})
}

func (s *IAM) untag(ctx context.Context, operation string, kind Kind, name string, keys []string) error {
	v := policy.Values{}
	setRequestTags(v, nil, keys...)
	e, err := s.find(ctx, operation, kind, name, v)
	if err != nil {
		return err
	}
	return s.change(ctx, e, func(tx *store.Tx, now *Entity) error {
		now.Tags = removeTags(now.Tags, keys)
		return updateEntity(ctx, tx, now)
	})
}

// pageOfTags cuts a page of tags. Their keys are too long for a marker.
func pageOfTags(tags []Tag, marker *string, asked *int) (shown []iam.Tag, truncated *bool, next *string, err error) {
	keys, places := numbered(tags)
	places, truncated, next, err = page(places, keys, marker, asked)
	shown = []iam.Tag{}
	for _, p := range places {
		shown = append(shown, iam.Tag(tags[p]))
	}
	return shown, truncated, next, err
}

// TagRole puts tags on a role.
func (s *IAM) TagRole(ctx context.Context, in *iam.TagRoleInput) (*iam.TagRoleOutput, error) {
	return &iam.TagRoleOutput{}, s.tag(ctx, "TagRole", RoleKind, in.RoleName, in.Tags)
}

// UntagRole removes tags from a role.
func (s *IAM) UntagRole(ctx context.Context, in *iam.UntagRoleInput) (*iam.UntagRoleOutput, error) {
	return &iam.UntagRoleOutput{}, s.untag(ctx, "UntagRole", RoleKind, in.RoleName, in.TagKeys)
}

// ListRoleTags lists the tags of a role.
func (s *IAM) ListRoleTags(ctx context.Context, in *iam.ListRoleTagsInput) (*iam.ListRoleTagsOutput, error) {
	e, err := s.find(ctx, "ListRoleTags", RoleKind, in.RoleName, nil)
	if err != nil {
		return nil, err
	}
	out := &iam.ListRoleTagsOutput{}
	out.Tags, out.IsTruncated, out.Marker, err = pageOfTags(e.Tags, in.Marker, in.MaxItems)
	return out, err
}

// TagUser puts tags on a user.
func (s *IAM) TagUser(ctx context.Context, in *iam.TagUserInput) (*iam.TagUserOutput, error) {
	return &iam.TagUserOutput{}, s.tag(ctx, "TagUser", UserKind, in.UserName, in.Tags)
}

// UntagUser removes tags from a user.
func (s *IAM) UntagUser(ctx context.Context, in *iam.UntagUserInput) (*iam.UntagUserOutput, error) {
	return &iam.UntagUserOutput{}, s.untag(ctx, "UntagUser", UserKind, in.UserName, in.TagKeys)
}

// ListUserTags lists the tags of a user.
func (s *IAM) ListUserTags(ctx context.Context, in *iam.ListUserTagsInput) (*iam.ListUserTagsOutput, error) {
	e, err := s.find(ctx, "ListUserTags", UserKind, in.UserName, nil)
	if err != nil {
		return nil, err
	}
	out := &iam.ListUserTagsOutput{}
	out.Tags, out.IsTruncated, out.Marker, err = pageOfTags(e.Tags, in.Marker, in.MaxItems)
	return out, err
}
