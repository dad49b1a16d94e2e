package delivery

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/wire"
)

// Trail is what an account wants to have delivered, and where.
type Trail struct {
	Account, Name string
	Bucket        string
	// Prefix stands before the layout, without a slash at its end; empty for none.
	Prefix string
	// GlobalEvents and MultiRegion are kept as they were given: a server has one Region, whose events are all there are.
	GlobalEvents, MultiRegion bool
	// Validation asks for digests.
	Validation bool
	Selection  Selection
	Tags       map[string]string

	Logging          bool
	Started, Stopped time.Time

	// Delivered and Digested are when an object was last written, Attempted when it was last tried, and the errors why the
	// last attempt failed; empty after one that did not.
	Delivered, Attempted, Digested time.Time
	Failure, DigestFailure         string
	// DigestFrom is where the next digest begins; zero for nowhere.
	DigestFrom time.Time
}

// ARN of the trail in the server's Region.
func (t *Trail) ARN(region string) string {
	return arn.New("cloudtrail", region, t.Account, "trail/"+t.Name).String()
}

// describe is the trail as the API shows it.
func (t *Trail) describe(region string) *cloudtrail.Trail {
	out := &cloudtrail.Trail{
		Name: &t.Name, S3BucketName: &t.Bucket, IncludeGlobalServiceEvents: &t.GlobalEvents, IsMultiRegionTrail: &t.MultiRegion, HomeRegion: &region,
		TrailARN: new(t.ARN(region)), LogFileValidationEnabled: &t.Validation, HasCustomEventSelectors: new(!t.Selection.standard()),
		HasInsightSelectors: new(false), IsOrganizationTrail: new(false),
	}
	if t.Prefix != "" {
		out.S3KeyPrefix = &t.Prefix
	}
	return out
}

var (
	trailName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]$`)
	neighbours = regexp.MustCompile(`[._-]{2}`)
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
)

// checkName holds a name against CloudTrail's rules.
func checkName(name string) *wire.Error {
	switch {
	case len(name) < 3:
		return cloudtrail.InvalidTrailNameException("Trail name too short. Minimum allowed length: 3 characters. Specified name length: " + fmt.Sprint(len(name)) + " characters.")
	case len(name) > 128:
		return cloudtrail.InvalidTrailNameException("Trail name too long. Maximum allowed length: 128 characters. Specified name length: " + fmt.Sprint(len(name)) + " characters.")
	case !trailName.MatchString(name):
		return cloudtrail.InvalidTrailNameException("Trail name must start and end with a letter or number, and must contain only letters, numbers, periods, underscores, and hyphens.")
	case neighbours.MatchString(name):
		return cloudtrail.InvalidTrailNameException("Trail name must not have adjacent periods, underscores, or hyphens.")
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return cloudtrail.InvalidTrailNameException("Trail name must not be in IP address format.")
	}
	return nil
}

// checkPlace holds a bucket and a prefix against the rules of their names.
func checkPlace(bucket, prefix string) *wire.Error {
	if !bucketName.MatchString(bucket) || strings.Contains(bucket, "..") {
		return cloudtrail.InvalidS3BucketNameException(fmt.Sprintf("Bucket name %.100q is not valid.", bucket))
	}
	if len(prefix) > 200 {
		return cloudtrail.InvalidS3PrefixException("The prefix must not have more than 200 characters.")
	}
	for _, part := range strings.Split(prefix, "/") {
		if part == "." || part == ".." || prefix != "" && part == "" {
			return cloudtrail.InvalidS3PrefixException("The prefix must not begin or end with a slash, nor have empty parts, '.' or '..'.")
		}
	}
	for _, r := range prefix {
		if r < 0x20 || r == 0x7f || r == '\ufffd' {
			return cloudtrail.InvalidS3PrefixException("The prefix must not have control characters.")
		}
	}
	return nil
}

// folder is the beginning of the keys of a trail's objects; kind is CloudTrail or CloudTrail-Digest.
func (t *Trail) folder(kind, region string) string {
	p := "AWSLogs/" + t.Account + "/" + kind + "/" + region + "/"
	if t.Prefix != "" {
		p = t.Prefix + "/" + p
	}
	return p
}

// fileKey names a file of records. The minute is that of its delivery, rounded down to five; unique has 16 letters and
// digits.
func (t *Trail) fileKey(region string, at time.Time, unique string) string {
	at = at.UTC().Truncate(5 * time.Minute)
	return t.folder("CloudTrail", region) + at.Format("2006/01/02/") + t.Account + "_CloudTrail_" + region + "_" + at.Format("20060102T1504Z") + "_" + unique + ".json.gz"
}

// digestKey names the digest that ends at a time. The trail's home is the one Region that there is.
func (t *Trail) digestKey(region string, ends time.Time) string {
	ends = ends.UTC()
	return t.folder("CloudTrail-Digest", region) + ends.Format("2006/01/02/") + t.Account + "_CloudTrail-Digest_" + region + "_" + t.Name + "_" + region + "_" + ends.Format("20060102T150405Z") + ".json.gz"
}
