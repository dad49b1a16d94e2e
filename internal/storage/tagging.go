package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// tagText is the alphabet of tags: letters, digits and spaces of any script and a few signs.
func tagText(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.In(r, unicode.Z) && !strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return true
}

func tagsOf(attrs map[string][]byte) (map[string]string, error) {
	raw, ok := attrs[attrTags]
	if !ok {
		return nil, nil
	}
	var tags map[string]string
	if err := json.Unmarshal(raw, &tags); err != nil {
		return nil, fmt.Errorf("read tags: %w", err)
	}
	return tags, nil
}

// storeTags replaces the tags of what is kept under (bucket, object). None leaves no trace.
func (e *Embedded) storeTags(bucket, object string, tags map[string]string) error {
	if len(tags) == 0 {
		err := e.attrs.DeleteAttribute(bucket, object, attrTags)
		if errors.Is(err, errNoAttribute) {
			return nil
		}
		return err
	}
	raw, err := json.Marshal(tags)
	if err != nil {
		return fmt.Errorf("encode tags: %w", err)
	}
	return e.attrs.StoreAttribute(nil, bucket, object, attrTags, raw)
}

// GetObjectTagging reads the tags of a version.
func (e *Embedded) GetObjectTagging(_ context.Context, ref ObjectRef) (*TaggingOutput, error) {
	o, err := e.visible(ref)
	if err != nil {
		return nil, err
	}
	defer func() { _ = o.file.Close() }()
	tags, err := tagsOf(o.attrs)
	return &TaggingOutput{VersionID: string(o.attrs[attrVersionID]), Tags: tags}, modelled(err)
}

// PutObjectTagging replaces the tags of a version.
func (e *Embedded) PutObjectTagging(_ context.Context, ref ObjectRef, tags map[string]string) (string, error) {
	if err := checkTags(tags, MaxObjectTags); err != nil {
		return "", err
	}
	release, err := e.change(ref.Bucket, ref.Key)
	if err != nil {
		return "", err
	}
	defer release()
	o, err := e.visible(ref)
	if err != nil {
		return "", err
	}
	defer func() { _ = o.file.Close() }()
	return string(o.attrs[attrVersionID]), modelled(e.storeTags(o.bucket, o.object, tags))
}

// GetBucketTagging reads the tags of a bucket.
func (e *Embedded) GetBucketTagging(_ context.Context, bucket string) (map[string]string, error) {
	if err := e.bucketAt(bucket); err != nil {
		return nil, err
	}
	raw, err := e.attrs.RetrieveAttribute(nil, bucket, "", attrTags)
	if errors.Is(err, errNoAttribute) {
		return nil, refuse("NoSuchTagSet", http.StatusNotFound, "The TagSet does not exist").with("BucketName", bucket)
	}
	if err != nil {
		return nil, modelled(fmt.Errorf("read tags: %w", err))
	}
	tags, err := tagsOf(map[string][]byte{attrTags: raw})
	return tags, modelled(err)
}

// PutBucketTagging replaces the tags of a bucket.
func (e *Embedded) PutBucketTagging(_ context.Context, bucket string, tags map[string]string) error {
	if err := checkTags(tags, MaxBucketTags); err != nil {
		return err
	}
	l := e.bucketLock(bucket)
	l.Lock()
	defer l.Unlock()
	if err := e.bucketAt(bucket); err != nil {
		return err
	}
	return modelled(e.storeTags(bucket, "", tags))
}

// DeleteBucketTagging removes the tags of a bucket.
func (e *Embedded) DeleteBucketTagging(ctx context.Context, bucket string) error {
	return e.PutBucketTagging(ctx, bucket, nil)
}
