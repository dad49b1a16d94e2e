package grants

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

const maxTags = 50

// reservedTags begin the names of the tags that mean something to this server. One that means nothing must not look as if
// it did.
const reservedTags = "lakegate:"

// newTags checks tags. known are the reserved ones that have a meaning on the resource.
func (s *Service) newTags(list []s3control.Tag, known []string) (map[string]string, error) {
	tags := map[string]string{}
	for _, t := range list {
		switch _, twice := tags[t.Key]; {
		case twice:
			return nil, wire.NewError("InvalidTag", http.StatusBadRequest, "There are duplicate tag keys in your request. Remove the duplicate tag keys and try again.")
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return nil, wire.NewError("InvalidTags", http.StatusBadRequest, "User-defined tag keys can't start with \"aws:\".")
		case reserved(t.Key) && s.Strict:
			return nil, wire.NewError("InvalidTag", http.StatusBadRequest, "The tag "+t.Key+" is reserved and has no meaning with compat: strict.")
		case reserved(t.Key) && !slices.Contains(known, t.Key):
			return nil, wire.NewError("InvalidTag", http.StatusBadRequest, "The tag "+t.Key+" is reserved and has no meaning on this resource.")
		}
		tags[t.Key] = t.Value
	}
	if len(tags) > maxTags {
		return nil, wire.NewError("TooManyTags", http.StatusBadRequest, "The number of tags exceeds the limit of 50 tags.")
	}
	return tags, nil
}

// tagged is a resource that has tags: an instance, a location or a grant.
type tagged struct {
	tags map[string]string
	// known are the reserved tags that have a meaning on it.
	known []string
	// change lets do work on the tags as they are in the transaction, and writes the result.
	change func(ctx context.Context, tx *store.Tx, do func(tags map[string]string) error) error
}

// find resolves the ARN of the tag operations. It belongs to this account and Region, or the request is not valid.
func (s *Service) findTagged(ctx context.Context, account, resource string) (*tagged, error) {
	rest, ok := strings.CutPrefix(resource, s.instanceARN(account))
	if !ok || rest != "" && rest[0] != '/' {
		return nil, wire.NewError("InvalidRequest", http.StatusBadRequest, "The ARN does not match the account, Region or partition of the request.")
	}
	gone := wire.NewError("NoSuchResource", http.StatusNotFound, "The specified resource doesn't exist.")
	switch kind, id, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/"); kind {
	case "":
		i, ok := s.Registry.instances.Get(account)
		if !ok || rest != "" {
			return nil, gone
		}
		return &tagged{i.Tags, nil, func(ctx context.Context, tx *store.Tx, do func(map[string]string) error) error {
			i, err := readInstance(ctx, tx, account)
			if err != nil {
				return notFound(err, gone)
			}
			return errors.Join(do(i.Tags), putInstance(ctx, tx, i))
		}}, nil
	case "location":
		l, ok := s.Registry.location(account, id)
		if !ok {
			return nil, gone
		}
		return &tagged{l.Tags, locationTags, func(ctx context.Context, tx *store.Tx, do func(map[string]string) error) error {
			l, err := readLocation(ctx, tx, key(account, id))
			if err != nil {
				return notFound(err, gone)
			}
			return errors.Join(do(l.Tags), putLocation(ctx, tx, l))
		}}, nil
	case "grant":
		g, ok, err := s.Registry.GrantByID(ctx, account, id)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, gone
		}
		return &tagged{g.Tags, grantTags, func(ctx context.Context, tx *store.Tx, do func(map[string]string) error) error {
			g, err := readGrant(ctx, tx, key(account, id))
			if err != nil {
				return notFound(err, gone)
			}
			return errors.Join(do(g.Tags), retagGrant(ctx, tx, g, g.Tags))
		}}, nil
	}
	return nil, gone
}

// authorizeTags asks before anything is told about the resource.
func (s *Service) authorizeTags(ctx context.Context, operation, account, resource string, values policy.Values) (*tagged, error) {
	t, err := s.findTagged(ctx, account, resource)
	if t != nil {
		maps.Copy(values, tagValues(nil, t.tags))
	}
	if denied := s.ownPart(ctx, operation, account, resource, values); denied != nil {
		return nil, denied
	}
	return t, err
}

// TagResource adds tags, or changes their values. Reserved ones stay as they were given when the resource was made.
func (s *Service) TagResource(ctx context.Context, in *s3control.TagResourceInput) (*s3control.TagResourceOutput, error) {
	t, err := s.authorizeTags(ctx, "TagResource", in.AccountId, in.ResourceArn, tagValues(in.Tags, nil))
	if err != nil {
		return nil, err
	}
	add, err := s.newTags(in.Tags, t.known)
	if err != nil {
		return nil, err
	}
	err = s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		return t.change(ctx, tx, func(tags map[string]string) error {
			if err := keepReserved(tags, add); err != nil {
				return err
			}
			maps.Copy(tags, add)
			if len(tags) > maxTags {
				return wire.NewError("TooManyTags", http.StatusBadRequest, "The number of tags exceeds the limit of 50 tags.")
			}
			return nil
		})
	})
	return &s3control.TagResourceOutput{}, err
}

// UntagResource removes tags. Reserved ones stay: without them a grant could mean more than was given.
func (s *Service) UntagResource(ctx context.Context, in *s3control.UntagResourceInput) (*s3control.UntagResourceOutput, error) {
	values := policy.Values{}
	values.Set("aws:TagKeys", in.TagKeys...)
	t, err := s.authorizeTags(ctx, "UntagResource", in.AccountId, in.ResourceArn, values)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		if reserved(k) {
			return nil, wire.NewError("InvalidTag", http.StatusBadRequest, "The tag "+k+" is reserved and cannot be removed.")
		}
	}
	err = s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		return t.change(ctx, tx, func(tags map[string]string) error {
			maps.DeleteFunc(tags, func(k, _ string) bool { return slices.Contains(in.TagKeys, k) })
			return nil
		})
	})
	return &s3control.UntagResourceOutput{}, err
}

// ListTagsForResource lists the tags of a resource.
func (s *Service) ListTagsForResource(ctx context.Context, in *s3control.ListTagsForResourceInput) (*s3control.ListTagsForResourceOutput, error) {
	t, err := s.authorizeTags(ctx, "ListTagsForResource", in.AccountId, in.ResourceArn, policy.Values{})
	if err != nil {
		return nil, err
	}
	out := &s3control.ListTagsForResourceOutput{Tags: []s3control.Tag{}}
	for _, k := range slices.Sorted(maps.Keys(t.tags)) {
		out.Tags = append(out.Tags, s3control.Tag{Key: k, Value: t.tags[k]})
	}
	return out, nil
}
