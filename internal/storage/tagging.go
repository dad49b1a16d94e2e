package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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
	if err := CheckTags(tags, MaxObjectTags); err != nil {
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

// CheckTags refuses what S3 refuses as tags; most is how many there may be.
func CheckTags(tags map[string]string, most int) error {
	if len(tags) > most {
		return refuse("BadRequest", http.StatusBadRequest, fmt.Sprintf("Tags cannot be greater than %d", most))
	}
	for k, v := range tags {
		switch {
		case k == "" || len([]rune(k)) > MaxTagKey || !tagText(k):
			return refuse("InvalidTag", http.StatusBadRequest, "The TagKey you have provided is invalid").with("TagKey", k)
		case len([]rune(v)) > MaxTagValue || !tagText(v):
			return refuse("InvalidTag", http.StatusBadRequest, "The TagValue you have provided is invalid").with("TagKey", k).with("TagValue", v)
		}
	}
	return nil
}

// ParseTagging reads the x-amz-tagging header, which is encoded as a query.
func ParseTagging(s string) (map[string]string, error) {
	q, err := url.ParseQuery(s)
	if err != nil {
		return nil, invalidArgument("x-amz-tagging", s, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
	}
	tags := make(map[string]string, len(q))
	for k, v := range q {
		if len(v) != 1 {
			return nil, invalidArgument("x-amz-tagging", s, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
		}
		tags[k] = v[0]
	}
	return tags, CheckTags(tags, MaxObjectTags)
}
