package bucket

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/wire"
)

// paths of the APIs that share the door with S3, where a bucket of that name could not be reached in path style.
var paths = []string{"v20180820", "token", "client", "device_authorization", "federation", "assignment", "logout", "authorize"}

// CheckName keeps S3's rules for the names of buckets ("General purpose bucket naming rules"), and refuses the names that
// this server needs for itself: its paths, and twelve digits, which before the server's own name are an account.
func CheckName(name string) error {
	if storage.CheckBucketName(name) != nil || isAddress(name) || arn.IsAccountID(name) || slices.Contains(paths, name) ||
		slices.ContainsFunc([]string{"xn--", "sthree-", "amzn-s3-demo-"}, func(p string) bool { return strings.HasPrefix(name, p) }) ||
		slices.ContainsFunc([]string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}, func(s string) bool { return strings.HasSuffix(name, s) }) {
		return wire.NewError("InvalidBucketName", http.StatusBadRequest, "The specified bucket is not valid.").With("BucketName", name)
	}
	return nil
}

// isAddress also takes what only looks like an address, as 192.168.5.400.
func isAddress(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return strings.Count(name, ".") == 3 && strings.Trim(name, "0123456789.") == ""
}
