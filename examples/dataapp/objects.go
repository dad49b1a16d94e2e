package dataapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	// maxListed bounds the keys that a page looks at.
	maxListed = 5000
	// maxObject bounds one object of sales.
	maxObject = 16 << 20
)

// An object is one line of a listing.
type object struct {
	Key  string
	Size int64
}

// listObjects names what lies at the location, at most most objects, and says whether there is more.
func listObjects(ctx context.Context, client *s3.Client, l Location, most int) (found []object, more bool, err error) {
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{
		Bucket: &l.Bucket, Prefix: &l.Key, MaxKeys: new(int32(min(most, 1000))),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, false, at(stepList, err)
		}
		for _, o := range page.Contents {
			if len(found) == most {
				return found, true, nil
			}
			// A key that ends in a slash is how consoles draw a folder.
			if key := aws.ToString(o.Key); !strings.HasSuffix(key, "/") {
				found = append(found, object{Key: key, Size: aws.ToInt64(o.Size)})
			}
		}
	}
	return found, false, nil
}

// readObject hands the content of one object to use, which may read no more than maxObject of it.
func readObject(ctx context.Context, client *s3.Client, bucket, key string, use func(io.Reader) error) error {
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return at(stepRead, err)
	}
	defer out.Body.Close()
	if err := use(&limited{from: out.Body, left: maxObject + 1}); err != nil {
		if wrong, ok := errors.AsType[*dataError](err); ok {
			return &dataError{fmt.Sprintf("the file %s cannot be used: %s", path.Base(key), wrong.what)}
		}
		return at(stepRead, err)
	}
	return nil
}

// limited fails where io.LimitReader would end: half a file of sales looks like a bad month.
type limited struct {
	from io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, &dataError{fmt.Sprintf("it is larger than %d MiB", maxObject>>20)}
	}
	n, err := l.from.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
