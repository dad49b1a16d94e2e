package center

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/store"
)

// maxTags is how many tags a resource can have.
const maxTags = 75

// reservedTag is the prefix of tags that say more than AWS's API can. They are given at creation and stay, since taking
// one away could widen a right.
const reservedTag = "lakegate:"

// readTagList reads the tags of a request.
func readTagList(list []ssoadmin.Tag) (map[string]string, error) {
	tags := make(map[string]string, len(list))
	for _, t := range list {
		if _, twice := tags[t.Key]; twice {
			return nil, ssoadmin.ValidationException("The tag key " + t.Key + " is there twice.")
		}
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return nil, ssoadmin.ValidationException("Tag keys that begin with aws: are reserved for system use.")
		}
		tags[t.Key] = t.Value
	}
	return tags, nil
}

func checkNotReserved(key string) error {
	if strings.HasPrefix(strings.ToLower(key), reservedTag) {
		return ssoadmin.ValidationException("Tag keys that begin with " + reservedTag + " are set when the resource is created and cannot be changed.")
	}
	return nil
}

// tagged is a resource with tags.
type tagged struct {
	arn, instance, kind, creator string
	tags                         map[string]string
}

// tagged authorises an operation on the tags of a resource and finds it.
func (s *Service) tagged(ctx context.Context, op, arn string, instance *string, request map[string]string, keys []string, least reach) (tagged, error) {
	t := s.findTagged(arn)
	q := question{op: op, resources: []string{arn}, tags: t.tags, request: request, tagKeys: keys, creator: t.creator}
	if err := s.authorize(ctx, q); err != nil {
		return t, err
	}
	var err error
	switch t.kind {
	case kindInstance:
		i, _ := s.Center.Instance(arn)
		err = s.within(ctx, op, arn, i, least)
	case kindIssuer:
		_, err = s.ownIssuer(ctx, op, arn, least)
	case kindApplication:
		_, err = s.ownApplication(ctx, op, arn)
	case kindPermissionSet:
		i, _ := s.Center.Instance(t.instance)
		err = s.within(ctx, op, arn, i, delegate)
	default:
		err = ssoadmin.ResourceNotFoundException("Could not find resource with ARN " + arn)
		if strings.Contains(arn, ":instance/") {
			err = denied(ctx, op, arn, "there is no such instance")
		}
	}
	if err == nil && instance != nil && *instance != t.instance {
		err = ssoadmin.ValidationException("The resource does not belong to the instance " + *instance)
	}
	return t, err
}

func (s *Service) findTagged(arn string) tagged {
	if i, ok := s.Center.Instance(arn); ok {
		return tagged{arn: arn, instance: i.ARN, kind: kindInstance, tags: i.Tags}
	}
	if i, ok := s.Center.Issuer(arn); ok {
		return tagged{arn: arn, instance: i.Instance, kind: kindIssuer, tags: i.Tags}
	}
	if a, ok := s.Center.Application(arn); ok {
		return tagged{arn: arn, instance: a.Instance, kind: kindApplication, tags: a.Tags, creator: a.Account}
	}
	if p, ok := s.Center.PermissionSet(arn); ok {
		return tagged{arn: arn, instance: p.Instance, kind: kindPermissionSet, tags: p.Tags}
	}
	return tagged{}
}

// mayTag keeps a delegated administrator from the tags of what only the management account may change.
func (s *Service) mayTag(ctx context.Context, q store.Querier, op string, t tagged) error {
	i, ok := s.Center.Instance(t.instance)
	if t.kind != kindPermissionSet || !ok {
		return nil
	}
	return s.mayChange(ctx, q, op, i, t.arn)
}

// TagResource sets tags of an instance, an issuer, an application or a permission set.
func (s *Service) TagResource(ctx context.Context, in *ssoadmin.TagResourceInput) (*ssoadmin.TagResourceOutput, error) {
	tags, err := readTagList(in.Tags)
	if err != nil {
		return nil, err
	}
	t, err := s.tagged(ctx, "TagResource", in.ResourceArn, in.InstanceArn, tags, nil, delegate)
	if err != nil {
		return nil, err
	}
	for k := range tags {
		if err := checkNotReserved(k); err != nil {
			return nil, err
		}
	}
	err = s.change(ctx, "resource with ARN "+t.arn, func(tx *store.Tx) error {
		if err := s.mayTag(ctx, tx, "TagResource", t); err != nil {
			return err
		}
		now, err := readTags(ctx, tx, t.arn)
		if err != nil {
			return err
		}
		maps.Copy(now, tags)
		if len(now) > maxTags {
			return quota("tags", maxTags)
		}
		tx.Changed(t.kind, t.arn)
		return putTags(ctx, tx, t.arn, tags)
	})
	return &ssoadmin.TagResourceOutput{}, err
}

// UntagResource removes tags. A key that is not there is no error.
func (s *Service) UntagResource(ctx context.Context, in *ssoadmin.UntagResourceInput) (*ssoadmin.UntagResourceOutput, error) {
	t, err := s.tagged(ctx, "UntagResource", in.ResourceArn, in.InstanceArn, nil, in.TagKeys, delegate)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		if err := checkNotReserved(k); err != nil {
			return nil, err
		}
	}
	err = s.change(ctx, "resource with ARN "+t.arn, func(tx *store.Tx) error {
		if err := s.mayTag(ctx, tx, "UntagResource", t); err != nil {
			return err
		}
		tx.Changed(t.kind, t.arn)
		return dropTags(ctx, tx, t.arn, in.TagKeys...)
	})
	return &ssoadmin.UntagResourceOutput{}, err
}

// ListTagsForResource lists the tags of an instance, an issuer, an application or a permission set.
func (s *Service) ListTagsForResource(ctx context.Context, in *ssoadmin.ListTagsForResourceInput) (*ssoadmin.ListTagsForResourceOutput, error) {
	t, err := s.tagged(ctx, "ListTagsForResource", in.ResourceArn, in.InstanceArn, nil, nil, member)
	if err != nil {
		return nil, err
	}
	keys, next, err := page("tags "+t.arn, slices.Sorted(maps.Keys(t.tags)), func(k string) string { return k }, nil, maxTags, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ssoadmin.ListTagsForResourceOutput{Tags: []ssoadmin.Tag{}, NextToken: next}
	for _, k := range keys {
		out.Tags = append(out.Tags, ssoadmin.Tag{Key: k, Value: t.tags[k]})
	}
	return out, nil
}
